"""How long a client may begin requests."""

from __future__ import annotations

from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from backmarket.api.errors import OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta


class TimeLimit:
    """The moment after which no request is begun, nor repeated; there is none at first."""

    def __init__(self) -> None:
        self._begins_until = inf

    @contextmanager
    def within(self, limit: timedelta) -> Iterator[None]:
        """Let requests begin for so long; one inside another never gives more time than that."""
        outer = self._begins_until
        self._begins_until = min(outer, monotonic() + limit.total_seconds())
        try:
            yield
        finally:
            self._begins_until = outer

    def check(self, method: str, path: str) -> None:
        """Let a request begin.

        :raises OutOfTimeError: where the time for it is over.
        """
        if monotonic() >= self._begins_until:
            raise OutOfTimeError(method=method, path=path)
