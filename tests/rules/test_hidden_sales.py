"""Sales that nobody can see yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.hidden_sales import Baseline, Drop, Observation, held_units, observe, unexplained
from backmarket.rules.inventory import MOST_UNITS, OrderLineRow, reserved_units

NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOLD = timedelta(hours=48)
EARLIER = NOON - HOUR
BASELINE = Baseline(5, EARLIER)


def line(made: datetime, *, quantity: int = 1, state: int = 1, is_gone: bool = False) -> OrderLineRow:
    """An order line of one SKU."""
    return OrderLineRow(1, 1, "A", quantity, state, created_at=made, is_gone=is_gone)


def test_the_first_reading_tells_nothing() -> None:
    """There is nothing to compare it with."""
    assert observe(None, 5, NOON, [], []) == Observation(())


def test_a_sale_in_place_of_an_order_from_before_that_was_not_paid_is_held() -> None:
    """Its unit came back and was sold before the next reading, which shows what the first one did."""
    made = EARLIER - HOUR
    drops = observe(None, 5, EARLIER, [], [line(made, state=8), line(made, state=2), line(made, state=7)]).drops
    assert held_units(drops, [line(made, state=8)], now=NOON, hold=HOLD) == 0
    drops = observe(Baseline(5, EARLIER), 5, NOON, drops, [line(made, state=7)]).drops
    assert held_units(drops, [line(made, state=7)], now=NOON, hold=HOLD) == 1
    assert observe(Baseline(5, EARLIER), 6, NOON, drops, [line(made, state=7)]) == Observation(())


def test_units_that_go_are_held_until_their_order_appears() -> None:
    """A drop without an order holds its units; the order, once visible, takes its own units over."""
    drops = observe(BASELINE, 3, NOON, [], []).drops
    assert drops == (Drop(EARLIER, NOON, 2),)
    assert held_units(drops, [], now=NOON, hold=HOLD) == 2
    assert held_units(drops, [line(NOON - HOUR / 2)], now=NOON, hold=HOLD) == 1
    assert held_units(drops, [line(NOON - HOUR / 2, quantity=2, state=2)], now=NOON, hold=HOLD) == 0


def test_an_order_explains_only_the_time_it_was_made_in() -> None:
    """One made before the span, or after it, says nothing about it; nor does one that was not paid."""
    drops = [Drop(EARLIER, NOON, 1)]
    for other in (line(EARLIER - HOUR), line(NOON + HOUR), line(NOON - HOUR / 2, state=7)):
        assert held_units(drops, [other], now=NOON, hold=HOLD) == 1
    assert held_units(drops, [line(NOON - HOUR / 2, state=8, is_gone=True)], now=NOON, hold=HOLD) == 1


@pytest.mark.parametrize(
    ("made", "held"),
    [
        (EARLIER - timedelta(seconds=6), 1),
        (EARLIER - timedelta(seconds=5), 0),
        (NOON + timedelta(seconds=5), 0),
        (NOON + timedelta(seconds=6), 1),
    ],
)
def test_clocks_may_be_five_seconds_apart(made: datetime, held: int) -> None:
    """An order that Back Market's clock puts just outside the span is still the one whose unit went in it."""
    assert held_units([Drop(EARLIER, NOON, 1)], [line(made)], now=NOON, hold=HOLD) == held


def test_a_hold_runs_out() -> None:
    """After the hold the units are free: their order was never paid, or was taken by hand."""
    drops = [Drop(EARLIER, NOON, 1)]
    assert held_units(drops, [], now=NOON + HOLD, hold=HOLD) == 1
    assert held_units(drops, [], now=NOON + HOLD + HOUR, hold=HOLD) == 0


def test_units_that_come_back_free_the_hold() -> None:
    """An order that was never paid gives its units back: that is no foreign change."""
    seen = observe(Baseline(3, NOON), 4, NOON + HOUR, [Drop(EARLIER, NOON, 2)], [])
    assert seen == Observation((Drop(EARLIER, NOON, 1),))


def test_units_of_a_visible_unpaid_order_may_come_back_too() -> None:
    """Back Market gives them back before the order is read again; units of accepted orders cannot come back."""
    drops = [Drop(EARLIER, NOON, 1)]
    pending, accepted = line(NOON - HOUR / 2, state=8), line(NOON - HOUR / 2, state=2)
    assert observe(Baseline(4, NOON), 5, NOON + HOUR, drops, [pending]).raised_outside == 0
    assert observe(Baseline(4, NOON), 5, NOON + HOUR, drops, [accepted]).raised_outside == 1


def test_more_than_was_known_of_was_raised_outside() -> None:
    """Beyond the units held, somebody else has written to the listing."""
    assert observe(BASELINE, 9, NOON, [], []).raised_outside == 4
    assert observe(BASELINE, 9, NOON, [Drop(EARLIER - HOUR, EARLIER, 1)], []) == Observation((), 3)


def test_a_write_without_an_answer_explains_both_outcomes() -> None:
    """It was applied, or it was not; units that went besides are held either way."""
    sent_at = NOON - timedelta(minutes=1)
    lowered, raised = Baseline(5, EARLIER, 2, sent_at), Baseline(5, EARLIER, 7, sent_at)
    assert observe(lowered, 2, NOON, [], []) == Observation(())
    assert observe(lowered, 5, NOON, [], []) == Observation(())
    assert observe(lowered, 1, NOON, [], []).drops == (Drop(EARLIER, NOON, 4),)
    assert observe(raised, 7, NOON, [], []) == Observation(())
    assert observe(raised, 5, NOON, [], []) == Observation(())
    assert observe(raised, 6, NOON, [], []).drops == (Drop(EARLIER, NOON, 1),)


@pytest.mark.parametrize("state", [10, 11, -1])
def test_an_order_in_an_unknown_state_is_reserved_or_held(state: int) -> None:
    """A sold unit never goes on sale again for want of a name for its state."""
    drops = [Drop(EARLIER, NOON, 1)]
    for is_gone in (False, True):
        sold = line(NOON - HOUR / 2, state=state, is_gone=is_gone)
        reserved = reserved_units([sold], EARLIER, "accepted")
        assert reserved + held_units(drops, [sold], now=NOON, hold=HOLD) == 1


moments = st.integers(-300, 300).map(lambda minutes: NOON + timedelta(minutes=minutes))
lines_of_a_sku = st.lists(st.builds(line, moments, quantity=st.integers(1, 3), state=st.integers(0, 9)), max_size=6)
spans = st.tuples(moments, moments).map(sorted)
drop_lists = st.lists(
    st.builds(lambda span, units: Drop(span[0], span[1], units), spans, st.integers(1, 4)), max_size=5
)


@given(drop_lists, lines_of_a_sku)
def test_a_line_explains_its_units_once(drops: list[Drop], lines: list[OrderLineRow]) -> None:
    """What is left lies between none and all of each drop, and no more is explained than was ordered."""
    left = unexplained(drops, lines)
    assert all(0 <= units <= drop.units for units, drop in zip(left, drops, strict=True))
    assert sum(drop.units for drop in drops) - sum(left) <= sum(each.quantity for each in lines)


@given(drop_lists, lines_of_a_sku, st.integers(0, 9), st.integers(0, 9))
def test_no_unit_is_lost_between_readings(
    drops: list[Drop], lines: list[OrderLineRow], before: int, after: int
) -> None:
    """Drops grow by what went, shrink by what came back, and the rest was raised outside."""
    seen = observe(Baseline(before, NOON), after, NOON + HOUR, drops, lines)
    change = sum(drop.units for drop in seen.drops) - sum(drop.units for drop in drops)
    assert change == before - after + seen.raised_outside
    assert seen.raised_outside >= 0


def test_long_after_a_lost_answer_the_old_number_may_hide_sales() -> None:
    """A raise that was applied and sold since looks like one that was not: the units are held."""
    raised = Baseline(5, EARLIER, 7, EARLIER + timedelta(minutes=1))
    assert observe(raised, 5, NOON, [], []).drops == (Drop(EARLIER, NOON, 2),)


def test_a_listing_that_stands_still_tells_nothing() -> None:
    """No unit went: there is no drop, also not an empty one."""
    assert observe(BASELINE, 5, NOON, [], []) == Observation(())


def test_five_minutes_after_a_lost_answer_the_old_number_still_means_not_applied() -> None:
    """A second later it may as well have been applied and sold since."""
    for late, units in ((timedelta(0), 0), (timedelta(seconds=1), 2)):
        raised = Baseline(5, EARLIER, 7, NOON - timedelta(minutes=5) - late)
        assert sum(drop.units for drop in observe(raised, 5, NOON, [], []).drops) == units


def test_an_order_explains_the_oldest_drop_it_may_belong_to() -> None:
    """In whatever order the drops come: the older one's hold would run out first."""
    older, newer = Drop(EARLIER - HOUR, EARLIER, 1), Drop(EARLIER, NOON, 1)
    assert unexplained([newer, older], [line(EARLIER)]) == [1, 0]
    assert unexplained([older, newer], [line(EARLIER)]) == [0, 1]


@pytest.mark.parametrize("ahead", [timedelta(seconds=-90), timedelta(seconds=90)])
def test_clocks_apart_do_not_hide_what_explains_a_drop(ahead: timedelta) -> None:
    """Orders are made by Back Market's clock, readings by ours: what it is ahead, or behind, counts as possible."""
    sold = line(NOON - timedelta(minutes=5) + ahead)
    before = Baseline(5, NOON - timedelta(minutes=6))
    drops = observe(before, 4, NOON - timedelta(minutes=4), [], [sold], ahead=ahead).drops
    assert unexplained(drops, [sold]) == [0]


def test_an_answer_may_take_a_while() -> None:
    """What was sold while a reading was answered explains what that reading lacks; not what was sold long after."""
    now = NOON + timedelta(minutes=30)
    drops = observe(Baseline(5, EARLIER), 4, NOON, [], [], now=now).drops
    assert unexplained(drops, [line(NOON + timedelta(seconds=40))]) == [0]
    assert unexplained(drops, [line(NOON + timedelta(minutes=20))]) == [1]


def test_units_that_no_column_holds_are_the_most_that_one_does() -> None:
    """Of one drop, and of several added up: they stop no other SKU's plan."""
    drops = observe(Baseline(MOST_UNITS, EARLIER), -MOST_UNITS, NOON, [], []).drops
    assert [drop.units for drop in drops] == [MOST_UNITS]
    assert held_units([*drops, *drops], [], now=NOON, hold=HOLD) == MOST_UNITS
