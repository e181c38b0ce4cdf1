"""Reads the orders that the seller's shipments and devices name, where too little is known of them here."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.operators.item_failures import named

if TYPE_CHECKING:
    from airflow.sdk import Context

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
        from backmarket.operators.order_reading import OrderReading
        from backmarket.operators.order_reading_by_id import read_by_id
        from backmarket.rules.order_askings import choose_orders_to_ask
        from backmarket.warehouse import orders_not_found
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders import OrderStaging, mark_gone
        from backmarket.warehouse.orders_out import orders_to_read

        began = monotonic()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            reading = OrderReading(client, OrderStaging(connection, self.account))
            wanted = orders_to_read(connection, self.account)
            orders_not_found.forget(connection, self.account, named=wanted)
            asked = orders_not_found.asked_orders(connection, self.account)
            found = read_by_id(reading, choose_orders_to_ask(wanted, asked, now=datetime.now(UTC), most=MOST))
            counts = reading.store("shipment_orders", succeeded=found.stopped_by is None)
            mark_gone(connection, self.account, found.absent)
            orders_not_found.note_absent(connection, self.account, found.absent)
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
