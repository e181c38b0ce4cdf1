"""Decides which of several markets has the first turn, where the time of a run may not suffice for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def in_turn(markets: Sequence[str], now: datetime) -> list[str]:
    """Return markets in their order, beginning with one that the last digits of the clock pick.

    So no market is always behind one that hangs, whatever the schedule is.
    """
    first = now.microsecond % len(markets) if markets else 0
    return [*markets[first:], *markets[:first]]
