"""Competitors and their habits: who asks how much, who wins, and what each does next.

All amounts are whole minor units of one currency. Nothing here needs a server: simulations play the same rivals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

UNDERCUTTER, FOLLOWER, SLEEPER, CRASHER = "undercutter", "follower", "sleeper", "crasher"
HABITS = (UNDERCUTTER, FOLLOWER, SLEEPER, CRASHER)

STEP_MINUTES = 30
"""How often a rival may look at the others."""

CRASHES_IN_STEPS = 400
"""A crasher crashes once in so many steps, on average: about once a week."""

_SHORTEST_CRASH, _LONGEST_CRASH = 4, 24


@dataclass(slots=True)
class Rival:
    """One competitor for one BackBox.

    An undercutter goes `step` below the best other price, a follower meets it; neither goes below its `floor` nor above
    what it `usual`ly asks. A sleeper never moves. A crasher asks what is usual, and now and then 1 for some steps:
    `crashed_for` so many more. `attention` is how likely a rival looks at the others in one step.
    """

    habit: str
    price: int
    floor: int
    usual: int
    step: int = 1
    attention: float = 1.0
    crashed_for: int = 0


def price_to_win(rivals: Sequence[Rival]) -> int | None:
    """Give the highest price with which we win: that of the cheapest rival, for we win where both are equal.

    None where there is no rival: then any price wins.
    """
    return min((rival.price for rival in rivals), default=None)


def wins(ours: int, rivals: Sequence[Rival]) -> bool:
    """Tell whether our price wins."""
    return all(ours <= rival.price for rival in rivals)


def move(rivals: Sequence[Rival], ours: int | None, one: int, rng: Random) -> None:
    """Let each rival in turn do in one step what its habit is.

    `ours` is our price, None while we do not sell; `one` is 1 of the currency in minor units.
    """
    for rival in rivals:
        if rival.habit == CRASHER:
            _crash_or_recover(rival, one, rng)
        elif rival.habit != SLEEPER and rng.random() < rival.attention:
            others = [other.price for other in rivals if other is not rival]
            _react(rival, others if ours is None else [*others, ours])


def _react(rival: Rival, others: list[int]) -> None:
    best = min(others, default=rival.usual)
    aim = best - rival.step if rival.habit == UNDERCUTTER and others else best
    rival.price = max(rival.floor, min(rival.usual, aim))


def _crash_or_recover(rival: Rival, one: int, rng: Random) -> None:
    if rival.crashed_for:
        rival.crashed_for -= 1
        if not rival.crashed_for:
            rival.price = rival.usual
    elif rng.random() * CRASHES_IN_STEPS < 1:
        rival.price, rival.crashed_for = one, rng.randint(_SHORTEST_CRASH, _LONGEST_CRASH)
