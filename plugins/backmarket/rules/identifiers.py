"""Decides which device belongs to which order line, and which identifiers may be registered for good.

Back Market never corrects an identifier (spec): whatever is in doubt is refused here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING

from backmarket.rules.given_texts import is_plain_run, letters_and_digits, tidy, why_no_number
from backmarket.rules.order_facts import (
    ACCEPTED,
    DONE,
    NOT_ACCEPTED_YET,
    SEND,
    SHIPPED,
    Decision,
    LineFacts,
    OrderFacts,
    refuse,
    wait,
    wait_for_unknown_states,
)
from backmarket.rules.serial_numbers import SerialNumberError, clean_serial_number, serial_key
from backmarket.rules.sku_map import SkuMap
from backmarket.rules.skus import sku_key
from backmarket.rules.tracking_numbers import is_same_parcel

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

GOES_WITH_SHIPMENT = wait("it goes out with the order's shipment")
"""Nothing to be done about it here: the change of the shipment carries it."""

_IMEI_LENGTH = 15
_WITHOUT_CHECK_DIGIT = 14
_IMEI_LABEL = re.compile(
    r"(?:imei(?: ?/ ?meid)?)(?: ?(?:number|no|nr))?\.?(?: ?[12](?=[ :.#=]))?[ :.#=]*", re.IGNORECASE
)
# What a phone shows that has lost its own number: the digits of test devices.
_TEST_PREFIX = "00"
_STATES = {4: "cancelled", 5: "refunded before shipping", 6: "refunded after shipping", 7: "not paid"}
_TAKEN_BACK = frozenset(_STATES)


class IdentifierError(ValueError):
    """An identifier cannot be registered; the message says why."""


@dataclass(frozen=True, slots=True)
class Device:
    """A row of ``seller.devices``, as it stands there."""

    order_id: int
    orderline_id: int | None = None
    sku: str | None = None
    imei: str | None = None
    serial_number: str | None = None


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What is to be registered on a line; at least one is given."""

    imei: str | None = None
    serial_number: str | None = None


@dataclass(frozen=True, slots=True)
class LineUse:
    """An order line that has a device's number, or is to get it.

    :param since: when its order was shipped; before that, when it was last changed, or made.
    :param is_refunded: whether settlement statements refund it.
    """

    orderline_id: int
    order_id: int
    state: int
    since: datetime | None = None
    is_refunded: bool = False


def clean_imei(text: str | None) -> str | None:
    """Return the 15 digits of an IMEI, without a label in front; None where there is none.

    :raises IdentifierError: for anything else: nothing is completed or guessed.
    """
    from stdnum import imei

    given = tidy(text)
    label = _IMEI_LABEL.match(given)
    given = given[label.end() :] if label else given
    digits = re.sub("[ ./-]", "", given)
    if not digits and not label:
        return None
    if reason := _why_no_imei(given, digits):
        raise IdentifierError(f"the IMEI {reason}")
    if not imei.is_valid(digits):
        raise IdentifierError("the IMEI's check digit is wrong: a digit was mistyped or swapped")
    if is_plain_run(digits[:_WITHOUT_CHECK_DIGIT]):
        raise IdentifierError("the IMEI is a placeholder")
    if digits.startswith(_TEST_PREFIX):
        raise IdentifierError("the IMEI begins with 00, as on phones that have lost their own: read it from the box")
    return digits


def _why_no_imei(given: str, digits: str) -> str | None:
    """Return why a text is not 15 digits.

    :param digits: the text without separators.
    """
    if not re.fullmatch("[0-9]+", digits):
        return why_no_number(given) or "contains something other than digits"
    if not digits.strip("0"):
        return "is all zeros"
    if len(digits) == _WITHOUT_CHECK_DIGIT:
        return "has 14 digits: its check digit is missing and is not made up here"
    if len(digits) == 2 * _IMEI_LENGTH:
        return "has 30 digits: a line takes one of a phone's two IMEIs"
    if len(digits) != _IMEI_LENGTH:
        return why_no_number(given) or f"has {len(digits)} digits instead of {_IMEI_LENGTH}"
    return None


def identifiers_of(device: Device) -> Identifiers:
    """Return what a device row asks to register.

    :raises IdentifierError: where one of the two is unusable, or both are missing.
    """
    try:
        found = Identifiers(clean_imei(device.imei), clean_serial_number(device.serial_number))
    except SerialNumberError as error:
        raise IdentifierError(str(error)) from error
    if found == Identifiers():
        raise IdentifierError("waits: neither IMEI nor serial number is given")
    return found


def readable_numbers(imei: str | None, serial_number: str | None) -> Identifiers:
    """Return what can be read of a row's two numbers, each by itself: one that cannot hides nothing of the other."""
    found_imei = found_serial = None
    with suppress(IdentifierError):
        found_imei = clean_imei(imei)
    with suppress(SerialNumberError):
        found_serial = clean_serial_number(serial_number)
    return Identifiers(found_imei, found_serial)


def line_of(device: Device, order: OrderFacts, feeding: SkuMap | None = None) -> LineFacts:
    """Return the line that a device belongs to: the one it names, or the only one with its SKU.

    :param feeding: which listings the seller's SKUs feed: a device may be named by its own SKU or by the listing's.
    :raises IdentifierError: where there is none, or more than one.
    """
    names = _listings_of(device, feeding)
    if device.orderline_id is not None:
        line = order.line(device.orderline_id)
        if line is None:
            raise IdentifierError(f"order line {device.orderline_id} is not one of this order")
        if names and sku_key(line.sku or "") not in names:
            raise IdentifierError("the row names a line and a SKU that do not belong together")
        return line
    if _is_map_unusable(device, feeding):
        raise IdentifierError("seller.sku_map has a row of this SKU that cannot be used: name the orderline_id")
    candidates = _with_sku(names, order)
    if not candidates:
        raise IdentifierError("the order has no line with this SKU")
    if len(candidates) > 1:
        raise IdentifierError(f"{len(candidates)} lines fit: name the orderline_id")
    return candidates[0]


def lines_perhaps_of(device: Device, order: OrderFacts, feeding: SkuMap | None = None) -> list[LineFacts]:
    """Return the lines that a device may belong to which :func:`line_of` finds none for; empty where nobody knows."""
    if device.orderline_id is not None or _is_map_unusable(device, feeding):
        return []
    return _with_sku(_listings_of(device, feeding), order)


def _listings_of(device: Device, feeding: SkuMap | None) -> set[str]:
    """Return the SKUs of the listings that a device may have been sold under; empty where its row names no SKU."""
    return {sku_key(device.sku), *(feeding or SkuMap()).listings_of(device.sku)} if device.sku else set()


def _is_map_unusable(device: Device, feeding: SkuMap | None) -> bool:
    return bool(device.sku and feeding and sku_key(device.sku) in feeding.unusable)


def _with_sku(names: set[str], order: OrderFacts) -> list[LineFacts]:
    return [line for line in order.lines if not names or sku_key(line.sku or "") in names]


def doubt_of_serial(serial: str, line: LineFacts, order: OrderFacts, tracking_numbers: Collection[str]) -> str | None:
    """Return what else of its own order a serial number is, for a person; None where it is nothing else.

    :param tracking_numbers: those that the order has, or is to get.
    """
    key = letters_and_digits(serial)
    if key in {str(order.order_id), *(str(each.orderline_id) for each in order.lines)}:
        return "the serial number is the order's or a line's own number"
    if any(is_same_parcel(serial, number) for number in (*tracking_numbers, order.tracking_number) if number):
        return "the serial number is the order's tracking number"
    if any(each.sku and letters_and_digits(each.sku) == key for each in order.lines):
        return "the serial number is a SKU of the order"
    if line.product and key in letters_and_digits(line.product):
        return "the serial number is a part of the product's title"
    return None


def judge_device(
    wanted: Identifiers,
    line: LineFacts,
    order: OrderFacts,
    *,
    with_imei: Collection[LineUse] = (),
    with_serial: Collection[LineUse] = (),
    named_by: Collection[str] = (),
    tracking_numbers: Collection[str] = (),
    ships_with_order: bool,
    resale_after: timedelta,
    now: datetime,
) -> Decision:
    """Decide about one device; the reason of what is sent says with which orders it was sold before.

    :param with_imei: lines that have or are to get this IMEI; the line itself among them or not.
    :param with_serial: likewise, for the serial number.
    :param named_by: other rows with one of these numbers, of which nobody knows which line they are about.
    :param tracking_numbers: those that the order is to get.
    :param ships_with_order: whether an order of a single unit waits for its shipment to carry the identifier.
    :param resale_after: how long after its shipment a device may be sold again although no return is known of.
    """
    decision = judge_identifiers(order, line.orderline_id, wanted)
    if decision.verdict != "send":
        return decision
    if wanted.serial_number and (doubt := doubt_of_serial(wanted.serial_number, line, order, tracking_numbers)):
        return refuse(doubt)
    for name, uses in (("IMEI", with_imei), ("serial number", with_serial)):
        for use in sorted(uses, key=lambda use: use.orderline_id):
            if use.orderline_id != line.orderline_id and (reason := _why_taken(use, now - resale_after, resale_after)):
                place = f"order line {use.orderline_id} of order {use.order_id}"
                return refuse(f"this {name} also belongs to {place}, {reason}")
    if named_by:
        row = min(named_by)
        return refuse(f"another row names this device ({row}), and nobody can say for which line: correct or remove it")
    if ships_with_order and order.is_single_unit and not order.is_backship and line.state == ACCEPTED:
        return GOES_WITH_SHIPMENT
    earlier = earlier_uses(line, (*with_imei, *with_serial))
    return Decision("send", f"sold before: {'; '.join(map(_told, earlier))}") if earlier else SEND


def earlier_uses(line: LineFacts, uses: Collection[LineUse]) -> list[LineUse]:
    """Return the other lines that had a device's numbers, each once, in the order of their ids."""
    others = {use.orderline_id: use for use in uses if use.orderline_id != line.orderline_id}
    return [others[orderline_id] for orderline_id in sorted(others)]


def told_earlier_orders(order_ids: Collection[int]) -> str:
    """Say, for the ledger, with which orders a device that was registered had been sold before."""
    return f"the device was sold before, with order {', '.join(map(str, order_ids))}"


def _why_taken(use: LineUse, since: datetime, resale_after: timedelta) -> str | None:
    """Return why a number cannot be used again, and what to do; None where the earlier sale is over."""
    if use.state in _TAKEN_BACK:
        return None
    if use.state != SHIPPED:
        return "which is open: one of the two rows is wrong"
    if use.is_refunded or (use.since is not None and use.since < since):
        return None
    shipped = f"shipped on {use.since:%Y-%m-%d}" if use.since else "shipped"
    return (
        f"{shipped}: if the device came back, refund that line, or load the statement that refunds it; if not, correct "
        f"the row. Without a known return it goes {resale_after.days} days after that (backmarket_device_resale_days)"
    )


def _told(use: LineUse) -> str:
    """Name an earlier sale and how it ended."""
    ended = _STATES.get(use.state)
    if ended is None:
        shipped = f"shipped on {use.since:%Y-%m-%d}" if use.since else "shipped"
        ended = f"{shipped}, refunded by statement" if use.is_refunded else shipped
    return f"order {use.order_id}, line {use.orderline_id} ({ended})"


def judge_identifiers(order: OrderFacts, orderline_id: int, wanted: Identifiers) -> Decision:
    """Decide, from an order as it is, whether identifiers are to be registered, and whether they were."""
    line = order.line(orderline_id)
    if line is None:
        return refuse("the order has no such line any more")
    if line.quantity != 1:
        return refuse(f"the line has a quantity of {line.quantity}: Back Market takes identifiers for 1 only")
    pairs = ((line.imei, wanted.imei, "IMEI"), (line.serial_number, wanted.serial_number, "serial number"))
    for registered, given, name in pairs:
        if registered and given and serial_key(registered) != serial_key(given):
            return refuse(f"another {name} is registered already, and Back Market never corrects one")
    if all(registered for registered, given, _ in pairs if given):
        return DONE
    if line.state in NOT_ACCEPTED_YET:
        return wait("the line is not accepted yet")
    if unknown := wait_for_unknown_states([line]):
        return unknown
    if line.state not in {ACCEPTED, SHIPPED}:
        return refuse("the line is cancelled or refunded")
    return SEND


def still_missing(line: LineFacts, wanted: Identifiers) -> Identifiers:
    """Return what a line lacks of what is wanted: what is registered is not sent again."""
    return Identifiers(None if line.imei else wanted.imei, None if line.serial_number else wanted.serial_number)


def phones_without_imei(order: OrderFacts, phones: re.Pattern[str], carried: Identifiers | None) -> list[int]:
    """Return the accepted lines of one smartphone each that have no IMEI and get none with the shipment.

    :param phones: what the title of a smartphone looks like.
    """
    return [
        line.orderline_id
        for line in order.lines
        if line.state == ACCEPTED
        and line.quantity == 1
        and not line.imei
        and not (carried and carried.imei)
        and phones.search(line.product or "")
    ]
