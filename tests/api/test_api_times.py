"""Times with and without a zone, and how a document's zone is found out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.api.models import Order
from backmarket.api.models.times import PARIS

SERVER_TIME = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def order(server_time: datetime | None = SERVER_TIME, **fields: Any) -> Order:
    """Read a minimal order with the given fields."""
    document = {"order_id": 1, "state": 1, "orderlines": [], **fields}
    return Order.model_validate(document, context={"server_time": server_time})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-01T09:35:24Z", "2026-07-01T09:35:24+00:00"),
        ("2026-07-01T09:35:24.123456Z", "2026-07-01T09:35:24.123456+00:00"),
        ("2026-07-01T09:35:24.123Z", "2026-07-01T09:35:24.123000+00:00"),
        ("2026-07-01T09:35:24+02:00", "2026-07-01T07:35:24+00:00"),
        ("2026-07-01T09:35:24+0200", "2026-07-01T07:35:24+00:00"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00+00:00"),
        ("2026-07-01T09:35:24", "2026-07-01T09:35:24+00:00"),
        ("2026-07-01 09:35:24", "2026-07-01T09:35:24+00:00"),
        ("", None),
        (None, None),
    ],
)
def test_every_form_becomes_utc(text: str | None, expected: str | None) -> None:
    """Three forms occur in production; all become aware and UTC."""
    read = order(date_modification=text).date_modification
    assert (read and read.isoformat()) == expected
    assert read is None or read.tzinfo is UTC


def test_a_time_ahead_of_the_server_is_paris_time() -> None:
    """13:59 in Paris is 11:59 UTC: as UTC it would lie two hours ahead of the answer that reports it."""
    read = order(
        date_modification="2026-07-01T13:59:00",
        date_creation="2026-07-01T08:00:00",
        expected_dispatch_date="2026-07-03T10:00:00",
        date_payment="2026-07-01T08:30:00Z",
        orderlines=[{"id": 2, "state": 1, "quantity": 1, "date_creation": "2026-07-01T08:00:00"}],
    )
    assert read.times_assumed_local
    assert read.date_modification == datetime(2026, 7, 1, 11, 59, tzinfo=UTC)
    assert read.date_creation == datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
    assert read.expected_dispatch_date == datetime(2026, 7, 3, 8, 0, tzinfo=UTC)
    assert read.date_payment == datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    assert read.orderlines[0].date_creation == datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
    assert read.document["date_modification"] == "2026-07-01T13:59:00"


@pytest.mark.parametrize(
    ("fields", "local"),
    [
        ({"date_modification": "2026-07-01T12:01:59"}, False),
        ({"date_modification": "2026-07-01T12:02:01"}, True),
        ({"date_modification": "2026-07-01T12:30:00Z"}, False),
        ({"date_modification": "2026-07-01T14:30:00+02:00"}, False),
        ({"expected_dispatch_date": "2026-07-03T12:00:00"}, False),
        ({"date_shipping": "2026-07-01T13:00:00"}, True),
        ({"date_shipping": "nonsense", "date_creation": ["x"]}, False),
        ({"date_shipping": "nonsense", "date_payment": "2026-07-01T13:00:00"}, True),
    ],
)
def test_what_gives_local_time_away(fields: dict[str, Any], local: bool) -> None:
    """Only a past event, without a zone, more than the clocks' two minutes ahead; a deadline may lie ahead."""
    assert order(**fields).times_assumed_local is local


def test_without_the_servers_time_utc_is_trusted() -> None:
    """There is nothing to compare with."""
    assert not order(server_time=None, date_modification="2099-01-01T00:00:00").times_assumed_local


@pytest.mark.parametrize(
    ("written", "server_time", "expected"),
    [
        # 02:30 occurs twice on the last Sunday of October: the first is taken.
        ("2026-10-25T02:30:00", "2026-10-25T01:00:00", "2026-10-25T00:30:00"),
        # 02:30 does not exist on the last Sunday of March.
        ("2026-03-29T02:30:00", "2026-03-29T01:40:00", "2026-03-29T01:30:00"),
        ("2026-12-31T23:59:00", "2026-12-31T23:00:00", "2026-12-31T22:59:00"),
    ],
)
def test_paris_time_around_clock_changes(written: str, server_time: str, expected: str) -> None:
    """Both edges of summer time, and winter's one hour."""
    read = order(datetime.fromisoformat(f"{server_time}+00:00"), date_modification=written)
    assert read.times_assumed_local
    assert read.date_modification == datetime.fromisoformat(f"{expected}+00:00")


@given(
    moment=st.integers(1_700_000_000, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    lag=st.timedeltas(timedelta(0), timedelta(minutes=57)),
)
def test_recent_local_times_are_found_out(moment: datetime, lag: timedelta) -> None:
    """Whatever the season, local time of the last 57 minutes is read to the moment it means.

    In the hour that occurs twice, the reading may be one hour early, never late.
    """
    written = moment.astimezone(PARIS).replace(tzinfo=None).isoformat()
    read = order(moment + lag, date_modification=written).date_modification
    assert read in {moment, moment - timedelta(hours=1)}
    if moment.astimezone(PARIS).fold == 0:
        assert read == moment
