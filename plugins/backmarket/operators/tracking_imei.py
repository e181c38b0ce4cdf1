"""Operators of ``backmarket_tracking_imei``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.configuration import page_url
from backmarket.lineage import ORDER_TABLES
from backmarket.operators.base import (
    BackMarketAnnouncementOperator,
    BackMarketOperator,
    BackMarketOrderChangesOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.services.order_changes import OrderAction


class BackMarketShipmentOrderRefreshOperator(BackMarketOperator):
    """Reads by id orders that are unknown here, or were not wholly accepted when last read.

    So shipments go out also where downloads are off, or late. All other orders are read right before each write. An
    order that Back Market does not have is asked for a few times, ever more seldom, behind all others; one that it
    fails on is named and tried again by the next run. All others are stored.
    """

    reads = (
        "seller.shipments",
        "seller.devices",
        "seller.refunds",
        "backmarket.orders",
        "backmarket.order_lines",
        "ws/orders",
    )
    writes = ORDER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged, quarantined and unknown, requests, seconds; and the ids
        of those that could not be read, as ``unread``."""
        from backmarket.services.order_reading import refresh_shipment_orders
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.order_reading(connection) as reading:
            return refresh_shipment_orders(reading, now=datetime.now(UTC))


class BackMarketTrackingUploadOperator(BackMarketOrderChangesOperator):
    """Moves accepted orders that have a row in ``seller.shipments`` to state 3, each once.

    Where ``backmarket_imei_update`` is on, an order of a single unit takes its identifier along. Should Back Market
    refuse that, the order is shipped without it, unless ``backmarket_require_imei`` forbids. Of another table than
    ``seller.shipments`` that cannot be read, only parcels are kept that need it.

    :raises ChangesWaitingError: where some orders could not be shipped now; the others were.
    """

    reads = (
        "seller.shipments",
        "seller.shipper_aliases",
        "seller.devices",
        "seller.sku_map",
        "backmarket.inventory",
        "backmarket.orders",
        "backmarket.order_lines",
        "backmarket.settlement_lines",
        "ws/orders",
    )
    writes = ("ws/orders", "backmarket.changes", *ORDER_TABLES)

    def load_action(self) -> OrderAction:
        from backmarket.services.tracking import Shipping
        from backmarket.settings import ImeiSettings, PhoneSettings, TrackingSettings, neighbour

        settings = TrackingSettings.load(self.account)
        phones = PhoneSettings.load(self.account) if settings.require_imei else PhoneSettings()
        imei_settings = neighbour(self.account, ImeiSettings) or ImeiSettings()
        return Shipping(self.log, settings, imei_settings, phones.phone_titles)


class BackMarketImeiUpdateOperator(BackMarketOrderChangesOperator):
    """Sends what ``seller.devices`` says, each once, and reads back whether it was stored.

    An order of a single unit gets its identifier with the shipment where ``backmarket_tracking_upload`` is on; all
    others, and those shipped without, get it here. ``seller.shipments`` is only looked at for tracking numbers in the
    place of serial numbers: where it cannot be read, that is told, and no device waits for it.

    :raises ChangesWaitingError: where some identifiers could not be registered now; the others were.
    """

    reads = (
        "seller.devices",
        "seller.sku_map",
        "seller.shipments",
        "backmarket.inventory",
        "backmarket.orders",
        "backmarket.order_lines",
        "backmarket.settlement_lines",
        "ws/orders",
    )
    writes = ("ws/orderlines", "backmarket.changes", *ORDER_TABLES)

    def load_action(self) -> OrderAction:
        from backmarket.services.imei import Registration
        from backmarket.settings import ImeiSettings, is_neighbour_on

        return Registration(
            self.log, ImeiSettings.load(self.account), ships_with_order=is_neighbour_on(self.account, "tracking_upload")
        )


class BackMarketShipmentAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/shipments``, with the run's counts, where orders were shipped."""

    thing = "shipments"
    one = "shipment"
    things = "shipments"
    summed = ("confirmed", "refused")
    changing = ("confirmed",)
    is_noted = True


class BackMarketShipByAlertOperator(BackMarketOperator):
    """Prints the order desk and the late orders, and tells of each late order once, and again while it stays late.

    An order that waits for payment or for the carrier is not the seller's to hurry and raises no alarm. A late order
    waits for a person and fails nothing.

    :raises AlertChannelError: where the message could not be sent; the next run sends it.
    :raises VariableError: for a Variable that cannot be used, once people were told by its default.
    """

    reads = ("backmarket.order_desk",)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many open orders wait for what, how many are late, and how many of those were told of now."""
        from backmarket.alert_channels import send
        from backmarket.services.alerts import late_message, show_desk, tell_of_late_orders
        from backmarket.settings import VariableError, is_neighbour_on, key_of, read_or_default, read_variable
        from backmarket.warehouse.connection import connect

        # It runs whatever became of the other tasks, so it looks at the switches itself.
        on = is_neighbour_on(self.account, "tracking_upload") or is_neighbour_on(self.account, "imei_update")
        if not (on and is_neighbour_on(self.account, "enabled")):
            tracking, imei = (key_of(self.account, name) for name in ("tracking_upload", "imei_update"))
            raise AirflowSkipException(f"Neither {tracking} nor {imei} is on.")
        slips: list[VariableError] = []
        hours = read_or_default(self.account, "ship_by_alert_hours", slips)
        repeat_hours = read_or_default(self.account, "alert_repeat_hours", slips)
        with connect(self.warehouse_conn_id) as connection:
            desk, late = show_desk(
                connection,
                self.account,
                hours=hours,
                variable=key_of(self.account, "ship_by_alert_hours"),
                log=self.log,
            )
            conn_id, told = read_variable(self.account, "alert_conn_id"), 0
            if conn_id and late:
                told = tell_of_late_orders(
                    connection,
                    self.account,
                    late,
                    lambda new: send(conn_id, late_message(self.account, new, hours, page_url(self.account))),
                    repeat_hours=repeat_hours,
                )
        if slips:
            raise slips[0]
        return {**desk, "late": len(late), "told": told}
