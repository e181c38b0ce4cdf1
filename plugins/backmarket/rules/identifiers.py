"""Decides which device belongs to which order line, and which identifiers may be registered for good.

Back Market never corrects an identifier (spec): whatever is in doubt is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
)

if TYPE_CHECKING:
    import re
    from collections.abc import Collection

GOES_WITH_SHIPMENT = wait("it goes out with the order's shipment")
"""Nothing to be done about it here: the change of the shipment carries it."""

_IMEI_LENGTH = 15
_WITHOUT_CHECK_DIGIT = 14
_LONGEST_SERIAL = 50


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


def clean_imei(text: str | None) -> str | None:
    """Return the 15 digits of an IMEI; None where there is none.

    :raises IdentifierError: for anything else: nothing is completed or guessed.
    """
    from stdnum import luhn
    from stdnum.util import clean, isdigits

    digits = clean(text or "", " -./").strip()
    if not digits:
        return None
    if not isdigits(digits):
        raise IdentifierError("the IMEI contains something other than digits")
    if len(digits) == _WITHOUT_CHECK_DIGIT:
        raise IdentifierError("the IMEI has 14 digits: its check digit is missing and is not made up here")
    if len(digits) != _IMEI_LENGTH:
        raise IdentifierError(f"the IMEI has {len(digits)} digits instead of {_IMEI_LENGTH}")
    if not digits.strip("0"):
        raise IdentifierError("the IMEI is all zeros")
    if not luhn.is_valid(digits):
        raise IdentifierError("the IMEI's check digit is wrong: a digit was mistyped or swapped")
    return digits


def clean_serial(text: str | None) -> str | None:
    """Return a serial number of 1 to 50 printable characters; None where there is none.

    :raises IdentifierError: for anything else.
    """
    serial = (text or "").strip()
    if not serial:
        return None
    if len(serial) > _LONGEST_SERIAL:
        raise IdentifierError(f"the serial number has more than {_LONGEST_SERIAL} characters")
    if not serial.isprintable():
        raise IdentifierError("the serial number contains characters that cannot be printed")
    return serial


def identifiers_of(device: Device) -> Identifiers:
    """Return what a device row asks to register.

    :raises IdentifierError: where one of the two is unusable, or both are missing.
    """
    found = Identifiers(clean_imei(device.imei), clean_serial(device.serial_number))
    if found == Identifiers():
        raise IdentifierError("waits: neither IMEI nor serial number is given")
    return found


def line_of(device: Device, order: OrderFacts) -> LineFacts:
    """Return the line that a device belongs to: the one it names, or the only one with its SKU.

    :raises IdentifierError: where there is none, or more than one.
    """
    if device.orderline_id is not None:
        line = order.line(device.orderline_id)
        if line is None:
            raise IdentifierError(f"order line {device.orderline_id} is not one of this order")
        if device.sku and _key(device.sku) != _key(line.sku):
            raise IdentifierError("the row names a line and a SKU that do not belong together")
        return line
    candidates = [line for line in order.lines if not device.sku or _key(device.sku) == _key(line.sku)]
    if not candidates:
        raise IdentifierError("the order has no line with this SKU")
    if len(candidates) > 1:
        raise IdentifierError(f"{len(candidates)} lines fit: name the orderline_id")
    return candidates[0]


def judge_device(
    wanted: Identifiers, line: LineFacts, order: OrderFacts, *, lines_with_imei: Collection[int], ships_with_order: bool
) -> Decision:
    """Decide about one device.

    :param lines_with_imei: lines, sold and not taken back, that have or are to get this IMEI; the line itself among
        them or not.
    :param ships_with_order: whether an order of a single unit waits for its shipment to carry the identifier.
    """
    decision = judge_identifiers(order, line.orderline_id, wanted)
    if decision.verdict != "send":
        return decision
    if wanted.imei and set(lines_with_imei) - {line.orderline_id}:
        others = ", ".join(map(str, sorted(set(lines_with_imei) - {line.orderline_id})))
        return refuse(f"this IMEI also belongs to order line {others}")
    if ships_with_order and order.is_single_unit and not order.is_backship and line.state == ACCEPTED:
        return GOES_WITH_SHIPMENT
    return SEND


def judge_identifiers(order: OrderFacts, orderline_id: int, wanted: Identifiers) -> Decision:
    """Decide, from an order as it is, whether identifiers are to be registered, and whether they were."""
    line = order.line(orderline_id)
    if line is None:
        return refuse("the order has no such line any more")
    if line.quantity != 1:
        return refuse(f"the line has a quantity of {line.quantity}: Back Market takes identifiers for 1 only")
    pairs = ((line.imei, wanted.imei, "IMEI"), (line.serial_number, wanted.serial_number, "serial number"))
    for registered, given, name in pairs:
        if registered and given and _key(registered) != _key(given):
            return refuse(f"another {name} is registered already, and Back Market never corrects one")
    if all(registered for registered, given, _ in pairs if given):
        return DONE
    if line.state in NOT_ACCEPTED_YET:
        return wait("the line is not accepted yet")
    if line.state not in {ACCEPTED, SHIPPED}:
        return refuse("the line is cancelled or refunded")
    return SEND


def still_missing(line: LineFacts, wanted: Identifiers) -> Identifiers:
    """Return what a line lacks of what is wanted: what is registered is not sent again."""
    return Identifiers(
        None if line.imei else wanted.imei,
        None if line.serial_number else wanted.serial_number,
    )


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


def _key(text: str | None) -> str:
    return (text or "").strip().casefold()
