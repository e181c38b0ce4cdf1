"""SKUs that cannot be looked up keep no other from being created."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pyrate_limiter import InMemoryBucket

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.errors import AuthenticationError, BackMarketError, NotFoundError, RefusedError, ServerError
from backmarket.api.models import Listing
from backmarket.api.models.listing import ListingPage
from backmarket.services.creation_batches import CreationSending
from backmarket.services.listing_lookup import Lookup, look_up_absent_again, look_up_each
from backmarket.warehouse.ledger import Ledger, PlannedChange, RecordedChange
from backmarket.warehouse.listings import Catalog
from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES, SkuLineBudget

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

LOG = logging.getLogger(__name__)
HANDFUL = 16


class Asked(BackMarketClient):
    """Lists some SKUs, fails on some, and does not find others the first times that it is asked for them."""

    def __init__(
        self,
        sick: Iterable[str] = (),
        error: BackMarketError | None = None,
        *,
        listed: Iterable[str] = (),
        hidden: dict[str, int] | None = None,
    ) -> None:
        super().__init__(ClientConfig(base_url="http://127.0.0.1:1", token="t", user_agent="BM-Acme-A;ops@example.com"))
        self.sick = set(sick)
        self.error = error
        self.listed = list(listed)
        self.hidden = Counter(hidden)
        self.asked: list[str] = []
        self.list_error: BackMarketError | None = None

    def find_listing(self, sku: str, market: str) -> Listing | None:  # noqa: ARG002 - as the client has it
        """Answer that there is none of most."""
        self.asked.append(sku)
        if sku in self.sick and self.error:
            raise self.error
        if sku not in self.listed or self.hidden[sku] > 0:
            self.hidden[sku] -= 1
            return None
        return _listing(sku)

    def first_listings(self, market: str) -> ListingPage:
        """Show what is listed."""
        if self.list_error:
            raise self.list_error
        return ListingPage(market, 1, len(self.listed), datetime.now(UTC), list(map(_listing, self.listed)), [])


def _listing(sku: str) -> Listing:
    return Listing.model_validate({"id": str(uuid4()), "sku": sku, "quantity": 1})


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


def _look_up_twice(client: Asked, changes: list[RecordedChange]) -> list[Lookup]:
    return look_up_absent_again(client, changes, look_up_each(client, changes))


def test_a_listing_that_was_not_found_once_is_found_the_second_time() -> None:
    """A batch of it would overwrite its quantity and price; others that are not listed are told apart from it."""
    client = Asked(listed=["KNOWN", "S1"], hidden={"S1": 1})
    assert [lookup.exists for lookup in _look_up_twice(client, _changes(3))] == [False, True, False]
    assert client.asked == ["S0", "S1", "S2", "KNOWN", "S0", "S1", "S2"]


def test_a_404_says_nothing_where_listed_skus_are_not_found_either() -> None:
    """Nobody can tell what is listed: all that were not found wait; no more is asked than three of the list."""
    client = Asked(listed=["K1", "K2", "K3", "K4"], hidden=dict.fromkeys(["K1", "K2", "K3", "K4"], 9))
    lookups = _look_up_twice(client, _changes(2))
    assert [lookup.exists for lookup in lookups] == [None, None]
    assert all("did not find SKUs that it lists either" in str(lookup.failure) for lookup in lookups)
    assert client.asked == ["S0", "S1", "K1", "K2", "K3"]


def test_a_sick_listing_at_the_head_of_the_list_keeps_nothing_from_being_created() -> None:
    """The next one on it is found: that is enough."""
    client = Asked(["SICK"], ServerError(status=500), listed=["SICK", "KNOWN"])
    assert [lookup.exists for lookup in _look_up_twice(client, _changes(2))] == [False, False]


@pytest.mark.parametrize("error", [NotFoundError(status=404), ServerError(status=500)])
def test_a_404_says_nothing_where_there_is_no_list_either(error: BackMarketError) -> None:
    """As where the whole path has gone: the rows wait."""
    client = Asked()
    client.list_error = error
    assert [lookup.failure for lookup in _look_up_twice(client, _changes(2))] == [error, error]


def test_an_account_without_listings_may_create_its_first() -> None:
    """Its list is served and empty: nothing that is listed could be found."""
    client = Asked()
    assert [lookup.exists for lookup in _look_up_twice(client, _changes(2))] == [False, False]


def test_where_all_are_listed_nothing_more_is_asked() -> None:
    """Requests are few."""
    client = Asked(listed=["S0", "S1"])
    assert [lookup.exists for lookup in _look_up_twice(client, _changes(2))] == [True, True]
    assert client.asked == ["S0", "S1"]


def test_a_sku_that_is_found_the_first_time_and_not_the_second_is_listed() -> None:
    """Only those that have no listing are asked for again."""
    client = Asked(listed=["S0"])
    lookups = look_up_each(client, _changes(2))
    client.hidden["S0"] = 9
    client.listed.append("KNOWN")
    assert [lookup.exists for lookup in look_up_absent_again(client, _changes(2), lookups)] == [True, False]
