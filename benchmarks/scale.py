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
from benchmarks.history import fill_history
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
        fill_history(connection, orders=size.orders, changes=size.changes)
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
