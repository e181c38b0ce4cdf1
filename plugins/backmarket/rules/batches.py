"""Decides which prices go out in a batch, and how a line of a batch ended: by what Back Market reports and shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SKU_LINES_AN_HOUR = 1_950
"""A little under the 2,000 that Back Market takes (spec): it counts arrivals, we count departures."""

MOST_LINES_OF_A_BATCH = SKU_LINES_AN_HOUR // 4
"""Finding the one line for which a batch is refused takes three times the lines of the batch: so many fit into an
unspent hour beside what is kept for quantities. Back Market itself takes 15,000 lines (spec)."""

MOST_SENDINGS = 3
"""How often a line is sent that Back Market neither applies nor refuses."""

GIVEN_UP_AFTER = timedelta(days=1)
"""How long to wait for a batch of new listings that never ends."""

POLLS = 4
"""How often a batch is polled before it is done, as a rule: it takes seconds to minutes."""

BatchState = Literal["running", "done", "failed", "lost"]


@dataclass(frozen=True)
class Line:
    """One line of a batch: a new listing, or a price.

    :param batch: the state of its batch; ``lost`` where the answer to its POST was lost.
    :param attempts: how often the line was sent.
    :param is_shown: whether Back Market shows what was sent: a listing of the SKU, or the price.
    :param error: what the batch reports of this line, or of itself where it failed as a whole.
    :param differences: between the listing that was sent and the one that is shown.
    """

    batch: BatchState
    sent_at: datetime
    attempts: int
    is_shown: bool
    error: str = ""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """How a line ended.

    :param status: ``unknown``: look again; ``planned``: to be sent again.
    """

    status: Literal["confirmed", "refused", "unknown", "planned"]
    reason: str = ""


def end_of_creation(line: Line, *, now: datetime, deadline: timedelta) -> End:
    """Decide how a new listing ended.

    :param deadline: how long after sending a listing may still appear.
    """
    if line.is_shown:
        return _created(line)
    if line.batch == "running":
        return _still_running(line, now=now, deadline=deadline)
    missing = f"no listing has appeared in {minutes(deadline)}"
    return _end_of_missing(line, "sent; no listing has appeared yet", missing, now=now, deadline=deadline)


def end_of_price(line: Line, *, now: datetime, deadline: timedelta) -> End:
    """Decide how a price ended.

    Unlike a new listing, a price may be sent again while its batch is still running, once the deadline has passed: if
    the first batch takes effect after all, the next reading shows it, and the next plan corrects it.

    :param deadline: how long after sending a price may still appear.
    """
    if line.is_shown:
        return End("confirmed")
    missing = f"the price does not show after {minutes(deadline)}"
    return _end_of_missing(line, "sent in a batch; the price does not show yet", missing, now=now, deadline=deadline)


def _end_of_missing(line: Line, waiting: str, missing: str, *, now: datetime, deadline: timedelta) -> End:
    """Decide how a line ended that Back Market does not show.

    :param waiting: the reason before the deadline, for a person.
    :param missing: what has not happened by the deadline, for a person.
    """
    if line.batch == "failed":
        return again_or_refused(line.attempts, f"the batch failed: {line.error}")
    if line.error:
        return End("refused", f"Back Market: {line.error}")
    if now < line.sent_at + deadline:
        return End("unknown", waiting)
    batch = {
        "running": "Back Market has not finished the batch",
        "lost": "the answer to the batch was lost",
        "done": "the batch reports no error",
    }[line.batch]
    return again_or_refused(line.attempts, f"{batch}, but {missing}")


def next_poll(sent_at: datetime, *, now: datetime, poll: timedelta, deadline: timedelta) -> datetime:
    """Return when to look again for what was sent: at growing intervals, and once at the deadline."""
    waited = max(poll, min(now - sent_at, timedelta(minutes=10)))
    return min(now + waited, max(sent_at + deadline, now + poll))


def _created(line: Line) -> End:
    remarks = [*line.differences, *([f"Back Market reports: {line.error}"] if line.error else [])]
    return End("confirmed", f"created, but {'; '.join(remarks)}" if remarks else "")


def _still_running(line: Line, *, now: datetime, deadline: timedelta) -> End:
    if now >= line.sent_at + GIVEN_UP_AFTER:
        return End(
            "refused",
            "Back Market never finished the batch; look for it in the Back Office. Start a run with retry_refused to "
            "send it again",
        )
    is_overdue = now >= line.sent_at + deadline
    return End("unknown", "Back Market has not finished the batch in time" if is_overdue else "Back Market is at work")


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


def takes_fewer_requests(prices: int, pages: int) -> bool:
    """Tell whether a batch of these prices of a market needs fewer requests than a request for each.

    A batch is posted, polled, and read back with the pages of the whole market. Either way a price takes one SKU line
    of the hour's budget.

    :param prices: how many change.
    :param pages: how many pages hold all listings of the market.
    """
    return 1 + POLLS + pages < prices


def columns_of_price(sku: str, price: str, currency: str, grade: str) -> dict[str, str]:
    """Return a line that changes a price and nothing else.

    It has no quantity: units may have been sold since the quantity was read. It has the grade, unchanged: Back Market
    takes a line without one for GOOD (seen by sellers).

    :param sku: as Back Market writes it.
    """
    return {"sku": sku, "price": price, "currency": currency, "grade": grade}
