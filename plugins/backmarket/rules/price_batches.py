"""Decides which prices go out in a batch, what its lines say, and how each of them ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.rules.batch_end import BatchState, End, again_or_refused, minutes

if TYPE_CHECKING:
    from datetime import datetime, timedelta

LOOKS = 4
"""How often a batch is looked at before it is done, as a rule: it takes seconds to minutes."""


def takes_fewer_requests(prices: int, pages: int) -> bool:
    """Tell whether a batch of these prices of a market needs fewer requests than a request for each.

    A batch is posted, looked at, and read back with the pages of the whole market; its hour's budget is the same.

    :param prices: to be changed.
    :param pages: how many hold all listings of the market.
    """
    return 1 + LOOKS + pages < prices


def columns_of_price(sku: str, price: str, currency: str, grade: str) -> dict[str, str]:
    """Return a line that changes a price and nothing else.

    The quantity stays away: it may have been sold since it was read. The grade goes along as it is: Back Market takes
    a line without one for GOOD (seen by sellers).

    :param sku: as Back Market writes it.
    """
    return {"sku": sku, "price": price, "currency": currency, "grade": grade}


@dataclass(frozen=True)
class PriceLine:
    """A price that was sent in a batch.

    :param batch: where the batch is; ``lost`` where the answer to its POST was.
    :param shown: whether Back Market shows the price.
    :param error: what the batch reports of this line, or of itself where it failed as a whole.
    :param attempts: how often the price was sent.
    """

    batch: BatchState
    sent_at: datetime
    attempts: int
    shown: bool
    error: str = ""


def end_of_price(line: PriceLine, *, now: datetime, deadline: timedelta) -> End:
    """Decide how a price ended.

    Unlike a listing that is created, a price may be sent again while its batch is still at work, once the deadline
    has passed: what comes of it late is seen by the next reading, and put right.

    :param deadline: how long after sending a price may still appear.
    """
    if line.shown:
        return End("confirmed")
    if line.batch == "failed":
        return again_or_refused(line.attempts, f"the batch failed: {line.error}")
    if line.error:
        return End("refused", f"Back Market: {line.error}")
    if now < line.sent_at + deadline:
        return End("unknown", "sent in a batch; the price does not show yet")
    what = {
        "running": "Back Market has not finished the batch",
        "lost": "the answer to the batch was lost",
        "done": "the batch reports no error",
    }[line.batch]
    return again_or_refused(line.attempts, f"{what}, but the price does not show after {minutes(deadline)}")
