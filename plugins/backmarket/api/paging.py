"""Reads a whole list page by page, several pages at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from backmarket.api.errors import MalformedAnswerError, NotFoundError, ShortReadError
from backmarket.api.models.document import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from concurrent.futures import Future

    from backmarket.api.transport import Transport

PAGE_SIZE = 50
"""The most documents that Back Market puts into a page (spec)."""

_PAGES_BEYOND_COUNT = 200
"""How far a list may outgrow the count it gives of itself before it is taken as endless."""


@dataclass(frozen=True)
class RawPage:
    """One page as it came.

    :param number: from 1.
    :param count: how long the whole list is, as this page says.
    :param is_last: whether the page says that no other follows.
    """

    number: int
    count: int
    is_last: bool
    server_time: datetime
    documents: list[Any] = field(repr=False)


class _ListBody(BaseModel):
    count: int = Field(ge=0)
    next: str | None = None
    results: list[Any]


def read_page(
    transport: Transport,
    path: str,
    number: int,
    *,
    size: int = PAGE_SIZE,
    filters: Mapping[str, str | int] | None = None,
    market: str | None = None,
) -> RawPage:
    """Read one page by its number.

    ``next`` is never followed: it is an absolute URL that may name another host, and the token must not go there.

    :raises NotFoundError: past the end of the list.
    :raises MalformedAnswerError: if the answer is no page.
    """
    answer = transport.read(path, params={**(filters or {}), "page": number, "page-size": size}, market=market)
    try:
        body = _ListBody.model_validate(answer.document)
    except ValidationError as error:
        reason = reason_of(error)
    else:
        return RawPage(number, body.count, not body.next, answer.server_time, body.results)
    raise MalformedAnswerError(f"not a page of a list ({reason})", method="GET", path=path)


def read_list(
    transport: Transport,
    path: str,
    *,
    filters: Mapping[str, str | int] | None = None,
    market: str | None = None,
) -> Generator[RawPage, None, None]:
    """Yield all pages of a list, the first one first, the others as they arrive.

    Documents may come twice: a list moves while it is read. When it came out shorter than its first page said,
    something may have slipped across a border between two pages, and the whole list is read again.

    Pages that nobody has taken yet number at most the client's concurrency; closing the iterator waits for the
    requests under way and starts no others.

    :raises ShortReadError: if the last reading, too, held less than each of its pages said.
    """

    def read(number: int) -> RawPage | None:
        try:
            return read_page(transport, path, number, filters=filters, market=market)
        except NotFoundError:
            if number == 1:
                raise
            return None

    for _ in range(transport.config.list_attempts):
        tally = _Tally()
        with closing(_read_once(read, transport.config.concurrency, path)) as pages:
            for page in pages:
                tally.add(page)
                yield page
        if tally.documents >= tally.first_count:
            return
    # Orders do leave lists, when their payment fails: a list that shrank as it was read is only as long as it says
    # at its shortest.
    if tally.documents < tally.smallest_count:
        raise ShortReadError(
            f"{tally.documents} of {tally.smallest_count} documents in each of {transport.config.list_attempts} "
            "readings",
            method="GET",
            path=path,
        )


@dataclass
class _Tally:
    """What the pages of one reading held, and what they said the list holds."""

    documents: int = 0
    first_count: int = 0
    smallest_count: int = 0

    def add(self, page: RawPage) -> None:
        if page.number == 1:
            self.first_count = self.smallest_count = page.count
        self.documents += len(page.documents)
        self.smallest_count = min(self.smallest_count, page.count)


def _read_once(read: Callable[[int], RawPage | None], concurrency: int, path: str) -> Generator[RawPage, None, None]:
    """Yield each page once; the count tells how many to read at the same time, ``next`` when to stop."""
    first = read(1)
    if first is None:
        return
    yield first
    if first.is_last:
        return
    # A platform may put fewer documents into a page than it was asked for.
    expected = ceil(first.count / (len(first.documents) or PAGE_SIZE))
    last = max(expected, 2)
    number = 2
    ended = False
    pending: set[Future[RawPage | None]] = set()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="backmarket-pages") as threads:
        while True:
            while not ended and number <= last and len(pending) < concurrency:
                pending.add(threads.submit(read, number))
                number += 1
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for page in (future.result() for future in done):
                if page is None or page.is_last:
                    ended = True
                elif page.number == last and page.documents:
                    last = _one_further(last, expected, path)
                if page is not None:
                    yield page


def _one_further(last: int, expected: int, path: str) -> int:
    """Move the end of a list that goes on after the page that should be its last: it grew while it was read."""
    if last >= expected + _PAGES_BEYOND_COUNT:
        raise MalformedAnswerError("a list without an end", method="GET", path=path)
    return last + 1
