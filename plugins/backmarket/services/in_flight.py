"""Waits until what was sent without an answer has arrived for sure: read too early, it would be sent again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.services.log import Log
    from backmarket.warehouse.ledger import RecordedChange


LONGEST_REQUEST = timedelta(minutes=15)
"""How long after its change was marked as sent a request may leave, or be waited for.

That is longer than its waits for the rate limits, its repeats and its timeouts together, and those of a second request
for the same change.
"""


def let_arrive(changes: Iterable[RecordedChange], in_flight: timedelta, log: Log) -> datetime | None:
    """Wait until the requests of all these changes have arrived for sure.

    A request may be on its way since its answer was lost; where its sender was killed, since it may last have been
    waited for.

    :param changes: those whose end is not known.
    :param in_flight: how long a request that nobody waits for any more may still be on its way, or at work.
    :return: since when all have arrived; None where nothing was on its way.
    """
    now = datetime.now(UTC)
    given_up = [change.lost_at or min(now, change.sent_at + LONGEST_REQUEST) for change in changes if change.sent_at]
    if not given_up:
        return None
    arrived_at = max(given_up) + in_flight
    if (wait := arrived_at - now) > timedelta(0):
        seconds = min(wait, in_flight).total_seconds()
        log.info(
            "Waiting %s, so that what an earlier run sent has arrived, before looking.",
            counted(ceil(seconds), "second"),
        )
        time.sleep(seconds)
    return arrived_at
