"""Decides which orders are shipped, and ships them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import ForbiddenError, NotFoundError, RefusedError
from backmarket.rules.carriers import CARRIERS, OTHER, find_carrier
from backmarket.rules.given_texts import shown_of_order
from backmarket.rules.identifiers import Identifiers, phones_without_imei, still_missing, told_earlier_orders
from backmarket.rules.order_askings import refuse_unknown_order
from backmarket.rules.order_facts import ACCEPTED, SEND, Decision, refuse, wait
from backmarket.rules.shipping import judge_shipments, judge_tracking
from backmarket.rules.tracking_numbers import clean_tracking_number, clean_tracking_url
from backmarket.services.imei import Circumstances, identifiers_in, judge_devices
from backmarket.services.order_changes import OrderAction, Plan
from backmarket.warehouse import sku_map
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.orders import asked_orders
from backmarket.warehouse.seller_rows import ALIASES, DEVICES, SKU_MAP, UnreadableError, id_number
from backmarket.warehouse.tracking_imei import devices, orders_of_lines, shipments, shipper_aliases, stored_facts

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.order_facts import OrderFacts
    from backmarket.rules.shipping import Shipment
    from backmarket.services.imei import JudgedDevice
    from backmarket.settings import ImeiSettings, TrackingSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import LeftOut

_SHIP = 3
_SAME_REFUSAL_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class Shipping(OrderAction):
    """Ships one order."""

    kind = "tracking"

    settings: TrackingSettings
    imei_settings: ImeiSettings
    phone_titles: re.Pattern[str]

    def plan(self, connection: Connection, account: str, *, now: datetime) -> Plan:
        """Decide which orders are shipped, and which rows wait or are refused.

        Of another table that cannot be read, only parcels are kept that need it.
        """
        feed = shipments(connection, account)
        alias_feed = self.by_itself(ALIASES.table, lambda: shipper_aliases(connection, account))
        aliases = dict(alias_feed.rows) if alias_feed else {}
        in_doubt = _orders_in_doubt(feed.left_out)
        rows: dict[int, list[Shipment]] = {order_id: [] for order_id in in_doubt}
        for row in feed.rows:
            rows.setdefault(row.order_id, []).append(row)
        orders = stored_facts(connection, account, rows)
        order_of_line = orders_of_lines(connection, account, rows.keys() - orders.keys())
        asked = asked_orders(connection, account)
        judged = self._judged_devices(connection, account, rows, now)
        imeis = _imeis(judged)
        ledger = Ledger(connection, account, self.kind)
        carried = self._carried(judged, ledger) if self.imei_settings.imei_update else {}
        refusals = ledger.refusals(since=now - _SAME_REFUSAL_AGAIN)
        changes = []
        for order_id, of_order in rows.items():
            order, device = orders.get(order_id), carried.get(order_id)
            if order_id in in_doubt:
                decision = in_doubt[order_id]
            elif order is None:
                decision = refuse_unknown_order(order_id, order_of_line.get(order_id), asked.get(order_id))
            else:
                decision = judge_shipments(of_order, order, imeis=imeis.get(order_id, ()), now=now)
                if decision.verdict == "send" and alias_feed is None:
                    decision = _judge_shipper(of_order[0])
                if decision.verdict == "send" and self.settings.require_imei:
                    decision = self._judge_phones(order, device.identifiers if device else None)
            subject = str(order_id)
            if decision.verdict == "send":
                payload = self._payload_of(of_order[0], aliases, device)
                if not refusals.include(subject, payload):
                    status = planned_status(dry_run=self.settings.dry_run)
                    reason = (device.decision.reason if device else None) or None
                    changes.append(PlannedChange(subject, payload, status=status, reason=reason))
            elif decision.verdict != "done":
                self.log.warning("Shipment of order %s: %s", order_id, decision.reason)
                known = {"order_id": order_id}
                changes.append(PlannedChange(subject, known, status="refused", reason=decision.reason))
        return Plan(changes, [feed, *([alias_feed] if alias_feed else [])], feed)

    def _judged_devices(
        self, connection: Connection, account: str, parcels: Mapping[int, list[Shipment]], now: datetime
    ) -> list[JudgedDevice]:
        """Judge all rows of ``seller.devices``; none where it, or what tells the SKUs of its rows, cannot be read."""
        resale_after = timedelta(days=self.imei_settings.device_resale_days)
        circumstances = Circumstances(now, ships_with_order=False, resale_after=resale_after, parcels=parcels)
        given = self.by_itself(DEVICES.table, lambda: devices(connection, account))
        mapped = self.by_itself(SKU_MAP.table, lambda: sku_map.read(connection, account))
        if given is None or mapped is None:
            return []
        return list(judge_devices(connection, account, given, circumstances, mapped.sku_map).values())

    def _carried(self, devices: Iterable[JudgedDevice], ledger: Ledger) -> dict[int, JudgedDevice]:
        """Return the devices that are registered with a shipment, by order: only an order of a single unit has one.

        A shipment that failed goes without, so that no identifier keeps a parcel back; that follows by itself. What
        failed waits again: its order was read, and shows that nothing was applied.
        """
        carried = {
            each.order_id: each
            for each in devices
            if each.decision.verdict == "send"
            and each.order
            and each.order.is_single_unit
            and each.line
            and each.line.state == ACCEPTED
        }
        failed = set() if self.settings.require_imei else {int(subject) for subject in ledger.failed_before()}
        for order_id in carried.keys() & failed:
            self.log.warning("Order %s: its shipment failed before, and goes without its identifier now.", order_id)
        return {order_id: device for order_id, device in carried.items() if order_id not in failed}

    def _judge_phones(self, order: OrderFacts, carried: Identifiers | None) -> Decision:
        if phones := phones_without_imei(order, self.phone_titles, carried):
            lines = ", ".join(map(str, phones))
            return wait(f"backmarket_require_imei is on, and there is no valid IMEI for line {lines}")
        return SEND

    def _payload_of(self, row: Shipment, aliases: Mapping[str, str], device: JudgedDevice | None) -> dict[str, Any]:
        number = clean_tracking_number(row.tracking_number)
        url = clean_tracking_url(row.tracking_url, row.tracking_number, number)
        carrier = find_carrier(row.shipper, aliases) if row.shipper else None
        unknown_shipper = None if carrier or not row.shipper else shown_of_order(row.shipper)
        if unknown_shipper:
            self.log.warning(
                "Order %s: Back Market knows no carrier “%s”; it goes as %s. "
                "A row in seller.shipper_aliases ties it to one of theirs.",
                row.order_id,
                unknown_shipper,
                OTHER,
            )
        if row.tracking_url and not url:
            self.log.warning("Order %s: its tracking URL cannot be sent and is left out.", row.order_id)
        payload = {
            "order_id": row.order_id,
            "tracking_number": number,
            "tracking_url": url,
            "date_shipping": row.shipped_at.astimezone(UTC).isoformat() if row.shipped_at else None,
            "shipper": carrier or (OTHER if row.shipper else None),
            "unknown_shipper": unknown_shipper,
            **(device.payload if device else {}),
        }
        return {name: value for name, value in payload.items() if value is not None}

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the order."""
        return judge_tracking(order, payloads[0]["tracking_number"])

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> str | None:
        """Ship it, with its identifier if it has one, and without where Back Market turns only that away.

        It is sent once more where the first request surely was not applied. Where ``backmarket_require_imei`` is on, an
        identifier that Back Market turns away keeps the shipment back.
        """
        (payload,) = payloads
        shipped_at = payload.get("date_shipping")
        shipment = {
            "tracking_number": payload["tracking_number"],
            "tracking_url": payload.get("tracking_url"),
            "date_shipping": datetime.fromisoformat(shipped_at) if shipped_at else None,
            "shipper": payload.get("shipper"),
        }
        remarks = []
        if unknown := payload.get("unknown_shipper"):
            remarks.append(f"went as {OTHER}: Back Market knows no carrier {unknown!r}")
        if sold_with := payload.get("sold_with"):
            remarks.append(told_earlier_orders(sold_with))
        missing = still_missing(order.lines[0], identifiers_in(payload)) if order.is_single_unit else Identifiers()
        try:
            client.update_order(
                order.order_id, _SHIP, **shipment, imei=missing.imei, serial_number=missing.serial_number
            )
        except (RefusedError, ForbiddenError, NotFoundError) as error:
            if missing == Identifiers() or self.settings.require_imei:
                raise
            client.update_order(order.order_id, _SHIP, **shipment)
            why = error.api_message or f"status {error.status}"
            remarks.append(f"shipped without its identifier, which Back Market refused: {why}")
        return "; ".join(remarks) or None


def _judge_shipper(row: Shipment) -> Decision:
    """Keep a parcel back whose carrier the seller's own names may tell, while these cannot be read.

    They come before what a name looks like, so only Back Market's own names, as they are, need none.
    """
    if row.shipper and row.shipper not in CARRIERS:
        return wait(f"{ALIASES.table} cannot be read, and this is none of Back Market's own names of carriers")
    return SEND


def _orders_in_doubt(left_out: Iterable[LeftOut]) -> dict[int, Decision]:
    """Keep back, for its reason, each order with a row that cannot be read: what it says cannot be taken back."""
    found = {}
    for each in left_out:
        with suppress(UnreadableError):
            found[id_number("order_id", each.document["order_id"] or "")] = refuse(each.reason)
    return found


def _imeis(devices: Iterable[JudgedDevice]) -> dict[int, set[str]]:
    """Return the IMEIs that are given for each order's devices."""
    found: dict[int, set[str]] = {}
    for each in devices:
        if each.identifiers and each.identifiers.imei:
            found.setdefault(each.order_id, set()).add(each.identifiers.imei)
    return found
