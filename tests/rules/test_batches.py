"""Which prices go out in a batch, how a line of a batch ends, and what a person reads of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.rules.batches import (
    MOST_SENDINGS,
    End,
    Line,
    columns_of_price,
    end_of_creation,
    end_of_price,
    minutes,
    next_poll,
    takes_fewer_requests,
)

if TYPE_CHECKING:
    from backmarket.rules.batches import BatchState

SENT = datetime(2026, 9, 1, 12, tzinfo=UTC)
DEADLINE = timedelta(minutes=45)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NOT_SHOWN = "but the price does not show after 45 minutes; it is sent again"


def _line(batch: BatchState, **values: Any) -> Line:
    return Line(**{"batch": batch, "sent_at": SENT, "attempts": 1, "is_shown": False, **values})


NEVER_FINISHED = (
    "Back Market never finished the batch; look for it in the Back Office. Start a run with retry_refused to send it "
    "again"
)


@pytest.mark.parametrize(
    ("line", "after", "status", "reason"),
    [
        (_line("running", is_shown=True), SECOND, "confirmed", ""),
        (_line("failed", is_shown=True), SECOND, "confirmed", ""),
        (
            _line("done", is_shown=True, differences=("price 9 instead of 8", "grade 1"), error="odd grade"),
            SECOND,
            "confirmed",
            "created, but price 9 instead of 8; grade 1; Back Market reports: odd grade",
        ),
        (_line("running"), DEADLINE - SECOND, "unknown", "Back Market is at work"),
        (_line("running"), DEADLINE, "unknown", "Back Market has not finished the batch in time"),
        (_line("running"), DAY - SECOND, "unknown", "Back Market has not finished the batch in time"),
        (_line("running"), DAY, "refused", NEVER_FINISHED),
        (_line("failed", error="broken"), SECOND, "planned", "the batch failed: broken; it is sent again"),
        (_line("failed", error="broken", attempts=3), SECOND, "refused", "the batch failed: broken; sent 3 times"),
        (_line("done", error="no such product"), SECOND, "refused", "Back Market: no such product"),
        (_line("done"), DEADLINE - SECOND, "unknown", "sent; no listing has appeared yet"),
        (
            _line("done", attempts=2),
            DEADLINE,
            "planned",
            "the batch reports no error, but no listing has appeared in 45 minutes; it is sent again",
        ),
        (
            _line("lost", attempts=3),
            DEADLINE,
            "refused",
            "the answer to the batch was lost, but no listing has appeared in 45 minutes; sent 3 times",
        ),
    ],
)
def test_how_a_line_ends_and_why(line: Line, after: timedelta, status: str, reason: str) -> None:
    """What shows is created; what may still come is waited for, to the deadline; the rest is sent three times."""
    assert end_of_creation(line, now=SENT + after, deadline=DEADLINE) == End(status, reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("span", "words"),
    [(0, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (150, "2 minutes"), (7200, "120 minutes")],
)
def test_a_span_is_written_as_people_say_it(span: int, words: str) -> None:
    """Seconds below two minutes, minutes above."""
    assert minutes(timedelta(seconds=span)) == words


@pytest.mark.parametrize(
    ("after", "next_after"), [(0, 30), (30, 60), (300, 600), (1200, 1800), (2400, 2700), (2690, 2720), (9000, 9030)]
)
def test_what_was_sent_is_looked_at_ever_less_often(after: int, next_after: int) -> None:
    """After as long again, ten minutes at most, once at the deadline, and at each poll from then on."""
    seconds = timedelta(seconds=1)
    at = next_poll(SENT, now=SENT + after * seconds, poll=30 * seconds, deadline=DEADLINE)
    assert at == SENT + next_after * seconds


@pytest.mark.parametrize(
    ("prices", "pages", "batch"), [(1, 1, False), (6, 1, False), (7, 1, True), (300, 400, False), (406, 400, True)]
)
def test_a_batch_is_chosen_where_it_needs_fewer_requests(prices: int, pages: int, batch: bool) -> None:
    """One POST, some looks and the pages to read back, against a request for each price."""
    assert takes_fewer_requests(prices, pages) is batch


@pytest.mark.parametrize(
    ("line", "after", "status"),
    [
        (_line("done", is_shown=True), 1, "confirmed"),
        (_line("running", is_shown=True), 1, "confirmed"),
        (_line("lost", is_shown=True), 60, "confirmed"),
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
def test_how_a_price_ends(line: Line, after: int, status: str) -> None:
    """What shows is confirmed; what may still come is waited for; the rest goes out again, three times at most."""
    assert end_of_price(line, now=SENT + timedelta(minutes=after), deadline=DEADLINE).status == status


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
def test_the_end_of_a_price_says_why(line: Line, after: timedelta, status: str, reason: str) -> None:
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
