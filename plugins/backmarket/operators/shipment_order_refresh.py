"""Reads the orders that the seller's shipments and devices name, where too little is known of them here."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

# The newest ones; what is left over is read by the next run.
MOST = 500


class BackMarketShipmentOrderRefreshOperator(BackMarketOperator):
    """Reads by id orders that are unknown here, or were not wholly accepted when last read.

    So shipments go out also where downloads are off, or late. All other orders are read right before each write.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged, quarantined and unknown, requests, seconds."""
        from backmarket.api.errors import NotFoundError
        from backmarket.operators.order_reading import OrderReading
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders import OrderStaging
        from backmarket.warehouse.orders_out import orders_to_read

        began = monotonic()
        unknown = []
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            reading = OrderReading(client, OrderStaging(connection, self.account))
            for order_id in orders_to_read(connection, self.account, most=MOST):
                try:
                    reading.read_one(order_id)
                except NotFoundError:
                    unknown.append(order_id)
            counts = reading.store("shipment_orders") | {"unknown": len(unknown)}
            counts |= {"requests": client.requests_made, "seconds": round(monotonic() - began, 1)}
        reading.tell(self.log, counts)
        if unknown:
            self.log.warning("seller.shipments or seller.devices name orders that Back Market lacks: %s", unknown)
        return counts
