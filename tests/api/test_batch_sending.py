"""Batches that Back Market refuses as a whole, hour after hour, within the budget of SKU lines."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import Rate

from backmarket.services.batches import BatchSending
from backmarket.services.creation_batches import batches_of
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.rate_limit import open_pool, shared_bucket
from backmarket.warehouse.sku_line_budget import SkuLineBudget, open_sku_line_budget
from tests.api.hostile_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from backmarket.api.client import BackMarketClient
    from tests.api.hostile_server import HostileServer, Seen

CONN_ID = "backmarket_warehouse"


@pytest.fixture
def refused_skus(server: HostileServer) -> set[str]:
    """SKUs for each of which Back Market refuses a whole batch; a test fills it."""
    skus: set[str] = set()

    def play(request: Seen) -> Reply:
        lines = json.loads(request.body)["catalog"].splitlines()[1:]
        if skus & {line.strip('"') for line in lines}:
            return Reply(json.dumps("The catalog could not be processed."), status=400)
        return Reply({"bodymessage": len(server.seen), "statuscode": 200})

    server.play = play
    return skus


@pytest.fixture
def ledger(warehouse: psycopg.Connection[Any]) -> Ledger:
    """New listings of account ``default``."""
    return Ledger(warehouse, "default", "listing")


@pytest.fixture
def small_hour(warehouse: psycopg.Connection[Any]) -> Iterator[SkuLineBudget]:
    """A budget of twelve lines."""
    with open_pool(CONN_ID) as pool:
        yield SkuLineBudget(shared_bucket(pool, "default", "sku_lines", [Rate(12, 3_600_000)]))


def _plan(ledger: Ledger, skus: list[str]) -> None:
    changes = [PlannedChange(sku, {"market": "fr-fr", "columns": {"sku": sku}}) for sku in skus]
    ledger.plan(changes, run_id="run")


def _send_all(ledger: Ledger, client: BackMarketClient, budget: SkuLineBudget) -> list[str]:
    """Send what is planned as a run does, and return the SKUs that it names as refused."""
    sending = BatchSending(ledger, client, budget, logging.getLogger())
    for batch in batches_of(ledger.planned()[: budget.left()]):
        sending.send("fr-fr", batch, {change.change_id: change.payload["columns"] for change in batch})
    return [change.subject for change in sending.refused]


def _left(ledger: Ledger) -> dict[str, tuple[str, int, str | None]]:
    """Status, attempts and reason of what Back Market did not take, by SKU."""
    query = "select subject, status, attempts, reason from backmarket.changes where status != 'sent'"
    return {row[0]: row[1:] for row in ledger.connection.execute(query).fetchall()}


def test_a_thousand_lines_that_are_refused_come_to_an_end(
    ledger: Ledger, client: BackMarketClient, refused_skus: set[str]
) -> None:
    """Each hour's run names what it could not send and leaves quantities their lines; at last no line waits."""
    skus = [f"BAD-{number}" for number in range(1_000)]
    refused_skus.update(skus)
    _plan(ledger, skus)
    hours = 0
    while ledger.planned():
        hours += 1
        assert hours <= 12
        with open_sku_line_budget(CONN_ID, "default", keep_for_quantities=True) as budget:
            assert _send_all(ledger, client, budget)
        with open_sku_line_budget(CONN_ID, "default") as budget:
            assert budget.left() >= 487
            budget.bucket.flush()
    assert {(status, attempts) for status, attempts, _ in _left(ledger).values()} == {("refused", 3)}


def test_one_bad_line_of_a_thousand_is_found_within_the_hour(
    ledger: Ledger, client: BackMarketClient, refused_skus: set[str]
) -> None:
    """Its batch is the first: its neighbours go out, it is named, and what the hour does not hold waits untried."""
    refused_skus.add("NEW-300")
    _plan(ledger, [f"NEW-{number}" for number in range(1_000)])
    with open_sku_line_budget(CONN_ID, "default", keep_for_quantities=True) as budget:
        assert _send_all(ledger, client, budget) == ["NEW-300"]
    left = _left(ledger)
    assert left.pop("NEW-300")[:2] == ("planned", 1)
    assert {attempts for _, attempts, _ in left.values()} <= {0}
    assert set(left) == {f"NEW-{number}" for number in range(1_000 - len(left), 1_000)}


def test_a_half_that_the_hour_does_not_hold_is_named_with_its_reason(
    ledger: Ledger, client: BackMarketClient, refused_skus: set[str], small_hour: SkuLineBudget
) -> None:
    """Eight lines were refused and four may be sent: the other four had their try, too."""
    refused_skus.add("NEW-7")
    _plan(ledger, [f"NEW-{number}" for number in range(8)])
    assert _send_all(ledger, client, small_hour) == [f"NEW-{number}" for number in range(4, 8)]
    ends = set(_left(ledger).values())
    assert len(ends) == 1
    status, attempts, reason = ends.pop()
    assert (status, attempts) == ("planned", 1)
    assert "The catalog could not be processed." in str(reason)
    assert "no lines left" in str(reason)
