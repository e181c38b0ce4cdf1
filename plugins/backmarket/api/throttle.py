"""Keeps all requests of an account under Back Market's rate limits."""

from __future__ import annotations

import time
from random import uniform
from threading import Lock
from typing import TYPE_CHECKING, Literal, Self

from pyrate_limiter import InMemoryBucket, Rate, RateItem

if TYPE_CHECKING:
    from datetime import timedelta

    from pyrate_limiter import AbstractBucket

Kind = Literal["general", "catalog"]
"""Which of Back Market's limits a request falls under; catalog requests count under both."""

# The spec allows 200 requests in 10 s, 20 of them to the catalog, and blocks everything for 10 s beyond. The
# server counts arrivals, this module departures: the margin keeps requests that the network bunches together
# from meeting in one window of the server's.
GENERAL_RATES = [Rate(195, 10_200)]
CATALOG_RATES = [Rate(19, 10_200)]

_LONGEST_SLEEP = 0.5


class Throttle:
    """Lets a request go when the limits allow it; shared by all threads of a client.

    Whoever passes buckets on shared storage makes several processes keep one limit together.

    :param general: counts every request.
    :param catalog: counts requests to catalog-like endpoints in addition.
    """

    def __init__(self, general: AbstractBucket, catalog: AbstractBucket) -> None:
        self._buckets: dict[Kind, tuple[_Gate, ...]] = {
            "general": (_Gate(general),),
            "catalog": (_Gate(catalog), _Gate(general)),
        }
        self._lock = Lock()
        self._paused_until = 0.0

    @classmethod
    def in_memory(cls, general: list[Rate] | None = None, catalog: list[Rate] | None = None) -> Self:
        """Count in this process alone: for tests, and for a single cheap call."""
        return cls(InMemoryBucket(general or GENERAL_RATES), InMemoryBucket(catalog or CATALOG_RATES))

    def acquire(self, kind: Kind = "general") -> None:
        """Block until one request of this kind may go."""
        for gate in self._buckets[kind]:
            self._sleep_while_paused()
            while (wait := gate.try_pass()) is not None:
                # A little chance keeps waiting threads and workers from storming the same free place together.
                time.sleep(min(wait, _LONGEST_SLEEP) + uniform(0.005, 0.03))  # noqa: S311
        self._sleep_while_paused()

    def pause(self, duration: timedelta) -> None:
        """Let no request of this client go for a while: one of them was answered 429."""
        until = time.monotonic() + duration.total_seconds()
        with self._lock:
            self._paused_until = max(self._paused_until, until)

    def _sleep_while_paused(self) -> None:
        while (left := self._paused_until - time.monotonic()) > 0:
            time.sleep(left)


class _Gate:
    """One bucket, asked by one thread at a time and rid of what no longer counts.

    The bucket is used without pyrate-limiter's Limiter, which starts a thread for each, and whose own waiting
    counts on from a timestamp it took before it waited.
    """

    def __init__(self, bucket: AbstractBucket) -> None:
        self._bucket = bucket
        self._lock = Lock()
        self._window = bucket.rates[-1].interval
        self._next_leak = 0

    def try_pass(self) -> float | None:
        """Take a place if one is free; else tell how many seconds to wait before asking again.

        A bucket on PostgreSQL also says no, with no time to wait, while another worker holds its lock.
        """
        with self._lock:
            now: int = self._bucket.now()  # type: ignore[no-untyped-call]
            if now >= self._next_leak:
                self._next_leak = now + self._window
                self._bucket.leak(now)
            item = RateItem("request", now)
            if self._bucket.put(item):
                return None
            wait = self._bucket.waiting(item)
            return max(wait, 0) / 1000 if isinstance(wait, int) else 0.0
