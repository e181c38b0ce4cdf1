"""Decides how a line of a batch ended, from what Back Market reports and from what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

MOST_SENDINGS = 3
"""How often a line is sent that Back Market neither creates nor refuses."""

GIVEN_UP_AFTER = timedelta(days=1)
"""How long a batch that never ends is looked at."""

BatchState = Literal["running", "done", "failed", "lost"]


@dataclass(frozen=True)
class Line:
    """One line of a batch.

    :param batch: where the batch is; ``lost`` where the answer to its POST was.
    :param error: what the batch reports of this line, or of itself where it failed as a whole.
    :param exists: whether Back Market shows a listing of the SKU.
    :param differences: between what was sent and what is shown.
    :param attempts: how often the line was sent.
    """

    batch: BatchState
    sent_at: datetime
    attempts: int
    exists: bool
    error: str = ""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """How a line ended.

    :param status: ``unknown``: look again; ``planned``: to be sent again.
    """

    status: Literal["confirmed", "refused", "unknown", "planned"]
    reason: str = ""


def end_of(line: Line, *, now: datetime, deadline: timedelta) -> End:
    """Decide how a line ended.

    :param deadline: how long after sending a SKU may still appear.
    """
    overdue = now >= line.sent_at + deadline
    if line.exists:
        return _created(line)
    if line.batch == "running":
        return _still_running(line, now=now, overdue=overdue)
    if line.batch == "failed":
        return again_or_refused(line.attempts, f"the batch failed: {line.error}")
    if line.error:
        return End("refused", f"Back Market: {line.error}")
    if not overdue:
        return End("unknown", "sent; no listing has appeared yet")
    what = "the answer to the batch was lost" if line.batch == "lost" else "the batch reports no error"
    return again_or_refused(line.attempts, f"{what}, but no listing has appeared in {minutes(deadline)}")


def next_look(sent_at: datetime, *, now: datetime, poll: timedelta, deadline: timedelta) -> datetime:
    """Tell when to look again for what was sent: ever less often, and once at the deadline."""
    waited = max(poll, min(now - sent_at, timedelta(minutes=10)))
    return min(now + waited, max(sent_at + deadline, now + poll))


def _created(line: Line) -> End:
    remarks = [*line.differences, *([f"Back Market reports: {line.error}"] if line.error else [])]
    return End("confirmed", f"created, but {'; '.join(remarks)}" if remarks else "")


def _still_running(line: Line, *, now: datetime, overdue: bool) -> End:
    if now >= line.sent_at + GIVEN_UP_AFTER:
        return End(
            "refused",
            "Back Market never finished the batch; look for it in the Back Office. Start a run with retry_refused to "
            "send it again",
        )
    return End("unknown", "Back Market has not finished the batch in time" if overdue else "Back Market is at work")


def again_or_refused(attempts: int, what: str) -> End:
    """Send a line again, unless it was sent often enough.

    :param what: happened to it, for a person.
    """
    if attempts < MOST_SENDINGS:
        return End("planned", f"{what}; it is sent again")
    return End("refused", f"{what}; sent {attempts} times")


def minutes(span: timedelta) -> str:
    """Write a span for a person."""
    return f"{round(span.total_seconds() / 60)} minutes" if span >= timedelta(minutes=2) else f"{span.seconds} seconds"
