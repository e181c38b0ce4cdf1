"""Rows that come again as they were, since pages of a list overlap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from backmarket.api.paging import RawPage

_REMEMBERED = 500
"""So many rows are remembered: those of the pages that are under way side by side."""


class Repeats:
    """The rows of a list as they last came.

    :param key: tells rows apart.
    """

    def __init__(self, key: Callable[[Any], Hashable]) -> None:
        self._key = key
        self._latest: dict[Hashable, Any] = {}

    def leave_out(self, page: RawPage) -> RawPage:
        """Return a page without the rows that are as they were when they last came."""
        if len(self._latest) > _REMEMBERED:
            self._latest.clear()
        fresh = []
        for row in page.documents:
            key = self._key(row)
            if key not in self._latest or self._latest[key] != row:
                self._latest[key] = row
                fresh.append(row)
        return replace(page, documents=fresh)
