"""Operators of ``backmarket_tracking_imei``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.configuration import page_url
from backmarket.operators.base import BackMarketOperator, BackMarketOrderChangesOperator
from backmarket.rules.carriers import OTHER, find_carrier
from backmarket.rules.identifiers import (
    GOES_WITH_SHIPMENT,
)
from backmarket.rules.shipping import judge_shipments
from backmarket.rules.tracking_numbers import clean_tracking_number, clean_tracking_url
from backmarket.services.alerts import late_message, late_sentence
from backmarket.services.imei import SINCE_EVER, Circumstances, Registration, _payload, judge_devices, unknown_order
from backmarket.services.item_failures import named
from backmarket.services.order_changes import Plan
from backmarket.services.tracking import SAME_REFUSAL_AGAIN, Shipping, _carried, _imeis, _judge_phones, _orders_in_doubt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from backmarket.rules.shipping import Shipment
    from backmarket.services.imei import JudgedDevice
    from backmarket.settings import ImeiSettings, TrackingSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedStatus
    from backmarket.warehouse.tracking_imei import LateOrder


# What is left over is read by the next run.
MOST = 500


class BackMarketShipmentOrderRefreshOperator(BackMarketOperator):
    """Reads by id orders that are unknown here, or were not wholly accepted when last read.

    So shipments go out also where downloads are off, or late. All other orders are read right before each write. An
    order that Back Market does not have is asked for a few times, ever more seldom, behind all others; one that it
    fails on is named and tried again by the next run. All others are stored.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged, quarantined and unknown, requests, seconds; and the ids
        of those that could not be read, as ``unread``."""
        from backmarket.rules.order_askings import choose_orders_to_ask
        from backmarket.services.order_reading import OrderReading, read_by_id
        from backmarket.warehouse import orders
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders import OrderStaging, mark_gone
        from backmarket.warehouse.tracking_imei import orders_to_read

        began = monotonic()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            reading = OrderReading(client, OrderStaging(connection, self.account))
            wanted = orders_to_read(connection, self.account)
            orders.forget_found(connection, self.account, named=wanted)
            asked = orders.asked_orders(connection, self.account)
            found = read_by_id(reading, choose_orders_to_ask(wanted, asked, now=datetime.now(UTC), most=MOST))
            counts = reading.store("shipment_orders", succeeded=found.stopped_by is None)
            mark_gone(connection, self.account, found.absent)
            orders.note_absent(connection, self.account, found.absent)
            counts |= {"unknown": len(found.absent), "unread": list(found.unread)}
            counts |= {"requests": client.requests_made, "seconds": round(monotonic() - began, 1)}
        reading.tell(self.log, counts)
        found.tell(self.log)
        if found.absent:
            self.log.warning(
                "seller.shipments or seller.devices name orders that Back Market does not have: %s. They are asked for "
                "again, ever more seldom; correct the ids, or remove the rows.",
                named(found.absent),
            )
        if found.stopped_by:
            raise found.stopped_by
        return counts


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
        from backmarket.services.order_changes import refused_already
        from backmarket.settings import ImeiSettings, neighbour
        from backmarket.warehouse.inventory_prices import refused_lately
        from backmarket.warehouse.ledger import PlannedChange
        from backmarket.warehouse.orders import asked_orders
        from backmarket.warehouse.tracking_imei import order_facts, orders_of_lines, shipments, shipper_aliases

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
        from backmarket.warehouse.tracking_imei import devices

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
        from backmarket.services.imei import Circumstances, judge_devices
        from backmarket.services.order_changes import refused_already
        from backmarket.settings import is_neighbour_on
        from backmarket.warehouse.inventory_prices import refused_lately
        from backmarket.warehouse.ledger import PlannedChange
        from backmarket.warehouse.tracking_imei import devices, parcels_by_order

        circumstances = Circumstances(
            now=datetime.now(UTC),
            ships_with_order=is_neighbour_on("tracking_upload"),
            resale_after=timedelta(days=settings.device_resale_days),
            parcels=parcels_by_order(connection, self.account),
        )
        refused = refused_lately(connection, self.account, "imei", since=SINCE_EVER)
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


class BackMarketShipByAlertOperator(BackMarketOperator):
    """Prints the order desk and the late orders, and tells of each late order once, and again while it stays late.

    An order that waits for payment or for the carrier is not the seller's to hurry and raises no alarm. A late order
    waits for a person and fails nothing.

    :raises AlertChannelError: where the message could not be sent; the next run sends it.
    """

    ui_color = "#f8d7da"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many open orders wait for what, how many are late, and how many of those were told of now."""
        from backmarket.settings import is_neighbour_on, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.tracking_imei import desk_counts, late_orders

        # It runs whatever became of the other tasks, so it looks at the switches itself.
        on = is_neighbour_on("tracking_upload") or is_neighbour_on("imei_update")
        if not (on and is_neighbour_on("enabled")):
            raise AirflowSkipException("Neither backmarket_tracking_upload nor backmarket_imei_update is on.")
        hours = read_variable("ship_by_alert_hours")
        with connect(self.warehouse_conn_id) as connection:
            desk = desk_counts(connection, self.account)
            late = late_orders(connection, self.account, hours=hours)
            for waits_for, orders in desk.items():
                self.log.info("%d open orders wait for %s.", orders, waits_for)
            for order in late:
                self.log.warning("%s", late_sentence(order))
            told = self._tell(connection, late, hours)
        if late:
            self.log.warning(
                "%d orders have less than %d hours to their ship-by time, or are past it. Ship them, or cancel what "
                "cannot be shipped in the Back Office; backmarket.order_desk lists all. "
                "backmarket_ship_by_alert_hours sets the limit.",
                len(late),
                hours,
            )
        return {**desk, "late": len(late), "told": told}

    def _tell(self, connection: Connection, late: Sequence[LateOrder], hours: int) -> int:
        """Send one message about the late orders that people were not told of lately, and return how many they are."""
        from backmarket.alert_channels import send
        from backmarket.settings import read_variable
        from backmarket.warehouse import sql

        conn_id = read_variable("alert_conn_id")
        if not (conn_id and late):
            return 0
        # The name that the daily look at all that waits has for it, too: one order is one thing to tell.
        subjects = {f"late:{order.order_id}": order for order in late}
        parameters = {
            "account": self.account,
            "subjects": list(subjects),
            "repeat_hours": read_variable("alert_repeat_hours"),
        }
        with connection.transaction():
            new = connection.execute(sql.statement("alerts/insert_told"), parameters).fetchall()
            if new:
                send(conn_id, late_message(self.account, [subjects[subject] for (subject,) in new], hours, page_url()))
        return len(new)
