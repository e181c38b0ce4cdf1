"""Tells of files that say they were stored at a time still to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.words import minute

if TYPE_CHECKING:
    from backmarket.services.log import Log

# Clocks differ by so much without anything being wrong.
_CLOCKS_DIFFER = timedelta(minutes=1)


def tell_of_time_to_come(log: Log, path: str, modified_at: datetime, *, stored_at: datetime) -> None:
    """Warn where a file's time is later than it can have been stored.

    :param stored_at: what it counts as.
    """
    if modified_at > stored_at + _CLOCKS_DIFFER:
        log.warning(
            "%s says that it was stored at %s, which was still to come when it was seen first: it counts as stored at "
            "%s. Put right the clock of what writes it.",
            path,
            minute(modified_at),
            minute(stored_at),
        )
