"""Nothing is read back, or sent again, before what was sent last must have arrived."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from backmarket.api.config import ClientConfig
from backmarket.services.in_flight import LONGEST_REQUEST, let_arrive
from backmarket.warehouse.ledger import RecordedChange

if TYPE_CHECKING:
    from backmarket.services.log import Log

LOG: Log = logging.getLogger(__name__)
IN_FLIGHT = timedelta(seconds=30)


def _change(sent: int, lost: int | None) -> RecordedChange:
    """A change that was sent, and whose answer was lost, so many seconds ago."""
    now = datetime.now(UTC)
    lost_at = None if lost is None else now - timedelta(seconds=lost)
    return RecordedChange(1, "A", "", {}, 1, "sent", now - timedelta(seconds=sent), lost_at=lost_at)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ([(70, 10)], 20),
        ([(700, 640)], 0),
        ([(70, 10), (70, 5)], 25),
        ([(1, None)], 30),
        ([(70, None)], 30),
        ([(600, None)], 30),
        ([(2_000, None)], 0),
        ([], 0),
    ],
    ids=[
        "timed out",
        "long ago",
        "the last",
        "just killed",
        "killed while it waited",
        "killed after repeats",
        "killed long ago",
        "none",
    ],
)
def test_the_wait_counts_from_when_nobody_waited_any_more(
    monkeypatch: pytest.MonkeyPatch, changes: list[tuple[int, int | None]], seconds: int
) -> None:
    """A client gives up after a minute: counted from the start, the wait would be over before it began."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    let_arrive([_change(*each) for each in changes], IN_FLIGHT, LOG)
    assert sum(waited) == pytest.approx(seconds, abs=3)


def test_no_request_is_waited_for_longer_than_is_counted_on() -> None:
    """A change may take two: one with an identifier, and one without where that is refused."""
    config = ClientConfig(base_url="http://127.0.0.1", token="t", user_agent="BM-Acme-Airflow;ops@example.com")
    last_try_begins, rate_limits = config.retry_for, config.retry_for
    # For a connection of the pool, to connect, to send and to be answered.
    timeouts = config.connect_timeout + 3 * config.read_timeout
    assert 2 * (last_try_begins + rate_limits + timeouts) < LONGEST_REQUEST
