"""How long a list is, whatever it counts itself: a wrong count costs requests, never rows."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from backmarket.api.paging import MOST_UNCOUNTED, PAGE_SIZE

if TYPE_CHECKING:
    from backmarket.api.paging import RawPage, Window


class ListLength:
    """What a list has counted of itself so far, and what its pages say against that."""

    def __init__(self) -> None:
        self.assumed = 0
        """How long it is, as the last page says, or must be, since another follows that page."""
        self.counts_too_few = False
        """Whether a full page that another follows counted no further than its own end."""
        self._longest = 0

    def note(self, page: RawPage) -> RawPage:
        """Take down what a page says, and return it."""
        end = page.window.start + len(page.documents)
        goes_on = not page.is_last and len(page.documents) == page.window.size and page.count <= end
        self.counts_too_few = self.counts_too_few or goes_on
        self.assumed = end + PAGE_SIZE if goes_on else max(page.count, end)
        self._longest = max(self._longest, page.count)
        return page

    def may_go_on_behind(self, window: Window) -> None:
        """Take down that a page failed: whether it was the last one, only the place behind it can tell."""
        self.assumed = max(self.assumed, window.end + PAGE_SIZE)

    def has_at_least(self, rows: int) -> None:
        """Take down how many distinct rows were read: the same ones again make no list longer."""
        self._longest = max(self._longest, min(rows, MOST_UNCOUNTED))

    def most_pages(self, size: int) -> int:
        """Return how many pages of this size it ever had."""
        return ceil(self._longest / size)

    def is_sound(self, page: RawPage) -> bool:
        """Tell whether a page has as many rows as were asked for, or reaches the end of the list as it counts it."""
        rows = len(page.documents)
        if page.is_last:
            return rows <= page.window.size and page.window.start + rows >= page.count
        return rows == page.window.size
