"""Finds everything that has a device's number, or names it: lines of orders, and every row of ``seller.devices``.

A row that cannot be used may be the right one of two that name one device, so its numbers count, too.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from backmarket.rules.identifiers import LineUse, readable_numbers
from backmarket.rules.serial_numbers import serial_key
from backmarket.warehouse.seller_rows import UnreadableError, id_number
from backmarket.warehouse.tracking_imei import device_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.rules.identifiers import Device, Identifiers
    from backmarket.rules.order_facts import LineFacts
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import LeftOut

T = TypeVar("T")


class Claim(NamedTuple):
    """What a row of ``seller.devices`` says of a device.

    :param numbers: those that can be read, each by itself.
    :param name: what names the row, for a person.
    :param orderline_ids: the lines that it may be about; empty where nobody knows.
    """

    numbers: Identifiers
    name: str
    orderline_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Uses:
    """Who has each number, or is to get it.

    :param of_imei: lines, by IMEI.
    :param of_serial: lines, by :func:`serial_key`.
    :param rows_of_imei: names of rows of which nobody knows which line they are about, by IMEI.
    :param rows_of_serial: likewise, by :func:`serial_key`.
    """

    of_imei: dict[str, list[LineUse]] = field(default_factory=lambda: defaultdict(list))
    of_serial: dict[str, list[LineUse]] = field(default_factory=lambda: defaultdict(list))
    rows_of_imei: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rows_of_serial: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def claim_of(row: Device, lines: Iterable[LineFacts]) -> Claim:
    """Return what a row says that can be read whole.

    :param lines: those that it may be about.
    """
    numbers = readable_numbers(row.imei, row.serial_number)
    return Claim(numbers, f"order_id {row.order_id}", tuple(line.orderline_id for line in lines))


def claim_of_left_out(row: LeftOut) -> Claim:
    """Return what a row says that is left out: nobody knows which line it is about."""
    numbers = readable_numbers(row.document["imei"], row.document["serial_number"])
    return Claim(numbers, f"order_id {row.key}")


def line_named_by(row: LeftOut) -> str | None:
    """Return the line that a row names which is left out, as a subject of the ledger; None where it names none."""
    with suppress(UnreadableError):
        return str(id_number("orderline_id", row.document["orderline_id"] or ""))
    return None


def uses_of(connection: Connection, account: str, claims: Iterable[Claim]) -> Uses:
    """Return who has each number that a row names, or is to get it."""
    found = [(claim, *_keys(claim)) for claim in claims]
    lines = device_lines(
        connection,
        account,
        imeis={imei for _, imei, _ in found if imei},
        serial_keys={key for _, _, key in found if key},
        orderline_ids={orderline_id for claim, _, _ in found for orderline_id in claim.orderline_ids},
    )
    by_id = {line.use.orderline_id: line.use for line in lines}
    uses = Uses()
    for line in lines:
        _add(uses.of_imei, line.imei, line.use)
        _add(uses.of_serial, line.serial_key, line.use)
    for claim, imei, key in found:
        for use in (by_id[orderline_id] for orderline_id in claim.orderline_ids if orderline_id in by_id):
            _add(uses.of_imei, imei, use)
            _add(uses.of_serial, key, use)
        if not claim.orderline_ids:
            _add(uses.rows_of_imei, imei, claim.name)
            _add(uses.rows_of_serial, key, claim.name)
    return uses


def _keys(claim: Claim) -> tuple[str | None, str | None]:
    serial = claim.numbers.serial_number
    return claim.numbers.imei, serial_key(serial) if serial else None


def _add(found: dict[str, list[T]], number: str | None, user: T) -> None:
    if number:
        found[number].append(user)
