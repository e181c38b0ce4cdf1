"""An order that Back Market does not have is asked for ever less often, then no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backmarket.rules.order_askings import PAUSES, Asked, choose_orders_to_ask, refuse_unknown_order

FIRST = datetime(2026, 9, 1, 8, tzinfo=UTC)
LAST = datetime(2026, 9, 2, 9, 30, tzinfo=UTC)


def asked(order_id: int = 1, *, attempts: int = 1, last_at: datetime = LAST) -> Asked:
    """An order that Back Market did not have."""
    return Asked(order_id, attempts, FIRST, last_at)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 10), (2, 60), (3, 360), (4, 1440)])
def test_it_is_asked_for_again_after_a_longer_pause_each_time(attempts: int, minutes: int) -> None:
    """Ten minutes, an hour, six hours, a day."""
    order, due = asked(attempts=attempts), LAST + timedelta(minutes=minutes)
    assert order.is_due(due)
    assert not order.is_due(due - timedelta(seconds=1))
    assert not order.is_given_up


def test_after_five_askings_nobody_asks_any_more() -> None:
    """However long ago that was."""
    order = asked(attempts=5)
    assert order.is_given_up
    assert not order.is_due(LAST + timedelta(days=999))


def test_a_person_reads_what_was_done_and_what_to_do() -> None:
    """How often, between when and when, and how to end it."""
    assert str(asked(attempts=5)) == (
        "Back Market has no such order: asked 5 times between 2026-09-01 08:00 and 2026-09-02 09:30 UTC. "
        "Correct the order id, or remove the row"
    )


def test_new_orders_come_first_then_those_that_wait_longest() -> None:
    """The highest new id first; what is not due yet, or was given up, takes no request from others."""
    known = {
        2: asked(2, last_at=LAST - timedelta(hours=1)),
        3: asked(3, last_at=LAST - timedelta(hours=2)),
        4: asked(4, last_at=LAST),
        5: asked(5, attempts=5, last_at=FIRST),
        6: asked(6, last_at=LAST - timedelta(hours=3)),
    }
    wanted = [2, 3, 4, 5, 10, 12, 11]
    assert choose_orders_to_ask(wanted, known, now=LAST, most=9) == [12, 11, 10, 3, 2]
    assert choose_orders_to_ask(wanted, known, now=LAST, most=4) == [12, 11, 10, 3]


def test_a_row_of_an_unknown_order_is_refused_with_the_best_advice_there_is() -> None:
    """The id of a line says which order is meant; an order that was asked for often enough is a slip."""
    given_up = asked(7, attempts=len(PAUSES) + 1)
    for known in (None, asked(7), given_up):
        decision = refuse_unknown_order(7, 70, known)
        assert decision.verdict == "refuse"
        assert decision.reason == "waits: 7 is the id of a line of order 70: put 70 into order_id"
    assert refuse_unknown_order(7, None, given_up).reason == str(given_up)
    reason = "waits: this order is not known here and not on Back Market; check the order id"
    assert refuse_unknown_order(7, None, asked(7)).reason == reason


def test_an_order_that_back_market_may_have_is_not_called_a_slip() -> None:
    """It failed on the order, or sent what nobody understands: it never said that it has none."""
    reason = refuse_unknown_order(7, None, None).reason
    assert reason.startswith("waits: this order is not known here and could not be read so far: the log of the task")
    assert "not on Back Market" not in reason
