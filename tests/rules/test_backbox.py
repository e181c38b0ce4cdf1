"""Requests for competitors are spent where they matter most."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backmarket.rules.backbox import ASKED_AGAIN_WHILE_OFF_SALE, SOLD_WITHIN, Candidate, choose_listings

NOW = datetime(2026, 11, 27, 10, 20, 30, 500_000, tzinfo=UTC)
HOUR = datetime(2026, 11, 27, 10, tzinfo=UTC)


def listing(number: int) -> UUID:
    """An id; higher numbers have higher ids."""
    return UUID(int=number)


def candidate(number: int, *, on_sale: bool = True, sold: int = 0, minutes_ago: int | None = 600) -> Candidate:
    """A listing that was asked for so many minutes ago; None: never."""
    asked_at = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    return Candidate(listing(number), on_sale, sold, asked_at)


def chosen(*candidates: Candidate, most: int = 100) -> list[int]:
    """Choose, and return the numbers."""
    return [each.int for each in choose_listings(candidates, now=NOW, most=most)]


def test_what_is_on_sale_comes_first_then_what_sells_then_what_was_asked_for_longest_ago() -> None:
    """In this order: sales weigh nothing against being on sale, nor age against sales. They are those of 30 days."""
    assert timedelta(days=30) == SOLD_WITHIN
    assert chosen(
        candidate(1, on_sale=False, sold=900, minutes_ago=None),
        candidate(2, sold=3, minutes_ago=100),
        candidate(3, sold=3, minutes_ago=200),
        candidate(4, sold=40, minutes_ago=61),
        candidate(5, minutes_ago=100),
        candidate(6, minutes_ago=None),
        candidate(7, minutes_ago=101),
    ) == [4, 3, 2, 6, 7, 5, 1]


def test_equals_come_in_one_order() -> None:
    """Whichever way they are listed."""
    assert chosen(candidate(2), candidate(3), candidate(1)) == [1, 2, 3]
    assert chosen(candidate(1), candidate(3), candidate(2)) == [1, 2, 3]


@pytest.mark.parametrize("most", [-5, -1, 0, 1, 2, 3, 4])
def test_no_more_are_chosen_than_there_are_requests(most: int) -> None:
    """The last of the order are left out; where more were made than may be, all are."""
    assert chosen(candidate(1), candidate(2), candidate(3), most=most) == [1, 2, 3][: max(most, 0)]


def test_a_run_that_was_cut_short_is_gone_on_with() -> None:
    """What was asked for in this hour already comes after what was not; the hour begins at its first second."""
    best = Candidate(listing(1), is_on_sale=True, units_sold=900, asked_at=HOUR)
    before = Candidate(listing(2), is_on_sale=True, units_sold=1, asked_at=HOUR - timedelta(microseconds=1))
    off_sale = candidate(3, on_sale=False, minutes_ago=None)
    assert chosen(best, before, off_sale) == [2, 1, 3]
    assert chosen(best, before, off_sale, most=2) == [2, 1], "what competes is asked for again before what does not"


def test_what_is_not_on_sale_is_asked_for_once_a_day() -> None:
    """It competes nowhere; so it is soon known to be gone, and costs the others no more."""
    day = int(ASKED_AGAIN_WHILE_OFF_SALE.total_seconds() / 60)
    assert day == 24 * 60
    assert chosen(
        candidate(1, on_sale=False, minutes_ago=day - 1),
        candidate(2, on_sale=False, minutes_ago=day),
        candidate(3, on_sale=False, minutes_ago=None),
        candidate(4, on_sale=False, minutes_ago=0),
    ) == [3, 2]


_CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.integers(0, 60),
        on_sale=st.booleans(),
        sold=st.integers(0, 50),
        minutes_ago=st.none() | st.integers(0, 5_000),
    ),
    unique_by=lambda each: each.listing_id,
    max_size=30,
)


# A busy machine is no fault of the rule.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_CANDIDATES, st.integers(0, 40))
def test_each_is_asked_for_once_and_none_that_matters_more_is_left_out(found: list[Candidate], most: int) -> None:
    """Whatever there is."""
    order = choose_listings(found, now=NOW, most=len(found))
    assert len(set(order)) == len(order)
    assert choose_listings(found, now=NOW, most=most) == order[:most]
    by_id = {each.listing_id: each for each in found}
    assert {each for each in by_id if by_id[each].is_on_sale} <= set(order)
    sale = [by_id[each].is_on_sale for each in order]
    assert sale == sorted(sale, reverse=True)
