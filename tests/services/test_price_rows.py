"""Rows of ``seller.prices``: which market they mean, and what a move is measured from where none is shown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.services.prices import plan_prices
from backmarket.settings import PriceSettings
from backmarket.warehouse import price_approval
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.prices import unmatched_prices
from backmarket.warehouse.sku_map import read as read_map
from tests.services.test_prices import id_of, plan
from tests.services.test_repricing import NOW, offer, price

if TYPE_CHECKING:
    import psycopg

    from backmarket.services.prices import PricePlan


def _plan(warehouse: psycopg.Connection[Any], *markets: str) -> PricePlan:
    return plan_prices(warehouse, "default", PriceSettings(), markets=list(markets), now=NOW, run_id="r")


@pytest.mark.parametrize("written", ["FR-FR", "fr-fr ", "\tFr-Fr\n"])
def test_a_market_is_read_whatever_its_case_and_the_blanks_around_it(
    warehouse: psycopg.Connection[Any], written: str
) -> None:
    """As in seller.catalog and seller.vat_rates: it was never sent, in a green run."""
    offer(warehouse, "A", market="fr-fr")
    warehouse.execute("update seller.prices set market = %s", [written])
    assert _plan(warehouse, "fr-fr").feed.left_out == []
    rows = warehouse.execute("select subject, market, status from backmarket.changes").fetchall()
    assert rows == [("A", "fr-fr", "planned")]
    assert unmatched_prices(warehouse, "default", ["fr-fr"], read_map(warehouse, "default").sku_map) == []


def test_what_was_sent_counts_for_a_market_in_capitals_too(warehouse: psycopg.Connection[Any]) -> None:
    """The move is measured from it where the market shows none."""
    offer(warehouse, "A", None)
    ledger = Ledger(warehouse, "default", "price")
    payload = {"id": str(id_of(warehouse, "A")), "price": "900.00", "currency": "EUR"}
    ledger.plan([PlannedChange("A", payload, "fr-fr")], run_id="earlier")
    ledger.settle(ledger.mark_sent(ledger.planned()), "confirmed")
    warehouse.execute("update seller.prices set market = 'FR-FR'")
    assert plan(warehouse)["A"][1]["old_price"] == "900.00"


def test_two_rows_of_a_market_that_is_spelled_twice_are_refused(warehouse: psycopg.Connection[Any]) -> None:
    """They would take turns, as two spellings of a SKU."""
    offer(warehouse, "A")
    price(warehouse, "A", market="FR-FR", price="310")
    ((status, reason),) = _statuses(warehouse)
    assert status == "refused"
    assert "2 pairs" in reason


def _statuses(warehouse: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    _plan(warehouse, "fr-fr")
    return warehouse.execute("select status, reason from backmarket.changes").fetchall()


def test_a_row_of_no_market_cannot_be_read_and_one_of_a_market_that_is_not_priced_waits(
    warehouse: psycopg.Connection[Any],
) -> None:
    """The first is left out and named, the second is another market's turn; the others go."""
    offer(warehouse, "A")
    price(warehouse, "A", market="fr-fx")
    price(warehouse, "A", market=" ")
    price(warehouse, "A", market="DE-DE")
    feed = _plan(warehouse, "fr-fr").feed
    assert [(row.sku, row.market) for row in feed.rows] == [("A", "fr-fr")]
    assert sorted(each.reason for each in feed.left_out) == [
        "market is 'fr-fx': a market of Back Market's is needed, such as fr-fr",
        "market is missing",
    ]
    unmatched = unmatched_prices(warehouse, "default", ["fr-fr"], read_map(warehouse, "default").sku_map)
    assert {reason: rows for reason, rows, _ in unmatched} == {
        "are of a market that backmarket_markets does not name": 1,
        "are of no market that Back Market has": 2,
    }


def _shown_before(warehouse: psycopg.Connection[Any], sku: str, amount: str, currency: str | None = "EUR") -> None:
    """Let France have shown a price an hour ago, and another one before it."""
    for hours, shown in ((2, "500.00"), (1, amount)):
        warehouse.execute(
            "insert into backmarket.listing_offer_history (account, id, market, changed_at, price, currency) "
            "values ('default', %s, 'fr-fr', %s, %s, %s)",
            [id_of(warehouse, sku), NOW - timedelta(hours=hours), shown, currency],
        )


@pytest.mark.parametrize("shown", [None, "0.00"])
def test_a_slip_beside_a_price_that_is_not_shown_for_a_moment_waits_for_a_person(
    warehouse: psycopg.Connection[Any], shown: str | None
) -> None:
    """It was set in the Back Office and never sent from here: 3.00 instead of 300.00 is no first price."""
    offer(warehouse, "SLIP", shown, price="3.00")
    offer(warehouse, "NEAR", shown, price="290.00")
    offer(warehouse, "NEW", shown, price="3.00")
    offer(warehouse, "POUND", shown, price="3.00")
    for sku, currency in {"SLIP": "EUR", "NEAR": None, "POUND": "GBP"}.items():
        _shown_before(warehouse, sku, "300.00", currency)
    found = plan(warehouse)
    assert {sku: status for sku, (status, *_) in found.items()} == {
        "SLIP": "awaiting_approval",
        "NEAR": "planned",
        "NEW": "planned",
        "POUND": "planned",
    }
    assert found["SLIP"][1]["old_price"] == "300.00"


def test_what_a_person_decided_holds_when_the_sku_is_spelled_otherwise(warehouse: psycopg.Connection[Any]) -> None:
    """Neither blanks nor case make another SKU; what Back Market refused stays refused, too."""
    offer(warehouse, "A-1", "100.00")
    _plan(warehouse, "fr-fr")
    ((change_id, old, new),) = warehouse.execute(
        "select change_id, payload ->> 'old_price', payload ->> 'price' from backmarket.changes"
    ).fetchall()
    decided: dict[str, Any] = {"decided_by": "someone", "decided_since": NOW - timedelta(days=1)}
    price_approval.decide_waiting(warehouse, "default", change_id, (old, new), "approved", **decided)
    warehouse.execute("update seller.prices set sku = 'a-1'")
    assert plan(warehouse)["a-1"][0] == "planned"
    ledger = Ledger(warehouse, "default", "price")
    ledger.settle(ledger.mark_sent(ledger.planned()), "refused", "no")
    refusals = ledger.refusals(since=NOW - timedelta(days=1000))
    payload = {"id": str(id_of(warehouse, "A-1")), "price": "300.00", "currency": "EUR"}
    assert refusals.include("A-1", payload, "fr-fr")
    assert not refusals.include("A-1", {**payload, "price": str(Decimal(300))}, "fr-fr")
