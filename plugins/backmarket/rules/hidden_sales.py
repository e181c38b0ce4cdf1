"""Finds sales that nobody can see yet: Back Market lowers a quantity at once, but serves no order in state 0.

Each reading of a listing is compared with the one before it, or with what was sent since. Units that went are a
:class:`Drop`; those that no visible order explains stay reserved until their order appears, they come back, or the
hold runs out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.rules.inventory import within_bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backmarket.rules.inventory import OrderLineRow

# Back Market's `Date` header has whole seconds, and its clock is not this machine's.
CLOCK_TOLERANCE = timedelta(seconds=5)
LONGEST_ANSWER = timedelta(minutes=5)
"""How long a reading may take, with what holds it back and repeats it: what it shows was so at some moment of it."""

SOON = timedelta(minutes=5)
"""An answer was lost, and who sent it reads the listing back: within this time, the old number means "not applied".
Later it may as well have been applied and sold since."""
SOON_FOR_OTHERS = timedelta(minutes=1)
"""Where another run is the first to read the listing: one that waits for what is in flight needs no more."""
_UNPAID = 7


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a listing was last known to show.

    :param quantity: units, as read, or as sent and confirmed.
    :param at: when.
    :param sent_quantity: units that were sent since, without an answer: it shows these or ``quantity``.
    :param sent_at: when they were sent.
    """

    quantity: int
    at: datetime
    sent_quantity: int | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Units that went from a listing between two moments.

    :param units: how many, less those that came back.
    """

    seen_from: datetime
    seen_at: datetime
    units: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What a reading tells.

    :param drops: all drops after it, those from before included; empty ones are left out.
    :param raised_outside: units more than anything known explains: others write to the listing, too.
    """

    drops: tuple[Drop, ...]
    raised_outside: int = 0


def observe(
    baseline: Baseline | None,
    quantity: int,
    at: datetime,
    drops: Sequence[Drop],
    lines: Iterable[OrderLineRow],
    *,
    now: datetime | None = None,
    ahead: timedelta = timedelta(0),
    soon: timedelta = SOON,
) -> Observation:
    """Compare a reading with what was known before it.

    Units that came back are those of orders that were never paid: first of drops that nothing explains, then of
    drops whose order is not accepted yet.

    :param baseline: None at the first reading, which has nothing to be compared with. Units of orders that are open
        then count as gone: where one is not paid, the next sale may take its unit before anybody sees it come back.
    :param quantity: what the listing shows now.
    :param at: when it was asked for; all moments but those of lines are by one clock, ours.
    :param lines: of this SKU.
    :param now: when it surely had been answered; None: at once.
    :param ahead: how far Back Market's clock, by which lines are made, is ahead of ours.
    :param soon: so long after a quantity was sent without an answer, the old number means that it was not applied.
    """
    if baseline is None:
        return Observation((*drops, *_gone_before(lines)))
    if quantity == baseline.sent_quantity or is_too_early(baseline, quantity, at, soon=soon):
        return Observation(tuple(drops))
    before = max(baseline.quantity, baseline.quantity if baseline.sent_quantity is None else baseline.sent_quantity)
    if quantity <= before:
        gone = within_bounds(before - quantity)
        seen_from = baseline.at + min(ahead, timedelta(0))
        seen_at = min(now or at, at + LONGEST_ANSWER) + max(ahead, timedelta(0))
        fresh = (Drop(seen_from, seen_at, gone),) if gone else ()
        return Observation((*drops, *fresh))
    return _take_back(drops, list(lines), quantity - before)


def is_too_early(baseline: Baseline, quantity: int, at: datetime, *, soon: timedelta = SOON) -> bool:
    """Tell whether a reading shows what was there before a quantity was sent without an answer: that may come after it.

    :param at: when the reading was asked for.
    :param soon: as for :func:`observe`.
    """
    return baseline.sent_at is not None and at - baseline.sent_at <= soon and quantity == baseline.quantity


def held_units(drops: Iterable[Drop], lines: Iterable[OrderLineRow], *, now: datetime, hold: timedelta) -> int:
    """Add up the units gone within the hold that no visible order explains, within the bounds of a column.

    :param drops: of one SKU.
    :param lines: of that SKU, in any state.
    """
    recent = [drop for drop in drops if now - drop.seen_at <= hold]
    return within_bounds(sum(unexplained(recent, lines)))


def unexplained(drops: Sequence[Drop], lines: Iterable[OrderLineRow]) -> list[int]:
    """Return, for each drop, the units that no line made meanwhile explains; a line explains its units once."""
    left = [drop.units for drop in drops]
    if not left:
        return left
    by_time = sorted(range(len(drops)), key=lambda place: drops[place].seen_at)
    made = [(line.created_at, line.quantity) for line in lines if line.created_at and _took_units(line)]
    for created_at, units in sorted(made):
        to_explain = units
        for place in by_time:
            drop = drops[place]
            if drop.seen_from - CLOCK_TOLERANCE <= created_at <= drop.seen_at + CLOCK_TOLERANCE:
                explained = min(left[place], to_explain)
                left[place] -= explained
                to_explain -= explained
    return left


def _gone_before(lines: Iterable[OrderLineRow]) -> list[Drop]:
    """Return the units that open orders had taken before a listing was read for the first time."""
    return [
        Drop(line.created_at, line.created_at, line.quantity)
        for line in lines
        if line.created_at and line.may_be_accepted_yet and _took_units(line)
    ]


def _took_units(line: OrderLineRow) -> bool:
    """Units of a line that was not paid, or went before it was accepted, are back in the listing."""
    return line.state != _UNPAID and not (line.is_gone and line.may_be_accepted_yet)


def _take_back(drops: Sequence[Drop], lines: list[OrderLineRow], returned: int) -> Observation:
    left = list(drops)
    # Once those of hidden orders, once those of orders that are visible and may have gone unpaid meanwhile.
    accepted = [line for line in lines if not line.may_be_accepted_yet]
    for explaining in (lines, accepted):
        open_units = unexplained(left, explaining)
        for place, drop in enumerate(left):
            back = min(open_units[place], returned)
            left[place] = replace(drop, units=drop.units - back)
            returned -= back
    return Observation(tuple(drop for drop in left if drop.units), raised_outside=returned)
