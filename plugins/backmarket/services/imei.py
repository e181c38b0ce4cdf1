"""Decides which IMEIs and serial numbers are registered, and registers them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.identifiers import (
    GOES_WITH_SHIPMENT,
    IdentifierError,
    Identifiers,
    earlier_uses,
    identifiers_of,
    judge_device,
    judge_identifiers,
    line_of,
    lines_perhaps_of,
    still_missing,
    told_earlier_orders,
)
from backmarket.rules.order_askings import refuse_unknown_order
from backmarket.rules.order_facts import Decision, refuse
from backmarket.rules.serial_numbers import serial_key
from backmarket.services.device_claims import Uses, claim_of, claim_of_left_out, line_named_by, uses_of
from backmarket.services.order_changes import OrderAction, Plan
from backmarket.warehouse import sku_map
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.orders import asked_orders
from backmarket.warehouse.seller_rows import SHIPMENTS
from backmarket.warehouse.tracking_imei import (
    confirm_devices_shown,
    devices,
    orders_of_lines,
    parcels_by_order,
    stored_facts,
)
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.identifiers import Device
    from backmarket.rules.order_askings import Asked
    from backmarket.rules.order_facts import LineFacts, OrderFacts
    from backmarket.rules.shipping import Shipment
    from backmarket.rules.sku_map import SkuMap
    from backmarket.settings import ImeiSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import LeftOut, SellerRows

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


def judge_devices(
    connection: Connection, account: str, feed: SellerRows[Device], circumstances: Circumstances, feeding: SkuMap
) -> dict[str, JudgedDevice]:
    """Judge device rows, by subject.

    Each row is held to all others, usable or not: of two that name one device, or one line, either may be wrong.

    :param feed: all rows that may matter.
    :param feeding: which listings the seller's SKUs feed.
    """
    rows = feed.rows
    orders = stored_facts(connection, account, {row.order_id for row in rows})
    named = {row.order_id for row in rows} | {row.orderline_id for row in rows if row.orderline_id is not None}
    known, asked = orders_of_lines(connection, account, named), asked_orders(connection, account)
    placed: dict[str, list[JudgedDevice]] = defaultdict(list)
    unplaced: dict[str, list[JudgedDevice]] = defaultdict(list)
    claims = [claim_of_left_out(each) for each in feed.left_out]
    for row in rows:
        each = _match(row, orders.get(row.order_id), known, asked, feeding)
        claims.append(claim_of(row, _lines_of(row, each, feeding)))
        (placed if each.line else unplaced)[each.subject].append(each)
    against = _named_wrongly(feed.left_out, unplaced)
    uses = uses_of(connection, account, claims)
    judged = {
        subject: _contradicted(of_line[0], against[subject])
        if subject in against
        else _judge(of_line, uses, circumstances)
        for subject, of_line in placed.items()
    }
    return {subject: _all_reasons(of_none) for subject, of_none in unplaced.items()} | judged


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


def _named_wrongly(left_out: Iterable[LeftOut], unplaced: Mapping[str, list[JudgedDevice]]) -> Mapping[str, list[str]]:
    """Return, by line, what is wrong with the rows that name it and are not for it as they stand."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in left_out:
        if subject := line_named_by(row):
            found[subject].append(f"a row that cannot be used names this line, too ({row.reason})")
    for subject, rows in unplaced.items():
        for each in rows:
            found[subject].append(f"a row of order {each.order_id} names this line, too ({each.decision.reason})")
    return found


def _lines_of(row: Device, each: JudgedDevice, feeding: SkuMap) -> list[LineFacts]:
    """Return the lines that a row may be about."""
    if each.line:
        return [each.line]
    return lines_perhaps_of(row, each.order, feeding) if each.order else []


def _contradicted(first: JudgedDevice, others: Iterable[str]) -> JudgedDevice:
    """Refuse the device of a line that other rows name, too, which are not for it as they stand."""
    return replace(first, decision=refuse(f"{'; '.join(sorted(set(others)))}: keep the row that is right"))


def _all_reasons(rows: list[JudgedDevice]) -> JudgedDevice:
    """Return rows of one subject that no line was found for as one: the ledger tells of them together."""
    reasons = dict.fromkeys(each.decision.reason for each in rows)
    return replace(rows[0], decision=replace(rows[0].decision, reason="; ".join(reasons)))


def _judge(of_line: list[JudgedDevice], uses: Uses, circumstances: Circumstances) -> JudgedDevice:
    first = of_line[0]
    if len({_comparable(each.identifiers) for each in of_line}) > 1:
        reason = f"{len(of_line):,} rows with different identifiers for one line: keep the one that is right"
        return replace(first, decision=refuse(reason))
    if first.identifiers is None or first.order is None or first.line is None:
        return first
    imei, serial = first.identifiers.imei or "", serial_key(first.identifiers.serial_number or "")
    with_imei, with_serial = uses.of_imei.get(imei, []), uses.of_serial.get(serial, [])
    parcels = circumstances.parcels.get(first.order_id, ())
    decision = judge_device(
        first.identifiers,
        first.line,
        first.order,
        with_imei=with_imei,
        with_serial=with_serial,
        named_by=[*uses.rows_of_imei.get(imei, []), *uses.rows_of_serial.get(serial, [])],
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
        for each in judge_devices(connection, account, feed, circumstances, feeding).values():
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
