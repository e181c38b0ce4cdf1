"""A few bad rows are left out; a table of bad rows is a failure that the page tells first, while it lasts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import OperationalError
from psycopg.rows import dict_row

from backmarket.concerns import STEMS
from backmarket.services.item_failures import fail_where_items_are_left
from backmarket.warehouse import feeds, inventory_prices, sku_map, tracking_imei
from backmarket.warehouse.feeds import FeedUnusableError
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.snapshot import Reader, relations_of
from tests.page.given import add_orders
from tests.warehouse.test_seller_rows import GOOD, view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from backmarket.warehouse.needs import Need


def _stock(warehouse: psycopg.Connection[Any], *quantities: str, limit_pct: int = 50) -> list[str]:
    """Judge a stock of these quantities."""
    rows = [{**GOOD["stock"], "sku": f"SKU-{number}", "quantity": text} for number, text in enumerate(quantities)]
    view(warehouse, "stock", *rows)
    feed = inventory_prices.stock_rows(warehouse, "default")
    return feeds.judge(warehouse, "default", feed, limit_pct=Decimal(limit_pct), run_id="r")


@pytest.mark.parametrize(
    ("quantities", "limit_pct", "is_unusable"),
    [
        (["7", "5 pcs"], 50, False),
        (["7", "5 pcs", "6 pcs"], 50, True),
        (["7", "5 pcs", "6 pcs"], 67, False),
        (["7", "8", "5 pcs"], 0, True),
        (["7", "8"], 0, False),
        (["5 pcs", "6 pcs"], 100, True),
        (["7", "5 pcs", "6 pcs"], 100, False),
    ],
)
def test_more_bad_rows_than_the_limit_make_a_table_unusable(
    warehouse: psycopg.Connection[Any], quantities: list[str], limit_pct: int, *, is_unusable: bool
) -> None:
    """Without a usable row it always is."""
    found = _stock(warehouse, *quantities, limit_pct=limit_pct)
    assert found == (["seller.stock"] if is_unusable else [])
    assert [each.table for each in feeds.unusable(warehouse, "default", ["seller.stock"])] == found


def test_an_empty_table_is_no_failure(warehouse: psycopg.Connection[Any]) -> None:
    """Nobody has filled it yet."""
    feed = inventory_prices.stock_rows(warehouse, "default")
    assert feeds.judge(warehouse, "default", feed, limit_pct=Decimal(0), run_id="r") == []


def test_the_failure_says_which_table_how_many_rows_why_and_what_to_do(warehouse: psycopg.Connection[Any]) -> None:
    """Each time again, the first three rows by name; and what was done with the others."""
    _stock(warehouse, *(["122 pcs"] * 1200))
    for _ in range(2):
        with pytest.raises(FeedUnusableError) as failure:
            fail_where_items_are_left(
                [{"newly_left_out": 0}], "listings", feeds.unusable(warehouse, "default", ["seller.stock"])
            )
    assert str(failure.value) == (
        "seller.stock cannot be used: 1,200 of 1,200 rows. The first: sku SKU-0: quantity is '122 pcs': a whole number "
        "is needed; sku SKU-1: quantity is '122 pcs': a whole number is needed; sku SKU-10: quantity is '122 pcs': a "
        "whole number is needed. Nothing new was sent from it. Correct the table, or the view in its place; the next "
        "run reads it anew. backmarket.quarantine holds every row with its reason. Everything else of this run is done."
    )
    _stock(warehouse, "7", "x", "y")
    (found,) = feeds.unusable(warehouse, "default", ["seller.stock"])
    assert "2 of 3 rows" in str(found)
    assert "Its other rows were used." in str(found)


def _judge_shipments(warehouse: psycopg.Connection[Any]) -> list[str]:
    feed = tracking_imei.shipments(warehouse, "default")
    return feeds.judge(warehouse, "default", feed, limit_pct=Decimal(50), run_id="r")


def test_shipments_that_are_over_count_as_usable(warehouse: psycopg.Connection[Any]) -> None:
    """Of a table whose other rows need nothing more, a new bad row is just a bad row; one without an order, too."""
    add_orders(warehouse, 1)
    warehouse.execute("update backmarket.orders set date_shipping = now()")
    row = GOOD["shipments"]
    view(warehouse, "shipments", {**row, "order_id": "1"}, {**row, "order_id": "BM-2"})
    assert _judge_shipments(warehouse) == []
    view(warehouse, "shipments", {**row, "order_id": None})
    assert _judge_shipments(warehouse) == []
    view(warehouse, "shipments", {**row, "order_id": "BM-2"}, {**row, "order_id": ""})
    assert _judge_shipments(warehouse) == ["seller.shipments"]


FAILS = b"""
    create function public.fails(code text) returns text language plpgsql
    as $$ begin raise exception 'for Jane Doe' using errcode = code; end $$
"""


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select 'default' as account, 'A' as sku, '7' as quantity", "column stock.counted_at does not exist"),
        (
            """select 'default' as account, sku, quantity::int as quantity, now() as counted_at, 1 as safety_qty,
                2 as max_qty from (values ('A', 'Jane Doe')) as shelf (sku, quantity)""",
            "its view fails (InvalidTextRepresentation); cast nothing there: texts are read, too",
        ),
        (
            "select 'default' as account, fails('HV00N') as sku, 7 as quantity, now() as counted_at",
            "its view, or what that reads from, does not answer (FdwUnableToEstablishConnection)",
        ),
        (
            "select 'default' as account, fails('57014') as sku, 7 as quantity, now() as counted_at",
            "its view, or what that reads from, does not answer (QueryCanceled)",
        ),
    ],
    ids=["a column is missing", "the view fails", "a foreign server is down", "it takes too long"],
)
def test_a_view_that_cannot_be_read_is_told_in_a_sentence(
    warehouse: psycopg.Connection[Any], needs: Reader, query: str, told: str
) -> None:
    """Without what stands in its rows; by the page, too; and it is over once it can be read."""
    warehouse.execute(FAILS)
    warehouse.execute("drop table seller.stock")
    warehouse.execute(f"create view seller.stock as {query}".encode())
    with pytest.raises(FeedUnusableError) as failure:
        inventory_prices.stock_rows(warehouse, "default")
    assert str(failure.value).startswith(f"seller.stock cannot be read: {told}. Correct the table")
    assert "Jane" not in str(failure.value)
    (need,) = _feeds(needs)
    assert (need.items[0]["summary"], need.items[0]["detail"]) == ("cannot be read", told)
    _stock(warehouse, "7")
    assert _feeds(needs) == []


@pytest.mark.parametrize("code", ["40P01", "53100", "55P03"])
def test_a_trouble_of_our_own_database_is_no_fault_of_a_table(warehouse: psycopg.Connection[Any], code: str) -> None:
    """Such a task is tried again."""
    warehouse.execute(FAILS)
    warehouse.execute("drop table seller.stock")
    query = f"select 'default' as account, fails('{code}') as sku, 7 as quantity, now() as counted_at"
    warehouse.execute(f"create view seller.stock as {query}".encode())
    with pytest.raises(OperationalError):
        inventory_prices.stock_rows(warehouse, "default")


@pytest.mark.parametrize(
    ("table", "read"),
    [
        ("shipments", tracking_imei.shipments),
        ("devices", tracking_imei.devices),
        ("shipper_aliases", tracking_imei.shipper_aliases),
        ("sku_map", sku_map.read),
    ],
)
def test_a_table_that_can_be_read_again_is_told_no_more(
    warehouse: psycopg.Connection[Any],
    needs: Reader,
    table: str,
    read: Callable[[psycopg.Connection[Any], str], object],
) -> None:
    """Also where the task that reads it does not judge it; a reading of its orders alone says nothing of the rest."""
    warehouse.execute(f"alter table seller.{table} rename to whole".encode())
    warehouse.execute(f"create view seller.{table} as select account, '1' as order_id from seller.whole".encode())
    with pytest.raises(FeedUnusableError):
        read(warehouse, "default")
    if f"seller.{table}" in tracking_imei.NAMING_ORDERS:
        tracking_imei.orders_to_read(warehouse, "default", [f"seller.{table}"])
    assert [need.items[0]["subject"] for need in _feeds(needs)] == [f"seller.{table}"]
    warehouse.execute(f"drop view seller.{table}".encode())
    warehouse.execute(f"alter table seller.whole rename to {table}".encode())
    read(warehouse, "default")
    assert _feeds(needs) == []
    assert feeds.unusable(warehouse, "default", [f"seller.{table}"]) == []


@pytest.fixture
def needs(warehouse: psycopg.Connection[Any]) -> Iterator[Reader]:
    """What the page and the alerts read."""
    from psycopg import connect

    with connect(warehouse.info.dsn, password=warehouse.info.password, row_factory=dict_row, autocommit=True) as other:
        yield Reader(other, "default", relations_of("needs_feeds") | relations_of("needs_left"))


def _feeds(needs: Reader, *stems: str) -> list[Need]:
    return read_needs(needs, stems or STEMS, most=5, answer_hours=20)


def test_the_page_tells_an_unusable_table_while_it_lasts(warehouse: psycopg.Connection[Any], needs: Reader) -> None:
    """Since when, to those who may see the concern that it feeds, and not where nothing reads it any more."""
    _stock(warehouse, *(["x"] * 1200))
    warehouse.execute("update backmarket.feeds set unusable_since = '2026-01-01'")
    _stock(warehouse, *(["x"] * 1200))
    (need,) = _feeds(needs, "orders")
    (item,) = need.items
    assert f"{item['subject']} {item['summary']}" == "seller.stock cannot be used: 1,200 of 1,200 rows"
    assert item["since"].year == 2026
    assert item["detail"].startswith("1,200 of 1,200 rows · sku SKU-0: quantity is 'x': a whole number is needed · sku")
    assert _feeds(needs, "listings") == []
    warehouse.execute("update backmarket.feeds set judged_at = now() - interval '3 days'")
    assert _feeds(needs) == []
    _stock(warehouse, "7")
    assert warehouse.execute("select unusable_since, left_out from backmarket.feeds").fetchall() == [(None, 0)]
