"""The last task of a concern names what was left, once, and says what to do about each kind."""

from __future__ import annotations

from typing import Any

import pytest

from backmarket.api.errors import BackMarketError, ForbiddenError, NotFoundError, RefusedError, ServerError
from backmarket.services.item_failures import ItemFailures, ItemsLeftError, fail_where_items_are_left


@pytest.mark.parametrize(
    ("done", "told"),
    [
        ([{"quarantined": 2}, {"quarantined": 1}], "Orders could not be understood (3 in this run)"),
        ([{"unread": [7, 8]}, {"unread": [8]}], "could not serve orders 7, 8: they are asked for again"),
        ([{"lists_short": ["paid orders"]}], "The list of paid orders did not come out whole"),
        ([{"newly_left_out": 4}], "Rows of your tables cannot be used, 4 more than before"),
        ([{"not_sent": ["A", "{B}"]}], "Changes could not be sent: A, {B}."),
        ([{"files_left": ["a.csv"]}], "The storage did not give the files a.csv."),
        ([{"markets_left": [f"m{n}" for n in range(12)]}], "m9 and 2 more"),
    ],
)
def test_each_kind_is_named_with_what_to_do(done: list[dict[str, Any]], told: str) -> None:
    """An item that two tasks name stands there once; a long list ends with how many more there are."""
    with pytest.raises(ItemsLeftError) as error:
        fail_where_items_are_left(done, "orders")
    assert told in str(error.value)
    assert str(error.value).endswith("Everything else of this run is done.")


def test_what_was_all_dealt_with_passes() -> None:
    """Also where a task names a kind and nothing of it."""
    fail_where_items_are_left([{"quarantined": 0, "unread": [], "new": 5}, {}], "orders")


@pytest.mark.parametrize(
    ("error", "is_outage"),
    [
        (RefusedError(status=400), False),
        (RefusedError(status=422), False),
        (NotFoundError(status=404), False),
        (ForbiddenError(status=403), True),
        (ServerError(status=500), True),
    ],
)
def test_what_is_said_of_one_item_is_no_outage(error: BackMarketError, *, is_outage: bool) -> None:
    """Ten in a row, the last one with them: all are asked for, and named, where nothing speaks of an outage."""
    failures, asked = ItemFailures(), []
    try:
        for item in failures.each(list(range(10))):
            asked.append(item)
            failures.note(str(item), error)
    except BackMarketError:
        assert is_outage
    assert len(asked) == (6 if is_outage else 10)
    assert len(failures.failed) == len(asked)
