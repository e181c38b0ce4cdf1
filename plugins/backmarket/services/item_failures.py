"""Tells the failure of one item from an outage: the first leaves the others alone, the second stops the task.

At the end of a concern, items that were left make it fail, visibly and once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from backmarket.api.errors import (
    AuthenticationError,
    BackMarketError,
    FirewallError,
    NotFoundError,
    RedirectRefusedError,
    RefusedError,
    ThrottledError,
)
from backmarket.warehouse.feeds import FeedUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from backmarket.warehouse.feeds import UnusableFeed

Item = TypeVar("Item")

MOST_IN_A_ROW = 5
"""After so many failures in a row, one item from the end of the queue decides whether it is an outage."""

_MOST_NAMED = 10


class ItemsLeftError(Exception):
    """Single items could not be dealt with; everything else of the run is done."""


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
        return self.taken_from(deque(items))

    def taken_from(self, queue: deque[Item]) -> Iterator[Item]:
        """Yield items as :meth:`each` does, from a queue that may be added to meanwhile."""
        while queue:
            if self._in_a_row < MOST_IN_A_ROW:
                yield queue.popleft()
                continue
            yield queue.pop()
            if self._in_a_row > MOST_IN_A_ROW and self._last:
                raise self._last

    def note(self, item: str, error: BackMarketError, *, was_there: bool = False) -> None:
        """Note that an item failed.

        An item that Back Market refuses for what it is was answered for, as in no outage. That it does not find one
        says nothing of an outage, for or against.

        :param was_there: whether it showed the item a moment ago: what is no verdict then is a failure like any other.
        :raises BackMarketError: as :func:`raise_what_concerns_all`.
        """
        raise_what_concerns_all(error)
        self.failed[item] = str(error)
        self._last = error
        if isinstance(error, RefusedError) and (error.is_verdict or not was_there):
            self._in_a_row = 0
        elif was_there or not isinstance(error, NotFoundError):
            self._in_a_row += 1

    def note_without_effect(self, item: str, reason: str) -> None:
        """Note that Back Market answered for an item, as in no outage, and yet did not do what it was asked."""
        self.failed[item] = reason
        self.answered()

    def passed(self, item: str) -> None:
        """Note that Back Market answered for an item."""
        self.failed.pop(item, None)
        self.answered()

    def answered(self) -> None:
        """Note that Back Market answered, as in no outage."""
        self._in_a_row = 0

    @property
    def most_at_once(self) -> int:
        """How many items may be under way at a time: as many as may fail before one alone decides."""
        return max(MOST_IN_A_ROW - self._in_a_row, 1)


def raise_what_concerns_all(error: BackMarketError) -> None:
    """Let a failure of one item, order or market pass.

    :raises BackMarketError: the error itself, where it concerns all alike: a token, a firewall, too many requests.
    """
    if isinstance(error, (AuthenticationError, FirewallError, RedirectRefusedError, ThrottledError)):
        raise error


def named(items: Sequence[object]) -> str:
    """Write items for a person: the first ten, and how many more there are."""
    first = ", ".join(map(str, items[:_MOST_NAMED]))
    more = len(items) - _MOST_NAMED
    return f"{first} and {more:,} more" if more > 0 else first


_SENTENCES = {
    "quarantined": (
        "{Documents} could not be understood ({items} in this run): they are kept whole in "
        "backmarket.quarantine, with the reason, and are tried again whenever Back Market sends them. If the reason "
        "names a field that Back Market has changed, report it to the maintainers."
    ),
    "unread": (
        "Back Market could not serve {documents} {items}: they are asked for again. If that lasts, give these ids to "
        "your Back Market contact."
    ),
    "lists_short": (
        "The list of {items} did not come out whole: its last lines in the log say why. What was read is dealt with; "
        "the next run reads the list again."
    ),
    "newly_left_out": (
        "Rows of your tables cannot be used, {items} more than before: they are left out and kept in "
        "backmarket.quarantine, with the reason. Correct them; the next run reads them again."
    ),
    "not_sent": (
        "Changes could not be sent: {items}. backmarket.changes says why; they stay in the queue, and the next run "
        "goes on with them."
    ),
    "files_left": (
        "The storage did not give the files {items}. Check that its connection may read them, then clear the task "
        "that loads them."
    ),
    "markets_left": (
        "Back Market refused or failed on the markets {items}; their last lines in the log say why. Where the account "
        "may not sell in a market, take it out of Variable backmarket_markets, or the account's own, and out of your "
        "tables."
    ),
}
"""What to say of what tasks left, by the name under which they return it: how many, or which."""


def fail_where_items_are_left(
    done: Sequence[Mapping[str, Any]], documents: str, unusable: Sequence[UnusableFeed] = ()
) -> None:
    """Pass where every item was dealt with.

    :param done: what the tasks of a run returned. Read from it: how many documents are ``quarantined`` and how many
        rows of the seller's tables ``newly_left_out``; which ids are ``unread``, ``lists_short``, changes
        ``not_sent``, ``files_left`` and ``markets_left``.
    :param documents: what was read, for the message.
    :param unusable: tables of the seller that cannot be used as a whole.
    :raises FeedUnusableError: where there are such tables; it says what else is left, too.
    :raises ItemsLeftError: saying how many of what are left, the first by name, and what to do.
    """
    left = [
        sentence.format(Documents=documents.capitalize(), documents=documents, items=items)
        for name, sentence in _SENTENCES.items()
        if (items := _items([task[name] for task in done if task.get(name)]))
    ]
    if left or unusable:
        error = FeedUnusableError if unusable else ItemsLeftError
        raise error(" ".join([*map(str, unusable), *left, "Everything else of this run is done."]))


def _items(left: list[Any]) -> str:
    """Return how many are left, where tasks have counted them, or the first by name; empty where none is."""
    if all(isinstance(each, int) for each in left):
        return f"{total:,}" if (total := sum(left)) else ""
    return named(list(dict.fromkeys(item for each in left for item in each)))
