"""All ways of writing listings share one budget of SKU lines, across workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import Rate

from backmarket.warehouse.rate_limit import open_pool, shared_bucket
from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES, SkuLineBudget, open_sku_line_budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

CONN_ID = "backmarket_warehouse"


@pytest.fixture
def short_budget(warehouse: psycopg.Connection[Any]) -> Iterator[SkuLineBudget]:
    """Ten lines in a second."""
    with open_pool(CONN_ID) as pool:
        yield SkuLineBudget(shared_bucket(pool, "short", "sku_lines", [Rate(10, 1_000)]))


def test_the_budget_stays_under_what_back_market_allows() -> None:
    """Never more than 2,000 lines in any hour."""
    (rate,) = SKU_LINE_RATES
    assert 1_900 <= rate.limit < 2_000
    assert rate.interval >= 3_600_000


def test_no_more_is_granted_than_is_left(warehouse: psycopg.Connection[Any]) -> None:
    """A request for too much gets the rest; the next gets nothing and hears when to come back."""
    with open_sku_line_budget(CONN_ID, "default") as budget:
        assert budget.left() == 1_950
        assert budget.take(1_900) == 1_900
        assert budget.take(100) == 50
        assert budget.take(1) == 0
        assert budget.left() == 0
        wait = budget.free_at() - datetime.now(UTC)
        assert timedelta(minutes=59) < wait < timedelta(minutes=61)
    with open_sku_line_budget(CONN_ID, "other") as budget:
        assert budget.left() == 1_950


def test_lines_come_back_when_the_hour_is_over(short_budget: SkuLineBudget) -> None:
    """Old lines no longer count."""
    assert short_budget.take(12) == 10
    free_at = short_budget.free_at()
    assert short_budget.left() == 0
    while datetime.now(UTC) < free_at + timedelta(milliseconds=50):
        pass
    assert short_budget.left() == 10
    assert short_budget.free_at() <= datetime.now(UTC) + timedelta(seconds=1)


def test_many_workers_take_no_more_than_the_budget(warehouse: psycopg.Connection[Any]) -> None:
    """Eight workers that want 400 lines each get 1,950 together."""

    def take(_: int) -> int:
        with open_sku_line_budget(CONN_ID, "default") as budget:
            return budget.take(400)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1_950


def test_nothing_but_quantities_takes_the_last_quarter(warehouse: psycopg.Connection[Any]) -> None:
    """However many workers send listings and prices at once; what quantities took counts for all."""

    def take(_: int) -> int:
        with open_sku_line_budget(CONN_ID, "default", keep_for_quantities=True) as budget:
            return budget.take(400)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1_463
    with open_sku_line_budget(CONN_ID, "default") as budget:
        assert budget.take(100) == 100
        assert budget.left() == 387
    with open_sku_line_budget(CONN_ID, "default", keep_for_quantities=True) as budget:
        assert budget.left() == 0
        assert timedelta(minutes=59) < budget.free_at() - datetime.now(UTC) < timedelta(minutes=61)
