"""Reads a whole list page by page, several pages at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from backmarket.api.errors import MalformedAnswerError, NotFoundError
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
    """Yield all pages of a list once, the first one first, the others as they arrive.

    A list moves while it is read: documents may come twice, or slip across a border between two pages. Whether
    enough came is for the caller to judge, who knows their ids.

    Pages that nobody has taken yet number at most the client's concurrency; closing the iterator waits for the
    requests under way and starts no others.
    """

    def read(number: int) -> RawPage | None:
        try:
            return read_page(transport, path, number, filters=filters, market=market)
        except NotFoundError:
            if number == 1:
                raise
            return None

    with closing(_read_concurrently(read, transport.config.concurrency, path)) as pages:
        yield from pages


def _read_concurrently(
    read: Callable[[int], RawPage | None], concurrency: int, path: str
) -> Generator[RawPage, None, None]:
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
