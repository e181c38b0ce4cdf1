"""Decides which IMEIs and serial numbers are registered, and registers them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.identifiers import (
    GOES_WITH_SHIPMENT,
    IdentifierError,
    Identifiers,
    LineUse,
    earlier_uses,
    identifiers_of,
    judge_device,
    judge_identifiers,
    line_of,
    still_missing,
    told_earlier_orders,
)
from backmarket.rules.order_askings import refuse_unknown_order
from backmarket.rules.order_facts import Decision, refuse
from backmarket.rules.serial_numbers import serial_key
from backmarket.services.order_changes import OrderAction, Plan
from backmarket.warehouse import sku_map
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.orders import asked_orders
from backmarket.warehouse.seller_rows import SHIPMENTS
from backmarket.warehouse.tracking_imei import (
    confirm_devices_shown,
    device_lines,
    devices,
    orders_of_lines,
    parcels_by_order,
    stored_facts,
)
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.identifiers import Device
    from backmarket.rules.order_askings import Asked
    from backmarket.rules.order_facts import LineFacts, OrderFacts
    from backmarket.rules.shipping import Shipment
    from backmarket.rules.sku_map import SkuMap
    from backmarket.settings import ImeiSettings
    from backmarket.warehouse.connection import Connection

# Back Market never changes its mind about an identifier.
_SINCE_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JudgedDevice:
    """A device row and what is to become of it.

    :param subject: the order line's id; where none was found, the order and SKU of the row.
    :param line: None where no line was found.
    :param identifiers: None where they cannot be registered.
    :param sold_with: the earlier orders of a device that is sold again.
    """

    subject: str
    order_id: int
    decision: Decision
    order: OrderFacts | None = None
    line: LineFacts | None = None
    identifiers: Identifiers | None = None
    sold_with: tuple[int, ...] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """What a change that registers the device says of it."""
        found = self.identifiers or Identifiers()
        known = {"imei": found.imei, "serial_number": found.serial_number, "sold_with": list(self.sold_with)}
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all devices of a run are judged by.

    :param ships_with_order: whether an order of a single unit waits for its shipment to carry the identifier.
    :param resale_after: how long after its shipment a device may be sold again although no return is known of.
    :param parcels: the rows of ``seller.shipments``, by order.
    """

    now: datetime
    ships_with_order: bool
    resale_after: timedelta
    parcels: Mapping[int, Iterable[Shipment]]


@dataclass(frozen=True, slots=True)
class _Uses:
    """The lines that have, or are to get, each number."""

    of_imei: dict[str, list[LineUse]] = field(default_factory=lambda: defaultdict(list))
    of_serial: dict[str, list[LineUse]] = field(default_factory=lambda: defaultdict(list))


def judge_devices(
    connection: Connection, account: str, rows: Sequence[Device], circumstances: Circumstances, feeding: SkuMap
) -> dict[str, JudgedDevice]:
    """Judge device rows, by subject.

    :param rows: all that may matter.
    :param feeding: which listings the seller's SKUs feed.
    """
    orders = stored_facts(connection, account, {row.order_id for row in rows})
    named = {row.order_id for row in rows} | {row.orderline_id for row in rows if row.orderline_id is not None}
    known, asked = orders_of_lines(connection, account, named), asked_orders(connection, account)
    judged: dict[str, JudgedDevice] = {}
    matched: dict[str, list[JudgedDevice]] = defaultdict(list)
    for row in rows:
        each = _match(row, orders.get(row.order_id), known, asked, feeding)
        if each.line is None:
            judged[each.subject] = each
        else:
            matched[each.subject].append(each)
    uses = _uses(connection, account, matched)
    for subject, of_line in matched.items():
        judged[subject] = _judge(of_line, uses, circumstances)
    return judged


def _match(
    row: Device,
    order: OrderFacts | None,
    order_of_line: Mapping[int, int],
    asked: Mapping[int, Asked],
    feeding: SkuMap,
) -> JudgedDevice:
    subject = str(row.orderline_id or f"{row.order_id}/{row.sku or ''}")
    if order is None:
        decision = refuse_unknown_order(row.order_id, order_of_line.get(row.order_id), asked.get(row.order_id))
        return JudgedDevice(subject, row.order_id, decision)
    try:
        line = line_of(row, order, feeding)
    except IdentifierError as error:
        its_order = order_of_line.get(row.orderline_id or 0)
        advice = f"; it is one of order {its_order}" if its_order not in {None, order.order_id} else ""
        return JudgedDevice(subject, row.order_id, refuse(f"{error}{advice}"), order)
    subject = str(line.orderline_id)
    try:
        found = identifiers_of(row)
    except IdentifierError as error:
        return JudgedDevice(subject, row.order_id, refuse(str(error)), order, line)
    return JudgedDevice(subject, row.order_id, Decision("send"), order, line, found)


def _uses(connection: Connection, account: str, matched: Mapping[str, list[JudgedDevice]]) -> _Uses:
    """Return which lines have, or are to get, each number."""
    wanted = [(each.line, each.identifiers) for rows in matched.values() for each in rows]
    planned = [(line.orderline_id, identifiers) for line, identifiers in wanted if line and identifiers]
    lines = device_lines(
        connection,
        account,
        imeis={identifiers.imei for _, identifiers in planned if identifiers.imei},
        serial_keys={serial_key(identifiers.serial_number) for _, identifiers in planned if identifiers.serial_number},
        orderline_ids={orderline_id for orderline_id, _ in planned},
    )
    by_id = {line.use.orderline_id: line.use for line in lines}
    uses = _Uses()
    for line in lines:
        _add(uses, line.use, line.imei, line.serial_key)
    for orderline_id, identifiers in planned:
        if use := by_id.get(orderline_id):
            serial = identifiers.serial_number
            _add(uses, use, identifiers.imei, serial_key(serial) if serial else None)
    return uses


def _add(uses: _Uses, use: LineUse, imei: str | None, key: str | None) -> None:
    if imei:
        uses.of_imei[imei].append(use)
    if key:
        uses.of_serial[key].append(use)


def _judge(of_line: list[JudgedDevice], uses: _Uses, circumstances: Circumstances) -> JudgedDevice:
    first = of_line[0]
    if len({_comparable(each.identifiers) for each in of_line}) > 1:
        reason = f"{len(of_line):,} rows with different identifiers for one line: keep the one that is right"
        return replace(first, decision=refuse(reason))
    if first.identifiers is None or first.order is None or first.line is None:
        return first
    with_imei = uses.of_imei.get(first.identifiers.imei or "", [])
    with_serial = uses.of_serial.get(serial_key(first.identifiers.serial_number or ""), [])
    parcels = circumstances.parcels.get(first.order_id, ())
    decision = judge_device(
        first.identifiers,
        first.line,
        first.order,
        with_imei=with_imei,
        with_serial=with_serial,
        tracking_numbers=[parcel.tracking_number for parcel in parcels if parcel.tracking_number],
        ships_with_order=circumstances.ships_with_order,
        resale_after=circumstances.resale_after,
        now=circumstances.now,
    )
    earlier = earlier_uses(first.line, (*with_imei, *with_serial)) if decision.verdict == "send" else []
    return replace(first, decision=decision, sold_with=tuple(sorted({use.order_id for use in earlier})))


def _comparable(identifiers: Identifiers | None) -> tuple[str | None, str | None] | None:
    """Return what two rows have in common that say the same."""
    if identifiers is None:
        return None
    return identifiers.imei, serial_key(identifiers.serial_number or "")


@dataclass(frozen=True)
class Registration(OrderAction):
    """Registers the IMEI or serial number that one line lacks.

    :param ships_with_order: whether an order of a single unit gets its identifier with the shipment.
    """

    kind = "imei"
    unshown_is_final = True

    settings: ImeiSettings
    ships_with_order: bool

    def plan(self, connection: Connection, account: str, *, now: datetime) -> Plan:
        """Decide which identifiers are registered, and which rows wait or are refused."""
        circumstances = Circumstances(
            now=now,
            ships_with_order=self.ships_with_order,
            resale_after=timedelta(days=self.settings.device_resale_days),
            parcels=self.by_itself(SHIPMENTS.table, lambda: parcels_by_order(connection, account)) or {},
        )
        for subject in confirm_devices_shown(connection, account):
            self.log.info("Line %s shows its device by now: what counted as refused is confirmed.", subject)
        refusals = Ledger(connection, account, self.kind).refusals(since=_SINCE_EVER)
        feed, (map_feed, feeding) = devices(connection, account), sku_map.read(connection, account)
        changes, with_shipment = [], 0
        for each in judge_devices(connection, account, feed.rows, circumstances, feeding).values():
            decision, line = each.decision, {"orderline_id": each.line.orderline_id} if each.line else {}
            payload = {"order_id": each.order_id, **line, **each.payload}
            if decision.verdict == "done" or refusals.include(each.subject, payload):
                continue
            if decision == GOES_WITH_SHIPMENT:
                with_shipment += 1
                continue
            status = planned_status(dry_run=self.settings.dry_run)
            if decision.verdict != "send":
                status = "refused"
                self.log.warning("Device of order %s, line %s: %s", each.order_id, each.subject, decision.reason)
            changes.append(PlannedChange(each.subject, payload, status=status, reason=decision.reason or None))
        if with_shipment:
            go = counted(with_shipment, "identifier goes", "identifiers go")
            self.log.info("%s out with the shipment of the order.", go)
        return Plan(changes, [feed, map_feed], feed)

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the line."""
        return judge_identifiers(order, payloads[0]["orderline_id"], identifiers_in(payloads[0]))

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> str | None:
        """Register what the line lacks; say where the device was sold before."""
        (payload,) = payloads
        line, wanted = order.line(payload["orderline_id"]), identifiers_in(payload)
        missing = still_missing(line, wanted) if line else wanted
        client.update_orderline(payload["orderline_id"], imei=missing.imei, serial_number=missing.serial_number)
        return told_earlier_orders(payload["sold_with"]) if payload.get("sold_with") else None


def identifiers_in(payload: Mapping[str, Any]) -> Identifiers:
    """Return the identifiers that a change is to register."""
    return Identifiers(payload.get("imei"), payload.get("serial_number"))
