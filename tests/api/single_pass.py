"""Reads the pages of a list once, as they stand: what a moving list's reading is made of, page by page."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from backmarket.api.page_requests import Failures
from backmarket.api.paging import pages_in_turn

if TYPE_CHECKING:
    from collections.abc import Generator

    from backmarket.api.moving_list import MovingList

Page = TypeVar("Page")


def single_pass(rows: MovingList[Page]) -> Generator[Page, None, None]:
    """Yield each page once; what a page failed with is raised after all others."""
    failures = Failures()
    with closing(rows._requests):
        for page in pages_in_turn(rows._requests, failures, rows._path):
            yield rows._read(page)
    if failures.first:
        raise failures.first
