"""Orders a second from a local Back Market into PostgreSQL, and peak memory, beside dlt's ``rest_api`` source.

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
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from local.postgres import embedded_postgres, ensure_database
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    import resource

PROJECT = Path(__file__).resolve().parents[1]
PAGE, BURST, WINDOW_SECONDS = 50, 200, 10


@dataclass(frozen=True)
class Case:
    """What is loaded, and how far away Back Market is; ``limited`` keeps its rate limit."""

    orders: int
    latency_ms: int
    limited: bool
    peer: bool


@dataclass(frozen=True)
class Load:
    """One measured load: orders stored, seconds, those of them on a processor, and peak memory in MB."""

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


CASES = (
    Case(5_000, 0, limited=False, peer=True),
    Case(100_000, 0, limited=False, peer=True),
    Case(5_000, 200, limited=True, peer=True),
    Case(100_000, 200, limited=True, peer=False),
)


def main(most: int = 100_000) -> None:
    """Run all cases of so many orders or fewer, and print them as one table."""
    each = ("CPU s per 100,000", "peak MB")
    table = Table("orders", "latency", "limit", "ours/s", *each, "dlt/s", *each, "ours : dlt", "of ceiling")
    peaks: dict[tuple[int, bool], float] = {}
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder)) as server:
        for case in (case for case in CASES if case.orders <= most):
            ours, peer = _measure(case, server)
            peaks[case.orders, case.limited] = ours.peak_mb
            table.add_row(*_row(case, ours, peer))
    console = Console()
    console.print(table)
    for limited in (False, True):
        small, large = peaks.get((5_000, limited)), peaks.get((100_000, limited))
        if small and large:
            console.print(
                f"peak memory, 100,000 : 5,000 orders {'with' if limited else 'without'} limit = {large / small:.2f}"
            )


def _measure(case: Case, server: str) -> tuple[Load, Load | None]:
    config = SandboxConfig(
        orders=case.orders, listings=500, stock=1_000_000, latency_ms=case.latency_ms, rate_limit=case.limited
    )
    with running_sandbox(config, isolated=True) as sandbox:
        peer = None
        if case.peer:
            peer = _load(os.environ["BENCH_PYTHON"], "benchmarks.peer", sandbox.base_url, sandbox.token, server, case)
        return _load(sys.executable, "benchmarks.ours", sandbox.base_url, sandbox.token, server, case), peer


def _load(python: str, module: str, base_url: str, token: str, server: str, case: Case) -> Load:
    uri = ensure_database(server, f"bench_{uuid4().hex[:8]}")
    limited = "limited" if case.limited else "unlimited"
    process = subprocess.Popen(
        [python, "-m", module, base_url, token, uri, limited],
        cwd=PROJECT,
        env={**os.environ, "RUNTIME__LOG_LEVEL": "ERROR", "RUNTIME__DLTHUB_TELEMETRY": "false"},
        stdout=subprocess.PIPE,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{module} failed with {process.returncode}")
    result = json.loads(output.splitlines()[-1])
    return Load(result["orders"], result["seconds"], result["cpu_seconds"], megabytes(usage))


def megabytes(usage: resource.struct_rusage) -> float:
    """Return a peak in MB: Linux counts in KiB, macOS in bytes."""
    return usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _row(case: Case, ours: Load, peer: Load | None) -> list[str]:
    return [
        f"{ours.orders:,}",
        f"{case.latency_ms} ms",
        f"{BURST} / {WINDOW_SECONDS} s" if case.limited else "none",
        f"{ours.rate:,.0f}",
        f"{ours.cpu_per_100_000:.1f}",
        f"{ours.peak_mb:.0f}",
        f"{peer.rate:,.0f}" if peer else "-",
        f"{peer.cpu_per_100_000:.1f}" if peer else "-",
        f"{peer.peak_mb:.0f}" if peer else "-",
        f"{ours.rate / peer.rate:.1f}" if peer else "-",
        _of_ceiling(ours) if case.limited else "-",
    ]


def _of_ceiling(load: Load) -> str:
    """Compare with the fastest that the limit allows: a burst is free, then each further one waits its window."""
    pages = -(-load.orders // PAGE)
    seconds = (-(-pages // BURST) - 1) * WINDOW_SECONDS
    return f"{seconds / load.seconds:.0%}" if seconds else "within the burst"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
