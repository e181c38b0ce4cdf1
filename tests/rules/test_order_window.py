"""Which orders a run reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backmarket.rules.order_window import (
    Historical,
    HistoryRead,
    Incremental,
    historical_window,
    history_read_for,
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


READ = HistoryRead("backfill__1", 0, datetime(2026, 3, 1, tzinfo=UTC), None, datetime(2026, 3, 20, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("first", "last", "cleared", "is_read"),
    [
        ("2026-03-01", "2026-03-02", 0, True),
        ("2026-03-20", "2026-03-20T12:00", 0, True),
        ("2026-03-20", "2026-03-20T12:01", 0, False),
        ("2026-02-28T23:59", "2026-03-02", 0, False),
        ("2026-03-01", "2026-03-02", 1, False),
        ("2026-03-01", None, 0, True),
    ],
)
def test_a_reading_holds_for_what_it_has_read_and_for_runs_that_were_not_cleared_since(
    first: str, last: str | None, cleared: int, is_read: bool
) -> None:
    """From its start to the moment at which it began; a run that was cleared wants another."""
    begin = moment_of(first)
    assert begin is not None
    assert history_read_for(Historical(begin, moment_of(last)), cleared, [READ]) == (READ if is_read else None)


def test_a_reading_with_an_end_holds_up_to_it() -> None:
    """Beyond its end nothing was stored; the newest that holds is taken."""
    ended = HistoryRead("backfill__2", 3, READ.created_from, datetime(2026, 3, 5, tzinfo=UTC), READ.began_at)
    within = Historical(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))
    beyond = Historical(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC))
    assert history_read_for(within, 3, [READ, ended]) == ended
    assert history_read_for(within, 0, [READ, ended]) == READ
    assert history_read_for(beyond, 3, [READ, ended]) is None
    assert history_read_for(Historical(READ.created_from, None), 3, [ended]) is None
