"""Reads a list that moves while it is read, so that nothing slips through between two pages.

Pages are cut by place, and places shift: a row that leaves pulls all later ones forward, and the one behind a border
comes to stand on a page that was read before. So pages are asked for in such sizes that each begins some rows before
its neighbour ended. Two pages that show a common row have nothing between them, whatever moved meanwhile: rows keep
their order unless they jump to an end of the list. A page that shows none is asked for again, from further ahead.

In the end the front is read again, down to rows known from before: for what jumped there before it was read. Then the
rows of pages that failed are asked for one by one: the list stays incomplete, but lacks none that can be read alone.

How long a list says it is only helps to ask for pages side by side, and to notice pages that lack rows.
"""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from backmarket.api.errors import BackMarketError
from backmarket.api.list_length import ListLength
from backmarket.api.page_requests import COSTS_ONE_PAGE, Failures
from backmarket.api.page_walk import MOST_REPETITIONS, KnownOrder, Walk
from backmarket.api.paging import PAGE_SIZE, RawPage, Window, first_page, pages_in_turn
from backmarket.api.repeats import Repeats
from backmarket.api.rows_alone import RowsAlone

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable

    from backmarket.api.page_requests import PageRequests

LEAST_SIZE = 25
"""Where a platform gives fewer rows a page than this, overlapping pages would cost too much."""

MOST_PASSES = 8
"""So often a list is read from front to end where its pages cannot overlap."""

Page = TypeVar("Page")
_Answer: TypeAlias = RawPage | BackMarketError | None


class MovingList(Generic[Page]):
    """One reading of a list: iterate over :meth:`pages`, then look at what it came to.

    :param requests: asks for pages; closed in the end.
    :param read: makes of a page what is yielded.
    :param key: tells rows apart.
    :param is_newer: whether a row surely came into being after a page was read; without it no row is.
    :param path: for messages.
    :param takes_sizes: whether a page of a single row can be asked for.
    """

    def __init__(
        self,
        requests: PageRequests,
        read: Callable[[RawPage], Page],
        key: Callable[[Any], Hashable],
        *,
        is_newer: Callable[[Any, RawPage], bool] = lambda _row, _page: False,
        path: str = "",
        takes_sizes: bool = True,
    ) -> None:
        self.is_complete = False
        """Whether each row that was there when reading began, and still is, has been yielded."""
        self.is_proven = False
        """Whether that is certain: all pages met, or the list stood still while it was read twice."""
        self.requests_made = 0
        self._requests = requests
        self._read = read
        self._key = key
        self._is_newer = is_newer
        self._path = path
        self._known = KnownOrder()
        self._size = PAGE_SIZE
        self._length = ListLength()
        self._failures = Failures()
        self._alone = RowsAlone(requests, takes_sizes=takes_sizes)

    def pages(self) -> Generator[Page, None, None]:
        """Yield pages as they arrive. A row may come several times: of its readings the latest holds.

        A row that a page shares with a neighbour is mostly on one of them only, unless it has changed in between.

        The number of requests is bounded; where they did not suffice, the reading is not complete.

        :raises BackMarketError: what a page failed with, after all other pages have been yielded. At once where
            the others would fail, too, and after :data:`~backmarket.api.page_requests.MOST_FAILURES` in a row.
        """
        repeats = Repeats(self._key)
        with closing(self._requests), closing(self._raw_pages()) as pages, closing(self._rows_alone()) as rows:
            for page in chain(pages, rows):
                yield self._read(repeats.leave_out(page))
        if self._failures.first:
            self.is_complete = self.is_proven = False
            raise self._alone.failure or self._failures.first

    @property
    def most_requests(self) -> int:
        """After so many, reading ends."""
        return 40 + 4 * self._length.most_pages(self._size)

    def _raw_pages(self) -> Generator[RawPage, None, None]:
        first = yield from self._read_first()
        self._size = PAGE_SIZE if self._failures.first else len(first.documents)
        if first.is_last and self._length.is_sound(first):
            self.is_complete = self.is_proven = True
            return
        may_overlap = self._size >= LEAST_SIZE and not first.is_last and not first.has_own_size
        if not (may_overlap and (yield from self._read_in_chains(first))):
            yield from self._read_in_passes(first)

    def _read_first(self) -> Generator[RawPage, None, RawPage]:
        """Read the first page; again where it lacks rows, which may be this platform's way, or this answer's fault."""
        for _ in range(2):
            self.requests_made += 1
            first = self._length.note(self._first_page())
            yield first
            if self._length.is_sound(first):
                break
        return first

    def _first_page(self) -> RawPage:
        """Read the first page; where it fails, the first row that can be read alone, which counts the list, too."""
        try:
            return first_page(self._requests)
        except COSTS_ONE_PAGE as error:
            self._failures.note(Window(1), error)
            return self._alone.first(error)

    def _rows_alone(self) -> Generator[RawPage, None, None]:
        yield from self._alone.of_pages(self._failures.windows, self._size)

    def _read_in_chains(self, first: RawPage) -> Generator[RawPage, None, bool]:
        """Read to the end, then the front until one page reaches known rows; answer whether pages can overlap."""
        walk = Walk(self._size, ahead=self._requests.most)
        walk.join(Window(1, self._size), [] if self._failures.first else self._keys(first))
        if self._failures.first:
            walk.skip()
        has_arrived = yield from self._follow(walk, lambda page: page.is_last)
        self._known.put_in_front(walk.rows)
        while has_arrived and not self.is_complete and not self._failures.first:
            walk = Walk(self._size, ahead=1)
            has_arrived = yield from self._follow(
                walk, lambda page: page.is_last or self._known.is_end_of(self._keys(page))
            )
            self._known.put_in_front(walk.rows)
            self.is_complete = self.is_proven = walk.arrived_at_once
        return not walk.is_impossible

    def _follow(self, walk: Walk, is_far_enough: Callable[[RawPage], bool]) -> Generator[RawPage, None, bool]:
        """Ask for the pages of a walk until one that has joined is far enough; answer whether one was."""
        answers: dict[Window, _Answer] = {}
        while not walk.is_over:
            self._ask_ahead(walk)
            if not self._requests.under_way:
                break
            window, answer = yield from self._receive()
            answers[window] = answer
            if not self._join_those_next(walk, answers, is_far_enough):
                yield from self._drain()
                answers.clear()
                walk.step_back()
                # Where pages have a size of their own, the last one ends elsewhere than asked for; a count would show.
                if self._length.counts_too_few and walk.misses_in_vain > MOST_REPETITIONS:
                    walk.is_impossible = True
        yield from self._drain()
        return walk.has_arrived

    def _join_those_next(
        self, walk: Walk, answers: dict[Window, _Answer], is_far_enough: Callable[[RawPage], bool]
    ) -> bool:
        """Add to a walk the pages that have come, as far as none before them is missing; False where one misses."""
        while walk.waiting and walk.waiting[0] in answers and not walk.is_over:
            window = walk.waiting.popleft()
            if not self._join(walk, window, answers.pop(window), is_far_enough):
                return False
        return True

    def _join(self, walk: Walk, window: Window, answer: _Answer, is_far_enough: Callable[[RawPage], bool]) -> bool:
        """Add the next page to a walk; False where it does not meet what was read before."""
        if isinstance(answer, BackMarketError):
            walk.skip()
            self._length.may_go_on_behind(window)
            return True
        if answer is None or not answer.documents:
            return walk.ends_after_a_hole()
        if not self._length.is_sound(answer):
            walk.repeat(window, is_hopeless=len(answer.documents) > window.size)
            return True
        # The end is read last, or again: rows may have jumped there meanwhile.
        arrives = walk.is_newest(window) and is_far_enough(answer)
        if not walk.join(window, self._keys(answer)):
            return False
        walk.has_arrived = arrives
        self._length.has_at_least(walk.rows_met)
        return True

    def _read_in_passes(self, first: RawPage) -> Generator[RawPage, None, None]:
        """Read page after page, from front to end, until that brings nothing that was there when reading began.

        Twice, unless the list stood still the last time: a row that slips through once may do so again.
        """
        seen: set[Hashable] = set()
        vain = short = 0
        keys: list[Hashable] = []
        for _ in range(MOST_PASSES):
            known, rows, counts = len(seen), 0, set()
            before, keys = keys, []
            for page in pages_in_turn(self._requests, self._failures, self._path):
                self.requests_made += 1
                yield self._length.note(page)
                keys += self._keys(page)
                seen.update(self._key(row) for row in page.documents if not self._is_newer(row, first))
                rows += len(page.documents)
                counts.add(page.count)
            short += rows < min(counts)
            vain = vain + 1 if rows >= min(counts) and len(seen) == known else 0
            # Each page may count up to its own end: then only the pass before tells whether the list moved.
            stood_still = rows == len(set(keys)) and (counts == {rows} or keys == before)
            if vain == 2 or (vain and stood_still):
                self.is_complete, self.is_proven = True, stood_still
                return
            if self._failures.first or short == MOST_REPETITIONS:
                return

    def _ask_ahead(self, walk: Walk) -> None:
        while self._requests.under_way < self._requests.most and self.requests_made < self.most_requests:
            window = walk.next_window(self._length.assumed)
            if window is None:
                return
            self.requests_made += 1
            self._requests.start(window)

    def _receive(self) -> Generator[RawPage, None, tuple[Window, _Answer]]:
        """Yield the next page that arrives, if it is one, and return what it is the answer to."""
        window, answer = self._requests.next()
        self._failures.note(window, answer)
        if isinstance(answer, RawPage):
            yield self._length.note(answer)
        return window, answer

    def _drain(self) -> Generator[RawPage, None, None]:
        """Yield what was asked for and has not come yet."""
        while self._requests.under_way:
            yield from self._receive()

    def _keys(self, page: RawPage) -> list[Hashable]:
        return list(dict.fromkeys(self._key(row) for row in page.documents))
