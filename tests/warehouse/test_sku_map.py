"""The seller's SKUs feed listings of other names: what is read, planned and remembered of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.rules.inventory import StockPolicy
from backmarket.services.prices import log_plan, plan_prices
from backmarket.services.quantities import plan_quantities, rows_that_count
from backmarket.settings import PriceSettings, QuantitySettings
from backmarket.warehouse import feeds, inventory_prices, sku_map, sql
from backmarket.warehouse.migrations import migrate
from backmarket.warehouse.tracking_imei import stock_by_sku
from tests.warehouse.test_seller_rows import add_listing, planned

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def _listing(warehouse: psycopg.Connection[Any], sku: str, quantity: int) -> None:
    warehouse.execute(
        b"insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        b"values ('default', gen_random_uuid(), %s, 'fr-fr', %s, %s, %s)",
        [sku, quantity, NOW, NOW],
    )


def _stock(
    warehouse: psycopg.Connection[Any], sku: str, quantity: int, place: str = "", counted_at: datetime = NOW
) -> None:
    warehouse.execute(
        b"insert into seller.stock (sku, quantity, counted_at, warehouse) values (%s, %s, %s, %s)",
        [sku, quantity, counted_at, place],
    )


def _map(warehouse: psycopg.Connection[Any], *rows: tuple[str, str, int | None]) -> None:
    warehouse.execute(b"delete from seller.sku_map")
    for row in rows:
        warehouse.execute(b"insert into seller.sku_map (sku, listing_sku, units) values (%s, %s, %s)", row)


def _plan(warehouse: psycopg.Connection[Any], **settings: Any) -> dict[str, tuple[int, str | None]]:
    """Plan, and return what is wanted of each SKU, and why it is not sent although it differs."""
    plan_quantities(warehouse, "default", QuantitySettings(**settings), now=NOW, run_id="r", allow_mass_zero=True)
    rows = warehouse.execute(b"select sku, wanted, reason from backmarket.inventory").fetchall()
    return {sku: (wanted, reason) for sku, wanted, reason in rows}


def _findings(warehouse: psycopg.Connection[Any]) -> dict[str, str]:
    rows = warehouse.execute(b"select kind || ' ' || sku, detail from backmarket.inventory_findings order by 1")
    return dict(rows.fetchall())


def test_rows_are_judged_one_by_one(warehouse: psycopg.Connection[Any]) -> None:
    """What a SKU with a bad row, or with two that contradict each other, feeds is not known."""
    warehouse.execute(b"drop table seller.sku_map")
    warehouse.execute(
        b"""
        create view seller.sku_map as select 'default' as account, * from (values
            ('A', 'L', null), ('A', 'M', ' 2.0 '), ('B', ' ', '1'), ('B', 'L', '1'), ('C', 'L', '0'), ('D', 'L', 'x'),
            ('E', 'L', '1'), ('e ', 'l', '2'), ('F', 'L', ''), ('f', 'L', '1'), (null, 'L', '1'), ('G', 'G', '3')
        ) as given (sku, listing_sku, units)
        """
    )
    feed, found = sku_map.read(warehouse, "default")
    assert {row.sku for row in feed.rows} == {"A", "B", "F", "f", "G"}
    assert {each.key: each.reason for each in feed.left_out} == {
        "B/ ": "listing_sku is missing",
        "C/L": "units is '0': a whole number of 1 or more is needed",
        "D/L": "units is 'x': a whole number is needed",
        "E/L": "2 rows of this SKU and listing have different units: keep the right one",
        "e /l": "2 rows of this SKU and listing have different units: keep the right one",
        "L": "sku is missing",
    }
    assert found.unusable == {"b", "c", "d", "e"}
    assert found.mapped == {"a": {"l": 1, "m": 2}, "f": {"l": 1}, "g": {"g": 3}}
    assert sorted(sku_map.feeders_of(warehouse, "default", " L")) == ["a", "b", "c", "d", "e", "f", "l"]
    warehouse.execute(b"drop view seller.sku_map")
    warehouse.execute(b"create view seller.sku_map as select 'default' as account, 'A' as sku")
    with pytest.raises(feeds.FeedUnusableError, match=r"seller.sku_map cannot be read: column .*listing_sku"):
        plan_quantities(warehouse, "default", QuantitySettings(), now=NOW, run_id="r", allow_mass_zero=True)


def test_a_listing_shows_what_its_skus_have(warehouse: psycopg.Connection[Any]) -> None:
    """Under Back Market's name, less its orders; where the units come from stands beside the arithmetic."""
    _listing(warehouse, "L-1", 0)
    _map(warehouse, ("a", " l-1", None), ("B", "L-1", 2))
    _stock(warehouse, "A", 3)
    _stock(warehouse, "b ", 5)
    warehouse.execute(
        b"insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at) "
        b"values ('default', 1, 1, '{}', now(), now())"
    )
    warehouse.execute(
        b"insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, state, first_seen_at, "
        b"first_seen_state) values ('default', 10, 1, 'l-1', 1, 1, now(), 1)"
    )
    assert _plan(warehouse) == {"L-1": (4, None)}
    assert set(planned(warehouse, "quantity")) == {"L-1"}
    assert _findings(warehouse) == {}
    assert warehouse.execute(b"select stock, reserved, fed_by from backmarket.inventory").fetchall() == [
        (
            5,
            1,
            [
                {"sku": "A", "quantity": 3, "units": 1, "share": 3, "is_former": False},
                {"sku": "b", "quantity": 5, "units": 2, "share": 5, "is_former": False},
            ],
        )
    ]


def test_a_moved_sku_is_lowered_where_it_was_before_it_is_shown_elsewhere(warehouse: psycopg.Connection[Any]) -> None:
    """The plan remembers what fed a listing until it shows no more of it, also where lowering fails."""
    _listing(warehouse, "L", 5)
    _listing(warehouse, "M", 0)
    _stock(warehouse, "A", 5)
    _map(warehouse, ("A", "L", None))
    assert _plan(warehouse) == {"L": (5, None)}
    _map(warehouse, ("A", "M", None))
    for _ in range(2):
        assert _plan(warehouse) == {"L": (0, None), "M": (0, "other listings of its SKUs are lowered first")}
    lowered = b"update backmarket.listings set quantity = 0 where sku = 'L' returning id"
    ((listing_id,),) = warehouse.execute(lowered).fetchall()
    inventory_prices.record_shown_quantities(warehouse, "default", [(listing_id, 0, NOW)])
    assert _plan(warehouse)["M"] == (5, None)


def test_a_plan_bears_the_sellers_spelling_of_a_sku_that_nothing_else_feeds(warehouse: psycopg.Connection[Any]) -> None:
    """As the seller looks for it, in the plan and in the ledger; what others feed bears the listing's."""
    for sku in ("OWN", "FED"):
        _listing(warehouse, sku, 0)
    for sku in ("own", "other"):
        _stock(warehouse, sku, 2)
    _map(warehouse, ("other", "fed", None))
    assert _plan(warehouse) == {"own": (2, None), "FED": (2, None)}
    subjects = warehouse.execute(b"select subject from backmarket.changes order by subject").fetchall()
    assert subjects == [("FED",), ("own",)]


@pytest.mark.parametrize("now_fed", [None, "M", "A"])
def test_a_sku_that_feeds_a_listing_no_more_gives_it_no_name(
    warehouse: psycopg.Connection[Any], now_fed: str | None
) -> None:
    """Its row in the map is gone or changed: two listings of one name would stop the quantities of all."""
    for sku, shown in (("A", 0), ("L", 3), ("M", 0)):
        _listing(warehouse, sku, shown)
    for sku, units in (("A", 4), ("L", 3), ("M", 1)):
        _stock(warehouse, sku, units)
    _map(warehouse, ("A", "L", None))
    assert _plan(warehouse)["L"] == (7, None)
    _map(warehouse, *([("A", now_fed, None)] if now_fed else []))
    wanted = _plan(warehouse)
    assert wanted["L"] == (3, None)
    assert wanted["M"] == (5 if now_fed == "M" else 1, None)
    assert wanted["A"] == (0 if now_fed == "M" else 4, None)


def test_what_is_not_known_is_told(warehouse: psycopg.Connection[Any]) -> None:
    """A listing whose SKUs have no count, or a row in the map that cannot be used, is left alone, and so are twins."""
    for sku in ("L", "M", "B", "T"):
        _listing(warehouse, sku, 4)
    _map(warehouse, ("A", "L", None), ("L", "M", None), ("B", "M", 0), ("TWIN", "T", 1))
    _stock(warehouse, "B", 9)
    _stock(warehouse, "TWIN", 1)
    _stock(warehouse, "twin ", 1)
    assert _plan(warehouse) == {}
    left_alone = "the listing is left alone"
    assert _findings(warehouse) == {
        "sku_ambiguous twin": "2 rows of seller.stock share this SKU, and its warehouse if they name one: none of them "
        "is used",
        "stock_missing B": f"seller.sku_map has a row of this SKU that cannot be used: {left_alone}",
        "stock_missing L": f"seller.stock has no row that can be used of a, which feed it: {left_alone}",
        "stock_missing M": f"seller.stock has no row that can be used of l, m, which feed it: {left_alone}",
    }


def test_rows_of_warehouses_add_up(warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture) -> None:
    """All of them, or those that a Variable names; a bad row of one warehouse takes nothing from the others."""
    _listing(warehouse, "A", 0)
    _stock(warehouse, "A", 3, "Paris")
    _stock(warehouse, "a", 4, "Lyon")
    assert _plan(warehouse) == {"A": (7, None)}
    assert _plan(warehouse, warehouses=("paris ",)) == {"A": (3, None)}
    assert _plan(warehouse, warehouses=("Lille",)) == {"A": (0, None)}
    rows = inventory_prices.stock_rows(warehouse, "default").rows
    with caplog.at_level(logging.INFO):
        assert len(rows_that_count(rows, QuantitySettings(warehouses=("paris",)), logging.getLogger())) == 1
    told = "1 row of seller.stock is of a warehouse that backmarket_warehouses does not name: its units do not count."
    assert caplog.messages == [told]
    _stock(warehouse, "A", 9)
    assert _plan(warehouse) == {}, "whether the row without a warehouse is the sum of the others is not guessed"
    warehouse.execute(b"drop table seller.stock; delete from seller.stock_by_warehouse")
    warehouse.execute(
        b"create view seller.stock as select 'default' as account, 'A' as sku, quantity, '2026-07-01T12:00Z' as "
        b"counted_at, null as safety_qty, null as max_qty, warehouse from (values ('3', 'Paris'), ('x', 'Lyon')) as "
        b"given (quantity, warehouse)"
    )
    assert _plan(warehouse) == {"A": (3, None)}
    assert _plan(warehouse, warehouses=("Lyon",)) == {}, "a row that cannot be read is no count of 0"
    assert _findings(warehouse) == {
        "stock_missing A": "seller.stock has no row that can be used: the listing is left alone"
    }


@pytest.mark.parametrize("units", [999_999_999, -999_999_999])
def test_sums_that_no_column_holds_stop_no_other_quantity(warehouse: psycopg.Connection[Any], units: int) -> None:
    """Three warehouses of 999,999,999 each, or three SKUs of a listing, mean as many as there can be."""
    for sku in ("A", "B", "L"):
        _listing(warehouse, sku, 1)
    for place in ("Paris", "Lyon", "Lille"):
        _stock(warehouse, "A", units, place)
        _stock(warehouse, f"of {place}", units)
    _stock(warehouse, "B", 3)
    _map(warehouse, *((f"of {place}", "L", None) for place in ("Paris", "Lyon", "Lille")))
    most = 2_147_483_647 if units > 0 else 0
    assert _plan(warehouse) == {"A": (most, None), "B": (3, None), "L": (most, None)}


@pytest.mark.parametrize(
    ("good", "bad", "is_used"),
    [
        (("A", None), ("a", None), False),
        (("A", "Paris"), ("A ", "paris "), False),
        (("A", "Paris"), ("A", None), False),
        (("A", None), ("A", "Paris"), False),
        (("A", "Paris"), ("A", "Lyon"), True),
        (("A", None), ("B", None), True),
        (("A", None), (None, None), True),
    ],
)
def test_a_row_that_cannot_be_read_puts_its_twin_in_doubt(
    warehouse: psycopg.Connection[Any],
    good: tuple[str, str | None],
    bad: tuple[str | None, str | None],
    is_used: bool,
) -> None:
    """Which of the two is right nobody knows: the one that can be read may be the old one."""
    _listing(warehouse, "A", 1)
    warehouse.execute(b"drop table seller.stock; delete from seller.stock_by_warehouse")
    warehouse.execute(
        b"create table seller.stock (account text default 'default', sku text, quantity text, counted_at text, "
        b"safety_qty text, max_qty text, warehouse text)"
    )
    for (sku, place), quantity in ((good, "5"), (bad, "0,0")):
        warehouse.execute(
            b"insert into seller.stock (sku, quantity, counted_at, warehouse) values (%s, %s, '2026-07-01T12:00Z', %s)",
            [sku, quantity, place],
        )
    assert _plan(warehouse) == ({"A": (5, None)} if is_used else {})
    told = "2 rows of seller.stock share this SKU, and its warehouse if they name one: none of them is used"
    assert _findings(warehouse) == ({} if is_used else {"sku_ambiguous a": told})
    assert bool(stock_by_sku(warehouse, "default", ["a"], StockPolicy())) is is_used


def test_lines_matter_from_the_earliest_count_of_a_listings_skus(warehouse: psycopg.Connection[Any]) -> None:
    """Also where one listing alone is asked for."""
    long_ago = NOW - timedelta(days=30)
    _map(warehouse, ("A", "L", None), ("B", "L", None))
    _stock(warehouse, "A", 1, counted_at=long_ago)
    _stock(warehouse, "B", 1)
    warehouse.execute(
        b"insert into backmarket.orders (account, order_id, state, date_creation, document, first_seen_at, read_at) "
        b"values ('default', 1, 9, %(at)s, '{}', %(at)s, %(at)s)",
        {"at": long_ago + timedelta(days=1)},
    )
    warehouse.execute(
        b"insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, state, date_creation, "
        b"first_seen_at, first_seen_state) values ('default', 10, 1, 'l', 1, 3, %(at)s, %(at)s, 3)",
        {"at": long_ago + timedelta(days=1)},
    )
    for sku in (None, "L"):
        lines = inventory_prices.lines_by_sku(
            warehouse, "default", now=NOW, hold=timedelta(hours=1), intake_lag=timedelta(0), sku=sku
        )
        assert [line.orderline_id for line in lines["l"]] == [10]


def _price(warehouse: psycopg.Connection[Any], sku: str, price: str, floor: str | None = None) -> None:
    warehouse.execute(
        b"insert into seller.prices (sku, market, price, currency, min_price) values (%s, 'fr-fr', %s, 'EUR', %s)",
        [sku, price, floor],
    )


def test_prices_go_by_the_map(warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture) -> None:
    """To each listing that takes one unit; SKUs of one listing must agree; what a bundle costs is not guessed."""
    for sku in ("L", "M", "SAME", "PAIR"):
        add_listing(warehouse, sku)
    _map(
        warehouse,
        *[("A", "l", None), ("A", "M", 1), ("A", "PAIR", 2), ("B", "M", None), ("C", "SAME", 1), ("D", "SAME", 1)],
        *[("E", "PAIR", 2), ("BAD", "L", 0)],
    )
    for sku, amount, floor in (
        *[("A", "101", None), ("B", "102", None), ("C", "103", "90"), ("D", "103.00", "90.0")],
        *[("E", "104", None), ("BAD", "105", None), ("PAIR", "106", None)],
    ):
        _price(warehouse, sku, amount, floor)
    plan = plan_prices(warehouse, "default", PriceSettings(), markets=["fr-fr"], now=datetime.now(UTC), run_id="r")
    found = planned(warehouse, "price")
    assert {sku: status for sku, (status, _) in found.items()} == {
        "L": "planned",
        "PAIR": "planned",
        "SAME": "planned",
        "m": "refused",
    }
    assert found["m"][1] == "the prices of A, B, which feed this listing, differ or cannot be read: none is sent"
    assert plan.counts["prices"] == 5
    with caplog.at_level(logging.WARNING):
        assert log_plan(warehouse, "default", plan, logging.getLogger(), markets=["fr-fr"]) == 2
    assert [message.partition(" of a SKU ")[2] for message in caplog.messages[1:]] == [
        "that its listing takes several of: name the listing by its own SKU, such as E fr-fr.",
        "with a row in seller.sku_map that cannot be used, such as BAD fr-fr.",
    ]


def test_a_stock_table_from_before_gets_its_column(
    warehouse_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its rows and its key, which upserts name; rows by warehouse are kept apart, and a view stays as it is."""
    files = sorted((sql.folder() / "migrations").glob("*.sql"))
    (tmp_path / "migrations").mkdir()
    for path in files[: [path.stem for path in files].index("0031_sku_map")]:
        (tmp_path / "migrations" / path.name).write_bytes(path.read_bytes())
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(sql, "folder", lambda: tmp_path)
            migrate(connection)
        connection.execute("insert into seller.stock (sku, quantity, counted_at) values ('A', 1, now())")
        migrate(connection)
        for place, units in (("Paris", 2), ("Lyon", 3), ("Paris", 4), ("", 5), (None, 6)):
            connection.execute(
                "insert into seller.stock (sku, warehouse, quantity, counted_at) values ('A', %s, %s, now()) "
                "on conflict (account, sku) do update set quantity = excluded.quantity",
                [place, units],
            )
        assert connection.execute("select warehouse, quantity from seller.stock").fetchall() == [(None, 6)]
        rows = connection.execute("select warehouse, quantity from seller.stock_by_warehouse order by 1").fetchall()
        assert rows == [("Lyon", 3), ("Paris", 4)]
        statement = (
            (sql.folder() / "migrations" / "0031_sku_map.sql").read_text().partition("alter table backmarket")[0]
        )
        for made in (
            "create view seller.stock as select 'default' as account, 'A' as sku",
            "create table seller.stock (account text, sku text primary key)",
        ):
            connection.execute("drop table seller.stock")
            connection.execute(made.encode())
            connection.execute(statement.encode())
            if made.startswith("create view"):
                connection.execute("drop view seller.stock; create table seller.stock (x int)")
        assert connection.execute("select sku, warehouse from seller.stock").fetchall() == []
        key = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'seller.stock'::regclass"
        assert ("PRIMARY KEY (sku)",) in connection.execute(key).fetchall()
