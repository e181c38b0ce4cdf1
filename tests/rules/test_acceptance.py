"""Units are promised once, to the oldest order first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.acceptance import judge_acceptance, judge_stock, requests
from backmarket.rules.inventory import KnownFrom, OrderLineRow, StockPolicy, StockRow, reserved_units
from backmarket.rules.order_facts import Decision, LineFacts, OrderFacts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = StockPolicy()


def _order(order_id: int, *lines: tuple[str, int, int], age_hours: int = 1) -> OrderFacts:
    """An order of lines (SKU, quantity, state), paid so many hours ago."""
    facts = tuple(
        LineFacts(order_id * 10 + number, state, quantity, sku) for number, (sku, quantity, state) in enumerate(lines)
    )
    return OrderFacts(order_id, facts, paid_at=NOW - timedelta(hours=age_hours))


def _rows(*orders: OrderFacts, accepted_at: datetime | None = None) -> dict[str, list[OrderLineRow]]:
    found: dict[str, list[OrderLineRow]] = {}
    for order in orders:
        for line in order.lines:
            row = OrderLineRow(
                line.orderline_id,
                order.order_id,
                line.sku or "",
                line.quantity,
                line.state,
                None,
                order.paid_at,
                accepted_at,
            )
            found.setdefault((line.sku or "").lower(), []).append(row)
    return found


def _accepted(stock: int, *orders: OrderFacts, policy: StockPolicy = POLICY, counted: datetime = NOW) -> list[int]:
    """Which orders' requests are covered."""
    queue = requests(orders)
    row = StockRow("a", stock, counted)
    decisions = judge_stock(queue, {"a": row}, _rows(*orders, accepted_at=NOW), policy, now=NOW)
    return [each.order.order_id for each, decision in zip(queue, decisions, strict=True) if decision.verdict == "send"]


def test_the_queue_goes_by_payment_then_by_id() -> None:
    """Lines of one SKU of one order are one request; lines that are not paid are none."""
    first, second = _order(2, ("A", 1, 1), ("A", 1, 1), ("B", 1, 9)), _order(1, ("A", 1, 1))
    unpaid = OrderFacts(0, (LineFacts(5, 1, 1, "A"),))
    assert [(each.order.order_id, len(each.lines)) for each in requests([unpaid, first, second])] == [
        (1, 1),
        (2, 2),
        (0, 1),
    ]
    assert [each.order.order_id for each in requests([second, _order(9, ("A", 1, 1), age_hours=5)])] == [9, 1]


def test_older_promises_come_first() -> None:
    """Three units, three orders of two: the oldest gets them, and those behind wait for a person, not for luck."""
    orders = [_order(number, ("A", 2, 1), age_hours=9 - number) for number in (1, 2, 3)]
    assert _accepted(3, *orders) == [1]
    assert _accepted(3, _order(1, ("A", 4, 1), age_hours=5), _order(2, ("A", 1, 1))) == []


def test_what_was_accepted_after_the_count_is_promised_already() -> None:
    """An accepted line that the count cannot know of takes its units, however young its order."""
    assert _accepted(1, _order(1, ("A", 1, 2)), _order(2, ("A", 1, 1)), counted=NOW - timedelta(hours=1)) == []
    assert _accepted(1, _order(1, ("A", 1, 2)), _order(2, ("A", 1, 1)), counted=NOW) == [2]


@pytest.mark.parametrize("known_from", ["accepted", "paid"])
@pytest.mark.parametrize(
    ("accepted_at", "is_gone", "is_promised"),
    [
        (NOW, False, True),
        (None, False, True),
        (NOW - timedelta(hours=2), False, False),
        (None, True, False),
        (NOW, True, True),
    ],
)
def test_a_line_in_an_unknown_state_is_promised_what_the_quantities_reserve_for_it(
    known_from: KnownFrom, accepted_at: datetime | None, is_gone: bool, is_promised: bool
) -> None:
    """Its unit may be on its way; not where the count knows of it, or it went before it was accepted."""
    counted, paid = NOW - timedelta(hours=1), _order(2, ("A", 1, 1), age_hours=0)
    policy, row = StockPolicy(known_from=known_from), StockRow("a", 1, counted)
    odd = OrderLineRow(10, 1, "A", 1, 10, accepted_at=accepted_at, is_gone=is_gone)
    rows = {"a": [odd, *_rows(paid)["a"]]}
    (decision,) = judge_stock(requests([paid]), {"a": row}, rows, policy, now=NOW)
    assert (decision.verdict == "send") is not is_promised
    assert reserved_units([odd], counted, known_from) == is_promised


def test_a_count_that_knows_of_paid_orders_has_set_their_units_aside() -> None:
    """With ``backmarket_stock_known_from`` = paid, an order paid before the count needs nothing more."""
    policy = StockPolicy(known_from="paid")
    assert _accepted(0, _order(1, ("A", 1, 1)), policy=policy) == [1]
    assert _accepted(0, _order(1, ("A", 1, 1)), policy=policy, counted=NOW - timedelta(hours=2)) == []
    counted = NOW - timedelta(minutes=30)
    assert _accepted(1, _order(1, ("A", 1, 2)), _order(2, ("A", 1, 1)), policy=policy, counted=counted) == [2]


@pytest.mark.parametrize("known_from", ["accepted", "paid"])
@pytest.mark.parametrize(("minutes", "until_minutes"), [(120, None), (-5, 120), (3, None)])
def test_on_a_count_from_the_future_nothing_is_promised(
    known_from: KnownFrom, minutes: int, until_minutes: int | None
) -> None:
    """It would seem to know of what was promised on it: in each run the same unit would be promised anew."""
    until = None if until_minutes is None else NOW + timedelta(minutes=until_minutes)
    row = StockRow("a", 1, NOW + timedelta(minutes=minutes), orders_known_until=until)
    first, second = _order(1, ("A", 1, 2)), _order(2, ("A", 1, 1), age_hours=0)
    rows = _rows(first, second, accepted_at=NOW - timedelta(minutes=1))
    policy = StockPolicy(known_from=known_from)
    (decision,) = judge_stock(requests([first, second]), {"a": row}, rows, policy, now=NOW)
    latest = max(row.counted_at, until or row.counted_at)
    words = (
        f"stock: the count, or what it knows of, lies in the future ({latest:%Y-%m-%d %H:%M} UTC): is it local time?"
    )
    assert decision == Decision("refuse", words)


def test_clocks_may_be_two_minutes_apart() -> None:
    """A count that is so little ahead was made now."""
    assert _accepted(1, _order(1, ("A", 1, 1)), counted=NOW + timedelta(minutes=2)) == [1]


def test_a_sku_without_a_count_holds_up_no_other() -> None:
    """Its request is refused; those behind it are judged by their own counts."""
    assert _accepted(1, _order(1, ("B", 1, 1), age_hours=2), _order(2, ("A", 1, 1))) == [2]


def test_safety_plays_no_part() -> None:
    """What was sold already is not held back."""
    assert _accepted(1, _order(1, ("A", 1, 1)), policy=StockPolicy(safety_qty=5)) == [1]


@given(st.integers(-2, 9), st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=8))
def test_never_more_is_promised_than_is_there(stock: int, wanted: list[tuple[int, int]]) -> None:
    """The sum of what is accepted fits the count, and who is accepted is older than who is not."""
    orders = [_order(number, ("A", quantity, 1), age_hours=age) for number, (quantity, age) in enumerate(wanted, 1)]
    accepted = _accepted(stock, *orders)
    assert sum(order.lines[0].quantity for order in orders if order.order_id in accepted) <= max(stock, 0)
    queue = [each.order.order_id for each in requests(orders)]
    assert accepted == queue[: len(accepted)]


def test_the_state_of_the_order_decides_first() -> None:
    """Paid is sent, accepted is done, on hold waits, also beside a paid line of the same SKU."""
    order = _order(1, ("A", 1, 1), ("A", 1, 2), ("B", 1, 9), ("C", 1, 4), ("D", 1, 1), ("D", 1, 9))
    verdicts = {
        sku: judge_acceptance(order, sku, [line.orderline_id for line in order.lines if line.sku == sku]).verdict
        for sku in "ABCD"
    }
    assert verdicts == {"A": "send", "B": "wait", "C": "refuse", "D": "wait"}
    assert judge_acceptance(order, "A", [11]).verdict == "done"
    assert judge_acceptance(_order(1, ("", 1, 1)), "", [10]).verdict == "refuse"


@pytest.mark.parametrize(
    ("sku", "verdict", "reason"),
    [
        ("", "refuse", "the line has no SKU, without which Back Market accepts nothing: accept it in the Back Office"),
        ("HELD", "wait", "waits: not paid, or on hold"),
        ("GONE", "refuse", "cancelled or never paid"),
        (
            "BESIDE",
            "wait",
            "waits: another line of this SKU is on hold or not paid, and one call accepts every line of a SKU",
        ),
        ("PAID", "send", ""),
    ],
)
def test_a_person_reads_why_a_line_is_not_accepted(sku: str, verdict: str, reason: str) -> None:
    """What stands in the ledger beside a line that waits or is refused."""
    order = _order(1, ("", 1, 1), ("HELD", 1, 9), ("GONE", 1, 4), ("BESIDE", 1, 1), ("BESIDE", 1, 8), ("PAID", 1, 1))
    ids = [line.orderline_id for line in order.lines if line.sku == sku]
    assert judge_acceptance(order, sku, ids) == Decision(verdict, reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("states", [(99,), (1, 99), (4, 99)])
def test_a_line_in_a_state_nobody_knows_waits_and_the_state_is_named(states: tuple[int, ...]) -> None:
    """It may be open still: neither is it called cancelled, nor is another of its SKU accepted in one call with it."""
    order = _order(1, *(("A", 1, state) for state in states))
    decision = judge_acceptance(order, "A", [line.orderline_id for line in order.lines])
    reason = "waits: a line is in state 99, which this version does not know: look at the order in the Back Office"
    assert decision == Decision("wait", reason)


def test_a_line_without_sku_is_asked_for_without_one() -> None:
    """It is refused with a reason, not lost."""
    order = OrderFacts(1, (LineFacts(10, 1, 1, None),), paid_at=NOW)
    assert [(each.sku, each.orderline_ids) for each in requests([order])] == [("", (10,))]


def test_a_person_reads_what_the_stock_lacks() -> None:
    """No row, an old count, or too few units: the reason names the SKU, the moment or the units."""
    (request,) = requests([_order(1, ("A-Black", 2, 1))])
    rows = {"a-black": _rows(request.order)["a-black"]}
    old, short = StockRow("A-Black", 9, NOW - timedelta(days=2)), StockRow("A-Black", -1, NOW)
    reasons = [
        judge_stock([request], stock, known, POLICY, now=NOW)[0]
        for stock, known in (({}, {}), ({"a-black": old}, rows), ({"a-black": short}, rows))
    ]
    assert reasons == [
        Decision("refuse", "stock: seller.stock has no row that can be used, or several, for SKU A-Black"),
        Decision("refuse", "stock: the count of 2026-02-27 12:00 UTC is too old to promise anything on it"),
        Decision("refuse", "stock: 2 needed, 0 of -1 left after older promises"),
    ]
