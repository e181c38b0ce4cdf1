"""Ships orders: sends their tracking numbers."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.device_planning import Circumstances, judge_devices, unknown_order
from backmarket.operators.order_changes import BackMarketOrderChangesOperator, Plan
from backmarket.rules.carriers import OTHER, find_carrier
from backmarket.rules.identifiers import Identifiers, phones_without_imei, still_missing, told_earlier_orders
from backmarket.rules.order_facts import ACCEPTED, Decision, refuse, wait
from backmarket.rules.shipping import judge_shipments, judge_tracking
from backmarket.rules.tracking_numbers import clean_tracking_number, clean_tracking_url

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.operators.device_planning import JudgedDevice
    from backmarket.rules.order_facts import OrderFacts
    from backmarket.rules.shipping import Shipment
    from backmarket.settings import ImeiSettings, TrackingSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedStatus, RecordedChange
    from backmarket.warehouse.seller_rows import LeftOut

SHIP = 3
SAME_REFUSAL_AGAIN = timedelta(hours=1)


class BackMarketTrackingUploadOperator(BackMarketOrderChangesOperator["TrackingSettings"]):
    """Moves accepted orders that have a row in ``seller.shipments`` to state 3, each once.

    Where ``backmarket_imei_update`` is on, an order of a single unit takes its identifier along. Should Back Market
    refuse that, the order is shipped without it, unless ``backmarket_require_imei`` forbids.

    :raises ChangesWaitingError: where some could not be sent now; the others are.
    """

    kind = "tracking"

    def load_settings(self) -> TrackingSettings:
        """Read the concern's Variables."""
        from backmarket.settings import TrackingSettings

        return TrackingSettings.load()

    def action(self, settings: TrackingSettings) -> Shipping:
        """Return what is done to an order."""
        return Shipping(identifiers_required=settings.require_imei)

    def plan_changes(self, connection: Connection, settings: TrackingSettings) -> Plan:
        """Decide what is to be shipped, and which rows wait or are refused."""
        from backmarket.operators.order_writing import refused_already
        from backmarket.settings import ImeiSettings, neighbour
        from backmarket.warehouse.inventory import refused_lately
        from backmarket.warehouse.ledger import PlannedChange
        from backmarket.warehouse.orders_not_found import asked_orders
        from backmarket.warehouse.orders_out import order_facts, orders_of_lines, shipments, shipper_aliases

        now = datetime.now(UTC)
        feed, named = shipments(connection, self.account), shipper_aliases(connection, self.account)
        aliases = dict(named.rows)
        in_doubt = _orders_in_doubt(feed.left_out)
        rows: dict[int, list[Shipment]] = {order_id: [] for order_id in in_doubt}
        for row in feed.rows:
            rows.setdefault(row.order_id, []).append(row)
        orders = order_facts(connection, self.account, rows)
        order_of_line = orders_of_lines(connection, self.account, rows.keys() - orders.keys())
        asked = asked_orders(connection, self.account)
        imei_settings = neighbour(ImeiSettings)
        judged = self._judged_devices(connection, imei_settings or ImeiSettings(), rows, now=now)
        imeis = _imeis(judged)
        carried = _carried(judged) if imei_settings and imei_settings.imei_update else {}
        refused = refused_lately(connection, self.account, "tracking", since=now - SAME_REFUSAL_AGAIN)
        changes = []
        for order_id, of_order in rows.items():
            order, device = orders.get(order_id), carried.get(order_id)
            if order_id in in_doubt:
                decision = in_doubt[order_id]
            elif order is None:
                decision = unknown_order(order_id, order_of_line.get(order_id), asked.get(order_id))
            else:
                decision = judge_shipments(of_order, order, imeis=imeis.get(order_id, ()), now=now)
                if decision.verdict == "send" and settings.require_imei:
                    decision = _judge_phones(order, settings, device.identifiers if device else None)
            if decision.verdict == "send":
                payload = self._payload(of_order[0], aliases, device)
                if not refused_already(refused, str(order_id), payload):
                    status: PlannedStatus = "dry_run" if settings.dry_run else "planned"
                    reason = (device.decision.reason if device else None) or None
                    changes.append(PlannedChange(str(order_id), payload, status=status, reason=reason))
            elif decision.verdict != "done":
                self.log.warning("Shipment of order %d: %s", order_id, decision.reason)
                changes.append(
                    PlannedChange(str(order_id), {"order_id": order_id}, status="refused", reason=decision.reason)
                )
        return Plan(changes, [feed, named])

    def _judged_devices(
        self,
        connection: Connection,
        settings: ImeiSettings,
        parcels: Mapping[int, list[Shipment]],
        *,
        now: datetime,
    ) -> list[JudgedDevice]:
        from backmarket.warehouse.orders_out import devices

        circumstances = Circumstances(
            now=now,
            ships_with_order=False,
            resale_after=timedelta(days=settings.device_resale_days),
            parcels=parcels,
        )
        rows = devices(connection, self.account).rows
        return list(judge_devices(connection, self.account, rows, circumstances).values())

    def _payload(self, row: Shipment, aliases: Mapping[str, str], device: JudgedDevice | None) -> dict[str, Any]:
        number = clean_tracking_number(row.tracking_number)
        identifiers = device.identifiers if device else None
        carrier = find_carrier(row.shipper, aliases) if row.shipper else None
        payload = {
            "order_id": row.order_id,
            "tracking_number": number,
            "tracking_url": clean_tracking_url(row.tracking_url, row.tracking_number, number),
            "date_shipping": row.shipped_at.astimezone(UTC).isoformat() if row.shipped_at else None,
            "shipper": carrier or (OTHER if row.shipper else None),
            "imei": identifiers.imei if identifiers else None,
            "serial_number": identifiers.serial_number if identifiers else None,
            "sold_with": (list(device.sold_with) or None) if device else None,
        }
        if row.shipper and carrier is None:
            payload["unknown_shipper"] = row.shipper
            self.log.warning(
                "Order %d: Back Market knows no carrier %r; it goes as %s. A row in seller.shipper_aliases ties it to "
                "one of theirs.",
                row.order_id,
                row.shipper,
                OTHER,
            )
        if row.tracking_url and not payload["tracking_url"]:
            self.log.warning("Order %d: its tracking URL cannot be sent and is left out.", row.order_id)
        return {name: value for name, value in payload.items() if value is not None}


class Shipping:
    """Ships one order.

    :param identifiers_required: whether an identifier that Back Market refuses keeps the shipment back.
    """

    unshown_is_final = False

    def __init__(self, *, identifiers_required: bool) -> None:
        self.identifiers_required = identifiers_required

    def group(self, change: RecordedChange) -> Hashable:
        """Each order by itself."""
        return change.change_id

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the order."""
        return judge_tracking(order, payloads[0]["tracking_number"])

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> str | None:
        """Ship it, with its identifier if it has one, and without where Back Market refuses only that."""
        from backmarket.api.errors import RefusedError

        (payload,) = payloads
        shipped_at = payload.get("date_shipping")
        shipment = {
            "tracking_number": payload["tracking_number"],
            "tracking_url": payload.get("tracking_url"),
            "date_shipping": datetime.fromisoformat(shipped_at) if shipped_at else None,
            "shipper": payload.get("shipper"),
        }
        unknown = payload.get("unknown_shipper")
        sold_with = payload.get("sold_with")
        remarks = [
            f"went as {OTHER}: Back Market knows no carrier {unknown!r}" if unknown else None,
            told_earlier_orders(sold_with) if sold_with else None,
        ]
        wanted = Identifiers(payload.get("imei"), payload.get("serial_number"))
        missing = still_missing(order.lines[0], wanted) if order.is_single_unit else Identifiers()
        try:
            client.update_order(
                order.order_id, SHIP, **shipment, imei=missing.imei, serial_number=missing.serial_number
            )
        except RefusedError as error:
            if missing == Identifiers() or self.identifiers_required:
                raise
            client.update_order(order.order_id, SHIP, **shipment)
            refusal = f"shipped without its identifier, which Back Market refused: {error.api_message}"
            remarks.append(refusal)
        return "; ".join(filter(None, remarks)) or None


def _orders_in_doubt(left_out: Iterable[LeftOut]) -> dict[int, Decision]:
    """Keep back, for its reason, each order with a row that cannot be read: what it says cannot be taken back."""
    from backmarket.warehouse.seller_rows import UnreadableError, id_number

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


def _carried(devices: Iterable[JudgedDevice]) -> dict[int, JudgedDevice]:
    """Return what travels with the shipment, by order: only an order of a single unit may carry it."""
    return {
        each.order_id: each
        for each in devices
        if each.decision.verdict == "send"
        and each.order
        and each.order.is_single_unit
        and each.line
        and each.line.state == ACCEPTED
    }


def _judge_phones(order: OrderFacts, settings: TrackingSettings, carried: Identifiers | None) -> Decision:
    phones = phones_without_imei(order, settings.phone_titles, carried)
    if phones:
        named = ", ".join(map(str, phones))
        return wait(f"backmarket_require_imei is on, and there is no valid IMEI for line {named}")
    return Decision("send")
