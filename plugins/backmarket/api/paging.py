"""Reads pages of a list by number, several at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from backmarket.api.errors import MalformedAnswerError, NotFoundError
from backmarket.api.models.document import reason_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from backmarket.api.page_requests import Failures, PageRequests
    from backmarket.api.throttle import Kind
    from backmarket.api.transport import Answer, Transport

PAGE_SIZE = 50
"""The most documents that Back Market puts into a page (spec)."""

_PAGES_BEYOND_COUNT = 200
"""How far a list may outgrow the count it gives of itself before it is taken as endless."""

MOST_UNCOUNTED = 1_000_000
"""So many rows that a list does not count, or counts too low, are read before it is taken as endless."""


@dataclass(frozen=True)
class Window:
    """A page to ask for: with pages of this size, the one of this number.

    :param number: from 1.
    :param size: rows asked for, at most :data:`PAGE_SIZE`.
    """

    number: int
    size: int = PAGE_SIZE

    @property
    def start(self) -> int:
        """The place in the list of its first row, from 0."""
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        """The place behind its last row."""
        return self.number * self.size


@dataclass(frozen=True)
class RawPage:
    """One page as it came.

    :param window: what was asked for.
    :param count: how long the whole list is, as this page says; at least so long where it counts its own rows alone,
        or nothing at all.
    :param is_last: whether the page says that no other follows.
    :param server_time: the server's clock when it answered, in UTC.
    :param asked_at: this machine's when the request left.
    :param has_own_size: whether the list takes no size of a page; ``window`` then tells which it had.
    """

    window: Window
    count: int
    is_last: bool
    server_time: datetime
    asked_at: datetime
    documents: list[Any] = field(repr=False)
    has_own_size: bool = False

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return self.window.number


class _ListBody(BaseModel):
    """A page, with a count that may be missing, and a ``next`` that some clients saw as a flag."""

    count: int | None = Field(None, ge=0)
    next: str | bool | None = None
    results: list[Any]


def read_page(
    transport: Transport,
    path: str,
    window: Window,
    *,
    filters: Mapping[str, str | int] | None = None,
    market: str | None = None,
) -> RawPage:
    """Read one page.

    ``next`` is never followed: it is an absolute URL that may name another host, and the token must not go there.

    :raises NotFoundError: past the end of the list.
    :raises MalformedAnswerError: if the answer is no page.
    """
    params = {**(filters or {}), "page": window.number, "page-size": window.size}
    answer = transport.read(path, params=params, market=market)
    body = _body_of(answer, path)
    count = window.start + len(body.results) if body.count is None else body.count
    return RawPage(window, count, not body.next, answer.server_time, answer.asked_at, body.results)


def read_length(transport: Transport, path: str, *, market: str | None = None) -> int | None:
    """Return how long a list says that it is, by its first row; None where further rows follow that it does not count.

    :raises MalformedAnswerError: if the answer is no page.
    """
    page = read_page(transport, path, Window(1, 1), market=market)
    return page.count if page.is_last or page.count > page.window.end else None


class PagesOfOwnSize:
    """Reads the pages of a list that takes no ``page-size``.

    Such a list may count the rows of each page alone (care folders, in the spec) or all rows: each page's count is at
    least the rows up to its end.
    """

    def __init__(
        self, transport: Transport, path: str, filters: Mapping[str, str | int], kind: Kind = "general"
    ) -> None:
        self._transport = transport
        self._path = path
        self._filters = filters
        self._kind = kind
        self._size = 1

    def read(self, window: Window) -> RawPage:
        """Read the page of this number, whatever size is asked for; raises as :func:`read_page`."""
        params = {**self._filters, "page": window.number}
        answer = self._transport.read(self._path, params=params, kind=self._kind)
        body = _body_of(answer, self._path)
        # The fullest page so far tells the size of all but the last.
        self._size = max(self._size, len(body.results))
        window = Window(window.number, self._size)
        count = max(body.count or 0, window.start + len(body.results))
        return RawPage(
            window, count, not body.next, answer.server_time, answer.asked_at, body.results, has_own_size=True
        )


def _body_of(answer: Answer, path: str) -> _ListBody:
    try:
        body = _ListBody.model_validate(answer.document)
        if body.count is not None or "next" in body.model_fields_set:
            return body
        # Nothing would tell it from the end of the list.
        reason = "neither count nor next"
    except ValidationError as error:
        reason = reason_of(error)
    raise MalformedAnswerError(f"not a page of a list ({reason})", method="GET", path=path)


def pages_in_turn(requests: PageRequests, failures: Failures, path: str) -> Generator[RawPage, None, None]:
    """Yield each page once; the count tells how many to read at the same time, ``next`` when to stop.

    :param failures: takes down what pages failed with.
    """
    first = first_page(requests)
    yield first
    if first.is_last:
        return
    # A platform may put fewer documents into a page than it was asked for.
    size = len(first.documents) or PAGE_SIZE
    expected = ceil(first.count / size)
    last = max(expected, 2)
    furthest = first
    number = 2
    ended = False
    while True:
        while not ended and number <= last and requests.under_way < requests.most:
            requests.start(Window(number))
            number += 1
        if not requests.under_way:
            break
        window, page = requests.next()
        failures.note(window, page)
        if page is None or (isinstance(page, RawPage) and page.is_last):
            ended = True
        if isinstance(page, RawPage):
            if not page.is_last and page.number == last and page.documents:
                # The same rows again are no longer list, whatever it counts.
                if page.documents != furthest.documents:
                    uncounted = min(page.number, MOST_UNCOUNTED // size)
                    expected = max(expected, ceil(page.count / size), uncounted)
                furthest = page
                last = _one_further(last, expected, path)
            yield page


def first_page(requests: PageRequests, window: Window = Window(1)) -> RawPage:
    """Read the first page, or another near it, which tells how long the list is.

    :raises BackMarketError: if it cannot be read; nothing is known without it.
    """
    requests.start(window)
    _, page = requests.next()
    if isinstance(page, RawPage):
        return page
    raise page or NotFoundError("a list without a first page", method="GET")


def _one_further(last: int, expected: int, path: str) -> int:
    """Move the end of a list that goes on after the page that should be its last: it grew while it was read."""
    if last >= expected + _PAGES_BEYOND_COUNT:
        raise MalformedAnswerError("a list without an end", method="GET", path=path)
    return last + 1
