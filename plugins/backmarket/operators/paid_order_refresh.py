"""Reads all orders that wait to be accepted, right before they are judged."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPaidOrderRefreshOperator(BackMarketOperator):
    """Stores every order in state 1, whatever its modification date says, and whether or not downloads are on.

    Where the list does not come out whole, what was read is stored and judged all the same: an order that is not known
    is not accepted, and none that is known has to wait for it.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged and quarantined, requests made, seconds taken; and the
        list, as ``lists_short``, where it did not come out whole."""
        from backmarket.operators.order_reading import OrderReading
        from backmarket.rules.order_facts import PAID
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders import OrderStaging

        began = monotonic()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            reading = OrderReading(client, OrderStaging(connection, self.account))
            complete = reading.read_list(state=PAID)
            counts = reading.store("paid_orders", succeeded=complete)
            counts |= {"requests": client.requests_made, "seconds": round(monotonic() - began, 1)}
        reading.tell(self.log, counts)
        if complete:
            return counts
        self.log.warning("The list of paid orders did not come out whole. %s", reading.failure or "It moved too much.")
        return {**counts, "lists_short": ["paid orders"]}
