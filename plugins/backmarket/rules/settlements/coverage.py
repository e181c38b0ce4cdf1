"""Tells which days a statement settles: those that it can speak of, whatever a mistyped year in it says."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

OLDEST_ROW_DAYS = 45
"""What a statement may settle: it holds nothing later than itself, and weekly ones nothing much older."""

_WEEK = 7


def covered_days(days: Collection[date], issued_on: date | None, today: date) -> tuple[date, date] | None:
    """Return the first and the last day that a statement settles; None where it settles none.

    Those are the days of its rows and the week before its date of issue. A row dated after the statement, or long
    before it, has a date that cannot be meant: its money counts, and it makes nothing due.

    :param days: of its rows.
    :param issued_on: where that is not known, the latest day of its rows that has come stands for it.
    """
    end = issued_on or max((day for day in days if day <= today), default=None)
    if end is None:
        return None
    # As numbers: a date of issue may be the first day there is.
    last = end.toordinal()
    covered = [day.toordinal() for day in days if last - OLDEST_ROW_DAYS <= day.toordinal() <= last]
    if issued_on:
        covered += range(max(last - _WEEK, 1), last)
    return (date.fromordinal(min(covered)), date.fromordinal(max(covered))) if covered else None
