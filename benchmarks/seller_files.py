"""Stock from CSV (200,000 SKUs) and from a workbook (50,000) into PostgreSQL, beside pandas by itself with ``to_sql``.

Each load is a process of its own with a database of its own; peaks are the operating system's account of that process.
Ours starts at the inbox: it finds the file, reads it as texts, judges each row, and merges. Bounds in seconds are of a
machine at its full speed.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import psycopg
from openpyxl import Workbook

from backmarket.warehouse.migrations import migrate
from benchmarks.figures import Figure, show
from benchmarks.orders import PROJECT, megabytes
from local.machine_speed import SpeedMeter
from local.postgres import embedded_postgres, ensure_database

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 200_000
# The most that a load of 200,000 rows of CSV, or of 50,000 of a workbook, may take.
SECONDS = {"csv": 10.0, "xlsx": 30.0}
MEGABYTES = 400.0


class Load(NamedTuple):
    """One measured load: seconds without the start of Python, those at full speed, and peak memory in MB."""

    seconds: float
    at_full_speed: float
    peak_mb: float


def rows_of_stock(rows: int) -> Iterator[list[str | int]]:
    """Make a header and rows of stock."""
    yield ["sku", "quantity", "counted_at"]
    for number in range(rows):
        yield [f"SKU-{number:06}", number % 50, "2026-11-26T07:00:00Z"]


def write_files(folder: Path, rows: int) -> dict[str, Path]:
    """Write the stock as CSV, and a quarter of it as a workbook."""
    paths = {ending: folder / ending / f"stock.{ending}" for ending in SECONDS}
    for path in paths.values():
        path.parent.mkdir()
    with paths["csv"].open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows_of_stock(rows))
    book = Workbook(write_only=True)
    sheet = book.create_sheet("stock")
    for row in rows_of_stock(rows // 4):
        sheet.append(row)
    book.save(paths["xlsx"])
    return paths


def load(uri: str, path: Path) -> int:
    """Load a file as the DAG does; return the rows that are in the table then."""
    from backmarket.hooks.inbox import SELLER, list_inbox
    from backmarket.services.seller_files import FileRules, SellerFileLoading

    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("set timezone to 'UTC'")
        files = list_inbox(path.parent.as_uri(), SELLER)
        SellerFileLoading(connection, "default", FileRules(), logging.getLogger(__name__), "bench").load(files)
        (count,) = connection.execute("select count(*) from seller.stock").fetchone() or (0,)
    return int(count)


def load_by_pandas(uri: str, path: Path) -> int:
    """Load a file as pandas does by itself: no row is judged, and numbers are guessed."""
    import pandas as pd
    from sqlalchemy import create_engine

    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_excel(path)
    engine = create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        frame.to_sql("plain_stock", connection, index=False, chunksize=20_000)
    return len(frame)


LOADERS = {"ours": load, "pandas": load_by_pandas}


def figures(rows: int = ROWS) -> list[Figure]:
    """Load both files, by pandas and by ours."""
    found = []
    with tempfile.TemporaryDirectory() as name, embedded_postgres(Path(name) / "postgres") as server:
        for ending, path in write_files(Path(name), rows).items():
            count = rows if ending == "csv" else rows // 4
            peer, ours = (_measure(loader, server, path, count) for loader in ("pandas", "ours"))
            found.append(
                Figure(
                    f"{count:,} rows of stock from {ending.upper()}",
                    f"{ours.seconds:.1f} s, {ours.peak_mb:.0f} MB; at full speed {ours.at_full_speed:.1f} s",
                    f"pandas, no row judged: {peer.seconds:.1f} s, {peer.peak_mb:.0f} MB",
                    f"{SECONDS[ending]:.0f} s at full speed, {MEGABYTES:.0f} MB",
                    kept=ours.at_full_speed <= SECONDS[ending] and ours.peak_mb <= MEGABYTES,
                )
            )
    return found


def _measure(loader: str, server: str, path: Path, rows: int) -> Load:
    uri = ensure_database(server, f"bench_{uuid4().hex[:8]}")
    with psycopg.connect(uri, autocommit=True) as connection:
        migrate(connection)
    command = [sys.executable, "-m", "benchmarks.seller_files", loader, uri, str(path)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    with SpeedMeter() as meter:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"loading {path.name} by {loader} failed with {process.returncode}")
    done = json.loads(output.splitlines()[-1])
    if done["rows"] != rows:
        raise SystemExit(f"{loader} stored {done['rows']:,} of {rows:,} rows of {path.name}")
    return Load(done["seconds"], done["seconds"] / meter.slowness, megabytes(usage))


def _run_one(loader: str, uri: str, path: Path) -> None:
    began = perf_counter()
    rows = LOADERS[loader](uri, path)
    sys.stdout.write(json.dumps({"rows": rows, "seconds": perf_counter() - began}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _run_one(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(0 if show(figures(*map(int, sys.argv[1:2]))) else 1)
