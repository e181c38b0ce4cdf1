"""Tells people of orders that are late or about to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from backmarket.alert_channels import Message
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.orders_out import LateOrder

_MOST_TOLD = 20


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
                self.log.warning("%s", _sentence(order))
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
                send(conn_id, late_message(self.account, [subjects[subject] for (subject,) in new], hours))
        return len(new)


def late_message(account: str, late: Sequence[LateOrder], hours: int) -> Message:
    """Say which orders are late or soon will be, the most urgent first, and what to do."""
    from backmarket.alert_channels import Message

    late = sorted(late, key=lambda order: order.ship_by)
    url = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/plugin/backmarket"
    lines = [f"- {_sentence(order)}" for order in late[:_MOST_TOLD]]
    advice = "Ship them, or cancel what cannot be shipped in the Back Office."
    things = "1 order has" if len(late) == 1 else f"{len(late)} orders have"
    return Message(
        title=f"Back Market ({account}): {things} less than {hours} hours left to ship, or none",
        text="\n".join([*lines, advice, f"All of it: {url}"]),
        facts={
            "kind": "ship_by",
            "account": account,
            "orders": [order.order_id for order in late[:_MOST_TOLD]],
            "url": url,
        },
    )


def _sentence(order: LateOrder) -> str:
    why = f": {order.reason}" if order.reason else "."
    due = f"{order.ship_by:%Y-%m-%d %H:%M} UTC ({order.hours_left} hours left)"
    return f"Order {order.order_id} waits for {order.waits_for}, to ship by {due}{why}"
