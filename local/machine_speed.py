"""How slow the machine is just now. Bounds in seconds are those of a machine at its full speed, which few keep up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

# What the work below takes on the machine that the bounds were set on, at its best.
_PYTHON_SECONDS, _DATABASE_SECONDS = 0.14, 0.033


def slowness_of_python() -> float:
    """Return how many times more processor time than there a fixed piece of work takes; at least 1."""
    began = time.process_time()
    total = 0
    for number in range(2_500_000):
        total += number * number
    return max(1.0, (time.process_time() - began) / _PYTHON_SECONDS)


def slowness_of_database(connection: psycopg.Connection[Any]) -> float:
    """Return how many times longer than there PostgreSQL works on a fixed piece of work; at least 1."""
    began = time.perf_counter()
    connection.execute("select count(distinct md5(n::text)) from generate_series(1, 40000) as n")
    return max(1.0, (time.perf_counter() - began) / _DATABASE_SECONDS)
