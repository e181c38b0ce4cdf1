"""What a run looks at follows what has changed, not how long the history is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse import sql
from backmarket.warehouse.inventory_prices import lines_by_sku

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
    "orders to read": ("tracking_imei/select_orders_to_read", {}),
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


def _history(warehouse: psycopg.Connection[Any], orders: int) -> None:
    for statement in HISTORY.split(";"):
        warehouse.execute(statement.encode(), {"orders": orders, "now": NOW})
    warehouse.execute("vacuum analyze")


def _pages(warehouse: psycopg.Connection[Any], name: str) -> tuple[int, int]:
    """Return how many pages a statement looks at, and how many rows it finds."""
    statement, values = STATEMENTS[name]
    defaults: dict[str, Any] = {"account": "default", "since": NOW - timedelta(hours=2), "keys": [], "sinces": []}
    query = f"explain (analyze, buffers, format json) {sql.statement(statement)}"
    (([plan],),) = warehouse.execute(query.encode(), {**defaults, **values}).fetchall()
    top = plan["Plan"]
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"], top["Actual Rows"]


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_long_history_costs_no_more(warehouse: psycopg.Connection[Any], name: str) -> None:
    """A hundred times as many orders and changes: as many pages of the database, but for the depth of its indexes."""
    _history(warehouse, FEW)
    pages, rows = _pages(warehouse, name)
    warehouse.execute(
        "truncate backmarket.orders, backmarket.order_lines, backmarket.order_addresses, backmarket.changes, "
        "seller.shipments, seller.devices"
    )
    _history(warehouse, MANY)
    more_pages, same_rows = _pages(warehouse, name)
    assert rows == same_rows > 0
    assert more_pages <= pages + A_FEW


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
