"""Registers IMEIs and serial numbers on order lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.order_changes import BackMarketOrderChangesOperator, Plan
from backmarket.rules.identifiers import (
    GOES_WITH_SHIPMENT,
    Identifiers,
    judge_identifiers,
    still_missing,
    told_earlier_orders,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    from backmarket.api.client import BackMarketClient
    from backmarket.operators.device_planning import JudgedDevice
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.settings import ImeiSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedStatus, RecordedChange

# Back Market never changes its mind about an identifier.
EVER = datetime(2000, 1, 1, tzinfo=UTC)


class BackMarketImeiUpdateOperator(BackMarketOrderChangesOperator["ImeiSettings"]):
    """Sends what ``seller.devices`` says, each once, and reads back whether it was stored.

    An order of a single unit gets its identifier with the shipment where ``backmarket_tracking_upload`` is on; all
    others, and those shipped without, get it here.

    :raises ChangesWaitingError: where some could not be sent now; the others are.
    """

    kind = "imei"

    def load_settings(self) -> ImeiSettings:
        """Read the concern's Variables."""
        from backmarket.settings import ImeiSettings

        return ImeiSettings.load()

    def action(self, settings: ImeiSettings) -> Registration:
        """Return what is done to an order."""
        return Registration()

    def plan_changes(self, connection: Connection, settings: ImeiSettings) -> Plan:
        """Decide what is to be registered, and which rows wait or are refused."""
        from backmarket.operators.device_planning import Circumstances, judge_devices
        from backmarket.operators.order_writing import refused_already
        from backmarket.settings import is_neighbour_on
        from backmarket.warehouse.inventory import refused_lately
        from backmarket.warehouse.ledger import PlannedChange
        from backmarket.warehouse.orders_out import devices, parcels_by_order

        circumstances = Circumstances(
            now=datetime.now(UTC),
            ships_with_order=is_neighbour_on("tracking_upload"),
            resale_after=timedelta(days=settings.device_resale_days),
            parcels=parcels_by_order(connection, self.account),
        )
        refused = refused_lately(connection, self.account, "imei", since=EVER)
        feed = devices(connection, self.account)
        judged = judge_devices(connection, self.account, feed.rows, circumstances)
        changes, with_shipment = [], 0
        for each in judged.values():
            payload = _payload(each)
            if each.decision.verdict == "done" or refused_already(refused, each.subject, payload):
                continue
            if each.decision == GOES_WITH_SHIPMENT:
                with_shipment += 1
            elif each.decision.verdict == "send":
                status: PlannedStatus = "dry_run" if settings.dry_run else "planned"
                reason = each.decision.reason or None
                changes.append(PlannedChange(each.subject, payload, status=status, reason=reason))
            else:
                self.log.warning("Device of order %d, line %s: %s", each.order_id, each.subject, each.decision.reason)
                changes.append(PlannedChange(each.subject, payload, status="refused", reason=each.decision.reason))
        if with_shipment:
            self.log.info("%d identifiers go out with their orders' shipments.", with_shipment)
        return Plan(changes, [feed])


class Registration:
    """Registers what one line lacks."""

    unshown_is_final = True

    def group(self, change: RecordedChange) -> Hashable:
        """Each line by itself."""
        return change.change_id

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the line."""
        return judge_identifiers(order, payloads[0]["orderline_id"], _wanted(payloads[0]))

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> str | None:
        """Register it; what was sold before is remarked on."""
        orderline_id = payloads[0]["orderline_id"]
        line = order.line(orderline_id)
        missing = still_missing(line, _wanted(payloads[0])) if line else _wanted(payloads[0])
        client.update_orderline(orderline_id, imei=missing.imei, serial_number=missing.serial_number)
        sold_with = payloads[0].get("sold_with")
        return told_earlier_orders(sold_with) if sold_with else None


def _wanted(payload: dict[str, Any]) -> Identifiers:
    return Identifiers(payload.get("imei"), payload.get("serial_number"))


def _payload(each: JudgedDevice) -> dict[str, Any]:
    payload: dict[str, Any] = {"order_id": each.order_id}
    if each.line:
        payload["orderline_id"] = each.line.orderline_id
    for name in ("imei", "serial_number"):
        if each.identifiers and (value := getattr(each.identifiers, name)):
            payload[name] = value
    if each.sold_with:
        payload["sold_with"] = list(each.sold_with)
    return payload
