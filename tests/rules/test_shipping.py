"""Which shipment row ships which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.order_facts import Decision, LineFacts, OrderFacts
from backmarket.rules.shipping import Shipment, judge_shipments, judge_tracking

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STATES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), min_size=1, max_size=4)


def _order(*states: int, **more: Any) -> OrderFacts:
    return OrderFacts(1, tuple(LineFacts(number, state, 1, "A") for number, state in enumerate(states)), **more)


@given(STATES)
def test_an_order_is_shipped_when_all_its_lines_are_accepted_or_final(states: list[int]) -> None:
    """One line that is not accepted yet holds it; without an accepted line there is nothing to ship."""
    verdict = judge_tracking(_order(*states), "T").verdict
    assert (verdict == "wait") == bool({0, 1, 8, 9} & set(states))
    assert (verdict == "send") == (not {0, 1, 8, 9} & set(states) and 2 in states)


@pytest.mark.parametrize("states", [(2, 99), (99,), (4, 99)])
def test_a_line_in_a_state_nobody_knows_keeps_the_shipment(states: tuple[int, ...]) -> None:
    """It may have to go along: the order waits, is not called cancelled, and the state is named."""
    decision = judge_tracking(_order(*states), "T")
    reason = "waits: a line is in state 99, which this version does not know: look at the order in the Back Office"
    assert decision == Decision("wait", reason)
    assert judge_tracking(_order(*states, 98), "T").reason.startswith("waits: a line is in states 98, 99, which")


def test_what_is_shipped_stays_so_beside_a_state_nobody_knows() -> None:
    """Nothing is left to send: the number is shown, and no line waits for it."""
    assert judge_tracking(_order(3, 99, tracking_number="T"), "T") == Decision("done")


@given(STATES)
def test_after_the_shipment_it_is_done(states: list[int]) -> None:
    """Whatever was sent is recognised once every accepted line is shipped under that number."""
    if judge_tracking(_order(*states), "T 1").verdict == "send":
        shipped = [3 if state == 2 else state for state in states]
        assert judge_tracking(_order(*shipped, tracking_number="t1"), "T 1").verdict == "done"
        assert judge_tracking(_order(*shipped, tracking_number="T2"), "T 1").verdict == "refuse"


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        ({"tracking_number": "6X123", "shipped_at": NOW - timedelta(days=1)}, "send", ""),
        ({"tracking_number": None}, "refuse", "missing"),
        ({"tracking_number": "6" + "X1" * 100}, "refuse", "200"),
        ({"tracking_number": "6X\n123"}, "refuse", "cannot be printed"),
        ({"tracking_number": "N/A"}, "refuse", "placeholder"),
        ({"tracking_number": "6X123", "shipped_at": NOW + timedelta(hours=1)}, "wait", "future"),
    ],
)
def test_a_row_must_be_right(row: dict[str, Any], verdict: str, words: str) -> None:
    """What Back Market would refuse is refused here, in words."""
    decision = judge_shipments([Shipment(1, **row)], _order(2), now=NOW)
    assert decision.verdict == verdict
    assert words in decision.reason


def test_the_same_row_twice_is_one_shipment() -> None:
    """Only rows that differ contradict each other."""
    same, other = Shipment(1, "6X123"), Shipment(1, "6X124")
    assert judge_shipments([same, same], _order(2), now=NOW).verdict == "send"
    assert judge_shipments([same, other], _order(2), now=NOW).verdict == "refuse"


def test_back_markets_own_shipping_gets_no_tracking() -> None:
    """Neither from the table nor at the last look."""
    assert judge_shipments([Shipment(1, "6X123")], _order(2, is_backship=True), now=NOW).verdict == "refuse"
    assert judge_tracking(_order(2, is_backship=True), "T").verdict == "refuse"


def test_where_it_cannot_be_read_who_ships_nothing_is_sent() -> None:
    """The row waits until it can, and a person is told what to do."""
    order = _order(2, is_backship=None)
    for decision in (judge_shipments([Shipment(1, "T")], order, now=NOW), judge_tracking(order, "T")):
        assert decision.verdict == "wait"
        assert "Back Office" in decision.reason


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("500001", "order's or a line's own number"),
        ("50000177", "order's or a line's own number"),
        ("353918057982916", "IMEI of the order's own device"),
        ("35-391805-798291-6", "IMEI of the order's own device"),
        ("490154203237518", "IMEI of the order's own device"),
        ("ip13-128-mid", "a SKU"),
        ("https://track.example/AB12", "tracking_url"),
    ],
)
def test_a_tracking_number_is_nothing_else_of_its_order(number: str, words: str) -> None:
    """The order's id, a line's, the device's IMEI, registered or to be, and a SKU are no parcels."""
    line = LineFacts(50000177, 2, 1, "IP13-128-MID", imei="490154203237518")
    decision = judge_shipments(
        [Shipment(500001, number)], OrderFacts(500001, (line,)), imeis={"353918057982916"}, now=NOW
    )
    assert decision.verdict == "refuse"
    assert words in decision.reason


def test_one_parcel_in_two_spellings_is_one() -> None:
    """Neither two rows nor a shipped order make a second shipment of it; what was sent doubtful once stays done."""
    rows = [Shipment(1, "QA 1234 5678 9GB"), Shipment(1, "qa123456789gb.")]
    assert judge_shipments(rows, _order(2), now=NOW).verdict == "send"
    assert judge_tracking(_order(3, tracking_number="QA123456789GB"), "QA 1234 5678 9GB").verdict == "done"
    assert judge_tracking(_order(3, tracking_number="1234567890."), "tracking: 1234567890").verdict == "done"
    url = "https://track.example/AB12"
    assert judge_shipments([Shipment(1, url)], _order(3, tracking_number=url), now=NOW).verdict == "done"


@pytest.mark.parametrize(
    ("states", "more", "numbers", "verdict", "reason"),
    [
        (
            [2],
            {"is_backship": True},
            ["6X123"],
            "refuse",
            "Back Market ships this order itself (is_backship): it gets no tracking from you; remove the row",
        ),
        ([2], {}, ["6X123", "6X124"], "refuse", "2 different shipments for one order: keep the one that counts"),
        ([2], {}, ["N/A", "TBD"], "refuse", "2 different shipments for one order: keep the one that counts"),
        ([0, 1, 2], {}, ["6X123"], "wait", "waits: not all lines are accepted yet (line states 0, 1)"),
        (
            [3],
            {"tracking_number": "6X124"},
            ["6X123"],
            "refuse",
            "a second shipment: the order is already shipped under another tracking number",
        ),
        ([4, 5], {}, ["6X123"], "refuse", "every line is cancelled or refunded"),
        ([4, 5], {"tracking_number": "6X123"}, ["6X123"], "done", ""),
        ([3], {}, ["6X123"], "done", ""),
        ([2], {}, [None], "refuse", "waits: the tracking number is missing"),
        ([2], {}, ["\u200b"], "refuse", "waits: the tracking number is missing"),
    ],
)
def test_a_person_reads_why_a_shipment_is_not_sent(
    states: list[int], more: dict[str, Any], numbers: list[str | None], verdict: str, reason: str
) -> None:
    """What stands in the ledger beside a row that waits or is refused."""
    decision = judge_shipments([Shipment(1, number) for number in numbers], _order(*states, **more), now=NOW)
    assert decision == Decision(verdict, reason)  # type: ignore[arg-type]


def test_the_last_look_says_why_it_stops() -> None:
    """Back Market took the shipping over, or the number went, between the plan and the sending."""
    assert (
        judge_tracking(_order(2, is_backship=True), "T").reason == "Back Market ships this order itself (is_backship)"
    )
    assert judge_tracking(_order(2), None).reason == "waits: the tracking number is missing"


def test_a_parcel_shipped_just_now_is_sent() -> None:
    """Only what lies in the future is doubted."""
    assert judge_shipments([Shipment(1, "6X123", shipped_at=NOW)], _order(2), now=NOW).verdict == "send"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("500001", "the tracking number is the order's or a line's own number"),
        ("490154203237518", "the tracking number is the IMEI of the order's own device"),
        ("IP13-128-MID", "the tracking number is a SKU of the order"),
    ],
)
def test_a_person_reads_what_else_a_number_is(number: str, reason: str) -> None:
    """The words name the field it was copied from."""
    order = OrderFacts(500001, (LineFacts(50000177, 2, 1, "IP13-128-MID", imei="490154203237518"),))
    assert judge_shipments([Shipment(500001, number)], order, now=NOW) == Decision("refuse", reason)
