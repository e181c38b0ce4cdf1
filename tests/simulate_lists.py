"""Lists that move while they are read, and what a reading of them loses and costs.

``python -m tests.simulate_lists 10000`` prints the figures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from math import ceil
from random import Random
from typing import TYPE_CHECKING

from backmarket.api.moving_list import MovingList
from backmarket.api.paging import PAGE_SIZE, RawPage, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from backmarket.api.errors import BackMarketError

MOMENT = datetime(2026, 9, 1, tzinfo=UTC)
CONCURRENCY = 8
LONGEST = 200


@dataclass(frozen=True)
class Rates:
    """Movements of each kind per page read, from 0 to 1.

    :param arrive: new rows at the front.
    :param enter: rows that begin to match the filter, at any place.
    :param jump: rows that change, and go to the front.
    :param leave: rows that match no more.
    """

    arrive: float
    enter: float
    jump: float
    leave: float

    @property
    def total(self) -> float:
        """All movements per page read."""
        return self.arrive + self.enter + self.jump + self.leave


@dataclass
class Shifting:
    """A list whose pages are served one by one; after each it moves.

    :param size_limit: the most rows that a page has.
    :param keeps_sizes: whether a page has as many rows as asked for; otherwise always ``size_limit``.
    :param newest_last: whether what is new stands at the end of the list, instead of the front.
    """

    rng: Random
    length: int
    rates: Rates
    size_limit: int = PAGE_SIZE
    keeps_sizes: bool = True
    newest_last: bool = False
    most: int = CONCURRENCY
    served: int = 0
    rows: list[int] = field(default_factory=list)
    pending: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = list(range(self.length))
        self._ids = count(self.length)

    @property
    def under_way(self) -> int:
        """How many pages were asked for and not served yet."""
        return len(self.pending)

    def start(self, window: Window) -> None:
        """Ask for a page."""
        assert len(self.pending) < self.most
        self.pending.append(window)

    def next(self) -> tuple[Window, RawPage | BackMarketError | None]:
        """Serve any one of the pages asked for."""
        window = self.pending.pop(self.rng.randrange(len(self.pending)))
        size = min(window.size, self.size_limit) if self.keeps_sizes else self.size_limit
        start = (window.number - 1) * size
        total = len(self.rows)
        page = None
        if start < total or window.number == 1:
            rows = self.rows[start : start + size]
            page = RawPage(window, total, start + size >= total, MOMENT, MOMENT, rows)
        self.served += 1
        self._move()
        return window, page

    def close(self) -> None:
        """Nothing is left under way."""

    def _move(self) -> None:
        rng, rows, rates = self.rng, self.rows, self.rates
        if rng.random() < rates.arrive:
            self._put_newest(next(self._ids))
        if rng.random() < rates.enter:
            rows.insert(rng.randint(0, len(rows)), next(self._ids))
        if rows and rng.random() < rates.jump:
            self._put_newest(rows.pop(rng.randrange(len(rows))))
        if rows and rng.random() < rates.leave:
            rows.pop(rng.randrange(len(rows)))

    def _put_newest(self, row: int) -> None:
        if self.newest_last:
            self.rows.append(row)
        else:
            self.rows.insert(0, row)


@dataclass(frozen=True)
class Outcome:
    """What came of one reading.

    :param lost: rows that were there from beginning to end and were not read.
    :param passes: requests, in pages of the list at its beginning.
    """

    lost: int
    requests: int
    passes: float
    is_complete: bool
    is_proven: bool


def read_one(shifting: Shifting, list_class: Callable[..., MovingList[RawPage]] = MovingList) -> Outcome:
    """Read one list to the end."""
    at_start = set(shifting.rows)
    reading = list_class(shifting, lambda page: page, int, is_newer=lambda row, _: row >= len(at_start))
    seen: set[int] = set()
    for page in reading.pages():
        seen.update(page.documents)
    lost = len((at_start & set(shifting.rows)) - seen)
    pages = max(1, ceil(shifting.length / shifting.size_limit))
    return Outcome(lost, shifting.served, shifting.served / pages, reading.is_complete, reading.is_proven)


def any_rates(rng: Random) -> Rates:
    """Draw rates: a quiet list, a busy one, or one in which some kinds of movement prevail."""
    scale = rng.choice((0.01, 0.1, 0.3, 1.0))
    return Rates(*(scale * rng.random() * rng.choice((0, 1, 1)) for _ in range(4)))


def evenly(total: float) -> Callable[[Random], Rates]:
    """Spread so many movements a page over the kinds."""
    return lambda _: Rates(*[total / 4] * 4)


def simulate(
    seeds: Iterable[int],
    rates: Callable[[Random], Rates] = any_rates,
    list_class: Callable[..., MovingList[RawPage]] = MovingList,
    *,
    size_limit: int = PAGE_SIZE,
    keeps_sizes: bool = True,
    most_pages: int | None = None,
    newest_last: bool | None = None,
) -> list[Outcome]:
    """Read one list for each seed.

    :param most_pages: its greatest length; 2, 10 or, half of the time, 200 where nothing is said.
    :param newest_last: as of :class:`Shifting`; one time in four where nothing is said.
    """
    outcomes = []
    for seed in seeds:
        rng = Random(seed)  # noqa: S311 - chance that can be repeated, not secrets
        length = rng.randint(1, size_limit * (most_pages or rng.choice((2, 10, LONGEST, LONGEST))))
        at_end = rng.random() < 0.25 if newest_last is None else newest_last
        shifting = Shifting(rng, length, rates(rng), size_limit, keeps_sizes=keeps_sizes, newest_last=at_end)
        outcomes.append(read_one(shifting, list_class))
    return outcomes


def mean_passes(outcomes: list[Outcome]) -> float:
    """Average what readings cost."""
    return sum(outcome.passes for outcome in outcomes) / len(outcomes)


def told(outcomes: list[Outcome]) -> str:
    """Say what came of many readings in one line."""
    lost = sum(outcome.lost > 0 for outcome in outcomes)
    incomplete = sum(not outcome.is_complete for outcome in outcomes)
    most = max(outcome.requests for outcome in outcomes)
    return (
        f"{len(outcomes)} readings: {lost} lost rows, {incomplete} incomplete, "
        f"{mean_passes(outcomes):.2f} passes on average, {most} requests at most"
    )


def main(readings: int) -> None:
    """Print what many readings lose and cost."""
    print("any rates:", told(simulate(range(readings))))
    for total in (0.0, 0.1, 0.4, 1.0, 4.0):
        print(f"{total} movements a page:", told(simulate(range(readings // 10), evenly(total))))
    for total in (0.0, 0.1, 1.0):
        outcomes = simulate(range(readings // 100), evenly(total), keeps_sizes=False)
        print(f"{total} movements a page, pages of 50 whatever is asked for:", told(outcomes))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
