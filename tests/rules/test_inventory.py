"""How many units are free, and how many of them are shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.inventory import (
    MOST_UNITS,
    OrderLineRow,
    QuantityPlan,
    StockPolicy,
    StockRow,
    is_explained_by_orders,
    is_mass_zero,
    is_reserved,
    is_stale,
    orders_known_until,
    plan_quantity,
    quantity_to_show,
    reserved_units,
    units_left,
)

NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNTED = NOON - HOUR
BEFORE, AFTER = COUNTED - HOUR, COUNTED + HOUR / 2


def line(state: int, **fields: object) -> OrderLineRow:
    """An order line of one unit."""
    return OrderLineRow(**{"orderline_id": 1, "order_id": 1, "sku": "A", "quantity": 1, "state": state, **fields})  # type: ignore[arg-type]


times = st.integers(-600, 600).map(lambda minutes: NOON + timedelta(minutes=minutes))
moments = st.none() | times
lines_of_a_sku = st.lists(
    st.builds(
        line,
        state=st.integers(0, 9),
        quantity=st.integers(1, 3),
        created_at=moments,
        paid_at=moments,
        accepted_at=moments,
        is_gone=st.booleans(),
    ),
    max_size=6,
)
limits = st.none() | st.integers(0, 8)
stocks = st.builds(
    StockRow,
    sku=st.just("A"),
    quantity=st.integers(-2, 20),
    counted_at=moments.map(lambda moment: moment or NOON),
    safety_qty=limits,
    max_qty=limits,
    orders_known_until=moments,
)
policies = st.builds(
    StockPolicy,
    known_from=st.sampled_from(["accepted", "paid"]),
    intake_lag=st.integers(0, 120).map(lambda minutes: timedelta(minutes=minutes)),
    max_age=st.none() | st.just(timedelta(hours=3)),
    safety_qty=st.integers(0, 5),
    max_qty=limits,
)


@pytest.mark.parametrize(
    ("known_from", "what", "reserved"),
    [
        ("accepted", line(0), True),
        ("accepted", line(8), True),
        ("accepted", line(9), True),
        ("accepted", line(1, paid_at=BEFORE), True),
        ("accepted", line(2, accepted_at=BEFORE), False),
        ("accepted", line(2, accepted_at=AFTER), True),
        ("accepted", line(2), True),
        ("accepted", line(3, accepted_at=BEFORE), False),
        ("accepted", line(3, accepted_at=AFTER), True),
        ("accepted", line(4), False),
        ("accepted", line(5, accepted_at=AFTER), True),
        ("accepted", line(6, accepted_at=BEFORE), False),
        ("accepted", line(7), False),
        ("accepted", line(8, is_gone=True), False),
        ("accepted", line(10), True),
        ("accepted", line(11, paid_at=BEFORE), True),
        ("paid", line(-1, paid_at=BEFORE), True),
        ("accepted", line(10, accepted_at=BEFORE), False),
        ("accepted", line(10, accepted_at=AFTER, is_gone=True), True),
        ("accepted", line(10, is_gone=True), False),
        ("accepted", line(2, accepted_at=AFTER, is_gone=True), True),
        ("paid", line(8), True),
        ("paid", line(9, paid_at=BEFORE), True),
        ("paid", line(1, paid_at=BEFORE), False),
        ("paid", line(1, paid_at=AFTER), True),
        ("paid", line(1), True),
        ("paid", line(2, paid_at=BEFORE, accepted_at=AFTER), False),
        ("paid", line(2, paid_at=AFTER, accepted_at=AFTER), True),
        ("paid", line(3, accepted_at=BEFORE), False),
    ],
)
def test_a_line_is_reserved_where_the_count_cannot_know_of_it(
    known_from: str, what: OrderLineRow, reserved: bool
) -> None:
    """Not taken in by the seller's system yet, or taken in after the count."""
    assert is_reserved(what, COUNTED, known_from) is reserved  # type: ignore[arg-type]


def test_the_count_knows_orders_up_to_its_own_word_else_up_to_the_lag() -> None:
    """``orders_known_until`` wins; without it the count is as much behind as the Variable says."""
    policy = StockPolicy(intake_lag=2 * HOUR)
    assert orders_known_until(StockRow("A", 1, NOON), policy, now=NOON) == NOON - 2 * HOUR
    assert orders_known_until(StockRow("A", 1, NOON, orders_known_until=BEFORE), policy, now=NOON) == BEFORE


def test_a_count_gets_stale() -> None:
    """Older than the limit; without a limit never."""
    old = StockRow("A", 1, NOON - 25 * HOUR)
    assert is_stale(old, StockPolicy(), now=NOON)
    assert not is_stale(replace(old, counted_at=NOON - 24 * HOUR), StockPolicy(), now=NOON)
    assert not is_stale(old, StockPolicy(max_age=None), now=NOON)


def test_what_is_left_may_fall_below_zero() -> None:
    """More was promised than is there: acceptance wants to know by how much."""
    assert units_left(StockRow("A", 1, COUNTED), [line(1), line(1), line(0)], StockPolicy(), now=NOON) == -2


def test_the_example_of_the_documentation() -> None:
    """10 counted, 3 reserved, 1 held, 2 safety: 4 are shown; a maximum of 3 shows 3."""
    lines = [line(1), line(8), line(2, accepted_at=AFTER), line(2, accepted_at=BEFORE), line(4)]
    stock = StockRow("A", 10, COUNTED, safety_qty=2)
    plan = plan_quantity(stock, lines, StockPolicy(), held=1, shown_now=0, may_raise=True, now=NOON)
    assert plan == QuantityPlan(
        stock=10, reserved=3, held=1, safety_qty=2, max_qty=None, sellable=6, wanted=4, is_stale=False
    )
    capped = plan_quantity(
        replace(stock, max_qty=3), lines, StockPolicy(max_qty=9), held=1, shown_now=0, may_raise=True, now=NOON
    )
    assert (capped.wanted, capped.max_qty) == (3, 3)


@pytest.mark.parametrize(("of_the_row", "counts"), [(None, 2), (0, 0), (-1, 0), (1, 1)])
def test_the_limits_of_a_row_override_the_variables(of_the_row: int | None, counts: int) -> None:
    """Also with 0, where a row alone holds nothing back, or takes a SKU off sale; a negative one is 0."""
    stock = StockRow("A", 9, COUNTED, safety_qty=of_the_row, max_qty=of_the_row)
    plan = plan_quantity(stock, [], StockPolicy(safety_qty=2, max_qty=2), held=0, shown_now=0, may_raise=True, now=NOON)
    assert (plan.safety_qty, plan.max_qty, plan.wanted) == (counts, counts, counts)


def test_what_is_left_depends_on_when_the_seller_takes_orders_in() -> None:
    """A count that knows paid orders has their units taken off already; one that knows accepted ones has not."""
    paid = [line(1, paid_at=BEFORE, quantity=2)]
    stock = StockRow("A", 5, COUNTED)
    assert units_left(stock, paid, StockPolicy(known_from="paid"), now=NOON) == 5
    assert units_left(stock, paid, StockPolicy(known_from="accepted"), now=NOON) == 3


@pytest.mark.parametrize(("seconds", "wanted", "ahead"), [(120, 5, 0), (121, 1, 121)])
@pytest.mark.parametrize("of", ["counted_at", "orders_known_until"])
def test_a_count_from_the_future_raises_nothing(of: str, seconds: int, wanted: int, ahead: int) -> None:
    """Two minutes are a clock that is ahead; more is local time written as UTC, and is told."""
    stock = replace(StockRow("A", 5, NOON), **{of: NOON + timedelta(seconds=seconds)})  # type: ignore[arg-type]
    plan = plan_quantity(stock, [], StockPolicy(), held=0, shown_now=1, may_raise=True, now=NOON)
    assert (plan.wanted, plan.ahead) == (wanted, timedelta(seconds=ahead))


@pytest.mark.parametrize(("shown_now", "wanted"), [(0, 0), (2, 2), (5, 5), (9, 5)])
def test_without_trust_a_quantity_is_lowered_and_never_raised(shown_now: int, wanted: int) -> None:
    """A stale count, or a stale reading of the listing, may only lower what is shown."""
    stale = StockRow("A", 5, NOON - 25 * HOUR)
    for stock, may_raise in ((stale, True), (replace(stale, counted_at=NOON), False)):
        plan = plan_quantity(stock, [], StockPolicy(), held=0, shown_now=shown_now, may_raise=may_raise, now=NOON)
        assert plan.wanted == wanted


@given(stocks, lines_of_a_sku, policies, st.integers(0, 5), st.integers(0, 30), st.booleans())
def test_what_is_shown_stays_within_all_limits(
    stock: StockRow, lines: list[OrderLineRow], policy: StockPolicy, held: int, shown_now: int, may_raise: bool
) -> None:
    """Never negative, above the maximum, above sellable less safety, or above the count."""
    plan = plan_quantity(stock, lines, policy, held=held, shown_now=shown_now, may_raise=may_raise, now=NOON)
    assert 0 <= plan.wanted <= max(0, plan.sellable - plan.safety_qty)
    assert plan.max_qty is None or plan.wanted <= plan.max_qty
    assert plan.sellable <= max(0, stock.quantity)
    assert plan.sellable == max(0, stock.quantity - plan.reserved - held)


@given(stocks, lines_of_a_sku, policies, st.integers(0, 5), st.integers(0, 30), st.booleans(), st.integers(1, 5))
def test_more_stock_never_shows_less(
    stock: StockRow,
    lines: list[OrderLineRow],
    policy: StockPolicy,
    held: int,
    shown_now: int,
    may_raise: bool,
    more: int,
) -> None:
    """Monotone in the stock; and a further promise never shows more."""

    def wanted(of: StockRow, reserving: list[OrderLineRow]) -> int:
        return plan_quantity(
            of, reserving, policy, held=held, shown_now=shown_now, may_raise=may_raise, now=NOON
        ).wanted

    assert wanted(stock, lines) <= wanted(replace(stock, quantity=stock.quantity + more), lines)
    assert wanted(stock, [*lines, line(8, quantity=more)]) <= wanted(stock, lines)


@given(lines_of_a_sku, times, times, st.sampled_from(["accepted", "paid"]))
def test_a_later_count_never_reserves_more(
    lines: list[OrderLineRow], one: datetime, other: datetime, known_from: str
) -> None:
    """What a count knows, later counts know as well."""
    earlier, later = sorted([one, other])
    assert reserved_units(lines, later, known_from) <= reserved_units(lines, earlier, known_from)  # type: ignore[arg-type]


@given(st.integers(-5, 20), st.integers(0, 5), limits)
def test_the_formula(sellable: int, safety: int, most: int | None) -> None:
    """min(max, max(0, sellable - safety))."""
    expected = max(0, sellable - safety) if most is None else min(most, max(0, sellable - safety))
    assert quantity_to_show(sellable, safety, most) == expected


@pytest.mark.parametrize(
    ("zeroings", "live", "looks_broken"),
    [
        (0, 0, False),
        (1, 1, False),
        (1, 2, False),
        (2, 2, True),
        (2, 3, True),
        (2, 4, False),
        (50, 100, False),
        (51, 100, True),
        (497, 990, True),
    ],
)
def test_a_feed_that_zeroes_more_than_its_share_looks_broken(zeroings: int, live: int, looks_broken: bool) -> None:
    """Two of three are more than half, two of four are not; a single one never is, whatever its share."""
    assert is_mass_zero(zeroings, live, 50) is looks_broken


@pytest.mark.parametrize(
    ("stock", "safety_qty", "max_qty", "reserved", "explained"),
    [
        (3, 0, None, 3, True),
        (1, 0, None, 1, True),
        (3, 2, None, 1, True),
        (3, 3, None, 1, False),
        (0, 0, None, 0, False),
        (-1, 0, None, 0, False),
        (3, 0, 0, 3, False),
        (3, 0, 1, 3, True),
    ],
)
def test_orders_explain_a_zero_where_the_count_alone_would_show_something(
    stock: int, safety_qty: int, max_qty: int | None, reserved: int, explained: bool
) -> None:
    """A count, a safety quantity or a maximum that shows nothing by itself is the feed's doing, and guarded."""
    lines = [line(1, quantity=reserved)] if reserved else []
    row = StockRow("A", stock, COUNTED, safety_qty=safety_qty, max_qty=max_qty)
    plan = plan_quantity(row, lines, StockPolicy(), held=0, shown_now=1, may_raise=True, now=NOON)
    assert plan.wanted == 0
    assert is_explained_by_orders(plan) is explained


@pytest.mark.parametrize(
    ("stock", "held", "lines", "explained"),
    [
        (1, 0, [line(10)], False),
        (3, 0, [line(1, quantity=3), line(10)], True),
        (3, 0, [line(1, quantity=2), line(10)], False),
        (3, 1, [line(1, quantity=2), line(10)], True),
        (4, 0, [line(2, quantity=2, accepted_at=AFTER), line(10, accepted_at=AFTER), line(10)], False),
        (1, 0, [line(10), line(10, accepted_at=BEFORE), line(10, is_gone=True), line(1)], True),
    ],
)
def test_orders_in_an_unknown_state_explain_no_zero(
    stock: int, held: int, lines: list[OrderLineRow], explained: bool
) -> None:
    """What other orders and units held leave without them decides."""
    row = StockRow("A", stock, COUNTED)
    plan = plan_quantity(row, lines, StockPolicy(), held=held, shown_now=1, may_raise=True, now=NOON)
    assert plan.wanted == 0
    assert is_explained_by_orders(plan) is explained


def test_orders_of_more_units_than_a_column_holds_reserve_the_most_that_one_does() -> None:
    """Two lines that add up to more stop no other SKU's plan; of this one nothing is left."""
    plenty = [line(1, quantity=MOST_UNITS), line(1, quantity=MOST_UNITS)]
    found = plan_quantity(
        StockRow("A", 5, COUNTED), plenty, StockPolicy(), held=0, shown_now=5, may_raise=True, now=NOON
    )
    assert (found.reserved, found.wanted) == (MOST_UNITS, 0)
