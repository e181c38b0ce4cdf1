"""SKUs that cannot be looked up keep no other from being created."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import InMemoryBucket

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.errors import AuthenticationError, BackMarketError, RefusedError, ServerError
from backmarket.services.creation_batches import CreationSending
from backmarket.services.listing_lookup import look_up_each
from backmarket.warehouse.ledger import Ledger, PlannedChange, RecordedChange
from backmarket.warehouse.listings import Catalog
from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES, SkuLineBudget

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

LOG = logging.getLogger(__name__)
HANDFUL = 16


class Asked(BackMarketClient):
    """Knows no listing, and fails on some SKUs."""

    def __init__(self, sick: Iterable[str], error: BackMarketError) -> None:
        super().__init__(ClientConfig(base_url="http://127.0.0.1:1", token="t", user_agent="BM-Acme-A;ops@example.com"))
        self.sick = set(sick)
        self.error = error
        self.asked: list[str] = []

    def find_listing(self, sku: str, market: str) -> None:  # noqa: ARG002 - as the client has it
        """Answer that there is none."""
        self.asked.append(sku)
        if sku in self.sick:
            raise self.error


def _changes(count: int) -> list[RecordedChange]:
    return [RecordedChange(place, f"S{place}", "", {"market": "fr-fr"}, 0) for place in range(count)]


@pytest.mark.parametrize("error", [RefusedError(status=400), ServerError(status=500)])
@pytest.mark.parametrize("handfuls", [1, 2])
def test_sick_skus_at_the_head_of_the_queue_are_no_outage(error: BackMarketError, handfuls: int) -> None:
    """One from the end answers: all others are looked up, in their order."""
    changes = _changes(HANDFUL * 4)
    client = Asked([change.subject for change in changes[: HANDFUL * handfuls]], error)
    lookups = look_up_each(client, changes)
    assert [lookup.exists for lookup in lookups] == [None] * HANDFUL * handfuls + [False] * HANDFUL * (4 - handfuls)
    assert len(client.asked) == len(set(client.asked)) == len(changes)


def test_an_outage_is_not_hammered() -> None:
    """A handful and the last one fail: nobody else is asked about."""
    changes = _changes(HANDFUL * 4)
    client = Asked([change.subject for change in changes], ServerError(status=500))
    lookups = look_up_each(client, changes)
    assert [lookup.exists for lookup in lookups] == [None] * len(changes)
    assert len(client.asked) == HANDFUL + 1
    assert [place for place, lookup in enumerate(lookups) if lookup.was_asked] == [*range(HANDFUL), len(changes) - 1]


@pytest.mark.parametrize("count", [1, HANDFUL, HANDFUL + 1, HANDFUL + 2])
def test_every_change_has_its_lookup(count: int) -> None:
    """Also where they just fill a handful, or all fail."""
    for sick in (0, count):
        client = Asked([f"S{place}" for place in range(sick)], ServerError(status=500))
        assert [each.exists for each in look_up_each(client, _changes(count))] == [None if sick else False] * count


def test_what_concerns_all_is_raised() -> None:
    """A token that is refused is not asked with again."""
    with pytest.raises(AuthenticationError):
        look_up_each(Asked(["S0"], AuthenticationError()), _changes(40))


def test_skus_that_cannot_be_looked_up_come_last_in_the_next_run(warehouse: psycopg.Connection[Any]) -> None:
    """Where more wait than an hour takes, they would take the turn of others, run after run."""
    ledger = Ledger(warehouse, "default", "listing")
    names = [f"S{place}" for place in range(4)]
    ledger.plan([PlannedChange(name, {"market": "fr-fr", "columns": {}}) for name in names], run_id="r")
    sending = CreationSending(
        ledger,
        Catalog(warehouse, "default"),
        Asked(names[:2], RefusedError(status=400)),
        SkuLineBudget(InMemoryBucket(SKU_LINE_RATES)),
        LOG,
    )
    assert [change.subject for change in sending._without_listed(ledger.planned())] == names[2:]
    assert [change.subject for change in ledger.planned()] == [*names[2:], *names[:2]]
