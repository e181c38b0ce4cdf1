"""Prices that are planned and settled, in a real PostgreSQL, without a DAG around them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from backmarket.api.models.listing import Listing
from backmarket.rules.repricing import Wish
from backmarket.services.offers import Update, settle_by_readings
from backmarket.services.prices import plan_prices
from backmarket.settings import PriceSettings
from backmarket.warehouse import price_approval, repricing, sql
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.prices import shown_prices
from tests.services.test_repricing import NOW, offer

if TYPE_CHECKING:
    import psycopg


def plan(
    database: psycopg.Connection[Any],
    wishes: dict[str, Wish] | None = None,
    *,
    prices_upload: bool = True,
    ceiling_pct: Decimal = Decimal(0),
    **variables: object,
) -> dict[str, tuple[str, dict[str, Any], str | None]]:
    """Plan all prices; return status, payload and reason by SKU."""
    settings = PriceSettings.checked(variables)
    by_listing = None if wishes is None else {(id_of(database, sku), "fr-fr"): wish for sku, wish in wishes.items()}
    plan_prices(
        database,
        "default",
        settings,
        markets=["fr-fr"],
        now=NOW,
        run_id="r",
        wishes=by_listing,
        ceiling_pct=ceiling_pct,
        prices_upload=prices_upload,
    )
    rows = database.execute("select subject, status, payload, reason from backmarket.changes order by change_id")
    return {sku: (status, payload, reason) for sku, status, payload, reason in rows}


def id_of(database: psycopg.Connection[Any], sku: str) -> UUID:
    """The id of the listing of a SKU."""
    ((found,),) = database.execute("select id from backmarket.listings where sku = %s", [sku]).fetchall()
    assert isinstance(found, UUID)
    return found


def test_a_price_whose_offer_is_in_another_currency_is_refused_and_all_others_go(
    warehouse: psycopg.Connection[Any],
) -> None:
    """The reason names both currencies, and what to do."""
    offer(warehouse, "POUND", currency="GBP")
    offer(warehouse, "EURO", currency="EUR")
    offer(warehouse, "NONE", currency=None)
    found = plan(warehouse)
    assert {sku: status for sku, (status, *_) in found.items()} == {
        "POUND": "refused",
        "EURO": "planned",
        "NONE": "planned",
    }
    assert found["POUND"][2] == (
        "the offer is shown in GBP, and fr-fr takes EUR: the move cannot be measured; set the price once in the Back "
        "Office"
    )


@pytest.mark.parametrize(("currency", "is_shown"), [("EUR", True), (" eur", True), (None, True), ("GBP", False)])
def test_reading_back_confirms_no_price_of_another_currency(
    warehouse: psycopg.Connection[Any], currency: str | None, is_shown: bool
) -> None:
    """Neither the answer to a price, nor a reading after its answer was lost."""
    offer(warehouse, "A", "300.00", currency=currency)
    listing_id = id_of(warehouse, "A")
    ledger = Ledger(warehouse, "default", "price")
    payload = {"id": str(listing_id), "price": "300.00", "currency": "EUR"}
    ledger.plan([PlannedChange("A", payload, "fr-fr")], run_id="r")
    (change,) = ledger.planned()
    listing = Listing.model_validate(
        {"id": str(listing_id), "sku": "A", "quantity": 1, "price": "300.00", "currency": currency}
    )
    assert Update("fr-fr", [(ledger, change)]).shows_in(listing) is is_shown
    price, _ = shown_prices(warehouse, "default")[str(listing_id), "fr-fr"]
    assert price == (Decimal("300.00") if is_shown else None)
    ledger.mark_sent([change])
    ledger.settle([change.change_id], "unknown", "no answer")
    warehouse.execute("update backmarket.listing_offers set read_at = now() + interval '1 hour'")
    settle_by_readings(ledger, ledger.unsettled(), shown_prices(warehouse, "default"))
    rows = warehouse.execute("select status from backmarket.changes").fetchall()
    assert rows == [("confirmed" if is_shown else "planned",)]


@pytest.mark.parametrize("shown", [None, "0.00"])
def test_a_move_from_a_price_that_is_shown_no_more_waits_for_a_person_and_goes_once_approved(
    warehouse: psycopg.Connection[Any], shown: str | None
) -> None:
    """Measured, asked about and decided from the last price that was sent."""
    offer(warehouse, "A", shown)
    payload = {"id": str(id_of(warehouse, "A")), "price": "900.00", "currency": "EUR"}
    ledger = Ledger(warehouse, "default", "price")
    ledger.plan([PlannedChange("A", payload, "fr-fr")], run_id="earlier")
    ledger.settle(ledger.mark_sent(ledger.planned()), "confirmed")
    status, asked, _ = plan(warehouse)["A"]
    assert (status, asked["old_price"]) == ("awaiting_approval", "900.00")
    ((change_id,),) = warehouse.execute(
        "select change_id from backmarket.changes where status = 'awaiting_approval'"
    ).fetchall()
    prices = (asked["old_price"], asked["price"])
    decided = {"decided_by": "someone", "decided_since": NOW - timedelta(days=1)}
    price_approval.decide_waiting(warehouse, "default", change_id, prices, "approved", **decided)  # type: ignore[arg-type]
    assert plan(warehouse)["A"][0] == "planned"


def test_a_wish_about_an_offer_that_shows_no_price_is_no_move(warehouse: psycopg.Connection[Any]) -> None:
    """It vanished after the decision: there is nothing to measure a move by. All others go, with what was shown."""
    for sku, shown in {"GONE": None, "ZERO": "0.00", "MOVED": "240.00", "ASKED": "240.00"}.items():
        offer(warehouse, sku, shown)
    wishes = {sku: Wish("move", Decimal("230.00"), "so it is") for sku in ("GONE", "ZERO", "MOVED")}
    wishes |= {"ASKED": Wish("ask", Decimal("230.00"), "so it is")}
    found = plan(warehouse, wishes, prices_upload=False)
    assert {sku: (status, payload["old_price"]) for sku, (status, payload, _) in found.items()} == {
        "MOVED": ("planned", "240.00"),
        "ASKED": ("awaiting_approval", "240.00"),
    }


def test_a_wish_raises_no_price_above_what_the_seller_wants_by_now(warehouse: psycopg.Connection[Any]) -> None:
    """It was decided before the seller lowered the price, and waited for the hour's SKU lines. Down it may go."""
    for sku, shown in {"UP": "240.00", "WITHIN": "240.00", "DOWN": "270.00"}.items():
        offer(warehouse, sku, shown, price="243")
    wished = {"UP": "250.00", "WITHIN": "243.00", "DOWN": "260.00"}
    wishes = {sku: Wish("move", Decimal(price), "so it is") for sku, price in wished.items()}
    assert {sku: payload["price"] for sku, (_, payload, _) in plan(warehouse, wishes).items()} == {
        "WITHIN": "243.00",
        "DOWN": "260.00",
    }
    assert plan(warehouse, wishes, ceiling_pct=Decimal(5))["UP"][1]["price"] == "250.00"


@pytest.mark.parametrize("shown", [None, "0.00"])
def test_where_an_offer_shows_no_price_any_more_the_sellers_own_has_its_turn(
    warehouse: psycopg.Connection[Any], shown: str | None
) -> None:
    """Whatever repricing wanted of it once: nothing else would ever give it a price again."""
    for sku in ("HELD", "MOVED", "FAR"):
        offer(warehouse, sku, shown)
    payload = {"id": str(id_of(warehouse, "FAR")), "price": "900.00", "currency": "EUR"}
    ledger = Ledger(warehouse, "default", "price")
    ledger.plan([PlannedChange("FAR", payload, "fr-fr")], run_id="earlier")
    ledger.settle(ledger.mark_sent(ledger.planned()), "confirmed")
    held, moved = Wish("hold", None, "the market shows no price yet"), Wish("move", Decimal("230.00"), "so it is")
    found = plan(warehouse, {"HELD": held, "MOVED": moved, "FAR": held})
    assert {sku: (status, payload["price"]) for sku, (status, payload, _) in found.items()} == {
        "HELD": ("planned", "300.00"),
        "MOVED": ("planned", "300.00"),
        "FAR": ("awaiting_approval", "300.00"),
    }


@pytest.mark.parametrize("old_price", ["None", None])
def test_a_move_without_an_old_price_breaks_nothing_that_reads_moves(
    warehouse: psycopg.Connection[Any], old_price: str | None
) -> None:
    """As an earlier version wrote it down; all other moves of the account are read."""
    from psycopg.types.json import Jsonb

    for sku, before in {"GONE": old_price, "MOVED": "240.00"}.items():
        payload = {"id": str(UUID(int=1)), "price": "230.00", "currency": "EUR", "old_price": before, "why": "so it is"}
        for status, attempts in (("confirmed", 1), ("awaiting_approval", 0)):
            warehouse.execute(
                "insert into backmarket.changes (account, kind, subject, market, payload, status, attempts, sent_at) "
                "values ('default', 'price', %s, 'fr-fr', %s, %s, %s, case when %s > 0 then now() end)",
                [sku, Jsonb(payload), status, attempts, attempts],
            )
    moves = repricing.read_moves(warehouse, "default", since=NOW - timedelta(days=900))
    assert {sku: (len(each.sent_at), len(each.lowered_at)) for (sku, _), each in moves.items()} == {
        "gone": (1, 0),
        "moved": (1, 1),
    }
    parameters = {"account": "default", "most": 9, "asked_before": NOW, "decided_since": NOW}
    unasked = warehouse.execute(sql.statement("price_approval/select_unasked"), parameters).fetchall()
    assert [(sku, str(old), str(new)) for sku, _, old, new, *_ in unasked] == [("MOVED", "240.00", "230.00")]
    needs = warehouse.execute(
        sql.statement("page/needs_approvals"), {"account": "default", "kinds": ["price"]}
    ).fetchall()
    assert sorted(row[4] for row in needs) == ["240.00 → 230.00 EUR (-4.2 %)", "no price → 230.00 EUR"]
    for subject, change_id in warehouse.execute(
        "select subject, change_id from backmarket.changes where status = 'awaiting_approval'"
    ).fetchall():
        decided = price_approval.decide_waiting(
            warehouse,
            "default",
            change_id,
            (None if subject == "GONE" else "240.00", "230.00"),
            "approved",
            decided_by="someone",
            decided_since=NOW,
        )
        assert (decided is None) == (subject == "GONE")
