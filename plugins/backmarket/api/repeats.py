"""Tells rows apart, and which come again as they were, since pages of a list overlap."""

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


def key_by(name: str) -> Callable[[Any], Hashable]:
    """Return what tells documents apart: their id under this name, or all they hold where they have none."""

    def key(document: Any) -> Hashable:
        value = document.get(name) if isinstance(document, dict) else None
        return str(value) if isinstance(value, (int, str)) and value != "" else repr(document)

    return key
