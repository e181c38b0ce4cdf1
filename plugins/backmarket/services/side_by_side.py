"""Works on many items side by side: what belongs together keeps its order, and an outage is not hammered."""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from backmarket.services.item_failures import ItemFailures

Item = TypeVar("Item")


def work_side_by_side(
    rows: Iterable[Iterable[Item]],
    work: Callable[[Item], None],
    tell: Callable[[Item, Callable[[], None]], None],
    failures: ItemFailures,
    *,
    at_once: int,
) -> None:
    """Work on the first items of several rows at a time, each in a thread; the next of a row when one has ended.

    Where an error stops everything, no further item begins, and those under way are worked on to their end.

    :param rows: items that must neither meet nor overtake one another; the row in front begins first.
    :param work: what is done to an item, in a thread.
    :param tell: told in the caller's thread of each item that has ended, with what raises the error that it ended with,
        if any. It tells the failures of it, and raises what stops everything.
    :param failures: so many items are under way at most as may still fail before it is an outage; then one alone.
    :param at_once: most items under way at a time.
    :raises BackMarketError: as :meth:`~backmarket.services.item_failures.ItemFailures.taken_from`.
    """
    queue = deque(deque(row) for row in rows)
    under_way: dict[Future[None], deque[Item]] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="backmarket-items") as threads:
        for row in failures.taken_from(queue):
            # With this thread's context, by which Airflow knows the task.
            under_way[threads.submit(copy_context().run, work, row[0])] = row
            while under_way and (len(under_way) >= min(at_once, failures.most_at_once) or not queue):
                ended = next(iter(wait(under_way, return_when=FIRST_COMPLETED).done))
                begun = under_way.pop(ended)
                tell(begun.popleft(), ended.result)
                if begun:
                    queue.appendleft(begun)
