"""Registers IMEIs and serial numbers on order lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.rules.identifiers import Identifiers, judge_identifiers, still_missing

if TYPE_CHECKING:
    from collections.abc import Hashable

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.operators.device_planning import JudgedDevice
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.settings import ShippingSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedChange, RecordedChange

# Back Market never changes its mind about an identifier.
EVER = datetime(2000, 1, 1, tzinfo=UTC)


class BackMarketImeiUpdateOperator(BackMarketOperator):
    """Sends what ``seller.devices`` says, each once, and reads back whether it was stored.

    An order of a single unit gets its identifier with the shipment where ``backmarket_tracking_upload`` is on; all
    others, and those shipped without, get it here.

    :raises ChangesWaitingError: where some could not be sent now; the others are.
    """

    ui_color = "#f9d8b4"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many lines were planned, confirmed, refused and so on, and which rows wait or are refused."""
        from backmarket.operators.order_writing import OrderWriting
        from backmarket.settings import ShippingSettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.orders import OrderStaging

        settings = ShippingSettings.load()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            ledger, staging = Ledger(connection, self.account, "imei"), OrderStaging(connection, self.account)
            writing = OrderWriting(client, ledger, staging, Registration(), self.log)
            writing.settle_unsettled()
            changes = self._changes(connection, settings)
            ledger.plan(changes, run_id=context["run_id"])
            writing.send_planned()
        held = [change.subject for change in changes if change.status == "refused"]
        wanted = len(changes) - len(held)
        self.log.info("Lines to identify: %d; ended: %s; rows held: %d.", wanted, dict(writing.counts), len(held))
        return {"wanted": wanted, **writing.counts, "held": held}

    def _changes(self, connection: Connection, settings: ShippingSettings) -> list[PlannedChange]:
        from backmarket.operators.device_planning import judge_devices
        from backmarket.operators.order_writing import refused_already
        from backmarket.warehouse.inventory import refused_lately
        from backmarket.warehouse.ledger import PlannedChange

        refused = refused_lately(connection, self.account, "imei", since=EVER)
        changes = []
        for each in judge_devices(connection, self.account, ships_with_order=settings.tracking_upload).values():
            payload = _payload(each)
            if each.decision.verdict == "done" or refused_already(refused, each.subject, payload):
                continue
            if each.decision.verdict == "send":
                status = "dry_run" if settings.dry_run else "planned"
                changes.append(PlannedChange(each.subject, payload, status=status))  # type: ignore[arg-type]
            else:
                self.log.warning("Device of order %d, line %s: %s", each.order_id, each.subject, each.decision.reason)
                changes.append(PlannedChange(each.subject, payload, status="refused", reason=each.decision.reason))
        return changes


class Registration:
    """Registers what one line lacks."""

    unshown_is_final = True

    def group(self, change: RecordedChange) -> Hashable:
        """Each line by itself."""
        return change.change_id

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the line."""
        return judge_identifiers(order, payloads[0]["orderline_id"], _wanted(payloads[0]))

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> None:
        """Register it."""
        orderline_id = payloads[0]["orderline_id"]
        line = order.line(orderline_id)
        missing = still_missing(line, _wanted(payloads[0])) if line else _wanted(payloads[0])
        client.update_orderline(orderline_id, imei=missing.imei, serial_number=missing.serial_number)


def _wanted(payload: dict[str, Any]) -> Identifiers:
    return Identifiers(payload.get("imei"), payload.get("serial_number"))


def _payload(each: JudgedDevice) -> dict[str, Any]:
    payload: dict[str, Any] = {"order_id": each.order_id}
    if each.line:
        payload["orderline_id"] = each.line.orderline_id
    for name in ("imei", "serial_number"):
        if each.identifiers and (value := getattr(each.identifiers, name)):
            payload[name] = value
    return payload
