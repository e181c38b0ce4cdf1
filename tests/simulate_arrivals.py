"""What arrives at Back Market of the requests that a throttle lets go, when the network delays each by chance.

The throttle is the real one, with its threads, sleeps and buckets; only the clock is simulated, so that hours pass in
seconds. ``python -m tests.simulate_arrivals 100000`` prints how often a limit is broken, by margin.
"""

from __future__ import annotations

import sys
from heapq import heappop, heappush
from random import Random
from threading import Event, Thread
from typing import TYPE_CHECKING
from unittest.mock import patch

from pyrate_limiter import InMemoryBucket, Rate

from backmarket.api.throttle import CATALOG_RATES, DELAY, GENERAL_RATES, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WINDOW = 10.0
PROCESSES, THREADS = 2, 8

MARGINS = [(200, 10_000), (199, 10_050), (198, 10_100), (199, 10_200), (198, 10_200), (195, 10_200), (199, 10_400)]
CATALOG_MARGINS = [(20, 10_000), (19, 10_100), (19, 10_200), (19, 10_300), (19, 10_400)]


class Clock:
    """A time that passes only while all threads sleep, and lets one of them run at a time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._asleep: list[tuple[float, int, Event]] = []
        self._sleeps = 0

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleep, and let whoever is to wake next run meanwhile."""
        awake = self._until(seconds)
        self.wake_next()
        awake.wait()

    def thread(self, work: Callable[[], None]) -> Thread:
        """Start a thread that begins with the first :meth:`wake_next`."""
        begin = self._until(0)

        def run() -> None:
            begin.wait()
            work()
            self.wake_next()

        thread = Thread(target=run, daemon=True)
        thread.start()
        return thread

    def wake_next(self) -> None:
        """Let the time pass until the next is to wake."""
        if self._asleep:
            self.now, _, awake = heappop(self._asleep)
            awake.set()

    def _until(self, seconds: float) -> Event:
        self._sleeps += 1
        awake = Event()
        heappush(self._asleep, (self.now + max(seconds, 0), self._sleeps, awake))
        return awake


class _Bucket(InMemoryBucket):
    """Counts by a simulated clock."""

    def __init__(self, rates: list[Rate], clock: Clock) -> None:
        super().__init__(rates)
        self._simulated = clock

    def now(self) -> int:
        return int(self._simulated.now * 1000)


def simulate(rates: list[Rate], requests: int, *, seed: int = 1, pause: float = 0.0) -> list[float]:
    """Send requests from several processes as fast as a shared limit allows, and return when they arrived.

    :param pause: between bursts, each worker rests for up to so many seconds.
    """
    clock, rng = Clock(), Random(seed)  # noqa: S311 - chance that can be repeated, not secrets
    arrivals: list[float] = []
    bucket, unlimited = _Bucket(rates, clock), [Rate(10**9, 10_000)]

    def work(throttle: Throttle) -> None:
        while len(arrivals) < requests:
            throttle.acquire()
            delay = rng.uniform(0, DELAY)
            arrivals.append(clock.now + delay)
            clock.sleep(delay + rng.uniform(0, DELAY))
            if pause and rng.random() < 0.02:
                clock.sleep(rng.uniform(0, pause))

    with patch("backmarket.api.throttle.time", clock):
        throttles = [Throttle(bucket, InMemoryBucket(unlimited)) for _ in range(PROCESSES)]
        threads = [clock.thread(lambda t=each: work(t)) for each in throttles for _ in range(THREADS)]  # type: ignore[misc]
        clock.wake_next()
        for thread in threads:
            thread.join()
    return sorted(arrivals)


def breaches(arrivals: Sequence[float], limit: int, window: float = WINDOW) -> int:
    """Count the requests that were one too many in the seconds of a window before them."""
    return sum(last - first <= window for first, last in zip(arrivals, arrivals[limit:], strict=False))


def main(requests: int) -> None:
    """Print a line for each margin."""
    chosen = [(rate.limit, rate.interval) for rate in (*GENERAL_RATES, *CATALOG_RATES)]
    print(f"{requests:,} requests each from {PROCESSES} x {THREADS} threads, delayed by 0 to {DELAY} s")
    for limit, margins in ((200, MARGINS), (20, CATALOG_MARGINS)):
        for number, interval in margins:
            rates = [Rate(number, interval)]
            steady, bursts = simulate(rates, requests), simulate(rates, requests, pause=30.0)
            mark = " <- ours" if (number, interval) in chosen else ""
            print(
                f"{number} in {interval / 1000} s: {breaches(steady, limit)} breaches in a steady stream, "
                f"{breaches(bursts, limit)} in bursts; {WINDOW * len(steady) / steady[-1]:.1f} in 10 s{mark}",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2] or ["100000"]))
