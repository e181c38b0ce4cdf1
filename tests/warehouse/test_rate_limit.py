"""All workers together keep under Back Market's limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import Rate

from backmarket.api.throttle import Throttle
from backmarket.warehouse.rate_limit import open_pool, shared_bucket

if TYPE_CHECKING:
    import psycopg

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
