"""What a run looks at follows what has changed, not how long the history is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.services.settlements import report_settlements
from backmarket.warehouse import sql
from backmarket.warehouse.inventory_prices import lines_by_sku
from backmarket.warehouse.settlements.quality import read_quality
from backmarket.warehouse.settlements.reconciliation import Limits, reconcile, unknown_numbers

if TYPE_CHECKING:
    import psycopg

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FEW, MANY = 200, 20_000
# Pages of PostgreSQL. An index of a long history is a level deeper, and its newest page may be another.
A_FEW = 60

STATEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lines of one SKU": ("inventory_prices/select_lines", {"sku": "sku-7"}),
    "lines": ("inventory_prices/select_lines", {"sku": None}),
    "lines, with a count of old": (
        "inventory_prices/select_lines",
        {"sku": None, "keys": ["sku-none"], "sinces": [NOW - timedelta(days=700)]},
    ),
    "refusals": ("changes/select_refused", {"kind": "quantity", "since": NOW - timedelta(days=1)}),
    "shipments": ("tracking_imei/select_shipments", {}),
    "devices": ("tracking_imei/select_devices", {}),
    "orders to read": ("tracking_imei/select_orders_to_read", {"table": "seller.shipments"}),
    "orders of devices to read": ("tracking_imei/select_orders_to_read", {"table": "seller.devices"}),
}

# Orders of the last years, shipped and closed, each of a SKU of its own; and what has changed lately, the same however
# long the history is.
HISTORY = """
insert into backmarket.orders (
    account, order_id, state, price, date_creation, date_payment, date_shipping, document, first_seen_at, read_at
)
select 'default', n, 9, 100, at, at, at, '{}', at, at
from (
    select n, %(now)s - interval '30 days' - n * interval '20 minutes' as at
    from generate_series(1, %(orders)s) as n
) as made;

insert into backmarket.order_lines (
    account, orderline_id, order_id, sku, quantity, state, date_creation, first_seen_at, first_seen_state,
    accepted_seen_at
)
select
    account, order_id * 10, order_id, 'OLD-' || order_id %% 50, 1, 3, date_creation, date_creation, 1, date_creation
from backmarket.orders;

insert into backmarket.changes (account, kind, subject, payload, status, attempts, planned_at, sent_at, confirmed_at)
select
    account, kind, case kind when 'accept' then orderline_id::text else sku end, '{}', 'confirmed', 1,
    date_creation, date_creation, date_creation
from backmarket.order_lines cross join unnest(array['accept', 'quantity']) as kind;

insert into backmarket.orders (
    account, order_id, state, date_creation, date_payment, document, first_seen_at, read_at
)
select 'default', 1000000 + n, 1, %(now)s, %(now)s, '{}', %(now)s, %(now)s from generate_series(1, 5) as n;

insert into backmarket.order_lines (
    account, orderline_id, order_id, sku, quantity, state, date_creation, first_seen_at, first_seen_state
)
select account, order_id * 10, order_id, 'SKU-7', 1, 1, %(now)s, %(now)s, 1
from backmarket.orders where order_id > 1000000;

insert into backmarket.changes (account, kind, subject, payload, status, attempts, planned_at, sent_at)
values ('default', 'quantity', 'SKU-7', '{}', 'refused', 1, %(now)s, %(now)s);

insert into seller.shipments (order_id, tracking_number)
select order_id, 'T' from backmarket.orders where order_id <= 5 or order_id > 1000000;

insert into seller.devices (order_id, imei)
select order_id, '356938035643809' from backmarket.orders where order_id > 1000000
"""

# A row for each order of the past, in a statement a week; every hundredth a euro short.
SETTLED = """
update backmarket.orders set currency = 'EUR';

insert into backmarket.settlement_lines (
    account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, order_id, number,
    tied_by, designation, amount, first_export
)
select
    account, 'week ' || date_trunc('week', date_shipping)::date, 'EUR', order_id, order_id, 'sales', 'revenue', 'sale',
    date_shipping::date, order_id, order_id, 'order', 'Phone', price - (order_id %% 100 = 0)::integer, date_shipping
from backmarket.orders
where order_id < 1000000
order by order_id desc;

insert into backmarket.settlement_statements (
    account, invoice_ref, currency, file_name, sha256, exported_at, issued_on, covers, line_count, total
)
select
    account, invoice_ref, currency, invoice_ref, invoice_ref, max(first_export), max(value_date) + 1,
    daterange(min(value_date), max(value_date), '[]'), count(*), sum(amount)
from backmarket.settlement_lines
group by account, invoice_ref, currency
"""


def _history(warehouse: psycopg.Connection[Any], orders: int) -> None:
    for statement in HISTORY.split(";"):
        warehouse.execute(statement.encode(), {"orders": orders, "now": NOW})
    warehouse.execute("vacuum analyze")


def _pages(warehouse: psycopg.Connection[Any], statement: str, values: dict[str, Any]) -> tuple[int, int]:
    """Return how many pages a statement looks at, and how many rows it finds."""
    defaults: dict[str, Any] = {"account": "default", "since": NOW - timedelta(hours=2), "keys": [], "sinces": []}
    own = sql.statement(statement).replace("{table}", values.get("table", ""))
    query = f"explain (analyze, buffers, format json) {own}"
    (([plan],),) = warehouse.execute(query.encode(), {**defaults, **values}).fetchall()
    top = plan["Plan"]
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"], top["Actual Rows"]


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_long_history_costs_no_more(warehouse: psycopg.Connection[Any], name: str) -> None:
    """A hundred times as many orders and changes: as many pages of the database, but for the depth of its indexes."""
    _history(warehouse, FEW)
    pages, rows = _pages(warehouse, *STATEMENTS[name])
    warehouse.execute(
        "truncate backmarket.orders, backmarket.order_lines, backmarket.order_addresses, backmarket.changes, "
        "seller.shipments, seller.devices"
    )
    _history(warehouse, MANY)
    more_pages, same_rows = _pages(warehouse, *STATEMENTS[name])
    assert rows == same_rows > 0
    assert more_pages <= pages + A_FEW


def test_the_commission_of_a_sku_that_sold_long_ago_is_found_at_once(warehouse: psycopg.Connection[Any]) -> None:
    """Its lines are the oldest of thousands, all of which tell a commission."""
    _history(warehouse, MANY)
    warehouse.execute(
        "update backmarket.order_lines set price = 100, orderline_fee = 10, "
        "sku = case when order_id <= 5 then 'RARE' else sku end"
    )
    warehouse.execute("vacuum analyze")
    pages, rows = _pages(warehouse, "repricing/select_commissions", {"sku_keys": ["rare"]})
    assert rows == 1
    assert pages <= A_FEW


def test_the_sales_of_a_sku_that_sold_long_ago_are_found_at_once(warehouse: psycopg.Connection[Any]) -> None:
    """Its lines are the oldest of thousands, and of its other three spellings there are none.

    Of so many SKUs PostgreSQL knows the commonest alone, and takes any other for one that is sold every day.
    """
    _history(warehouse, MANY)
    warehouse.execute(
        "update backmarket.order_lines "
        "set sku = case when order_id between 19996 and 20000 then 'RARE' else 'OLD-' || order_id % 150 end"
    )
    warehouse.execute("vacuum analyze")
    pages, rows = _pages(warehouse, "page/sku_sales", {"skus": ["RARE", "rare", "Rare", "None"]})
    assert rows == 5
    assert pages <= A_FEW


def test_acceptance_reads_no_history_of_what_was_counted_lately(warehouse: psycopg.Connection[Any]) -> None:
    """The lines of fifty SKUs of an hour ago, not the thousands that they have had."""
    _history(warehouse, MANY)
    warehouse.execute(
        b"insert into seller.stock (sku, quantity, counted_at) select 'OLD-' || n, 5, %s from generate_series(0, 49) n",
        [NOW - timedelta(hours=1)],
    )
    read = b"select sum(seq_tup_read + idx_tup_fetch) from pg_stat_xact_user_tables where relname = 'order_lines'"
    with warehouse.transaction():
        ((before,),) = warehouse.execute(read).fetchall()
        lines = lines_by_sku(warehouse, "default", now=NOW, hold=timedelta(0), intake_lag=timedelta(0))
        ((after,),) = warehouse.execute(read).fetchall()
    assert {sku: len(found) for sku, found in lines.items()} == {"sku-7": 5}
    assert after - before < 100


def _settle(warehouse: psycopg.Connection[Any]) -> tuple[int, int]:
    """Do what a run of settlements does; return how many pages that takes, and how many findings are new or changed."""
    pages = (
        b"select sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)) "
        b"from pg_statio_user_tables"
    )
    told = []
    for run in (False, True):
        if run:
            assert unknown_numbers(warehouse, "default", 500) == []
            changed = reconcile(warehouse, "default", Limits(14, Decimal("0.01"))).changed
            assert read_quality(warehouse, "default").off == []
            assert report_settlements(warehouse, "default", "run", None, str) is not None
        warehouse.execute(b"select pg_stat_force_next_flush()")
        ((count,),) = warehouse.execute(pages).fetchall()
        told.append(int(count))
    return told[1] - told[0], changed


@pytest.mark.parametrize("written", [0, 5], ids=["nothing", "five orders"])
def test_a_run_of_settlements_follows_what_was_written(warehouse: psycopg.Connection[Any], written: int) -> None:
    """A hundred times as many orders and rows of statements: as many pages, but for the depth of indexes."""
    found = {}
    for orders in (FEW, MANY):
        warehouse.execute(
            "truncate backmarket.orders, backmarket.order_lines, backmarket.order_addresses, backmarket.changes, "
            "backmarket.settlement_lines, backmarket.settlement_statements, backmarket.settlement_comparisons, "
            "backmarket.settlement_findings, backmarket.settlement_finding_history"
        )
        _history(warehouse, orders)
        for statement in SETTLED.split(";"):
            warehouse.execute(statement.encode(), {})
        _settle(warehouse)
        warehouse.execute("vacuum analyze")
        warehouse.execute(
            b"update backmarket.order_lines set price = 99 where order_id in "
            b"(select order_id from backmarket.orders where order_id < 1000000 order by order_id limit %s)",
            [written],
        )
        found[orders] = _settle(warehouse)
    assert found[FEW][1] == found[MANY][1] == written
    print(found)
    assert found[MANY][0] <= found[FEW][0] + A_FEW
