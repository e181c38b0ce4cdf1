"""The sandbox's time, and the ways in which Back Market writes a moment."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

DateStyle = Literal["z", "offset", "naive"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - some Back Market dates name no zone
_PARIS_WINTER = timezone(timedelta(hours=1))
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock:
    """Runs at the real pace from a chosen start; moments are whole microseconds since 1970, UTC."""

    def __init__(self, start: datetime | None) -> None:
        self.started = to_micros(start or datetime.now(UTC))
        self._start = self.started
        self._ran_from = time.monotonic_ns()

    def now(self) -> int:
        """Give the current moment."""
        return self._start + (time.monotonic_ns() - self._ran_from) // 1000

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or back, with a negative number)."""
        self._start += round(seconds * SECOND)


def to_micros(moment: datetime) -> int:
    """Turn a datetime into microseconds; one without a zone counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def http_date(micros: int) -> bytes:
    """Write a moment the way the Date header wants it."""
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()


def write_date(micros: int, style: DateStyle, *, fraction: bool) -> str:
    """Write a moment in one of the three styles sellers have seen in answers."""
    moment = timedelta(microseconds=micros)
    timespec = "microseconds" if fraction else "seconds"
    if style == "naive":
        return (_EPOCH_NAIVE + moment).isoformat(timespec=timespec)
    if style == "offset":
        return (_EPOCH + moment).astimezone(_PARIS_WINTER).isoformat(timespec=timespec)
    return (_EPOCH_NAIVE + moment).isoformat(timespec=timespec) + "Z"


def write_offset(micros: int, *, hours: int = 0) -> str:
    """Write a moment to the second with an offset of whole hours, as folders and parcels have it."""
    return (
        (_EPOCH + timedelta(microseconds=micros))
        .astimezone(timezone(timedelta(hours=hours)))
        .isoformat(timespec="seconds")
    )


def write_like(micros: int, example: str) -> str:
    """Write a moment in the style of another date of the same document."""
    fraction = "." in example
    if example.endswith("Z"):
        return write_date(micros, "z", fraction=fraction)
    style: DateStyle = "offset" if "+" in example else "naive"
    return write_date(micros, style, fraction=fraction)


def read_date(text: str) -> int:
    """Read any of the written styles back; raises ValueError for anything else."""
    return to_micros(datetime.fromisoformat(text))


def read_filter(text: str, *, spaced: bool) -> int:
    """Read a date filter strictly: RFC 3339 with a zone, or `YYYY-MM-DD HH:MM:SS` where `spaced`.

    Environments differ in which of the two they accept, none is known to accept both; hence no leniency.
    """
    if spaced:
        return to_micros(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text:
        raise ValueError(text)
    return to_micros(moment)
