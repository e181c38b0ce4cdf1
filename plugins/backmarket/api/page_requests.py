"""Requests for pages of one list, several at a time, of which one may fail without the others."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Protocol

from backmarket.api.errors import BackMarketError, MalformedAnswerError, NetworkError, NotFoundError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from backmarket.api.paging import RawPage, Window

MOST_FAILURES = 5
"""So many pages that fail one after another are an outage: no further one is asked for."""

COSTS_ONE_PAGE = (ServerError, MalformedAnswerError, NetworkError)
"""What a page can end with, after the transport's retries, while the others may still be served."""


class PageRequests(Protocol):
    """Requests for pages of one list, under way side by side."""

    @property
    def most(self) -> int:
        """How many may be under way at a time."""

    @property
    def under_way(self) -> int:
        """How many are."""

    def start(self, window: Window) -> None:
        """Ask for a page."""

    def next(self) -> tuple[Window, RawPage | BackMarketError | None]:
        """Wait for any one of the pages asked for: the page, the failure that costs no other, or None past the end.

        :raises BackMarketError: where the other pages would fail, too.
        """

    def close(self) -> None:
        """Wait for the requests under way; start no others."""


class PageThreads:
    """:class:`PageRequests` over HTTP, each in a thread; to be closed.

    :param read: reads one page.
    :param concurrency: most requests at a time.
    """

    def __init__(self, read: Callable[[Window], RawPage], concurrency: int) -> None:
        self.most = concurrency
        self._read = read
        self._pending: dict[Future[RawPage], Window] = {}
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="backmarket-pages")

    @property
    def under_way(self) -> int:
        """How many pages were asked for and not taken yet."""
        return len(self._pending)

    def start(self, window: Window) -> None:
        """Ask for a page."""
        self._pending[self._threads.submit(self._read, window)] = window

    def next(self) -> tuple[Window, RawPage | BackMarketError | None]:
        """Wait for any one of the pages asked for, as :class:`PageRequests` says."""
        done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        future = next(iter(done))
        window = self._pending.pop(future)
        try:
            return window, future.result()
        except NotFoundError:
            if window.number == 1:
                raise
            return window, None
        except COSTS_ONE_PAGE as error:
            return window, error

    def close(self) -> None:
        """Wait for the requests under way; start no others."""
        self._threads.shutdown(cancel_futures=True)


class Failures:
    """What pages failed with, while a list is read, and which they were."""

    def __init__(self) -> None:
        self.first: BackMarketError | None = None
        self.windows: list[Window] = []
        self._in_a_row = 0

    def note(self, window: Window, outcome: RawPage | BackMarketError | None) -> None:
        """Take down how a request ended.

        :raises BackMarketError: where it is one failure too many in a row.
        """
        if not isinstance(outcome, BackMarketError):
            self._in_a_row = 0
            return
        self.first = self.first or outcome
        self.windows.append(window)
        self._in_a_row += 1
        if self._in_a_row >= MOST_FAILURES:
            raise outcome
