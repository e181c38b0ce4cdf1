"""How a line of a batch ends, and what a person reads of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.rules.batch_end import End, Line, end_of, minutes, next_look

if TYPE_CHECKING:
    from backmarket.rules.batch_end import BatchState

SENT = datetime(2026, 9, 1, 12, tzinfo=UTC)
DEADLINE = timedelta(minutes=45)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def _line(batch: BatchState, **values: Any) -> Line:
    return Line(**{"batch": batch, "sent_at": SENT, "attempts": 1, "exists": False, **values})


NEVER_FINISHED = (
    "Back Market never finished the batch; look for it in the Back Office. Start a run with retry_refused to send it "
    "again"
)


@pytest.mark.parametrize(
    ("line", "after", "status", "reason"),
    [
        (_line("running", exists=True), SECOND, "confirmed", ""),
        (_line("failed", exists=True), SECOND, "confirmed", ""),
        (
            _line("done", exists=True, differences=("price 9 instead of 8", "grade 1"), error="odd grade"),
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
    assert end_of(line, now=SENT + after, deadline=DEADLINE) == End(status, reason)  # type: ignore[arg-type]


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
    at = next_look(SENT, now=SENT + after * seconds, poll=30 * seconds, deadline=DEADLINE)
    assert at == SENT + next_after * seconds
