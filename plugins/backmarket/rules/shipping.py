"""Decides which rows of ``seller.shipments`` ship which orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING

from backmarket.rules.given_texts import letters_and_digits
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
    wait_for_unknown_states,
)
from backmarket.rules.tracking_numbers import TrackingNumberError, clean_tracking_number, is_same_parcel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

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


def judge_shipments(
    shipments: Iterable[Shipment], order: OrderFacts, *, imeis: Collection[str] = (), now: datetime
) -> Decision:
    """Decide about all rows of one order.

    :param imeis: those that the order's devices are to get.
    """
    rows = list(shipments)
    if order.is_backship is None:
        return _UNREADABLE_BACKSHIP
    if order.is_backship:
        return refuse("Back Market ships this order itself (is_backship): it gets no tracking from you; remove the row")
    if (different := len({_comparable(row) for row in rows})) > 1:
        return refuse(f"{different} different shipments for one order: keep the one that counts")
    row = rows[0]
    decision = judge_tracking(order, row.tracking_number)
    return _judge_row(row, order, imeis, now=now) if decision.verdict == "send" else decision


def judge_tracking(order: OrderFacts, tracking_number: str | None) -> Decision:
    """Decide, from an order as it is, whether a tracking number is to be sent, and whether it was.

    A shipment moves every accepted line at once, so all others must be past that point: of a line in a state that is
    not known, nobody can say whether it is.
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
    if ACCEPTED not in states and (SHIPPED in states or order.tracking_number):
        return DONE
    if unknown := wait_for_unknown_states(order.lines):
        return unknown
    if ACCEPTED not in states:
        return refuse("every line is cancelled or refunded")
    if not tracking_number:
        return refuse("waits: the tracking number is missing")
    return SEND


def _judge_row(row: Shipment, order: OrderFacts, imeis: Collection[str], *, now: datetime) -> Decision:
    try:
        number = clean_tracking_number(row.tracking_number)
    except TrackingNumberError as error:
        return refuse(str(error))
    if number is None:
        return refuse("waits: the tracking number is missing")
    if doubt := _doubt(number, order, imeis):
        return refuse(doubt)
    if row.shipped_at is not None and row.shipped_at > now:
        return wait(f"shipped_at lies in the future ({row.shipped_at:%Y-%m-%d %H:%M} UTC): is it local time?")
    return SEND


def _doubt(number: str, order: OrderFacts, imeis: Collection[str]) -> str | None:
    """Return what else of its own order a tracking number is, for a person; None where it is nothing else."""
    key = letters_and_digits(number)
    if key in {str(order.order_id), *(str(line.orderline_id) for line in order.lines)}:
        return "the tracking number is the order's or a line's own number"
    if key in imeis or any(line.imei and letters_and_digits(line.imei) == key for line in order.lines):
        return "the tracking number is the IMEI of the order's own device"
    if any(line.sku and letters_and_digits(line.sku) == key for line in order.lines):
        return "the tracking number is a SKU of the order"
    return None


def _comparable(row: Shipment) -> tuple[object, ...]:
    """Return what two rows have in common that name the same parcel."""
    try:
        number = clean_tracking_number(row.tracking_number)
    except TrackingNumberError:
        number = row.tracking_number
    return letters_and_digits(number or "") or number, row.tracking_url, row.shipper, row.shipped_at


def _differ(one: str | None, other: str | None) -> bool:
    """Tell whether two tracking numbers are both given and not the same."""
    return bool(one and other and not is_same_parcel(one, other))
