"""Fails, visibly, while orders are late or about to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class LateOrdersError(Exception):
    """Orders that the seller has to ship are past their ship-by time, or close to it."""


class BackMarketShipByAlertOperator(BackMarketOperator):
    """Prints the order desk and the late orders; fails where there are any.

    An order that waits for payment or for the carrier is not the seller's to hurry and raises no alarm.

    :raises LateOrdersError: naming how many, and the most urgent.
    """

    ui_color = "#f8d7da"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many open orders wait for what."""
        from backmarket.settings import is_neighbour_on, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders_out import desk_counts, late_orders

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
            self.log.warning(
                "Order %d waits for %s, to ship by %s UTC (%s hours left)%s",
                order.order_id,
                order.waits_for,
                f"{order.ship_by:%Y-%m-%d %H:%M}",
                order.hours_left,
                f": {order.reason}" if order.reason else ".",
            )
        if late:
            raise LateOrdersError(
                f"{len(late)} orders have less than {hours} hours to their ship-by time, or are past it; the first is "
                f"{late[0].order_id}, which waits for {late[0].waits_for}. Ship them, or cancel what cannot be shipped "
                "in the Back Office; backmarket.order_desk lists all. backmarket_ship_by_alert_hours sets the limit."
            )
        return desk
