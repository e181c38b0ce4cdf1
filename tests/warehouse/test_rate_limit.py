"""All workers together keep under Back Market's limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import Rate

from backmarket.api.errors import ThrottledError
from backmarket.api.throttle import Kind, Throttle
from backmarket.warehouse.rate_limit import open_pool, shared_bucket

if TYPE_CHECKING:
    import psycopg
    from psycopg_pool import ConnectionPool
    from pyrate_limiter import AbstractBucket

LIMIT = Rate(20, 1_000)


@pytest.mark.usefixtures("warehouse")
def test_workers_that_share_a_database_share_the_limit() -> None:
    """Four workers, each with connections of its own, never make more than 20 requests in any second."""
    pools = [open_pool("backmarket_warehouse") for _ in range(4)]

    def work(number: int) -> list[float]:
        pool = pools[number]
        throttle = Throttle(
            shared_bucket(pool, "default", "general", [LIMIT]), shared_bucket(pool, "default", "catalog", [LIMIT])
        )
        return [_pass(throttle) for _ in range(15)]

    with ThreadPoolExecutor(4) as threads:
        times = sorted(moment for moments in threads.map(work, range(4)) for moment in moments)
    for pool in pools:
        pool.close()
    assert len(times) == 60
    # A place is taken a little before the request leaves: the window is judged with that much tolerance.
    crowded = [first for first, last in zip(times, times[LIMIT.limit :], strict=False) if last - first < 0.9]
    assert crowded == []


def _pass(throttle: Throttle) -> float:
    throttle.acquire("general")
    return monotonic()


def test_accounts_do_not_share_a_limit(warehouse: psycopg.Connection[Any]) -> None:
    """Each account has its own counters."""
    pool = open_pool("backmarket_warehouse")
    one, other = (shared_bucket(pool, account, "general", [Rate(1, 60_000)]) for account in ("one", "other"))
    throttles = [Throttle(bucket, bucket) for bucket in (one, other)]
    began = monotonic()
    for throttle in throttles:
        throttle.acquire("general")
    pool.close()
    assert monotonic() - began < 5
    counts = [
        warehouse.execute(f'select count(*) from backmarket."ratelimit___{name}_general"').fetchone()
        for name in ("one", "other")
    ]
    assert counts == [(1,), (1,)]


def test_workers_share_the_limits_of_endpoints(warehouse: psycopg.Connection[Any]) -> None:
    """Four workers with two threads each make 25 refunds together, and no table is there before its first request."""
    pools = [open_pool("backmarket_warehouse") for _ in range(4)]
    account = "an_account_of_two_and_thirty_cha"

    def throttle_of(pool: ConnectionPool) -> Throttle:
        def open_bucket(kind: Kind, rates: list[Rate]) -> AbstractBucket:
            return shared_bucket(pool, account, kind, [Rate(25, rates[-1].interval)])

        unlimited = shared_bucket(pool, account, "general", [Rate(1_000, 1_000)])
        return Throttle(unlimited, unlimited, open_bucket)

    def wait_after_refund(throttle: Throttle) -> timedelta | None:
        try:
            throttle.acquire("care_refund", timedelta(minutes=2))
        except ThrottledError as error:
            return error.retry_after
        return None

    throttles = [throttle_of(pool) for pool in pools]
    throttles[0].acquire()
    assert _tables(warehouse, account) == {"general"}
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(wait_after_refund, [*throttles, *throttles] * 5))
    throttles[0].acquire("care_transfer")
    for pool in pools:
        pool.close()
    # A place that a busy machine holds up is void, and counts all the same.
    assert 15 < waits.count(None) <= 25
    assert min(filter(None, waits)) > timedelta(hours=23)
    assert _tables(warehouse, account) == {"general", "care_refund", "care_transfer"}


def _tables(warehouse: psycopg.Connection[Any], account: str) -> set[str]:
    prefix = f"ratelimit___{account}_"
    rows = warehouse.execute("select tablename from pg_tables where starts_with(tablename, %s)", [prefix])
    return {row[0].removeprefix(prefix) for row in rows}
