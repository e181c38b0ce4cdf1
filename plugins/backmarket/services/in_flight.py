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


def let_arrive(changes: Iterable[RecordedChange], in_flight: timedelta, log: Log) -> None:
    """Wait until the request of the last of these changes has arrived for sure.

    :param changes: those whose end is not known.
    :param in_flight: how long a request that a killed process sent may still be on its way, or at work.
    """
    sent_last = max((change.sent_at for change in changes if change.sent_at), default=None)
    if sent_last and (wait := sent_last + in_flight - datetime.now(UTC)) > timedelta(0):
        seconds = min(wait, in_flight).total_seconds()
        log.info(
            "Waiting %s, so that what an earlier run sent has arrived, before looking.",
            counted(ceil(seconds), "second"),
        )
        time.sleep(seconds)
