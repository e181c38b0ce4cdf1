"""The database and the rules agree on when two SKUs are one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.models import Order
from backmarket.rules.skus import BLANKS, clean_sku, sku_key
from backmarket.services.quantities import plan_quantities
from backmarket.settings import QuantitySettings
from backmarket.warehouse import inventory_prices, sql
from backmarket.warehouse.orders import OrderStaging

if TYPE_CHECKING:
    import psycopg

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def _listing(warehouse: psycopg.Connection[Any], sku: str, quantity: int) -> None:
    warehouse.execute(
        b"insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        b"values ('default', gen_random_uuid(), %s, 'fr-fr', %s, %s, %s)",
        [sku, quantity, NOW, NOW],
    )


def _line(warehouse: psycopg.Connection[Any], order_id: int, sku: str, state: int, at: datetime) -> None:
    warehouse.execute(
        b"insert into backmarket.orders (account, order_id, state, date_creation, document, first_seen_at, read_at) "
        b"values ('default', %s, 3, %s, '{}', %s, %s)",
        [order_id, at, at, at],
    )
    warehouse.execute(
        b"insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, state, date_creation, "
        b"first_seen_at, first_seen_state, accepted_seen_at) values ('default', %s, %s, %s, 1, %s, %s, %s, %s, %s)",
        [order_id * 10, order_id, sku, state, at, at, state, at if state == 2 else None],
    )


def _stock(warehouse: psycopg.Connection[Any], sku: str, quantity: int, counted_at: datetime = NOW) -> None:
    warehouse.execute(
        b"insert into seller.stock (sku, quantity, counted_at) values (%s, %s, %s)", [sku, quantity, counted_at]
    )


def _plan(warehouse: psycopg.Connection[Any], *, allow_mass_zero: bool = True) -> dict[str, tuple[int, int]]:
    """Plan, and return what is reserved and wanted of each SKU."""
    plan_quantities(warehouse, "default", QuantitySettings(), now=NOW, run_id="r", allow_mass_zero=allow_mass_zero)
    rows = warehouse.execute(b"select sku, reserved, wanted from backmarket.inventory").fetchall()
    return {sku: (reserved, wanted) for sku, reserved, wanted in rows}


def _findings(warehouse: psycopg.Connection[Any]) -> dict[str, str]:
    return dict(warehouse.execute(b"select kind, detail from backmarket.inventory_findings").fetchall())


def test_the_database_agrees(warehouse: psycopg.Connection[Any]) -> None:
    """On every blank, before and after, and on case."""
    spellings = [f"{before}Ab-É{after}" for before, after in product(["", *BLANKS], ["", *BLANKS])]
    query = b"select given, backmarket.clean_sku(given), backmarket.sku_key(given) from unnest(%s::text[]) as given"
    rows = warehouse.execute(query, [spellings]).fetchall()
    assert len(rows) == len(spellings)
    assert [row for row in rows if row[1:] != (clean_sku(row[0]), sku_key(row[0]))] == []


@pytest.mark.parametrize(("in_stock", "on_back_market"), [("A-1 ", "A-1"), ("A-1", "A-1 "), ("a-1\u00a0", "\tA-1")])
def test_a_count_finds_its_listing_and_its_orders_by_any_spelling(
    warehouse: psycopg.Connection[Any], in_stock: str, on_back_market: str
) -> None:
    """The unit of an order is reserved, and the quantity is planned."""
    _listing(warehouse, on_back_market, 0)
    _line(warehouse, 1, on_back_market, 1, NOW)
    _stock(warehouse, in_stock, 5)
    assert list(_plan(warehouse).values()) == [(1, 4)]
    assert _findings(warehouse) == {}


def test_two_spellings_of_one_sku_in_stock_are_ambiguous(warehouse: psycopg.Connection[Any]) -> None:
    """None of the two counts is guessed to be the right one."""
    _listing(warehouse, "A-1", 1)
    _stock(warehouse, "A-1", 5)
    _stock(warehouse, "a-1 ", 7)
    assert _plan(warehouse) == {}
    assert set(_findings(warehouse)) == {"sku_ambiguous"}


@pytest.mark.parametrize("column", ["counted_at", "orders_known_until"])
def test_a_count_from_the_future_raises_nothing_and_is_reported(
    warehouse: psycopg.Connection[Any], column: str
) -> None:
    """Three units counted, local time written as UTC, one sold since: what Back Market shows is not raised."""
    _listing(warehouse, "A", 2)
    _line(warehouse, 1, "A", 2, NOW - timedelta(minutes=30))
    _stock(warehouse, "A", 3)
    warehouse.execute(f"update seller.stock set {column} = %s".encode(), [NOW + timedelta(hours=1)])
    assert _plan(warehouse) == {"A": (0, 2)}
    assert "60 minutes in the future: is it local time" in _findings(warehouse)["count_in_future"]
    warehouse.execute(f"update seller.stock set {column} = %s".encode(), [NOW + timedelta(minutes=1)])
    assert _plan(warehouse) == {"A": (0, 3)}, "clocks may differ by a minute"
    assert _findings(warehouse) == {}


def test_a_count_from_the_future_still_lowers(warehouse: psycopg.Connection[Any]) -> None:
    """Fewer units are believed."""
    _listing(warehouse, "A", 2)
    _stock(warehouse, "A", 0, NOW + timedelta(hours=1))
    assert _plan(warehouse) == {"A": (0, 0)}


@pytest.mark.parametrize("state", [10, 11, -1])
def test_an_order_in_an_unknown_state_keeps_its_unit_and_is_told(
    warehouse: psycopg.Connection[Any], state: int
) -> None:
    """Until its state is one that is known."""
    _listing(warehouse, "A", 2)
    _line(warehouse, 7, "a", state, NOW - timedelta(days=90))
    _stock(warehouse, "A", 3)
    assert _plan(warehouse) == {"A": (1, 2)}
    told = _findings(warehouse)["order_state_unknown"]
    assert told.startswith(f"1 order line in state {state}, which this version does not know")
    assert told.endswith("1 unit stays reserved; newest orders: 7")
    warehouse.execute(b"update backmarket.order_lines set state = 4")
    assert _plan(warehouse) == {"A": (0, 3)}
    assert _findings(warehouse) == {}


def _download(staging: OrderStaging, *, shipped: datetime | None, read_at: datetime) -> None:
    """Read an order of one unit of each of A, B and C, in a state that is not known."""
    lines = [{"id": number, "state": 10, "quantity": 1, "listing": sku} for number, sku in enumerate("ABC", 70)]
    document = {
        "order_id": 7,
        "state": 9,
        "orderlines": lines,
        "date_creation": "2026-04-01T10:00:00Z",
        "date_modification": (shipped or NOW - timedelta(days=80)).isoformat(),
        "date_shipping": shipped and shipped.isoformat(),
    }
    staging.add([Order.model_validate(document)], read_at=read_at)
    with staging.connection.transaction():
        staging.merge()
        staging.clear()


@pytest.mark.parametrize("stored_before", [True, False])
def test_what_is_first_seen_shipped_reserves_nothing_in_any_state(
    warehouse: psycopg.Connection[Any], *, stored_before: bool
) -> None:
    """A first download brings months of orders in a state that is new: their units left before the count."""
    for sku in "ABC":
        _listing(warehouse, sku, 1)
        _stock(warehouse, sku, 1)
    _download(OrderStaging(warehouse, "default"), shipped=NOW - timedelta(days=80), read_at=NOW)
    if stored_before:
        warehouse.execute(b"update backmarket.order_lines set accepted_seen_at = null")
        warehouse.execute((sql.folder() / "migrations" / "0053_shipped_in_unknown_states.sql").read_bytes())
    assert _plan(warehouse) == dict.fromkeys("ABC", (0, 1))
    assert _findings(warehouse) == {}


def test_what_was_shipped_after_the_count_in_an_unknown_state_is_reserved_until_the_next(
    warehouse: psycopg.Connection[Any],
) -> None:
    """Then its finding says that no unit is reserved; so it does where the order is gone and was never accepted."""
    _listing(warehouse, "A", 2)
    _stock(warehouse, "A", 3, NOW - timedelta(hours=1))
    staging = OrderStaging(warehouse, "default")
    _download(staging, shipped=None, read_at=NOW - timedelta(hours=2))
    assert _plan(warehouse) == {"A": (1, 2)}
    _download(staging, shipped=NOW - timedelta(minutes=30), read_at=NOW - timedelta(minutes=10))
    assert _plan(warehouse) == {"A": (1, 2)}
    warehouse.execute(b"update seller.stock set counted_at = %s", [NOW])
    assert _plan(warehouse) == {"A": (0, 3)}
    assert "does not know: none reserved; newest orders: 7" in _findings(warehouse)["order_state_unknown"]
    warehouse.execute(b"update backmarket.order_lines set accepted_seen_at = null, gone_at = %s", [NOW])
    assert _plan(warehouse) == {"A": (0, 3)}
    assert "none reserved" in _findings(warehouse)["order_state_unknown"]


def test_orders_in_an_unknown_state_let_no_mass_zero_through(warehouse: psycopg.Connection[Any]) -> None:
    """Whether their units left, nobody knows: a new state of every order must not take the account offline."""
    for sku in "ABC":
        _listing(warehouse, sku, 1)
        _stock(warehouse, sku, 1)
    _download(OrderStaging(warehouse, "default"), shipped=None, read_at=NOW)
    assert _plan(warehouse, allow_mass_zero=False) == dict.fromkeys("ABC", (1, 0))
    assert "held_by_zero_guard" in _findings(warehouse)
    assert warehouse.execute(b"select distinct status from backmarket.changes").fetchall() == [("refused",)]
    warehouse.execute(b"update backmarket.order_lines set state = 1")
    _plan(warehouse, allow_mass_zero=False)
    assert "held_by_zero_guard" not in _findings(warehouse), "paid orders explain it"


def test_a_listing_below_zero_is_reported_with_its_orders(warehouse: psycopg.Connection[Any]) -> None:
    """Back Market sold one unit twice: a person has to tell one of two customers."""
    _listing(warehouse, "A", -1)
    for order_id in (1, 2):
        _line(warehouse, order_id, "A", 1, NOW)
    _stock(warehouse, "A", 1)
    assert _plan(warehouse)["A"] == (2, 0)
    assert "shows -1" in _findings(warehouse)["sold_below_zero"]
    assert "2, 1" in _findings(warehouse)["sold_below_zero"]
    warehouse.execute(b"update backmarket.listings set quantity = 0, read_at = %s", [NOW + timedelta(seconds=1)])
    _plan(warehouse)
    assert "sold_below_zero" not in _findings(warehouse)


def test_one_old_count_brings_no_history_but_its_own(warehouse: psycopg.Connection[Any]) -> None:
    """A SKU counted two years ago needs its orders of two years; all others need theirs of the last days."""
    long_ago = NOW - timedelta(days=700)
    for order_id in range(1, 11):
        _line(warehouse, order_id, "OLD" if order_id % 2 else "NEW", 2, long_ago + timedelta(days=order_id))
    _stock(warehouse, "OLD", 5, long_ago)
    _stock(warehouse, "NEW", 5)
    lines = inventory_prices.lines_by_sku(
        warehouse, "default", now=NOW, hold=timedelta(hours=48), intake_lag=timedelta(0)
    )
    assert {sku: len(found) for sku, found in lines.items()} == {"old": 5}


def test_a_sale_before_a_new_listings_first_reading_is_held(warehouse: psycopg.Connection[Any]) -> None:
    """It was created with two units and first seen with one: the order that nobody can see yet has the other."""
    warehouse.execute(
        b"insert into backmarket.changes (account, kind, subject, payload, status, attempts, sent_at) "
        b"values ('default', 'listing', 'a-1', %s, 'confirmed', 1, %s)",
        ['{"market": "fr-fr", "columns": {"sku": "a-1", "quantity": "2"}}', NOW - timedelta(minutes=10)],
    )
    _listing(warehouse, "A-1", 1)
    _stock(warehouse, "A-1", 2)
    assert _plan(warehouse) == {"A-1": (0, 1)}
    held = warehouse.execute(b"select held from backmarket.inventory").fetchone()
    assert held == (1,)


@pytest.mark.parametrize("shown", [3, 4])
def test_a_refused_quantity_is_not_sent_again_whatever_the_listing_shows(
    warehouse: psycopg.Connection[Any], shown: int
) -> None:
    """What Back Market refused is the quantity; what the listing showed when it was planned was not sent."""
    _listing(warehouse, "A-1", 3)
    _stock(warehouse, "A-1", 7)
    _plan(warehouse)
    warehouse.execute(
        b"update backmarket.changes set status = 'sent', attempts = 1, sent_at = %s where payload ->> 'shown' = '3'",
        [NOW],
    )
    warehouse.execute(b"update backmarket.changes set status = 'refused'")
    warehouse.execute(b"update backmarket.listings set quantity = %s", [shown])
    assert _plan(warehouse) == {"A-1": (0, 7)}
    assert warehouse.execute(b"select status from backmarket.changes").fetchall() == [("refused",)]
    reasons = warehouse.execute(b"select reason from backmarket.inventory").fetchall()
    assert reasons == [("Back Market refused exactly this less than a day ago",)]
