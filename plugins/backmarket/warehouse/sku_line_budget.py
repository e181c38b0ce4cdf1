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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyrate_limiter import AbstractBucket

# A little under the spec's 2,000 an hour: the server counts arrivals, this module counts departures.
SKU_LINE_RATES = [Rate(1_950, 3_610_000)]

_BUSY_TRIES = 50
_BUSY_WAIT_SECONDS = 0.02


@dataclass(frozen=True)
class SkuLineBudget:
    """Hands out SKU lines and never waits for any; what it does not grant belongs to the next run.

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
            # Another worker held the table or took lines meanwhile.
            time.sleep(_BUSY_WAIT_SECONDS)
        return 0

    def left(self) -> int:
        """Tell how many lines may be sent now."""
        rate = self.bucket.rates[0]
        self.bucket.leak(self._now())
        count = self.bucket.count()
        assert isinstance(count, int)  # noqa: S101 - only asynchronous buckets answer otherwise
        return max(0, rate.limit - count)

    def free_at(self) -> datetime:
        """Tell when the next line may be sent, in UTC: now, or when the oldest line of the hour no longer counts."""
        now = self._now()
        if self.left() > 0:
            return _moment(now)
        count = self.bucket.count()
        oldest = self.bucket.peek(count - 1) if isinstance(count, int) and count else None
        return _moment(oldest.timestamp + self.bucket.rates[0].interval if isinstance(oldest, RateItem) else now)

    def _now(self) -> int:
        """The bucket's own clock, in milliseconds: the database's, the same for all workers."""
        now: int = self.bucket.now()  # type: ignore[no-untyped-call]
        return now


@contextmanager
def open_sku_line_budget(warehouse_conn_id: str, account: str) -> Iterator[SkuLineBudget]:
    """Open the budget that all workers share for an account."""
    from backmarket.warehouse.rate_limit import open_pool, shared_bucket

    with open_pool(warehouse_conn_id) as pool:
        yield SkuLineBudget(shared_bucket(pool, account, "sku_lines", SKU_LINE_RATES))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
