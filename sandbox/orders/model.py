"""Order and line states, and how an order's state follows from its lines."""

from typing import Any

Document = dict[str, Any]

NEW, PAID, TO_SHIP, UNPAID, PROCESSED, AWAITING_PAYMENT = 0, 1, 3, 8, 9, 10
"""States of an order; there is no state 2."""

LINE_NEW, LINE_PAID, LINE_ACCEPTED, LINE_SHIPPED, LINE_CANCELLED = 0, 1, 2, 3, 4
LINE_REFUNDED_BEFORE, LINE_REFUNDED_AFTER, LINE_UNPAID, LINE_AWAITING_PAYMENT, LINE_ON_HOLD = 5, 6, 7, 8, 9

LINES_PER_ORDER = 10
"""A line's id is its order's id times this, plus its place: ids never meet."""

HIDDEN_STATES = frozenset({NEW, UNPAID})
"""Orders in these states are never listed."""

LINE_STATE_OF_ORDER = {
    NEW: LINE_NEW,
    AWAITING_PAYMENT: LINE_AWAITING_PAYMENT,
    PAID: LINE_PAID,
    TO_SHIP: LINE_ACCEPTED,
    UNPAID: LINE_UNPAID,
    PROCESSED: LINE_SHIPPED,
}
"""The line state that an order made in a given state has on its lines."""

_BY_EARLIEST_LINE = (
    (LINE_NEW, NEW),
    (LINE_AWAITING_PAYMENT, AWAITING_PAYMENT),
    (LINE_PAID, PAID),
    (LINE_ON_HOLD, PAID),
    (LINE_ACCEPTED, TO_SHIP),
    (LINE_SHIPPED, TO_SHIP),
)


def order_state(line_states: set[int], *, delivered: bool) -> int:
    """Derive the order's state: the least advanced line decides.

    A shipped order stays in 3 until the carrier confirms (`delivered`); wholly cancelled or refunded ones are 9.
    """
    if line_states == {LINE_UNPAID}:
        return UNPAID
    for line_state, state in _BY_EARLIEST_LINE:
        if line_state in line_states and not (delivered and line_state == LINE_SHIPPED):
            return state
    return PROCESSED


def refresh_state(document: Document) -> None:
    """Set an order's state after one of its lines changed."""
    states = {line["state"] for line in document["orderlines"]}
    document["state"] = order_state(states, delivered=document["state"] == PROCESSED)
