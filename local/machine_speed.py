"""How slow the machine is just now. Bounds in seconds are those of a machine at its full speed, which few keep up."""

from __future__ import annotations

import time
from statistics import mean
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import psycopg

# What the work below takes on the machine that the bounds were set on, at its best.
_PYTHON_SECONDS, _DATABASE_SECONDS = 0.14, 0.033
_ROUNDS, _ROUNDS_OF_A_SAMPLE = 2_500_000, 50_000
_SECONDS_BETWEEN = 0.25


class SpeedMeter:
    """Samples how slow the machine is while it is open: the speed of a shared one changes within seconds.

    :ivar slowness: how many times more processor time than at full speed a fixed piece of work took; at least 1.
    """

    def __enter__(self) -> Self:
        """Take samples, in a thread, until :meth:`__exit__`."""
        self._samples: list[float] = []
        self._over = Event()
        self._thread = Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no further samples."""
        self._over.set()
        self._thread.join()
        self.slowness = max(1.0, mean(self._samples))

    def _sample(self) -> None:
        while True:
            self._samples.append(_seconds_of(_ROUNDS_OF_A_SAMPLE) / _PYTHON_SECONDS * _ROUNDS / _ROUNDS_OF_A_SAMPLE)
            if self._over.wait(_SECONDS_BETWEEN):
                return


def slowness_of_python() -> float:
    """Return how many times more processor time than there a fixed piece of work takes; at least 1."""
    return max(1.0, _seconds_of(_ROUNDS) / _PYTHON_SECONDS)


def _seconds_of(rounds: int) -> float:
    began = time.thread_time()
    total = 0
    for number in range(rounds):
        total += number * number
    return time.thread_time() - began


def slowness_of_database(connection: psycopg.Connection[Any]) -> float:
    """Return how many times longer than there PostgreSQL works on a fixed piece of work; at least 1."""
    began = time.perf_counter()
    connection.execute("select count(distinct md5(n::text)) from generate_series(1, 40000) as n")
    return max(1.0, (time.perf_counter() - began) / _DATABASE_SECONDS)
