"""Asks one by one for the rows of pages that failed as a whole: a row that Back Market fails on hides no other."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from backmarket.api.errors import BackMarketError, NotFoundError, RefusedError
from backmarket.api.page_requests import COSTS_ONE_PAGE
from backmarket.api.paging import RawPage, Window, first_page

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from backmarket.api.page_requests import PageRequests

MOST_ROWS = 500
"""So many rows are asked for alone in one reading: those of ten pages."""

MOST_SICK_IN_A_ROW = 3
"""So many rows that fail one after another are no matter of single rows."""

_AT_ONCE = 2


class RowsAlone:
    """Reads single rows of a list by their places.

    :param requests: asks for pages; nothing is under way in it.
    :param takes_sizes: whether a page of a single row can be asked for; else there is nothing to read.
    """

    def __init__(self, requests: PageRequests, *, takes_sizes: bool) -> None:
        self.failure: BackMarketError | None = None
        """What the first row failed with that cannot be read alone either; it tells the row's place."""
        self._requests = requests
        self._made = 0
        self._sick_in_a_row = 0
        self._is_over = not takes_sizes

    def first(self, failure: BackMarketError) -> RawPage:
        """Return the first row, or the next that can be read, which counts the list as a page does.

        :param failure: what the first page failed with; raised where no row can be read.
        """
        for place in range(0 if self._is_over else MOST_SICK_IN_A_ROW):
            with suppress(*COSTS_ONE_PAGE, NotFoundError, RefusedError):
                row = first_page(self._requests, _row_at(place))
                if len(row.documents) == 1:
                    return row
        raise failure

    def of_pages(self, windows: Iterable[Window], size: int) -> Generator[RawPage, None, None]:
        """Yield the rows of pages as they arrive, each as a page of its own.

        It ends early where the list has become shorter, where pages have another size than was asked for, and where
        rows fail one after another.

        :param size: the most rows that the platform gives a page.
        :raises BackMarketError: an error that other rows would meet, too.
        """
        found = {place for window in windows for place in _places_of(window, min(window.size, size))}
        places = iter(sorted(found))
        while True:
            while not self._is_over and self._requests.under_way < _AT_ONCE:
                place = next(places, None)
                if place is None or self._made == MOST_ROWS:
                    self._is_over = True
                else:
                    self._made += 1
                    self._requests.start(_row_at(place))
            if not self._requests.under_way:
                return
            page = self._receive()
            if page:
                yield page

    def _receive(self) -> RawPage | None:
        """Wait for a row; None where there is none at its place, or it cannot be read."""
        try:
            window, answer = self._requests.next()
        except RefusedError:
            self._is_over = True
            return None
        if isinstance(answer, BackMarketError):
            self._note_sick(window.start, answer)
            return None
        if answer is None or len(answer.documents) != 1:
            self._is_over = True
            return None
        self._sick_in_a_row = 0
        return answer

    def _note_sick(self, place: int, error: BackMarketError) -> None:
        self._sick_in_a_row += 1
        self._is_over = self._is_over or self._sick_in_a_row >= MOST_SICK_IN_A_ROW
        if self.failure is None:
            where = f"number {place + 1:,} of the list, asked for alone"
            error.detail = f"{where}: {error.detail}" if error.detail else where
            self.failure = error


def _row_at(place: int) -> Window:
    return Window(place + 1, 1)


def _places_of(window: Window, size: int) -> range:
    return range((window.number - 1) * size, window.number * size)
