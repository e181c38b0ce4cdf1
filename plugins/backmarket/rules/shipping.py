"""Decides which rows of ``seller.shipments`` ship which orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backmarket.rules.order_facts import (
    ACCEPTED,
    DONE,
    NOT_ACCEPTED_YET,
    SEND,
    SHIPPED,
    Decision,
    OrderFacts,
    refuse,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# Lengths as in the spec.
_LONGEST_NUMBER = 200
_LONGEST_URL = 300
_UNREADABLE_BACKSHIP = wait(
    "Back Market's is_backship is in no form known here, so it may ship this order itself; look at the order in the "
    "Back Office, and mark it shipped there if it is yours to ship"
)


@dataclass(frozen=True, slots=True)
class Shipment:
    """A row of ``seller.shipments``, cleaned: no blanks around texts, None for what is empty."""

    order_id: int
    tracking_number: str | None = None
    tracking_url: str | None = None
    shipper: str | None = None
    shipped_at: datetime | None = None


def judge_shipments(shipments: Iterable[Shipment], order: OrderFacts | None, *, now: datetime) -> Decision:
    """Decide about all rows of one order.

    :param order: None where Back Market, as far as is known here, has no such order.
    """
    rows = list(dict.fromkeys(shipments))
    if order is None:
        return refuse("waits: this order is not known here and not on Back Market; check the order id")
    if order.is_backship is None:
        return _UNREADABLE_BACKSHIP
    if order.is_backship:
        return refuse("Back Market ships this order itself (is_backship): it gets no tracking from you; remove the row")
    if len(rows) > 1:
        return refuse(f"{len(rows)} different shipments for one order: keep the one that counts")
    (row,) = rows
    decision = judge_tracking(order, row.tracking_number)
    return _judge_texts(row, now=now) if decision.verdict == "send" else decision


def judge_tracking(order: OrderFacts, tracking_number: str | None) -> Decision:
    """Decide, from an order as it is, whether a tracking number is to be sent, and whether it was.

    A shipment moves every accepted line at once, so all others must be past that point.
    """
    if order.is_backship is None:
        return _UNREADABLE_BACKSHIP
    if order.is_backship:
        return refuse("Back Market ships this order itself (is_backship)")
    states = {line.state for line in order.lines}
    if waiting := states & NOT_ACCEPTED_YET:
        return wait(f"not all lines are accepted yet (line states {', '.join(map(str, sorted(waiting)))})")
    if SHIPPED in states and _differ(order.tracking_number, tracking_number):
        return refuse("a second shipment: the order is already shipped under another tracking number")
    if ACCEPTED not in states:
        return DONE if SHIPPED in states or order.tracking_number else refuse("every line is cancelled or refunded")
    if not tracking_number:
        return refuse("waits: the tracking number is missing")
    return SEND


def sendable_url(url: str | None) -> str | None:
    """Return a tracking URL that Back Market takes, or None: a shipment is not held up for its link."""
    if url is None or len(url) > _LONGEST_URL:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None


def _judge_texts(row: Shipment, *, now: datetime) -> Decision:
    if row.tracking_number and len(row.tracking_number) > _LONGEST_NUMBER:
        return refuse(f"the tracking number has more than {_LONGEST_NUMBER} characters")
    if row.tracking_number and not row.tracking_number.isprintable():
        return refuse("the tracking number contains characters that cannot be printed")
    if row.shipped_at is not None and row.shipped_at > now:
        return wait(f"shipped_at lies in the future ({row.shipped_at:%Y-%m-%d %H:%M} UTC)")
    return SEND


def _differ(one: str | None, other: str | None) -> bool:
    """Tell whether two tracking numbers are both given and not the same."""
    if not one or not other:
        return False
    return "".join(one.split()).casefold() != "".join(other.split()).casefold()
