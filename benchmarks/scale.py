"""Database time of each DAG's run in which nothing changed, with a short history and with a long one.

A run's cost should follow what has changed. Every DAG runs as ``airflow dags test`` runs it, once to come to rest, then
with the history in place. What is measured is the time that PostgreSQL was at work for it, not Airflow's own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from rich.console import Console
from rich.table import Table

from backmarket.concerns import (
    ACCOUNT,
    ALERTS,
    INVENTORY_PRICES,
    LISTINGS,
    ORDERS,
    SETTLEMENTS,
    TRACKING_IMEI,
)
from backmarket.seller_account import DEFAULT_ACCOUNT, dag_id_of
from benchmarks.orders import PROJECT
from local.postgres import embedded_postgres, ensure_database
from local.variables import TOGGLES
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

DAGS = tuple(
    dag_id_of(concern.stem, DEFAULT_ACCOUNT)
    for concern in (ACCOUNT, LISTINGS, ORDERS, INVENTORY_PRICES, TRACKING_IMEI, SETTLEMENTS, ALERTS)
)
# One after the other, they bring what all others work on.
FIRST_DAGS = DAGS[:3]

# Orders of the last three years, all shipped and closed a month ago or longer, what was sent and paid for them.
_HISTORY = (
    """
    insert into backmarket.orders (
        account, order_id, state, country_code, currency, price, shipping_price, date_creation, date_modification,
        date_payment, date_shipping, document, first_seen_at, read_at
    )
    select
        'default', 10000000000 + n, 9, 'fr-fr', 'EUR', 199.99, 0, at, at + interval '3 days', at,
        at + interval '2 days', '{}', at, at + interval '3 days'
    from (
        select n, now() - interval '30 days' - interval '1000 days' * (n::float8 / %(orders)s) as at
        from generate_series(1, %(orders)s) as n
    ) as made
    """,
    """
    insert into backmarket.order_lines (
        account, orderline_id, order_id, sku, quantity, price, shipping_price, currency, state, imei, date_creation,
        first_seen_at, first_seen_state, accepted_seen_at
    )
    select
        account, order_id, order_id, sku.sku, 1, price, 0, 'EUR', 3, '35' || lpad(order_id::text, 13, '0'),
        date_creation, first_seen_at, 1, date_creation + interval '1 hour'
    from backmarket.orders
    inner join (
        select sku, row_number() over (order by sku) - 1 as place, count(*) over () as skus
        from backmarket.listings where gone_at is null and sku is not null
    ) as sku on sku.place = order_id %% sku.skus
    where order_id > 10000000000
    """,
    """
    insert into backmarket.changes (
        account, kind, subject, payload, status, attempts, run_id, planned_at, sent_at, confirmed_at
    )
    select
        'default', kind, case kind when 'quantity' then line.sku else line.order_id::text end,
        '{"quantity": 1}', 'confirmed', 1, 'history', at, at, at
    from (
        select *, first_seen_at + interval '1 hour' as at from backmarket.order_lines where order_id > 10000000000
        order by order_id limit %(changes)s / 4
    ) as line
    cross join unnest(array['accept', 'tracking', 'imei', 'quantity']) as kind
    """,
    """
    insert into seller.shipments (account, order_id, tracking_number, shipper, shipped_at)
    select account, order_id, 'T' || order_id, 'dhl express', date_shipping
    from backmarket.orders where order_id > 10000000000 order by order_id limit 250
    """,
    """
    insert into seller.devices (account, order_id, orderline_id, sku, imei)
    select account, order_id, orderline_id, sku, imei
    from backmarket.order_lines where order_id > 10000000000 order by order_id limit 250
    """,
    # Statements of each week, issued on its Monday: every thousandth sale is a euro short.
    """
    insert into backmarket.settlement_lines (
        account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, order_id, number,
        tied_by, designation, amount, first_export
    )
    select
        account, to_char(monday, 'YYYYMMDD') || '-EU-H-1', 'EUR', row_number() over week, row_number() over week,
        'sales', 'revenue', 'sale', day, order_id, order_id, 'order', 'Phone',
        price - (order_id %% 1000 = 0)::integer, monday
    from (
        select *, date_trunc('week', day)::date + 7 as monday
        from (
            select *, (date_shipping at time zone 'UTC')::date + 3 as day
            from backmarket.orders where order_id > 10000000000
        ) as settled
    ) as issued
    window week as (partition by monday order by order_id)
    order by monday, order_id
    """,
    """
    insert into backmarket.settlement_statements (
        account, invoice_ref, currency, file_name, sha256, exported_at, issued_on, covers, line_count, total
    )
    select
        account, invoice_ref, currency, invoice_ref || '.csv', md5(invoice_ref), max(first_export),
        left(invoice_ref, 8)::date, daterange(left(invoice_ref, 8)::date - 7, left(invoice_ref, 8)::date), count(*),
        sum(amount)
    from backmarket.settlement_lines
    group by account, invoice_ref, currency
    """,
)
_STOCK = """
    insert into seller.stock (account, sku, quantity, counted_at)
    select account, sku, quantity, now() from backmarket.listings where sku is not null and gone_at is null
    on conflict do nothing
"""
_PRICES = """
    insert into seller.prices (account, sku, market, price, currency)
    select offer.account, listing.sku, offer.market, offer.price, offer.currency
    from backmarket.listing_offers as offer inner join backmarket.listings as listing using (account, id)
    where offer.price > 0 and listing.sku is not null
    on conflict do nothing
"""


class Size(NamedTuple):
    """How much there is."""

    orders: int
    listings: int
    changes: int


SIZES = (Size(1_000, 1_000, 1_000), Size(1_000_000, 1_000, 1_000_000))


def main() -> int:
    """Print database time and wall time by DAG and size."""
    with tempfile.TemporaryDirectory() as name, embedded_postgres(Path(name) / "postgres") as server:
        _use_airflow(Path(name))
        figures = [_measure(server, size) for size in SIZES]
    small, large = figures
    table = Table("DAG", *(f"{size.orders:,} orders" for size in SIZES), "ratio", "wall")
    for dag_id in DAGS:
        table.add_row(
            dag_id,
            f"{small[dag_id][0]:.0f} ms",
            f"{large[dag_id][0]:.0f} ms",
            f"{large[dag_id][0] / max(small[dag_id][0], 0.1):.2f}",
            f"{small[dag_id][1]:.1f} s, {large[dag_id][1]:.1f} s",
        )
    Console().print(table)
    return 0


def _use_airflow(home: Path) -> None:
    os.environ.update(
        AIRFLOW_HOME=str(home / "airflow"),
        AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(home / "logs"),
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        **{f"AIRFLOW_VAR_{toggle.upper()}": "true" for toggle in TOGGLES},
    )
    (home / "inbox").mkdir()
    os.environ["AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX"] = (home / "inbox").as_uri()
    from airflow.utils.db import initdb

    initdb()


def _measure(server: str, size: Size) -> dict[str, tuple[float, float]]:
    from airflow.dag_processing.dagbag import DagBag

    database = f"scale_{size.orders}"
    uri = ensure_database(server, database)
    os.environ["AIRFLOW_CONN_BACKMARKET_WAREHOUSE"] = uri.replace("postgresql://", "postgres://")
    config = SandboxConfig(orders=100, listings=size.listings, stock=5, rate_limit=False)
    with running_sandbox(config, isolated=True) as sandbox, psycopg.connect(uri, autocommit=True) as connection:
        os.environ["AIRFLOW_CONN_BACKMARKET_DEFAULT"] = _connection(sandbox.base_url, sandbox.token)

        def run(dag_id: str) -> str:
            return str(DagBag(PROJECT / "dags" / f"{dag_id}.py").dags[dag_id].test().state)

        for dag_id in FIRST_DAGS:
            run(dag_id)
        connection.execute(_STOCK)
        connection.execute(_PRICES)
        for statement in _HISTORY:
            connection.execute(statement.encode(), size._asdict())
        connection.execute("vacuum analyze")
        for _ in range(2):
            for dag_id in DAGS:
                run(dag_id)
        connection.execute("vacuum analyze")
        figures = {}
        for dag_id in DAGS:
            before, began = _active(connection, database), time.perf_counter()
            state = run(dag_id)
            seconds = time.perf_counter() - began
            figures[dag_id] = (_active(connection, database) - before, seconds)
            print(size.orders, dag_id, state, *figures[dag_id], flush=True)
    return figures


def _active(connection: psycopg.Connection[Any], database: str) -> float:
    """Return how many milliseconds PostgreSQL has worked for a database; sessions tell of it when they end."""
    time.sleep(0.3)
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute("select active_time from pg_stat_database where datname = %s", [database]).fetchone()
    return float(row[0]) if row else 0.0


def _connection(base_url: str, token: str) -> str:
    extra = {"market": "fr-fr", "user_agent": "BM-Example-Bench;bench@example.com"}
    return json.dumps({"conn_type": "backmarket", "host": base_url, "password": token, "extra": extra})


if __name__ == "__main__":
    sys.exit(main())
