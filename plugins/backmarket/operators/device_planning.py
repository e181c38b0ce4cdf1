"""Ties the rows of ``seller.devices`` to order lines and judges them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.rules.identifiers import IdentifierError, Identifiers, identifiers_of, judge_device, line_of
from backmarket.rules.order_facts import Decision, refuse
from backmarket.warehouse.orders_out import lines_by_imei, order_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backmarket.rules.identifiers import Device
    from backmarket.rules.order_facts import LineFacts, OrderFacts
    from backmarket.warehouse.connection import Connection


@dataclass(frozen=True, slots=True)
class JudgedDevice:
    """A device row and what is to become of it.

    :param subject: the order line's id; where none was found, the order and SKU of the row.
    :param line: None where no line was found.
    :param identifiers: None where they cannot be registered.
    """

    subject: str
    order_id: int
    decision: Decision
    order: OrderFacts | None = None
    line: LineFacts | None = None
    identifiers: Identifiers | None = None


def judge_devices(
    connection: Connection, account: str, rows: Sequence[Device], *, ships_with_order: bool
) -> dict[str, JudgedDevice]:
    """Judge device rows, by subject.

    :param rows: all that may matter.
    :param ships_with_order: whether an order of a single unit waits for its shipment to carry the identifier.
    """
    orders = order_facts(connection, account, {row.order_id for row in rows})
    judged: dict[str, JudgedDevice] = {}
    matched: dict[str, list[JudgedDevice]] = defaultdict(list)
    for row in rows:
        each = _match(row, orders.get(row.order_id))
        if each.line is None:
            judged[each.subject] = each
        else:
            matched[each.subject].append(each)
    used = _lines_with(connection, account, matched)
    for subject, of_line in matched.items():
        judged[subject] = _judge(of_line, used, ships_with_order=ships_with_order)
    return judged


def _match(row: Device, order: OrderFacts | None) -> JudgedDevice:
    subject = str(row.orderline_id or f"{row.order_id}/{row.sku or ''}")
    if order is None:
        reason = "waits: this order is not known here and not on Back Market; check the order id"
        return JudgedDevice(subject, row.order_id, refuse(reason))
    try:
        line = line_of(row, order)
    except IdentifierError as error:
        return JudgedDevice(subject, row.order_id, refuse(str(error)), order)
    subject = str(line.orderline_id)
    try:
        found = identifiers_of(row)
    except IdentifierError as error:
        return JudgedDevice(subject, row.order_id, refuse(str(error)), order, line)
    return JudgedDevice(subject, row.order_id, Decision("send"), order, line, found)


def _lines_with(connection: Connection, account: str, matched: dict[str, list[JudgedDevice]]) -> dict[str, set[int]]:
    """Return which lines have, or are to get, each IMEI."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for of_line in matched.values():
        for each in of_line:
            if each.identifiers and each.identifiers.imei and each.line:
                wanted[each.identifiers.imei].add(each.line.orderline_id)
    for imei, line_ids in lines_by_imei(connection, account, wanted).items():
        wanted[imei] |= line_ids
    return wanted


def _judge(of_line: list[JudgedDevice], used: dict[str, set[int]], *, ships_with_order: bool) -> JudgedDevice:
    first = of_line[0]
    if len({each.identifiers for each in of_line}) > 1:
        decision = refuse(f"{len(of_line)} rows with different identifiers for one line: keep the one that is right")
    elif first.identifiers is None or first.order is None or first.line is None:
        decision = first.decision
    else:
        decision = judge_device(
            first.identifiers,
            first.line,
            first.order,
            lines_with_imei=used.get(first.identifiers.imei or "", ()),
            ships_with_order=ships_with_order,
        )
    return JudgedDevice(first.subject, first.order_id, decision, first.order, first.line, first.identifiers)
