"""Decides which orders a run reads: what changed lately, or what was created in a span of the past.

The runs of a backfill read for each other: Back Market can be asked for orders since a moment and not until one, so
that each run's own span costs as much as everything from there to the present.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.words import minute

if TYPE_CHECKING:
    from collections.abc import Sequence

HISTORY_READ_HOLDS = timedelta(days=1)
"""So long the runs of backfills go by what one of them has read."""

MOST_HISTORY_READS = 10
"""After so many readings within that time, a backfill costs more than it should: one that runs backwards does."""

# Back Market's date_modification may miss a change by some minutes (seen in production).
OVERLAP = timedelta(minutes=10)


@dataclass(frozen=True)
class Incremental:
    """Read all orders modified since a moment, and move the watermark.

    :param modified_since: lower bound of ``date_modification``, in UTC.
    """

    modified_since: datetime

    @property
    def in_words(self) -> str:
        """Which orders these are, for a log."""
        return f"modified since {minute(self.modified_since)}"


@dataclass(frozen=True)
class Historical:
    """Read the orders created in a span, and leave the watermark alone.

    :param created_from: first moment, in UTC.
    :param created_to: first moment that no longer belongs to it; None reaches up to now.
    """

    created_from: datetime
    created_to: datetime | None

    @property
    def in_words(self) -> str:
        """Which orders these are, for a log."""
        end = f" and before {minute(self.created_to)}" if self.created_to else ""
        return f"created since {minute(self.created_from)}{end}"


@dataclass(frozen=True)
class HistoryRead:
    """A span of the past that a run of a backfill has read to its end.

    :param clear_number: how often that run had been cleared.
    :param created_to: orders created from here on were not stored; None: it reached up to ``began_at``.
    :param began_at: when the reading began.
    """

    run_id: str
    clear_number: int
    created_from: datetime
    created_to: datetime | None
    began_at: datetime


class HistoryReadTooOftenError(Exception):
    """A backfill would read the same orders over and over; the message has the command that reads them once."""


def incremental_window(watermark: datetime | None, *, now: datetime, initial_lookback: timedelta) -> Incremental:
    """Go on from the watermark less an overlap; the very first time, look back."""
    return Incremental(watermark - OVERLAP if watermark else now - initial_lookback)


def moment_of(text: str | None) -> datetime | None:
    """Read a run's param: a date or a time in ISO 8601, in UTC unless it says otherwise; None where it is empty.

    :raises ValueError: where it is neither.
    """
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def historical_window(created_from: datetime | None, created_to: datetime | None) -> Historical:
    """Return the span between two moments.

    :raises ValueError: where the span has no beginning, or ends before it begins.
    """
    if created_from is None:
        raise ValueError("a span of the past needs its beginning: set the run's param 'from'")
    if created_to is not None and created_to <= created_from:
        raise ValueError(f"'to' ({created_to:%Y-%m-%d %H:%M}) must lie after 'from' ({created_from:%Y-%m-%d %H:%M})")
    return Historical(created_from, created_to)


def history_read_for(span: Historical, clear_number: int, reads: Sequence[HistoryRead]) -> HistoryRead | None:
    """Return the reading that a run of a backfill can go by; None where it has to read itself.

    :param clear_number: how often the run has been cleared: one that was cleared since a reading wants another.
    :param reads: those that still hold, the newest first.
    """

    def holds(read: HistoryRead) -> bool:
        end = read.created_to or read.began_at
        return (
            read.clear_number >= clear_number
            and read.created_from <= span.created_from
            and (read.created_to is None if span.created_to is None else span.created_to <= end)
        )

    return next(filter(holds, reads), None)


def next_watermark(newest_modification: datetime | None, read_started_at: datetime, since: datetime) -> datetime:
    """Return up to when everything is stored after a complete incremental read.

    Never later than Back Market's own clock when the read began: what was modified during it is read again. An
    empty read still proves that nothing happened up to its lower bound.
    """
    return min(newest_modification or since, read_started_at)
