"""Walks along a list in pages that overlap, so that nothing can stand between two of them."""

from __future__ import annotations

from collections import deque
from itertools import count, pairwise
from typing import TYPE_CHECKING

from backmarket.api.paging import Window

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

OVERLAP = 4
"""Rows that a page shares with the one before while nothing moves; it grows with each page that misses."""

MOST_REPETITIONS = 3
"""So often a page is asked for again that lacks rows."""

REMEMBERED = 5_000
"""So many rows of a long list are remembered at either end, so that its length takes no memory."""


class Walk:
    """A chain of rows from the front on, none missing in between, and the pages asked for to lengthen it.

    :param size: rows a page at most.
    :param ahead: how many pages may be asked for before the chain reaches them.

    ``rows_met`` counts the rows that were new to it: so long the list is at least, whatever it counts itself.
    ``misses_in_vain`` counts the pages that did not meet it since it met the last of them.
    """

    def __init__(self, size: int, *, ahead: int) -> None:
        self._chain: dict[Hashable, int] = {}
        self._front: list[Hashable] = []
        self._places = count()
        self._joined = self.rows_met = self.misses_in_vain = 0
        self.waiting: deque[Window] = deque()
        self.has_arrived = False
        self.is_impossible = False
        self._size = size
        self._ahead = ahead
        self._end = self._planned = 0
        self._overlap = OVERLAP
        self._misses = 0
        self._repetitions = 0
        self._again: Window | None = None
        self._asked_alone: Window | None = None
        self._has_hole = False

    @property
    def is_over(self) -> bool:
        """Whether no further page is needed, or helps."""
        return self.has_arrived or self.is_impossible

    @property
    def rows(self) -> list[Hashable]:
        """The chain, in the order of the list; of a long one its front and its end."""
        return self._front + sorted(self._chain, key=self._chain.__getitem__)

    @property
    def arrived_at_once(self) -> bool:
        """Whether a single page was enough."""
        return self.has_arrived and self._joined == 1

    def next_window(self, length: int) -> Window | None:
        """Return the page to ask for next; None where those asked for have to come first.

        :param length: of the list, as far as is known.
        """
        if self._again:
            window, self._again = self._again, None
            return window
        start = min(self._planned, length) - self._overlap
        window = longest_reach(start, self._size)
        if window.end >= length:
            # The last page holds what jumped to the end: enough that stayed has to stand before that.
            window = longest_reach(min(start, length - self._size // 2), self._size)
        if len(self.waiting) >= self._ahead or (self.waiting and window.end >= length):
            return None
        self._asked_alone = None if self.waiting else window
        self._planned = window.end
        self.waiting.append(window)
        return window

    def is_newest(self, window: Window) -> bool:
        """Tell whether a page was asked for after all others had come."""
        return window == self._asked_alone

    def join(self, window: Window, keys: Sequence[Hashable]) -> bool:
        """Lengthen the chain by a page; False where it does not begin with known rows: some before it may be missing.

        Neighbours of the chain have to stand in order: a single known row may have jumped, to the end of the list.
        """
        known = [(place, self._chain[key]) for place, key in enumerate(keys) if key in self._chain]
        in_order = [0 < after - before <= OVERLAP for (_, before), (_, after) in pairwise(known)]
        meets = bool(in_order) and all(in_order[:2]) and known[0][0] < self._size // 4
        if not meets and window.start > 0 and not self._has_hole:
            return False
        self._has_hole = False
        # What is known and stands behind the last row that kept its place has jumped there.
        kept = max((place for (place, _), keeps in zip(known[1:], in_order, strict=True) if keeps), default=-1)
        for place, key in enumerate(keys):
            if key not in self._chain:
                self.rows_met += 1
                self.misses_in_vain = 0
            if key not in self._chain or place > kept:
                self._chain[key] = next(self._places)
        if len(self._chain) > 2 * REMEMBERED:
            self._forget_the_middle()
        self._joined += 1
        self._misses = self._repetitions = 0
        self._end = window.end
        self._planned = max(self._planned, window.end)
        return True

    def _forget_the_middle(self) -> None:
        """Remember the front, which is read again, and the end, which the next page has to meet."""
        rows = sorted(self._chain, key=self._chain.__getitem__)
        self._front = self._front or rows[:REMEMBERED]
        self._chain = {row: self._chain[row] for row in rows[-REMEMBERED:]}

    def skip(self) -> None:
        """Go on behind a page that failed: what it held stays unread."""
        self._has_hole = True

    def ends_after_a_hole(self) -> bool:
        """End with the list, if the page before failed; otherwise it has become shorter, and a page missed."""
        self.has_arrived = self._has_hole
        return self._has_hole

    def repeat(self, window: Window, *, is_hopeless: bool) -> None:
        """Ask for a page again that has other rows than it should."""
        self._repetitions += 1
        self.is_impossible = is_hopeless or self._repetitions > MOST_REPETITIONS
        self.waiting.appendleft(window)
        self._again = window

    def step_back(self) -> None:
        """Ask again from before the end of the chain, further each time: its last rows have moved to the front."""
        self._overlap = min(2 * self._overlap, self._size // 3)
        self._misses += 1
        self.misses_in_vain += 1
        self._planned = max(0, self._end - self._size * (2 ** (self._misses - 1) - 1))
        self.waiting.clear()
        self._again = None


class KnownOrder:
    """The rows of the list in their order, as far as they have been seen in it."""

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}
        self._first = 0

    def put_in_front(self, rows: Iterable[Hashable]) -> None:
        """Add rows that stand before all known ones; those known already have moved there."""
        rows = list(rows)
        self._first -= len(rows)
        self._places.update((row, self._first + place) for place, row in enumerate(rows))

    def is_end_of(self, rows: Sequence[Hashable]) -> bool:
        """Tell whether the rear half of a page is known, and in order: then all behind it is known, too.

        Single known rows prove nothing, they may have jumped; so many keep no order when they jump. One may stand
        out of order: a row that is listed twice.
        """
        rear = [self._places[row] for row in rows[len(rows) // 2 :] if row in self._places]
        is_known = len(rear) == len(rows) - len(rows) // 2
        return is_known and sum(before > after for before, after in pairwise(rear)) <= 1


def longest_reach(start: int, size: int) -> Window:
    """Return the page that reaches furthest, of those that begin at a place or before.

    A page can begin only at a multiple of its size, so its size is chosen to fit.
    """
    if start <= 0:
        return Window(1, size)
    return max((Window(start // smaller + 1, smaller) for smaller in range(size // 2, size + 1)), key=lambda w: w.end)
