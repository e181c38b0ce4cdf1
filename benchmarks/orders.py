"""Orders from a local Back Market into PostgreSQL: ours, its peers, and the least that any loader needs.

Each load is a process of its own against the same sandbox and the same PostgreSQL; peaks are the operating system's
account of that process. ``python -m benchmarks.orders 5000`` leaves out all larger cases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from benchmarks.figures import WIDTH, Figure, show
from local.postgres import embedded_postgres, ensure_database
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    import resource

PROJECT = Path(__file__).resolve().parents[1]
PAGE, BURST, WINDOW_SECONDS = 50, 200, 10
LARGE = 100_000
MOST_MEMORY = 1.3
_WHY_BELOW_THE_CEILING = (
    "pages overlap by four rows, so that no order is missed while the list moves, and bring 38 rows a request: no "
    "choice of sizes that overlaps brings more than 41 of 50 (decision 11)"
)
_WHY_NOT_TWICE_THE_PEER = (
    "each order is judged field by field, and rows that overlapping pages share are read twice; a task is one process, "
    "while dlt works in several: it takes more processor time for the same orders"
)


class Loader(NamedTuple):
    """A way to load orders.

    :param python: whose packages it uses: this environment's, or that of the peers.
    """

    name: str
    module: str
    python: str


_PEERS = os.environ.get("BENCH_PYTHON", sys.executable)
OURS = Loader("ours", "benchmarks.ours", sys.executable)
TUNED = Loader("dlt, tuned", "benchmarks.peers.dlt_tuned", _PEERS)
BARE = Loader("bare COPY", "benchmarks.peers.bare", _PEERS)
BY_DEFAULT = Loader("dlt, by default", "benchmarks.peers.dlt_by_default", _PEERS)
HTTP_OPERATOR = Loader("HttpOperator", "benchmarks.peers.http_operator", sys.executable)


@dataclass(frozen=True)
class Case:
    """What is loaded, and how far away Back Market is; ``limited`` keeps its rate limit."""

    orders: int
    latency_ms: int
    limited: bool
    loaders: tuple[Loader, ...]

    @property
    def name(self) -> str:
        """What a person calls it."""
        limit = f"{BURST} requests in {WINDOW_SECONDS} s" if self.limited else "no limit"
        return f"{self.orders:,} orders, {self.latency_ms} ms, {limit}"


@dataclass(frozen=True)
class Load:
    """One measured load: orders stored, seconds, those on a processor, and peak memory in MB."""

    orders: int
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds

    @property
    def cpu_per_100_000(self) -> float:
        """Seconds on a processor for 100,000 orders, without those of PostgreSQL."""
        return 100_000 * self.cpu_seconds / self.orders

    @property
    def of_ceiling(self) -> float:
        """Compare with the fastest that the limit allows: a burst is free, then each further one waits its window."""
        pages = -(-self.orders // PAGE)
        return (-(-pages // BURST) - 1) * WINDOW_SECONDS / self.seconds


_ALL = (OURS, TUNED, BARE, BY_DEFAULT, HTTP_OPERATOR)
CASES = (
    Case(5_000, 0, limited=False, loaders=_ALL),
    Case(LARGE, 0, limited=False, loaders=(OURS, TUNED, BARE)),
    Case(20_000, 200, limited=True, loaders=_ALL),
    Case(LARGE, 200, limited=True, loaders=(OURS,)),
)


def figures(most: int = LARGE) -> list[Figure]:
    """Run all cases of so many orders or fewer, print every load, and return what is promised of them."""
    table = Table("case", "loader", "orders/s", "CPU s per 100,000", "peak MB", "of ceiling")
    found: dict[tuple[str, str], Load] = {}
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder)) as server:
        for case in (case for case in CASES if case.orders <= most):
            for loader, load in _measure(case, server):
                found[case.name, loader.name] = load
                table.add_row(
                    case.name,
                    loader.name,
                    f"{load.rate:,.0f}",
                    f"{load.cpu_per_100_000:.1f}",
                    f"{load.peak_mb:.0f}",
                    f"{load.of_ceiling:.0%}" if case.limited else "",
                )
    Console(width=WIDTH).print(table)
    return [
        *(
            figure
            for case in CASES
            if (case.name, OURS.name) in found
            for figure in _judged(case, found, is_full=most >= LARGE)
        ),
        *_memory([of_ours for case in CASES if not case.limited and (of_ours := found.get((case.name, OURS.name)))]),
    ]


def _memory(loads: list[Load]) -> list[Figure]:
    if len(loads) < 2:
        return []
    small, large = loads[0], loads[-1]
    ratio = large.peak_mb / small.peak_mb
    return [
        Figure(
            f"peak memory of {large.orders:,} orders",
            f"{large.peak_mb:.0f} MB",
            f"{small.orders:,} orders: {small.peak_mb:.0f} MB, x {ratio:.2f}",
            f"x {MOST_MEMORY}",
            ratio <= MOST_MEMORY,
        )
    ]


def _judged(case: Case, found: dict[tuple[str, str], Load], *, is_full: bool) -> list[Figure]:
    ours, tuned, bare = (found.get((case.name, loader.name)) for loader in (OURS, TUNED, BARE))
    assert ours  # noqa: S101 - asked by the caller
    rate = f"{ours.rate:,.0f} orders/s"
    if case.limited:
        ceiling = f"{ours.of_ceiling:.0%} of the ceiling"
        if not tuned:
            kept = ours.of_ceiling >= 0.9
            return [Figure(case.name, f"{rate}, {ceiling}", bound="90 %", kept=kept, why=_WHY_BELOW_THE_CEILING)]
        ratio = ours.rate / tuned.rate
        is_kept = ours.of_ceiling >= 0.9 and ratio >= 1.1 if is_full else None
        beside = f"tuned dlt x {ratio:.2f}"
        return [Figure(case.name, f"{rate}, {ceiling}", beside, "90 %, x 1.1", is_kept, _WHY_BELOW_THE_CEILING)]
    if not (tuned and bare):
        return [Figure(case.name, rate)]
    of_tuned, of_bare = ours.rate / tuned.rate, ours.rate / bare.rate
    is_kept = of_tuned >= 2 and of_bare >= 0.5 if is_full else None
    beside = f"tuned dlt x {of_tuned:.2f}, bare COPY x {of_bare:.2f}"
    return [Figure(case.name, rate, beside, "x 2, x 0.5", is_kept, _WHY_NOT_TWICE_THE_PEER)]


def _measure(case: Case, server: str) -> list[tuple[Loader, Load]]:
    config = SandboxConfig(
        orders=case.orders, listings=500, stock=1_000_000, latency_ms=case.latency_ms, rate_limit=case.limited
    )
    loads = []
    for loader in case.loaders:
        # Each meets the limit as the first: the window of the one before would be its own.
        with running_sandbox(config, isolated=True) as sandbox:
            loads.append((loader, _load(loader, sandbox.base_url, sandbox.token, server, case)))
    if len({load.orders for _, load in loads}) > 1:
        raise SystemExit(", ".join(f"{loader.name} stored {load.orders:,} orders" for loader, load in loads))
    return loads


def _load(loader: Loader, base_url: str, token: str, server: str, case: Case) -> Load:
    uri = ensure_database(server, f"bench_{uuid4().hex[:8]}")
    limited = "limited" if case.limited else "unlimited"
    process = subprocess.Popen(
        [loader.python, "-m", loader.module, base_url, token, uri, limited],
        cwd=PROJECT,
        env={**os.environ, "RUNTIME__LOG_LEVEL": "ERROR", "RUNTIME__DLTHUB_TELEMETRY": "false"},
        stdout=subprocess.PIPE,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{loader.module} failed with {process.returncode}")
    result = json.loads(output.splitlines()[-1])
    return Load(result["orders"], result["seconds"], result["cpu_seconds"], megabytes(usage))


def megabytes(usage: resource.struct_rusage) -> float:
    """Return a peak in MB: Linux counts in KiB, macOS in bytes."""
    return usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(0 if show(figures(*map(int, sys.argv[1:2]))) else 1)
