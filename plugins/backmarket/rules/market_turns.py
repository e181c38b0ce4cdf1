"""Decides how long markets may be read, and which has the first turn where that may not suffice for all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_OF_ONE, _OF_ALL = timedelta(minutes=2), timedelta(minutes=5)
# More than twice of what one takes at Back Market's limit: 20 requests a second, of 38 listings each.
_OF_A_LISTING = timedelta(milliseconds=3)


def time_for_one(listings: int) -> timedelta:
    """Return how long a market may be read: one that hangs must not use up the time of the others.

    :param listings: how many it showed last.
    """
    return max(_OF_ONE, listings * _OF_A_LISTING)


def time_for_all(listings: int) -> timedelta:
    """Return how long several markets may be read, where quantities, or a later run's, wait for their end.

    :param listings: how many they showed last, added up.
    """
    return max(_OF_ALL, listings * _OF_A_LISTING)


def in_turn(markets: Sequence[str], now: datetime) -> list[str]:
    """Return markets in their order, beginning with one that the last digits of the clock pick.

    So no market is always behind one that hangs, whatever the schedule is.
    """
    first = now.microsecond % len(markets) if markets else 0
    return [*markets[first:], *markets[:first]]
