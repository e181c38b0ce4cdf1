"""Which prices go out in a batch, and how each of its lines ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.rules.batch_end import MOST_SENDINGS, End
from backmarket.rules.price_batches import PriceLine, columns_of_price, end_of_price, takes_fewer_requests

if TYPE_CHECKING:
    from backmarket.rules.batch_end import BatchState

SENT = datetime(2026, 9, 1, 12, tzinfo=UTC)
DEADLINE = timedelta(minutes=45)
NOT_SHOWN = "but the price does not show after 45 minutes; it is sent again"


@pytest.mark.parametrize(
    ("prices", "pages", "batch"), [(1, 1, False), (6, 1, False), (7, 1, True), (300, 400, False), (406, 400, True)]
)
def test_a_batch_is_chosen_where_it_needs_fewer_requests(prices: int, pages: int, batch: bool) -> None:
    """One POST, some looks and the pages to read back, against a request for each price."""
    assert takes_fewer_requests(prices, pages) is batch


def _line(batch: BatchState, **values: Any) -> PriceLine:
    return PriceLine(**{"batch": batch, "sent_at": SENT, "attempts": 1, "shown": False, **values})


@pytest.mark.parametrize(
    ("line", "minutes", "status"),
    [
        (_line("done", shown=True), 1, "confirmed"),
        (_line("running", shown=True), 1, "confirmed"),
        (_line("lost", shown=True), 60, "confirmed"),
        (_line("done", error="too high"), 1, "refused"),
        (_line("done"), 1, "unknown"),
        (_line("running"), 1, "unknown"),
        (_line("lost"), 44, "unknown"),
        (_line("done"), 46, "planned"),
        (_line("running"), 46, "planned"),
        (_line("lost"), 46, "planned"),
        (_line("failed", error="interrupted"), 1, "planned"),
        (_line("failed", error="interrupted", attempts=MOST_SENDINGS), 1, "refused"),
        (_line("lost", attempts=MOST_SENDINGS), 46, "refused"),
    ],
)
def test_how_a_price_ends(line: PriceLine, minutes: int, status: str) -> None:
    """What shows is confirmed; what may still come is waited for; the rest goes out again, three times at most."""
    assert end_of_price(line, now=SENT + timedelta(minutes=minutes), deadline=DEADLINE).status == status


@pytest.mark.parametrize(
    ("line", "after", "status", "reason"),
    [
        (_line("done"), DEADLINE / 2, "unknown", "sent in a batch; the price does not show yet"),
        (_line("done", error="too high"), DEADLINE, "refused", "Back Market: too high"),
        (_line("failed", error="cut"), DEADLINE, "planned", "the batch failed: cut; it is sent again"),
        (_line("lost"), DEADLINE, "planned", f"the answer to the batch was lost, {NOT_SHOWN}"),
        (_line("running"), DEADLINE, "planned", f"Back Market has not finished the batch, {NOT_SHOWN}"),
        (_line("done"), DEADLINE, "planned", f"the batch reports no error, {NOT_SHOWN}"),
    ],
)
def test_an_end_says_why(line: PriceLine, after: timedelta, status: str, reason: str) -> None:
    """A person reads what happened to the batch, and after how long."""
    assert end_of_price(line, now=SENT + after, deadline=DEADLINE) == End(status, reason)  # type: ignore[arg-type]


def test_a_line_changes_the_price_and_nothing_else() -> None:
    """No quantity, which may have been sold since; the grade as it is, without which Back Market takes GOOD."""
    assert columns_of_price("A", "9.99", "EUR", "FAIR") == {
        "sku": "A",
        "price": "9.99",
        "currency": "EUR",
        "grade": "FAIR",
    }
