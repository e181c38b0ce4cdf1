"""Which orders a run reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backmarket.rules.order_window import (
    Historical,
    Incremental,
    historical_window,
    incremental_window,
    moment_of,
    next_watermark,
)

NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOOKBACK = timedelta(days=90)


def test_the_first_run_looks_back() -> None:
    """Without a watermark the first download covers the configured past."""
    assert incremental_window(None, now=NOON, initial_lookback=LOOKBACK) == Incremental(NOON - LOOKBACK)


def test_later_runs_overlap_by_ten_minutes() -> None:
    """A run reads again what was modified just before the watermark, however long ago that is."""
    week_ago = NOON - timedelta(days=7)
    window = incremental_window(week_ago, now=NOON, initial_lookback=LOOKBACK)
    assert window == Incremental(week_ago - timedelta(minutes=10))


def test_a_span_of_the_past_may_reach_up_to_now() -> None:
    """Only the beginning is needed."""
    assert historical_window(NOON, None) == Historical(NOON, None)
    assert historical_window(NOON, NOON + HOUR) == Historical(NOON, NOON + HOUR)


@pytest.mark.parametrize(
    ("created_from", "created_to", "message"),
    [
        (None, NOON, "^a span of the past needs its beginning: set the run's param 'from'$"),
        (NOON, NOON, "must lie after"),
        (NOON, NOON - HOUR, "must lie after"),
    ],
)
def test_an_impossible_span_says_why(created_from: datetime | None, created_to: datetime | None, message: str) -> None:
    """A span needs a beginning, and an end after it."""
    with pytest.raises(ValueError, match=message):
        historical_window(created_from, created_to)


@pytest.mark.parametrize(
    ("newest", "watermark"),
    [
        (NOON - HOUR, NOON - HOUR),
        (NOON + HOUR, NOON),
        (None, NOON - 2 * HOUR),
    ],
    ids=["newest document seen", "never beyond Back Market's clock", "an empty read proves its lower bound"],
)
def test_the_watermark_is_what_is_surely_stored(newest: datetime | None, watermark: datetime) -> None:
    """The lower of the newest modification and the server's time at the beginning of the read."""
    assert next_watermark(newest, NOON, NOON - 2 * HOUR) == watermark


def test_a_param_is_a_date_or_a_time() -> None:
    """As Airflow's form gives it; without an offset it is UTC."""
    for text in ("2026-09-15T12:00:00", "2026-09-15T12:00:00Z", "2026-09-15T14:00:00+02:00"):
        moment = moment_of(text)
        assert moment == NOON
        assert moment.tzinfo
    assert moment_of("2026-09-15") == NOON - 12 * HOUR
    assert moment_of(None) is moment_of("") is None
    with pytest.raises(ValueError, match="yesterday"):
        moment_of("yesterday")
