"""Tells the failure of one item from an outage: the first leaves the others alone, the second stops the task."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backmarket.api.errors import BackMarketError


Item = TypeVar("Item")

MOST_IN_A_ROW = 5
"""After so many failures in a row, one item from the end of the queue decides whether it is an outage."""

_MOST_NAMED = 10


@dataclass
class ItemFailures:
    """What Back Market failed on while a task went through its items one by one.

    :param failed: why, by the item's name, for a person; an item that succeeds later in the task leaves it.
    """

    failed: dict[str, str] = field(default_factory=dict)
    _in_a_row: int = 0
    _last: BackMarketError | None = None

    def each(self, items: Sequence[Item]) -> Iterator[Item]:
        """Yield items in their order; the caller tells of each one :meth:`note` or :meth:`passed`.

        Five sick items may well stand together, so after five failures in a row the last item of all comes next.
        Where that one succeeds, the five had troubles of their own, and the others follow.

        :raises BackMarketError: the last failure, where the last item failed too: it is an outage, not to be hammered.
        """
        queue = deque(items)
        while queue:
            if self._in_a_row < MOST_IN_A_ROW:
                yield queue.popleft()
                continue
            yield queue.pop()
            if self._in_a_row > MOST_IN_A_ROW and self._last:
                raise self._last

    def note(self, item: str, error: BackMarketError) -> None:
        """Note that an item failed. An item that Back Market does not find was answered for, as in no outage.

        :raises BackMarketError: as :func:`raise_what_concerns_all`.
        """
        from backmarket.api.errors import NotFoundError

        raise_what_concerns_all(error)
        self.failed[item] = str(error)
        self._in_a_row = 0 if isinstance(error, NotFoundError) else self._in_a_row + 1
        self._last = error

    def passed(self, item: str) -> None:
        """Note that Back Market answered for an item."""
        self.failed.pop(item, None)
        self._in_a_row = 0

    @property
    def names(self) -> str:
        """The items that failed, the first of them by name, for a person."""
        return named(list(self.failed))


def raise_what_concerns_all(error: BackMarketError) -> None:
    """Let a failure of one item, order or market pass.

    :raises BackMarketError: the error itself, where it concerns all alike: a token, a firewall, too many requests.
    """
    from backmarket.api import errors

    concerns_all = (
        errors.AuthenticationError,
        errors.FirewallError,
        errors.RedirectRefusedError,
        errors.ThrottledError,
    )
    if isinstance(error, concerns_all):
        raise error


def named(items: Sequence[object]) -> str:
    """Write items for a person: the first ten, and how many more there are."""
    first = ", ".join(map(str, items[:_MOST_NAMED]))
    more = len(items) - _MOST_NAMED
    return f"{first} and {more} more" if more > 0 else first
