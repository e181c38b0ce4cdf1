"""The throttle: no window ever holds more than the rate allows, whoever asks."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from math import inf

import pytest
from pyrate_limiter import InMemoryBucket, Rate, RateItem

from backmarket.api.errors import ThrottledError
from backmarket.api.throttle import CATALOG_RATES, DELAY, ENDPOINT_RATES, GENERAL_RATES, HOLD, Kind, Throttle
from tests.simulate_arrivals import breaches, simulate


class Recording(InMemoryBucket):
    """Remembers, by its own clock, when it let somebody pass."""

    def __init__(self, rate: Rate) -> None:
        super().__init__([rate])
        self.passed_ms: list[int] = []
        self.takings = 0

    def put(self, item: RateItem) -> bool:
        passed = super().put(item)
        if passed:
            self.takings += 1
            self.passed_ms += [item.timestamp] * item.weight
        return passed

    def fullest_window(self) -> int:
        """Count the most passes within one interval of the rate."""
        interval = self.rates[0].interval
        return max(sum(0 <= each - start < interval for each in self.passed_ms) for start in self.passed_ms)


def _throttle(general: InMemoryBucket) -> Throttle:
    return Throttle(general, InMemoryBucket(CATALOG_RATES))


def _acquire(throttle: Throttle, times: int, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: throttle.acquire(), range(times)))


def test_no_window_is_overfull() -> None:
    """Eight threads together fill each 200 ms to the limit, never beyond, and do not starve."""
    bucket = Recording(Rate(10, 200))
    started = time.monotonic()
    _acquire(_throttle(bucket), 35, threads=8)
    assert bucket.fullest_window() == 10
    assert time.monotonic() - started < 3


def test_a_shared_bucket_limits_clients_together() -> None:
    """Two throttles over one bucket, as two workers have, keep one limit."""
    bucket = Recording(Rate(10, 200))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: _acquire(_throttle(bucket), 15, threads=4), range(2)))
    assert len(bucket.passed_ms) == 30
    assert bucket.fullest_window() == 10


def test_places_are_taken_for_all_that_wait() -> None:
    """Each taking is a transaction where the bucket is shared; no place is taken that nobody asked for."""

    class Slow(Recording):
        """Takes as long as a transaction."""

        def put(self, item: RateItem) -> bool:
            time.sleep(0.003)
            return super().put(item)

    bucket = Slow(Rate(1_000, 60_000))
    _acquire(_throttle(bucket), 200, threads=8)
    assert len(bucket.passed_ms) == 200
    assert bucket.takings < 100


def test_a_request_that_a_pause_held_up_takes_another_place() -> None:
    """Its own belongs to a window that is over."""

    class Pausing(InMemoryBucket):
        """Has somebody else answered 429, after this request has taken its place."""

        def put(self, item: RateItem) -> bool:
            if not self.items:
                throttle.pause(timedelta(seconds=HOLD * 1.1))
            return super().put(item)

    pausing = Pausing([Rate(1_000, 60_000)])
    throttle = _throttle(pausing)
    throttle.acquire()
    assert pausing.count() == 2


def test_the_catalog_counts_under_both_limits() -> None:
    """The catalog's limit is the narrower one, and its requests are requests."""
    general, catalog = InMemoryBucket([Rate(100, 10_000)]), InMemoryBucket([Rate(2, 200)])
    throttle = Throttle(general, catalog)
    started = time.monotonic()
    for _ in range(3):
        throttle.acquire("catalog")
    assert time.monotonic() - started > 0.195
    throttle.acquire("general")
    assert general.count() == 5, "one was void when the catalog's limit let its request go"


def test_a_full_limit_uses_up_no_places_of_the_catalog() -> None:
    """Other requests leave a place each quarter of a second, for which the catalog's wait longer than places hold."""
    throttle = Throttle(InMemoryBucket([Rate(1, 250)]), InMemoryBucket([Rate(3, 60_000)]))
    throttle.acquire()
    started = time.monotonic()
    for _ in range(3):
        throttle.acquire("catalog")
    assert time.monotonic() - started < 2


class Far(Recording):
    """Answers after so many seconds, for so many times."""

    def __init__(self, rate: Rate, seconds: float, times: float = inf) -> None:
        super().__init__(rate)
        self.seconds, self.times = seconds, times

    def put(self, item: RateItem) -> bool:
        if self.takings < self.times:
            time.sleep(self.seconds)
        return super().put(item)


@pytest.mark.parametrize(("seconds", "places"), [(1.5 * HOLD, 8), (1.1 * DELAY, 16)])
def test_a_slow_bucket_lets_requests_pass(seconds: float, places: int) -> None:
    """Asking a database far away may take longer than a place holds, or than the margins are; then it costs two."""
    bucket = Far(Rate(20, 10_000), seconds)
    started = time.monotonic()
    _acquire(_throttle(bucket), 8, threads=4)
    assert time.monotonic() - started < 8
    assert len(bucket.passed_ms) == places


def test_a_place_that_was_long_in_coming_is_taken_once_more() -> None:
    """As across a crash of the database: it counts in an earlier window than the one that its request leaves in."""
    bucket = Far(Rate(20, 10_000), 2 * DELAY, times=1)
    throttle = _throttle(bucket)
    throttle.acquire()
    assert bucket.takings == 2
    assert int(bucket.now()) - bucket.passed_ms[-1] < 1000 * DELAY  # type: ignore[no-untyped-call]
    throttle.acquire()
    assert bucket.takings == 3


def test_a_pause_holds_everybody() -> None:
    """After a 429 no thread of the client sends, until the longest wait is over."""
    throttle = Throttle.in_memory()
    started = time.monotonic()
    throttle.pause(timedelta(seconds=0.2))
    throttle.pause(timedelta(seconds=0.05))
    _acquire(throttle, 8, threads=8)
    assert time.monotonic() - started >= 0.2


def test_a_bucket_that_is_locked_is_asked_again() -> None:
    """A bucket on PostgreSQL says no at once while another worker holds it: that is not a full window."""

    class Contended(InMemoryBucket):
        refusals = 3

        def put(self, item: RateItem) -> bool:
            if self.refusals:
                self.refusals -= 1
                self.failing_rate = self.rates[0]
                return False
            return super().put(item)

    bucket = Contended([Rate(10, 10_000)])
    started = time.monotonic()
    _throttle(bucket).acquire()
    assert bucket.refusals == 0
    assert time.monotonic() - started < 1


def test_what_no_longer_counts_is_removed() -> None:
    """A bucket does not grow with the number of requests."""
    bucket = InMemoryBucket([Rate(5, 50)])
    throttle = _throttle(bucket)
    for _ in range(40):
        throttle.acquire()
    assert bucket.count() <= 15


@pytest.mark.parametrize(
    ("rates", "limit", "requests"), [(GENERAL_RATES, 200, 3_000), (CATALOG_RATES, 20, 600)], ids=["general", "catalog"]
)
def test_the_margins_hold_where_requests_arrive(rates: list[Rate], limit: int, requests: int) -> None:
    """Each up to 300 ms after it left, by a simulated clock; without a margin that breaks the limit."""
    assert breaches(simulate(rates, requests), limit) == 0
    assert breaches(simulate(rates, requests, pause=30.0), limit) == 0
    assert breaches(simulate([Rate(limit, 10_000)], requests), limit) > 0


def test_the_margin_of_the_backbox_holds_where_requests_arrive() -> None:
    """Two a second are Back Market's limit; a window of ours is longer, and holds as many: that is margin enough."""
    rates = ENDPOINT_RATES["backbox"]
    assert [(rate.limit, rate.interval) for rate in rates] == [(2, round(1_000 * (1 + HOLD + DELAY)))]
    arrivals = simulate(rates, 300)
    assert breaches(arrivals, 2, 1.0) == 0
    assert len(arrivals) / arrivals[-1] > 1.3, "no more is given away than the margin"
    assert breaches(simulate(rates, 300, pause=3.0), 2, 1.0) == 0
    assert breaches(simulate([Rate(2, 1_000)], 100), 2, 1.0) > 0
    assert breaches(simulate([Rate(1, 600)], 300), 2, 1.0) > 0


def test_the_rates_keep_below_the_documented_limits() -> None:
    """200 and 20 requests in 10 s are Back Market's limits; a window of ours is longer and holds fewer.

    It is longer by as much as a request may arrive later after its place was taken than another.
    """
    for rates, limit in ((GENERAL_RATES, 200), (CATALOG_RATES, 20)):
        assert rates[-1].limit < limit
        assert rates[-1].interval >= 10_000 + 1_000 * (HOLD + DELAY)


@pytest.mark.parametrize(
    ("kind", "a_minute", "a_day"),
    [
        ("care_list", 520, 4_000),
        ("care_folder", 600, 40_000),
        ("care_message", 560, 40_000),
        ("care_problem", 750, 1_000),
        ("care_refund", None, 500),
        ("care_transfer", 292, 500),
    ],
)
def test_the_rates_of_endpoints_keep_below_the_documented_limits(kind: Kind, a_minute: int | None, a_day: int) -> None:
    """One request less in windows that are longer, by as much as in those of all requests."""
    limits = {60: a_minute, 86_400: a_day}
    expected = {seconds: limit - 1 for seconds, limit in limits.items() if limit}
    assert {rate.interval // 60_000 * 60: rate.limit for rate in ENDPOINT_RATES[kind]} == expected
    assert all(rate.interval % 60_000 >= 1_000 * (HOLD + DELAY) for rate in ENDPOINT_RATES[kind])
    assert InMemoryBucket(ENDPOINT_RATES[kind]).rates


def test_the_bucket_of_an_endpoint_is_opened_once_when_it_is_used() -> None:
    """By whichever of eight threads comes first; whoever needs it not does not pay for it."""
    general, opened = InMemoryBucket([Rate(1_000, 60_000)]), []
    own = InMemoryBucket([Rate(1_000, 60_000)])

    def open_bucket(kind: Kind, rates: list[Rate]) -> InMemoryBucket:
        time.sleep(0.02)
        opened.append((kind, rates))
        return own

    throttle = Throttle(general, InMemoryBucket(CATALOG_RATES), open_bucket)
    throttle.acquire()
    throttle.acquire("catalog")
    assert opened == []
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: throttle.acquire("care_list"), range(40)))
    assert opened == [("care_list", ENDPOINT_RATES["care_list"])]
    assert own.count() == 40
    assert general.count() >= 42


def test_endpoints_have_limits_of_their_own() -> None:
    """A wait that is short is waited for; one that is longer than allowed is an error that says how long."""

    def open_bucket(kind: Kind, _: list[Rate]) -> InMemoryBucket:
        return InMemoryBucket([Rate(2, 300), Rate(4, 3_600_000)] if kind == "care_list" else [Rate(100, 1_000)])

    unlimited = [Rate(1_000, 1_000)]
    throttle = Throttle(InMemoryBucket(unlimited), InMemoryBucket(unlimited), open_bucket)
    started = time.monotonic()
    for _ in range(4):
        throttle.acquire("care_list", timedelta(minutes=2))
    assert 0.29 < time.monotonic() - started < 2
    with pytest.raises(ThrottledError, match=r"about 60 minutes") as caught:
        throttle.acquire("care_list", timedelta(minutes=2))
    assert caught.value.surely_not_applied
    assert caught.value.retry_after is not None
    assert timedelta(minutes=59) < caught.value.retry_after <= timedelta(hours=1)
    assert time.monotonic() - started < 2
    throttle.acquire("care_folder", timedelta(minutes=2))
    throttle.acquire()


def test_no_wait_is_longer_than_allowed_whatever_it_is_for() -> None:
    """Neither places that others always take nor pauses, one after the other, hold a request up for longer."""

    class Taken(InMemoryBucket):
        """Has a place soon, and never when it is asked."""

        def put(self, *_: object) -> bool:
            self.failing_rate = self.rates[0]
            return False

        def waiting(self, *_: object) -> int:
            return 20

    longest = timedelta(seconds=0.3)
    started = time.monotonic()
    with pytest.raises(ThrottledError) as caught:
        _throttle(Taken([Rate(1, 20)])).acquire("general", longest)
    assert caught.value.surely_not_applied
    throttle = Throttle.in_memory()
    throttle.pause(longest / 2)
    throttle.acquire("general", longest)
    throttle.pause(longest * 2)
    with pytest.raises(ThrottledError) as caught:
        throttle.acquire("general", longest)
    assert caught.value.retry_after is not None
    assert longest < caught.value.retry_after <= longest * 2
    assert time.monotonic() - started < 2
