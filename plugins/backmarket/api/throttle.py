"""Keeps all requests of an account under Back Market's rate limits."""

from __future__ import annotations

import time
from collections import deque
from datetime import timedelta
from math import inf
from random import uniform
from threading import Lock
from typing import TYPE_CHECKING, Literal, Self

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from backmarket.api.errors import ThrottledError
from backmarket.words import about

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyrate_limiter import AbstractBucket

Kind = Literal[
    "general",
    "catalog",
    "backbox",
    "care_list",
    "care_folder",
    "care_message",
    "care_problem",
    "care_refund",
    "care_transfer",
]
"""Which of Back Market's limits a request falls under; all count under the general one, too."""

HOLD = 0.1
"""A place that is not used so many seconds after it was given is void: what leaves late arrives in a later window."""

DELAY = 0.3
"""By so many seconds the bucket and the network may delay one request more than another."""

# The spec allows 200 requests in any 10 s, 20 of them to the catalog, and blocks everything for 10 s beyond. The server
# counts arrivals. What arrives within 10 s took its places within 10.4 s: HOLD and DELAY.
GENERAL_RATES = [Rate(199, 10_400)]
CATALOG_RATES = [Rate(19, 10_400)]

_MINUTE = 60_400
_DAY = 24 * 3_600_000 + 5_000
ENDPOINT_RATES: dict[Kind, list[Rate]] = {
    # The spec allows two a second. What arrives within a second took its places within 1.4 s, by the same margin, which
    # alone keeps a third request away: one place less, as below, would be half of them.
    "backbox": [Rate(2, 1_400)],
    "care_list": [Rate(519, _MINUTE), Rate(3_999, _DAY)],
    "care_folder": [Rate(599, _MINUTE), Rate(39_999, _DAY)],
    "care_message": [Rate(559, _MINUTE), Rate(39_999, _DAY)],
    "care_problem": [Rate(749, _MINUTE), Rate(999, _DAY)],
    "care_refund": [Rate(499, _DAY)],
    "care_transfer": [Rate(291, _MINUTE), Rate(499, _DAY)],
}
"""What the spec allows single endpoints, most of them in a minute and in a day, with the same margins."""

MOST_PLACES = 10
"""So many places are taken at once at most."""

_LONGEST_SLEEP = 0.5


class Throttle:
    """Lets a request go when the limits allow it; shared by all threads of a client.

    Whoever passes buckets on shared storage makes several processes keep one limit together.

    :param general: counts every request.
    :param catalog: counts requests to catalog-like endpoints in addition.
    :param open_bucket: opens the bucket of another kind by its rates, when a request of that kind is first made.
    """

    def __init__(
        self,
        general: AbstractBucket,
        catalog: AbstractBucket,
        open_bucket: Callable[[Kind, list[Rate]], AbstractBucket] = lambda _, rates: InMemoryBucket(rates),
    ) -> None:
        every = _Gate(general)
        # The other places are few: none is taken before there is one for every request, which may void it.
        self._gates: dict[Kind, tuple[_Gate, ...]] = {"general": (every,), "catalog": (every, _Gate(catalog))}
        self._every = every
        self._open_bucket = open_bucket
        self._opening = Lock()
        self._lock = Lock()
        self._paused_until = 0.0

    @classmethod
    def in_memory(cls, general: list[Rate] | None = None, catalog: list[Rate] | None = None) -> Self:
        """Count in this process alone: for tests, and for a single cheap call."""
        return cls(InMemoryBucket(general or GENERAL_RATES), InMemoryBucket(catalog or CATALOG_RATES))

    def acquire(self, kind: Kind = "general", longest: timedelta = timedelta.max) -> None:
        """Block until one request of this kind may go, which has to leave at once.

        :param longest: no longer than this is waited in all; a wait that would be longer is not begun.
        :raises ThrottledError: with the wait, where it would be longer.
        """
        deadline = time.monotonic() + longest.total_seconds()
        gates = self._gates_of(kind)
        taken_at: dict[_Gate, float] = {}
        while void := [gate for gate in gates if time.monotonic() > taken_at.get(gate, -inf) + HOLD]:
            for gate in void:
                taken_at[gate] = self._take(gate, deadline)
            self._sleep_while_paused(deadline)

    def _gates_of(self, kind: Kind) -> tuple[_Gate, ...]:
        if kind not in self._gates:
            with self._opening:
                if kind not in self._gates:
                    bucket = self._open_bucket(kind, ENDPOINT_RATES[kind])
                    self._gates[kind] = (self._every, _Gate(bucket))
        return self._gates[kind]

    def _take(self, gate: _Gate, deadline: float) -> float:
        """Block until there is a place, and return when it was taken."""
        while True:
            self._sleep_while_paused(deadline)
            taken_at, wait = gate.try_take()
            if taken_at is not None:
                return taken_at
            if time.monotonic() + wait > deadline:
                used_up = f"all requests that this endpoint allows are made, the next may go in {about(wait)}"
                raise ThrottledError(used_up, retry_after=timedelta(seconds=wait))
            # A little chance keeps waiting threads and workers from storming the same free place together.
            time.sleep(min(wait, _LONGEST_SLEEP) + uniform(0.005, 0.03))  # noqa: S311

    def pause(self, duration: timedelta) -> None:
        """Let no request of this client go for a while: one of them was answered 429."""
        until = time.monotonic() + duration.total_seconds()
        with self._lock:
            self._paused_until = max(self._paused_until, until)

    def _sleep_while_paused(self, deadline: float) -> None:
        while (left := self._paused_until - time.monotonic()) > 0:
            if self._paused_until > deadline:
                paused = f"a request was answered that there are too many, the next may go in {about(left)}"
                raise ThrottledError(paused, retry_after=timedelta(seconds=left))
            time.sleep(left)


class _Gate:
    """One bucket, asked by one thread at a time and rid of what no longer counts.

    Whoever asks it takes places for all threads that wait to ask, in one transaction; they use them at once.

    The bucket is used without pyrate-limiter's Limiter, which starts a thread for each, and whose own waiting
    counts on from a timestamp it took before it waited.
    """

    def __init__(self, bucket: AbstractBucket) -> None:
        self._bucket = bucket
        self._lock = Lock()
        self._window = bucket.rates[-1].interval
        self._next_leak = 0
        self._asking: deque[None] = deque()
        self._places = 0
        self._taken_at = 0.0

    def try_take(self) -> tuple[float | None, float]:
        """Take a place if one is free, and tell when it was taken; else how many seconds to wait before asking again.

        A bucket on PostgreSQL also says no, with no time to wait, while another worker holds its lock.
        """
        self._asking.append(None)
        with self._lock:
            wanted = min(len(self._asking), MOST_PLACES)
            self._asking.pop()
            if self._places == 0:
                wait = self._take_places(wanted)
                if wait is not None and wanted > 1:
                    wanted, wait = 1, self._take_places(1)
                if wait is not None:
                    return None, wait
                # From when it is known: a bucket that answers slowly would void all its places, and let nobody pass.
                self._places, self._taken_at = wanted, time.monotonic()
            self._places -= 1
            return self._taken_at, 0.0

    def _take_places(self, number: int) -> float | None:
        """Take so many places at once if they are free; else tell how many seconds to wait for them.

        They count from when the bucket was asked. Where its answer took longer than the margins allow, as across a
        crash of its database, they are taken once more. A bucket that is slow again is slow for all alike.
        """
        for _ in range(2):
            now: int = self._bucket.now()  # type: ignore[no-untyped-call]
            asked_at = time.monotonic()
            if now >= self._next_leak:
                self._next_leak = now + self._window
                self._bucket.leak(now)
            item = RateItem("request", now, weight=number)
            if not self._bucket.put(item):
                wait = self._bucket.waiting(item)
                return max(wait, 0) / 1000 if isinstance(wait, int) else 0.0
            if time.monotonic() - asked_at <= DELAY:
                break
        return None
