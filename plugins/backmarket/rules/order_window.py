"""Decides which orders a run reads: what changed lately, or what was created in a span of the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backmarket.words import minute

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


def next_watermark(newest_modification: datetime | None, read_started_at: datetime, since: datetime) -> datetime:
    """Return up to when everything is stored after a complete incremental read.

    Never later than Back Market's own clock when the read began: what was modified during it is read again. An
    empty read still proves that nothing happened up to its lower bound.
    """
    return min(newest_modification or since, read_started_at)
