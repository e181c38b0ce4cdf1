"""Says whether the daily digest is due, and of which day it is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

_GRACE = timedelta(hours=6)


def digest_day(now: datetime, hour: int) -> date | None:
    """Return the day of which people are to be told now; None while that is not due.

    It is the UTC day before the one that the hour belongs to, which no longer changes much. From that hour on it is due
    for the rest of the day, and for six hours at least, for a channel that fails just before midnight.

    :param now: in UTC.
    :param hour: of the day, from 0.
    """
    began = datetime.combine(now.date(), time(hour), now.tzinfo)
    if now < began:
        began -= timedelta(days=1)
        if now - began >= _GRACE:
            return None
    return began.date() - timedelta(days=1)
