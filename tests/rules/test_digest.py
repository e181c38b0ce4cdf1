"""The daily digest is due from its hour on, and tells of the day before."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from backmarket.rules.digest import digest_day


@pytest.mark.parametrize(
    ("now", "hour", "day"),
    [
        (datetime(2026, 3, 2, 6, 59, tzinfo=UTC), 7, None),
        (datetime(2026, 3, 2, 7, 0, tzinfo=UTC), 7, date(2026, 3, 1)),
        (datetime(2026, 3, 2, 23, 59, tzinfo=UTC), 7, date(2026, 3, 1)),
        (datetime(2026, 3, 2, 0, 0, tzinfo=UTC), 0, date(2026, 3, 1)),
        # Just before midnight nobody could be told: the same day is told of after it, and no longer in the morning.
        (datetime(2026, 3, 3, 0, 15, tzinfo=UTC), 23, date(2026, 3, 1)),
        (datetime(2026, 3, 3, 4, 59, tzinfo=UTC), 23, date(2026, 3, 1)),
        (datetime(2026, 3, 3, 5, 0, tzinfo=UTC), 23, None),
    ],
)
def test_the_day_told_of(now: datetime, hour: int, day: date | None) -> None:
    assert digest_day(now, hour) == day
