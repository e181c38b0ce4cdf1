"""Loads a million statement rows, beside a plain COPY of the same file, and compares them with 200,000 orders."""

from __future__ import annotations

import csv
import resource
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any, NamedTuple

import psycopg

from backmarket.warehouse.migrations import migrate
from backmarket.warehouse.settlements.files import StatementFile, load_file
from backmarket.warehouse.settlements.reconciliation import Limits, reconcile
from benchmarks.figures import Figure, show
from local.postgres import embedded_postgres, ensure_database

ORDERS = 200_000
LINES_PER_ORDER = 5
FIRST_DAY = date(2026, 1, 1)
DAYS = 240
ROUNDS = 5
MOST_COPIES = 2.5
SECONDS_TO_RECONCILE = 30
MEGABYTES = 500
_WHY_SLOWER_THAN_COPY = (
    "each row is read, judged and given what identifies it, which is half of the time, and two indexes are kept up, by "
    "which a row is found again; COPY does neither"
)


def write_statement(path: Path) -> int:
    """Write one statement of five rows an order; every thousandth sale is a euro short. Return the rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow("invoice_key value_date sku order_id designation amount currency".split())
        for order_id in range(1, ORDERS + 1):
            day = FIRST_DAY + timedelta(days=order_id % DAYS)
            price = Decimal(10_000 + order_id % 5_000) / 100
            sku, short = f"SKU-{order_id % 3000}", order_id % 1000 == 0
            writer.writerow(["sales", day, sku, order_id, "Phone, 128 GB", price - short, "EUR"])
            writer.writerow(["sales_fees", day, sku, order_id, "Commission", -price / 10, "EUR"])
            writer.writerow(["payment_fees", day, sku, order_id, "Payment fee", "-0.35", "EUR"])
            writer.writerow(["ccbm_fees", day, "", "", "Customer care", "-0.10", "EUR"])
            writer.writerow(["bonus_marketing", day, "", "", f"accelerator_offer_order_id_{order_id}", "0.05", "EUR"])
    return ORDERS * LINES_PER_ORDER


def insert_orders(connection: psycopg.Connection[Any]) -> None:
    """Store the orders that the statement settles."""
    connection.execute(
        """
        insert into backmarket.orders
            (account, order_id, state, currency, price, shipping_price, date_shipping, date_modification, document,
             first_seen_at, read_at)
        select 'default', n, 9, 'EUR', (10000 + n %% 5000) / 100.0, 0, shipped, shipped, '{}', now(), now()
        from (select n, timestamptz '2026-01-01 12:00Z' + make_interval(days => n %% %s) as shipped
              from generate_series(1, %s) as n) as made
        """,
        [DAYS, ORDERS],
    )
    connection.execute(
        """
        insert into backmarket.order_lines
            (account, orderline_id, order_id, sku, quantity, price, shipping_price, currency, state, orderline_fee,
             first_seen_at, first_seen_state)
        select account, order_id * 10, order_id, 'SKU', 1, price, 0, currency, 3, price / 10, now(), 3
        from backmarket.orders
        """
    )
    connection.execute("analyze backmarket.orders, backmarket.order_lines")


def plain_copy(connection: psycopg.Connection[Any], path: Path) -> float:
    """COPY the file as it is into a table keyed by statement and line number, as psql would; return the seconds."""
    connection.execute("drop table if exists public.plain")
    connection.execute(
        "create table public.plain (invoice_ref text default '20260901-EU-H-1', "
        "line_no bigint generated always as identity, invoice_key text, value_date date, sku text, order_id bigint, "
        "designation text, amount numeric, currency text, primary key (invoice_ref, line_no))"
    )
    statement = (
        "copy public.plain (invoice_key, value_date, sku, order_id, designation, amount, currency) "
        "from stdin with (format csv, header)"
    )
    began = perf_counter()
    with connection.cursor() as cursor, cursor.copy(statement) as copy, path.open("rb") as file:
        while chunk := file.read(1 << 20):
            copy.write(chunk)
    return perf_counter() - began


def load(connection: psycopg.Connection[Any], path: Path) -> tuple[float, int]:
    """Load the file as the DAG does; return the seconds and the new rows."""
    began = perf_counter()
    with path.open("rb") as content:
        modified_at = datetime(2026, 9, 1, tzinfo=UTC)
        name = "invoice_20260901-EU-H-1.csv"
        file = StatementFile(name, name, path.stat().st_size, modified_at, "0" * 64, content)
        new = load_file(connection, "default", file)
    return perf_counter() - began, new


class Loads(NamedTuple):
    """Seconds of some loads, each beside two plain copies, and of comparing the last; the peak in MB."""

    loading: list[float]
    copying: list[float]
    all_rows: float
    one_day: float
    peak_mb: float


def measure() -> Loads:
    """Load in a fresh database each time; compare with orders all rows of the last one, and one day of it."""
    loading, copying = [], []
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder) / "postgres") as server:
        path = Path(folder) / "statement.csv"
        rows = write_statement(path)
        for number in range(ROUNDS):
            uri = ensure_database(server, f"bench_{number}")
            with _connected(uri) as connection:
                migrate(connection)
                insert_orders(connection)
                copying.append(plain_copy(connection, path))
                seconds, new = load(connection, path)
                copying.append(plain_copy(connection, path))
            if new != rows:
                raise AssertionError(f"{new} of {rows} rows were stored")
            loading.append(seconds)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with _connected(uri) as connection:
            return Loads(loading, copying, *_compare(connection), peak_mb)


def _connected(uri: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(uri, autocommit=True)
    connection.execute("set timezone to 'UTC'")
    return connection


def _compare(connection: psycopg.Connection[Any]) -> tuple[float, float]:
    limits = Limits(14, Decimal("0.01"))
    began = perf_counter()
    done = reconcile(connection, "default", limits)
    all_rows = perf_counter() - began
    if done.open_by_kind != {"sale_amount_difference": ORDERS // 1000}:
        raise AssertionError(f"found {done.open_by_kind}")
    began = perf_counter()
    reconcile(connection, "default", limits, frozenset({FIRST_DAY}))
    return all_rows, perf_counter() - began


def figures() -> list[Figure]:
    """Load several times, since the speed of a shared machine drifts, and compare."""
    loads = measure()
    loading, copying = mean(loads.loading), mean(loads.copying)
    ratio = loading / copying
    return [
        Figure(
            f"{ORDERS * LINES_PER_ORDER:,} statement rows loaded, checked and tied; {len(loads.loading)} times",
            f"{loading:.1f} s, {loads.peak_mb:.0f} MB",
            f"bare COPY: {copying:.1f} s, x {ratio:.1f}",
            f"x {MOST_COPIES}, {MEGABYTES} MB",
            kept=ratio <= MOST_COPIES and loads.peak_mb <= MEGABYTES,
            why=_WHY_SLOWER_THAN_COPY if loads.peak_mb <= MEGABYTES else "",
        ),
        Figure(
            f"all of them compared with {ORDERS:,} orders",
            f"{loads.all_rows:.1f} s",
            f"one day of them: {loads.one_day:.1f} s",
            f"{SECONDS_TO_RECONCILE} s",
            kept=loads.all_rows <= SECONDS_TO_RECONCILE,
        ),
    ]


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
