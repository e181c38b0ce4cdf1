"""Planning quantities, and comparing readings of listings, beside a long history of orders.

Each case is a process of its own against a database that is filled before; peaks are the operating system's account of
that process. Bounds in seconds are of a machine at its full speed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psycopg

from backmarket.services.quantities import plan_quantities
from backmarket.settings import QuantitySettings
from backmarket.warehouse.inventory_prices import compare_readings, stored_readings
from backmarket.warehouse.migrations import migrate
from benchmarks.figures import Figure, show
from benchmarks.history import fill_history
from benchmarks.orders import PROJECT, megabytes
from local.machine_speed import SpeedMeter
from local.postgres import embedded_postgres, ensure_database

if TYPE_CHECKING:
    from collections.abc import Callable

LINES, SKUS, READINGS = 1_000_000, 20_000, 100_000
SMALL_LINES, SMALL_SKUS, SMALL_READINGS = 10_000, 2_000, 10_000
SECONDS, MEGABYTES = 3.0, 300.0

_LISTINGS = """
    insert into backmarket.listings (account, id, sku, title, title_market, quantity, first_seen_at, read_at)
    select 'default', md5(n::text)::uuid, 'SKU-' || n, 'Phone', 'fr-fr', 5, now(), now() - interval '1 minute'
    from generate_series(1, %(listings)s) as n
"""
_STOCK = """
    insert into seller.stock (account, sku, quantity, counted_at)
    select account, sku, 3, now() from backmarket.listings
"""


def figures(*, small: bool = False) -> list[Figure]:
    """Measure both."""
    lines, skus, readings = (SMALL_LINES, SMALL_SKUS, SMALL_READINGS) if small else (LINES, SKUS, READINGS)
    with tempfile.TemporaryDirectory() as name, embedded_postgres(Path(name) / "postgres") as server:
        planned, planned_fast, planning_mb = _measure(server, "plan", listings=skus, lines=lines)
        noted, noted_fast, _ = _measure(server, "note", listings=readings, lines=1_000)
    return [
        Figure(
            f"{skus:,} SKUs planned, {lines:,} order lines",
            f"{planned:.1f} s, {planning_mb:.0f} MB",
            f"at full speed {planned_fast:.1f} s",
            f"{SECONDS:.0f} s at full speed, {MEGABYTES:.0f} MB",
            kept=None if small else planned_fast <= SECONDS and planning_mb <= MEGABYTES,
        ),
        Figure(
            f"{readings:,} readings of listings noted",
            f"{noted:.1f} s",
            f"at full speed {noted_fast:.1f} s",
            f"{SECONDS:.0f} s at full speed",
            kept=None if small else noted_fast <= SECONDS,
        ),
    ]


def _measure(server: str, what: str, *, listings: int, lines: int) -> tuple[float, float, float]:
    """Return the seconds, those of a machine at full speed, and the peak in MB."""
    uri = ensure_database(server, what)
    with psycopg.connect(uri, autocommit=True) as connection:
        migrate(connection)
        connection.execute(_LISTINGS, {"listings": listings})
        connection.execute(_STOCK)
        fill_history(connection, orders=lines, changes=lines)
        connection.execute("vacuum analyze")
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.quantities", what, uri], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    with SpeedMeter() as meter:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"benchmarks.quantities {what} failed with {process.returncode}")
    seconds = float(output.splitlines()[-1])
    return seconds, seconds / meter.slowness, megabytes(usage)


def _plan(connection: psycopg.Connection[Any]) -> None:
    now = datetime.now(UTC)
    plan_quantities(connection, "default", QuantitySettings(), now=now, run_id="bench", allow_mass_zero=False)


def _note(connection: psycopg.Connection[Any]) -> None:
    now, since = datetime.now(UTC), datetime.now(UTC) - timedelta(hours=48)
    compare_readings(connection, "default", stored_readings(connection, "default"), {}, since=since, now=now)


_WORK: dict[str, Callable[[psycopg.Connection[Any]], None]] = {"plan": _plan, "note": _note}


def _run_one(what: str, uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("set timezone to 'UTC'")
        began = perf_counter()
        _WORK[what](connection)
        sys.stdout.write(f"{perf_counter() - began}\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _run_one(*sys.argv[1:])
    else:
        sys.exit(0 if show(figures()) else 1)
