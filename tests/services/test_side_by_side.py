"""Items side by side: rows keep their order, an error stops what has not begun, an outage is not hammered."""

from __future__ import annotations

import time
from collections import Counter
from threading import Barrier, Event, Lock
from typing import TYPE_CHECKING

import pytest

from backmarket.api.errors import AuthenticationError, ServerError
from backmarket.services.item_failures import MOST_IN_A_ROW, ItemFailures
from backmarket.services.side_by_side import work_side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _work_on(rows: Iterable[list[str]], work: Callable[[str], None], *, at_once: int = 8) -> ItemFailures:
    failures = ItemFailures()

    def tell(item: str, outcome: Callable[[], None]) -> None:
        try:
            outcome()
        except (ServerError, AuthenticationError) as error:
            failures.note(item, error)
        else:
            failures.passed(item)

    work_side_by_side(rows, work, tell, failures, at_once=at_once)
    return failures


@pytest.mark.parametrize("names", ["ABCDE", "A"])
def test_a_row_keeps_its_order_while_rows_go_side_by_side(names: str) -> None:
    """All rows meet in each of their three items, and no item meets another of its row."""
    rows = [[f"{name}{number}" for number in range(3)] for name in names]
    meet, lock = Barrier(len(rows), timeout=10), Lock()
    done: list[str] = []
    under_way: Counter[str] = Counter()

    def work(item: str) -> None:
        with lock:
            under_way[item[0]] += 1
            assert under_way[item[0]] == 1
        meet.wait()
        with lock:
            under_way[item[0]] -= 1
            done.append(item)

    assert _work_on(rows, work).failed == {}
    for row in rows:
        assert [item for item in done if item in row] == row


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_are_under_way_than_the_client_takes(at_once: int) -> None:
    """Counted by the items themselves."""
    lock, under_way, most = Lock(), 0, 0

    def work(_: str) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.005)
        with lock:
            under_way -= 1

    _work_on([[str(number)] for number in range(12)], work, at_once=at_once)
    assert most == at_once


def test_what_stops_everything_lets_what_is_under_way_end() -> None:
    """The error comes out as it is; the others of that moment are worked on to their end, and nothing else begins."""
    begun, ended, refused = set(), set(), Event()

    def work(item: str) -> None:
        begun.add(item)
        if item == "2":
            refused.set()
            raise AuthenticationError
        refused.wait(10)
        time.sleep(0.05)
        ended.add(item)

    with pytest.raises(AuthenticationError):
        _work_on([[str(number), f"{number} again"] for number in range(20)], work)
    assert begun == ended | {"2"} == {"0", "1", "2", "3", "4"}


def test_an_outage_gets_as_few_requests_as_one_by_one() -> None:
    """All fail: after five the last one decides, alone, and its error comes out."""
    begun: list[str] = []

    def work(item: str) -> None:
        begun.append(item)
        raise ServerError(item)

    with pytest.raises(ServerError, match="39"):
        _work_on([[str(number), f"{number} again"] for number in range(40)], work)
    assert len(begun) == MOST_IN_A_ROW + 1


def test_sick_items_at_the_head_keep_no_other_away() -> None:
    """More of them than an outage needs: the others are worked on, and these are named."""
    sick = [str(number) for number in range(MOST_IN_A_ROW + 3)]
    done = set()

    def work(item: str) -> None:
        if item in sick:
            raise ServerError
        done.add(item)

    failures = _work_on([*([item] for item in sick), ["a", "b"], ["c"], ["d"]], work)
    assert done == {"a", "b", "c", "d"}
    assert set(failures.failed) == set(sick)
