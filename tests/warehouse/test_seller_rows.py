"""Nothing that a seller's table holds makes a statement fail: be it a view of texts, a typed table, a bad row."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql as composing

from backmarket.rules.inventory import StockPolicy
from backmarket.services.prices import plan_prices
from backmarket.services.quantities import plan_quantities
from backmarket.settings import PriceSettings, QuantitySettings
from backmarket.warehouse import inventory_prices, sku_map, sql, tracking_imei
from backmarket.warehouse.listings import Catalog
from backmarket.warehouse.prices import unmatched_prices
from backmarket.warehouse.seller_rows import (
    CATALOG,
    LeftOut,
    SellerRows,
    keep_left_out,
    name_left_out,
)
from tests.page.given import add_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NASTY = [
    None, "", " ", "n/a", "NULL", "12 pcs", "7,5", "1e3", "7.48E+07", "NaN", "Infinity", "-1", "9" * 30, "BM-7",
    "7.0", "0000-00-00", "2026-02-30", "0001-01-01", "infinity", "{", "[]", "'; drop table x; --", "\\", "%s", "é📱",
    "x" * 5000, "\t\n",
]  # fmt: skip
LISTING = "00000000-0000-0000-0000-000000000001"

GOOD: dict[str, dict[str, str | None]] = {
    "stock": {
        "account": "default", "sku": "GOOD", "quantity": "7", "counted_at": "2026-03-02 11:00:00",
        "safety_qty": None, "max_qty": None, "orders_known_until": None, "warehouse": None,
    },
    "prices": {
        "account": "default", "sku": "GOOD", "market": "fr-fr", "price": "101.00", "currency": "EUR",
        "min_price": None,
    },
    "shipments": {
        "account": "default", "order_id": "50", "tracking_number": "6X1", "tracking_url": None, "shipper": "DHL",
        "shipped_at": "2026-03-02 11:00:00",
    },
    "devices": {
        "account": "default", "order_id": "50", "orderline_id": None, "sku": "SKU-50", "imei": "356938035643809",
        "serial_number": None,
    },
    "sku_map": {"account": "default", "sku": "GOOD", "listing_sku": "GOOD", "units": "1"},
    "catalog": {
        "account": "default", "sku": "GOOD", "ean": None, "product_id": "51001", "quantity": "2", "price": "101.00",
        "currency": "EUR", "market": "fr-fr", "grade": "FAIR", "warranty_delay": "12", "comment": "C",
        "category_id": None, "title": None, "description": None, "brand": None, "price_new": None, "weight": None,
        "images": None, "attributes": None,
    },
    "shipper_aliases": {"account": "default", "alias": "brown", "shipper": "UPS"},
}  # fmt: skip
CASES = [(table, column) for table, columns in GOOD.items() for column in columns]


def view(warehouse: psycopg.Connection[Any], table: str, *rows: dict[str, str | None], kind: str = "text") -> None:
    """Put a view of texts in a table's place, its columns in the opposite order."""
    columns = list(reversed(rows[0]))
    name = composing.Identifier("seller", table)
    relation = warehouse.execute(
        "select relkind::text from pg_class where oid = to_regclass(%s)", [f"seller.{table}"]
    ).fetchone()
    assert relation
    drop = "drop view {}" if relation[0] == "v" else "drop table {}"
    warehouse.execute(composing.SQL(drop).format(name))
    typed = composing.SQL(", ").join(
        composing.SQL("{column}::{kind} as {column}").format(
            column=composing.Identifier(column), kind=composing.SQL(kind)
        )
        for column in columns
    )
    values = composing.SQL(", ").join(
        composing.SQL("({})").format(composing.SQL(", ").join(composing.Literal(row[column]) for column in columns))
        for row in rows
    )
    names = composing.SQL(", ").join(map(composing.Identifier, columns))
    warehouse.execute(
        composing.SQL("create view {name} as select {typed} from (values {values}) as given ({names})").format(
            name=name, typed=typed, values=values, names=names
        )
    )


def add_listing(warehouse: psycopg.Connection[Any], sku: str = "GOOD", price: str = "100.00") -> None:
    """Store a listing that shows 3 units at a price."""
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        "values ('default', gen_random_uuid(), %s, 'fr-fr', 3, now(), now())",
        [sku],
    )
    warehouse.execute(
        "insert into backmarket.listing_offers (account, id, market, price, currency, publication_state, document, "
        "first_seen_at, read_at) select account, id, 'fr-fr', %s, 'EUR', 2, '{}', now(), now() "
        "from backmarket.listings where sku = %s",
        [price, sku],
    )


def planned(warehouse: psycopg.Connection[Any], kind: str) -> dict[str, tuple[str, str | None]]:
    """Return status and reason by subject."""
    query = "select subject, status, reason from backmarket.changes where kind = %s order by change_id"
    return {row[0]: (row[1], row[2]) for row in warehouse.execute(query, [kind]).fetchall()}


def quarantined(warehouse: psycopg.Connection[Any], table: str) -> dict[str, str]:
    """Return the reasons by key."""
    query = "select key, reason from backmarket.quarantine where entity = %s"
    return dict(warehouse.execute(query, [table]).fetchall())


def read_all(warehouse: psycopg.Connection[Any]) -> None:
    """Run every reading of the seller's tables that there is, the page's too, and see the good rows come out."""
    assert "GOOD" in [row.sku for row in inventory_prices.stock_rows(warehouse, "default").rows]
    inventory_prices.lines_by_sku(warehouse, "default", now=NOW, hold=timedelta(1), intake_lag=timedelta(0))
    assert "good" in tracking_imei.stock_by_sku(warehouse, "default", ["good"], StockPolicy())
    plan_quantities(warehouse, "default", QuantitySettings(), now=NOW, run_id="r", allow_mass_zero=False)
    assert planned(warehouse, "quantity")["GOOD"][0] == "planned"
    plan_prices(warehouse, "default", PriceSettings(), markets=["fr-fr"], now=NOW, run_id="r")
    assert planned(warehouse, "price")["GOOD"][0] == "planned"
    parameters = {"account": "default", "skus": ["GOOD"], "order_id": 50}
    map_feed, feeding = sku_map.read(warehouse, "default")
    assert "GOOD" in [row.sku for row in map_feed.rows]
    assert feeding.listings_of("good") == {"good": 1}
    assert "good" in sku_map.feeders_of(warehouse, "default", "Good")
    unmatched_prices(warehouse, "default", ["fr-fr"], feeding)
    assert 50 in [row.order_id for row in tracking_imei.shipments(warehouse, "default").rows]
    assert 50 in [row.order_id for row in tracking_imei.devices(warehouse, "default").rows]
    tracking_imei.orders_to_read(warehouse, "default")
    assert ("brown", "UPS") in tracking_imei.shipper_aliases(warehouse, "default").rows
    rows, feed = Catalog(warehouse, "default").read()
    assert "GOOD" in [row.sku for row in feed.rows]
    assert len(rows) >= len(feed.rows)
    desk = "select waits_for from backmarket.order_desk where order_id = 50"
    assert warehouse.execute(desk).fetchall() == [("tracking",)]
    tracking_imei.desk_counts(warehouse, "default")
    tracking_imei.late_orders(warehouse, "default", hours=10_000)
    for statement in ("order_shipments", "sku_stock", "sku_markets"):
        assert warehouse.execute(sql.statement(f"page/{statement}"), parameters).fetchall()


@pytest.fixture
def shop(warehouse: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A listing GOOD and an accepted order 50, both with rows in all of the seller's tables."""
    add_listing(warehouse)
    add_orders(warehouse, 100)
    warehouse.execute("update backmarket.orders set state = 3 where order_id >= 50")
    warehouse.execute("update backmarket.order_lines set state = 2, sku = 'SKU-' || order_id where order_id >= 50")
    for table, row in GOOD.items():
        view(warehouse, table, row)
    return warehouse


@pytest.mark.parametrize(("table", "column"), CASES, ids=[f"{table}.{column}" for table, column in CASES])
def test_one_bad_row_leaves_the_good_ones_alone(shop: psycopg.Connection[Any], table: str, column: str) -> None:
    """Whatever stands in one column of one row, every reading works and has the good row."""
    bad = []
    for number, text in enumerate(NASTY):
        sku = f"BAD-{number}"
        add_listing(shop, sku)
        others = {"sku": sku, "order_id": str(51 + number), "alias": sku}
        bad.append({**GOOD[table], **{name: others[name] for name in others if name in GOOD[table]}, column: text})
    view(shop, table, GOOD[table], *bad)
    read_all(shop)


@pytest.mark.parametrize("kind", ["varchar", "char(40)", "name", 'text collate "C"'])
def test_columns_may_be_of_any_type_of_text(shop: psycopg.Connection[Any], kind: str) -> None:
    """The account among them."""
    for table, row in GOOD.items():
        view(shop, table, row, kind=kind)
    read_all(shop)


def test_typed_tables_are_read_as_before(warehouse: psycopg.Connection[Any]) -> None:
    """The tables that the project creates, numbers with a zero fraction in a view, and the optional column."""
    add_listing(warehouse)
    add_orders(warehouse, 100)
    warehouse.execute("update backmarket.orders set state = 3 where order_id >= 50")
    warehouse.execute("update backmarket.order_lines set state = 2, sku = 'SKU-' || order_id where order_id >= 50")
    for table, row in GOOD.items():
        given = {name: value for name, value in row.items() if name != "warehouse"}
        names = composing.SQL(", ").join(map(composing.Identifier, given))
        values = composing.SQL(", ").join(map(composing.Literal, given.values()))
        warehouse.execute(
            composing.SQL("insert into {} ({}) values ({})").format(
                composing.Identifier("seller", table), names, values
            )
        )
    read_all(warehouse)
    known = NOW - timedelta(hours=3)
    warehouse.execute("update seller.stock set orders_known_until = %s", [known])
    (count,) = inventory_prices.stock_rows(warehouse, "default").rows
    assert (count.counted_at, count.orders_known_until) == (NOW - timedelta(hours=1), known)
    warehouse.execute("drop table seller.shipments")
    warehouse.execute(
        "create view seller.shipments as select 'default' as account, 50.00 as order_id, '6X1' as tracking_number, "
        "null as tracking_url, null as shipper, '2026-03-02'::date as shipped_at"
    )
    read_all(warehouse)
    (shipment,) = tracking_imei.shipments(warehouse, "default").rows
    assert (shipment.order_id, shipment.shipped_at) == (50, NOW.replace(hour=0))


@pytest.mark.parametrize("column", ["orders_known_until", "warehouse"])
def test_an_optional_column_may_be_missing(shop: psycopg.Connection[Any], column: str) -> None:
    """From a view of seller.stock."""
    row = {name: value for name, value in GOOD["stock"].items() if name != column}
    view(shop, "stock", row)
    read_all(shop)


def test_shipments_of_finished_orders_are_not_read_again(warehouse: psycopg.Connection[Any]) -> None:
    """However their number is written; those of unknown orders and bad numbers come out."""
    add_orders(warehouse, 3)
    warehouse.execute("update backmarket.orders set date_shipping = now()")
    row = GOOD["shipments"]
    view(warehouse, "shipments", *({**row, "order_id": text} for text in ("1", " 2 ", "3.0", "4", "BM-1")))
    feed = tracking_imei.shipments(warehouse, "default")
    assert [each.order_id for each in feed.rows] == [4]
    assert [each.key for each in feed.left_out] == ["BM-1"]


def test_orders_to_read_are_numbers_newest_first(warehouse: psycopg.Connection[Any]) -> None:
    """Each once, however often and in whatever form it is named."""
    row, device = GOOD["shipments"], GOOD["devices"]
    view(warehouse, "shipments", *({**row, "order_id": text} for text in ("9", "10", " 10", "10.0", "BM-11", "", None)))
    view(warehouse, "devices", *({**device, "order_id": text} for text in ("10", "8", "n/a")))
    assert tracking_imei.orders_to_read(warehouse, "default") == [10, 9, 8]


def test_the_oldest_count_that_can_be_read_decides_which_lines_matter(warehouse: psycopg.Connection[Any]) -> None:
    """An unreadable count hides no line that a readable one cannot know of."""
    add_orders(warehouse, 1)
    warehouse.execute("update backmarket.order_lines set sku = 'GOOD', state = 3, date_creation = %s", [NOW])
    warehouse.execute("update backmarket.orders set date_payment = %s", [NOW])
    warehouse.execute("update backmarket.order_lines set accepted_seen_at = %s", [NOW])
    row = GOOD["stock"]
    later = NOW + timedelta(days=90)
    for text, lines in (("2026-03-02 11:00:00", 1), ("n/a", 0)):
        view(warehouse, "stock", {**row, "counted_at": text}, {**row, "counted_at": "", "sku": "BAD"})
        found = inventory_prices.lines_by_sku(
            warehouse, "default", now=later, hold=timedelta(1), intake_lag=timedelta(0), sku="good"
        )
        assert len(found.get("good", [])) == lines


def test_a_price_that_cannot_be_read_is_refused_by_name(warehouse: psycopg.Connection[Any]) -> None:
    """In the ledger under its SKU and market, beside the others, which are planned; what people decided holds."""
    for sku in ("A", "B", "C"):
        add_listing(warehouse, sku)
    row = GOOD["prices"]
    view(
        warehouse,
        "prices",
        {**row, "sku": "A", "price": "n/a"},
        {**row, "sku": "B"},
        {**row, "sku": "C", "price": "150.0"},
        {**row, "sku": "NOT-LISTED", "price": "12,50"},
    )
    warehouse.execute(
        "insert into backmarket.price_approvals (account, sku, market, old_price, new_price, currency, reason, status, "
        "run_id, decided_at) values ('default', 'C', 'fr-fr', 100, 150, 'EUR', 'r', 'approved', 'r', %(now)s), "
        "('default', 'B', 'fr-fr', 100, 101, 'EUR', 'r', 'refused', 'r', %(now)s)",
        {"now": NOW},
    )
    plan = plan_prices(warehouse, "default", PriceSettings(), markets=["fr-fr"], now=NOW, run_id="r")
    assert planned(warehouse, "price") == {
        "A": ("refused", "price is 'n/a': a plain number such as 199.90 is needed"),
        "B": ("planned", None),
        "C": ("planned", None),
    }
    assert [each.key for each in plan.feed.left_out] == ["A/fr-fr", "NOT-LISTED/fr-fr"]
    assert [each.price for each in plan.feed.rows] == [Decimal("101.00"), Decimal("150.0")]


def test_a_bad_row_counts_once_however_many_listings_share_its_sku(warehouse: psycopg.Connection[Any]) -> None:
    """And two equal rows count twice."""
    add_listing(warehouse, "A")
    add_listing(warehouse, "a")
    bad = {**GOOD["prices"], "sku": "A", "price": "n/a"}
    view(warehouse, "prices", bad, bad)
    plan = plan_prices(warehouse, "default", PriceSettings(), markets=["fr-fr"], now=NOW, run_id="r")
    assert len(plan.feed.left_out) == 2


def _bad(key: str, **document: str) -> LeftOut:
    return LeftOut(key, "quantity is 'x': a whole number is needed", {"sku": key, **document})


def test_the_quarantine_holds_exactly_the_bad_rows_of_the_newest_reading(warehouse: psycopg.Connection[Any]) -> None:
    """A run counts what it is the first to find, in its retry, too; what stays keeps its first moment."""
    keep: Callable[..., int] = lambda run, *rows: keep_left_out(  # noqa: E731
        warehouse, "default", "seller.stock", rows, run_id=run
    )
    assert keep("1", _bad("A"), _bad("B")) == 2
    warehouse.execute("update backmarket.quarantine set first_seen_at = '2026-01-01', last_seen_at = '2026-01-01'")
    assert keep_left_out(warehouse, "default", "seller.prices", [_bad("A")], run_id="1") == 1
    assert keep_left_out(warehouse, "other", "seller.stock", [_bad("A")], run_id="1") == 1
    assert keep("2", _bad("B", quantity="y"), _bad("C")) == 1
    assert keep("2", _bad("B", quantity="y"), _bad("C")) == 1, "a retry of the run that found it"
    rows = warehouse.execute(
        "select key, first_seen_at = '2026-01-01', last_seen_at > '2026-01-02', document ->> 'quantity' "
        "from backmarket.quarantine where account = 'default' and entity = 'seller.stock' order by key"
    ).fetchall()
    assert rows == [("B", True, True, "y"), ("C", False, True, None)]
    assert keep("3") == 0
    left = warehouse.execute("select account, entity from backmarket.quarantine order by 1").fetchall()
    assert left == [("default", "seller.prices"), ("other", "seller.stock")]


def test_rows_of_one_name_are_all_kept_and_a_changed_one_is_not_new(warehouse: psycopg.Connection[Any]) -> None:
    """They are numbered: the second reading, with another time in each, finds nothing new."""
    first = [_bad("unnamed", at=f"12:0{number}") for number in range(3)]
    assert keep_left_out(warehouse, "default", "seller.stock", first, run_id="1") == 3
    assert sorted(quarantined(warehouse, "seller.stock")) == ["unnamed", "unnamed (2)", "unnamed (3)"]
    second = [_bad("unnamed", at=f"13:0{number}") for number in range(3)]
    assert keep_left_out(warehouse, "default", "seller.stock", second, run_id="2") == 0


def test_rows_that_another_task_names_stay_while_they_are_bad(warehouse: psycopg.Connection[Any]) -> None:
    """And leave once they are not."""
    keep_left_out(warehouse, "default", "seller.catalog", [_bad("A"), _bad("B")], run_id="1")
    keep_left_out(
        warehouse, "default", "seller.catalog", [_bad("C")], run_id="1", named_elsewhere=[_bad("A"), _bad("D")]
    )
    assert sorted(quarantined(warehouse, "seller.catalog")) == ["A", "C"]


def test_the_log_names_the_first_and_counts_all(
    warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty of them, and how many there are."""
    feed: SellerRows[Any] = SellerRows("seller.stock", "sku", [], [_bad(f"SKU-{number}") for number in range(30)])
    with caplog.at_level(logging.WARNING):
        assert name_left_out(warehouse, "default", feed, run_id="1") == {"left_out": 30, "newly_left_out": 30}
        assert name_left_out(warehouse, "default", feed, run_id="2") == {"left_out": 30, "newly_left_out": 0}
    assert len(caplog.messages) == 2 * 21
    assert caplog.messages[19:21] == [
        "A row of seller.stock cannot be used and is left out: sku SKU-19: quantity is 'x': a whole number is needed",
        "30 rows of seller.stock cannot be used, all in all.",
    ]


def test_a_catalog_row_is_refused_for_what_cannot_be_read(warehouse: psycopg.Connection[Any]) -> None:
    """Column by column; what cannot be read is not said to be missing, too."""
    row = GOOD["catalog"]
    bad = {"sku": "BAD", "quantity": "two", "price": "n/a", "attributes": "{broken"}
    view(warehouse, "catalog", row, {**row, **bad}, {**row, "sku": None})
    rows, feed = Catalog(warehouse, "default").read()
    assert [each.sku for each in rows] == ["BAD", "GOOD"]
    assert dict(rows[0].unreadable) == {
        "quantity": "quantity is 'two': a whole number is needed",
        "price": "price is 'n/a': a plain number such as 199.90 is needed",
        "attributes": """attributes is '{broken': JSON such as ["https://example.com/1.jpg"] is needed""",
    }
    assert [each.key for each in feed.left_out] == ["BAD", "unnamed"]
    assert set(CATALOG.columns) == set(feed.left_out[0].document)


@pytest.mark.parametrize("as_view", [False, True], ids=["tables", "views of texts"])
def test_many_rows_stay_cheap(warehouse: psycopg.Connection[Any], *, as_view: bool) -> None:
    """50,000 parcels and devices of finished orders cost each reading, and a look at the desk, a second or two."""
    many = 50_000
    add_orders(warehouse, many)
    warehouse.execute("update backmarket.orders set date_shipping = now(), state = 9 where order_id <> 50")
    warehouse.execute("update backmarket.order_lines set imei = '356938035643809'")
    for table, columns in (("shipments", "order_id, tracking_number"), ("devices", "order_id, imei")):
        warehouse.execute(
            f"insert into seller.{table} ({columns}) "
            f"select n, '356938035643809' from generate_series(1, {many}) n".encode()
        )
        if as_view:
            given = ", ".join(f"{name}::text" for name in GOOD[table])
            warehouse.execute(f"alter table seller.{table} rename to {table}_given".encode())
            warehouse.execute(f"create view seller.{table} as select {given} from seller.{table}_given".encode())
    warehouse.execute("analyze")
    took = {}
    readings: dict[str, Callable[[], object]] = {
        "shipments": lambda: tracking_imei.shipments(warehouse, "default"),
        "devices": lambda: tracking_imei.devices(warehouse, "default"),
        "orders_to_read": lambda: tracking_imei.orders_to_read(warehouse, "default"),
        "desk": lambda: tracking_imei.desk_counts(warehouse, "default"),
    }
    for name, reading in readings.items():
        began = time.monotonic()
        reading()
        took[name] = round(time.monotonic() - began, 2)
    print(f"\n{many} rows: {took}")
    assert max(took.values()) < 10
