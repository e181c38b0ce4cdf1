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
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.table import Table

from backmarket.concerns import (
    ACCOUNT,
    AFTER_SALES,
    ALERTS,
    BACKBOX,
    INVENTORY_PRICES,
    LISTINGS,
    ORDERS,
    SETTLEMENTS,
    TRACKING_IMEI,
)
from backmarket.seller_account import DEFAULT_ACCOUNT, dag_id_of
from benchmarks.figures import WIDTH, Figure
from benchmarks.history import fill_history
from benchmarks.orders import PROJECT
from local.postgres import embedded_postgres, ensure_database
from local.variables import TOGGLES
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable

DAGS = tuple(
    dag_id_of(concern.stem, DEFAULT_ACCOUNT)
    for concern in (
        ACCOUNT,
        LISTINGS,
        ORDERS,
        INVENTORY_PRICES,
        TRACKING_IMEI,
        AFTER_SALES,
        SETTLEMENTS,
        BACKBOX,
        ALERTS,
    )
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


Measures = dict[str, tuple[float, float]]
"""By what was run: milliseconds of the database, and seconds of the whole run."""


SIZES = (1_000, 10_000, 100_000, 1_000_000)
"""So many orders, changes and statement rows lie behind a run."""

LISTINGS_COUNT = 1_000
MOST_RATIO = 1.5
CHANGED_ORDERS = 100


def figures() -> list[Figure]:
    """Measure the shortest and the longest history, and tell how they stand to each other."""
    small, large = _all_measures((SIZES[0], SIZES[-1]))
    found = []
    for work, (milliseconds, seconds) in large.items():
        # Below this the clock of the database tells nothing.
        before = max(small[work][0], 5.0)
        ratio = max(milliseconds, 5.0) / before
        found.append(
            Figure(
                f"{work}: work of the database, {SIZES[-1]:,} orders and changes behind it",
                f"{milliseconds:.0f} ms, x {ratio:.2f}",
                f"{SIZES[0]:,} orders: {small[work][0]:.0f} ms; the whole run: {seconds:.1f} s",
                f"x {MOST_RATIO}",
                kept=ratio <= MOST_RATIO,
            )
        )
    return found


def main() -> int:
    """Print the work of the database for every size, in milliseconds."""
    every = _all_measures(SIZES)
    table = Table("run", *(f"{size:,} orders" for size in SIZES), "whole run")
    for work in every[0]:
        seconds = f"{every[0][work][1]:.1f} to {every[-1][work][1]:.1f} s"
        table.add_row(work, *(f"{measured[work][0]:.0f} ms" for measured in every), seconds)
    Console(width=WIDTH).print(table)
    return 0


def _all_measures(sizes: Iterable[int]) -> list[Measures]:
    with tempfile.TemporaryDirectory() as name, embedded_postgres(Path(name) / "postgres") as server:
        _use_airflow(Path(name))
        return [_measure(server, size) for size in sizes]


def _use_airflow(home: Path) -> None:
    os.environ.update(
        AIRFLOW_HOME=str(home / "airflow"),
        AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(home / "logs"),
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        **{f"AIRFLOW_VAR_{toggle.upper()}": "true" for toggle in TOGGLES},
        # Two a second: the others are chosen among, and not asked for.
        AIRFLOW_VAR_BACKMARKET_BACKBOX_REQUESTS_AN_HOUR="10",
    )
    (home / "inbox").mkdir()
    os.environ["AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX"] = (home / "inbox").as_uri()
    from airflow.utils.db import initdb

    initdb()


def _measure(server: str, size: int) -> Measures:
    from airflow.dag_processing.dagbag import DagBag

    database = f"scale_{size}"
    uri = ensure_database(server, database)
    os.environ["AIRFLOW_CONN_BACKMARKET_WAREHOUSE"] = uri.replace("postgresql://", "postgres://")
    config = SandboxConfig(orders=100, listings=LISTINGS_COUNT, stock=5, rate_limit=False)
    with running_sandbox(config, isolated=True) as sandbox, psycopg.connect(uri, autocommit=True) as connection:
        os.environ["AIRFLOW_CONN_BACKMARKET_DEFAULT"] = _connection(sandbox.base_url, sandbox.token)

        def run(dag_id: str) -> str:
            return str(DagBag(PROJECT / "dags" / f"{dag_id}.py").dags[dag_id].test().state)

        for dag_id in FIRST_DAGS:
            run(dag_id)
        connection.execute(_STOCK)
        connection.execute(_PRICES)
        fill_history(connection, orders=size, changes=size)
        connection.execute("vacuum analyze")
        for _ in range(2):
            for dag_id in DAGS:
                run(dag_id)
        connection.execute("vacuum analyze")
        measures: Measures = {}

        def measure(work: str, dag_id: str) -> None:
            before, began = _active(connection, database), time.perf_counter()
            run(dag_id)
            seconds = time.perf_counter() - began
            measures[work] = (_active(connection, database) - before, seconds)

        for dag_id in DAGS:
            measure(f"{dag_id}, nothing changed", dag_id)
        sandbox.call("POST", "orders", {"count": CHANGED_ORDERS, "force": True})
        orders_in = dag_id_of(ORDERS.stem, DEFAULT_ACCOUNT)
        measure(f"{orders_in}, {CHANGED_ORDERS} new orders", orders_in)
    return measures


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
