"""The SKU lines that may still be written this hour: one budget for every way of writing listings.

Back Market refuses more than 2,000 SKU lines an hour over ``POST /ws/listings`` (a line each) and
``POST /ws/listings/{id}`` (one line) together (spec). All runs and workers of an account share one bucket.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyrate_limiter import Rate, RateItem

from backmarket.rules.batches import SKU_LINES_AN_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyrate_limiter import AbstractBucket

SKU_LINE_RATES = [Rate(SKU_LINES_AN_HOUR, 3_610_000)]
_KEPT_FOR_QUANTITIES = 4
"""One in so many of an hour's lines is for quantities alone."""

_BUSY_TRIES = 50
_BUSY_WAIT_SECONDS = 0.02


@dataclass(frozen=True)
class SkuLineBudget:
    """Grants SKU lines without ever waiting for any; what it does not grant, the next run sends.

    Take lines just before they are sent. Lines of a request that failed stay spent: whether Back Market counted
    them is not known.
    """

    bucket: AbstractBucket

    def take(self, lines: int) -> int:
        """Take up to this many lines.

        :return: how many may be sent now: from 0 to ``lines``.
        """
        for _ in range(_BUSY_TRIES):
            granted = min(lines, self.left())
            if granted <= 0:
                return 0
            if self.bucket.put(RateItem("sku_lines", self._now(), granted)):
                return granted
            # Meanwhile another worker held the table or took lines.
            time.sleep(_BUSY_WAIT_SECONDS)
        return 0

    def left(self) -> int:
        """Return how many lines may be sent now."""
        rate = self.bucket.rates[0]
        self.bucket.leak(self._now())
        count = self.bucket.count()
        assert isinstance(count, int)  # noqa: S101 - only asynchronous buckets answer otherwise
        return max(0, rate.limit - count)

    def free_at(self) -> datetime:
        """Return when the next line may be sent, in UTC: now, or when enough lines of the hour no longer count."""
        now = self._now()
        if self.left() > 0:
            return _moment(now)
        rate = self.bucket.rates[0]
        leaving = self.bucket.peek(rate.limit - 1)
        return _moment(leaving.timestamp + rate.interval if isinstance(leaving, RateItem) else now)

    def _now(self) -> int:
        """The bucket's own clock, in milliseconds: the database's, the same for all workers."""
        now: int = self.bucket.now()  # type: ignore[no-untyped-call]
        return now


@contextmanager
def open_sku_line_budget(
    warehouse_conn_id: str, account: str, *, keep_for_quantities: bool = False
) -> Iterator[SkuLineBudget]:
    """Open the budget that all workers share for an account.

    :param keep_for_quantities: leave a quarter of the hour's lines to quantities, for senders of anything else: a
        stock-out must never wait for listings or prices.
    """
    from backmarket.warehouse.rate_limit import open_pool, shared_bucket

    rates = SKU_LINE_RATES
    if keep_for_quantities:
        rates = [Rate(rate.limit - rate.limit // _KEPT_FOR_QUANTITIES, rate.interval) for rate in rates]
    with open_pool(warehouse_conn_id) as pool:
        yield SkuLineBudget(shared_bucket(pool, account, "sku_lines", rates))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
