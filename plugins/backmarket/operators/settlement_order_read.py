"""Reads the orders that statements name and that are not stored here."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator
from backmarket.operators.item_failures import named

if TYPE_CHECKING:
    from airflow.sdk import Context

CONCERN = "settlement_orders"


class BackMarketSettlementOrderReadOperator(BackMarketOperator):
    """Asks Back Market by id for unknown orders, a limited number a run, so that none is called missing unread.

    What it does not have is remembered and not asked for again; what it fails on is named and left to the next run,
    and all others are stored. Skips where statements name no unknown order.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new and changed, numbers that Back Market does not have, requests made; and the
        numbers that could not be read, as ``unread``."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlement_reconciliation import remember_unknown, unknown_numbers

        began = monotonic()
        budget = read_variable("settlement_order_reads")
        with connect(self.warehouse_conn_id) as connection:
            numbers = unknown_numbers(connection, self.account, budget)
            if not numbers:
                raise AirflowSkipException("Every order that statements name is known or has been asked for.")
            # Only now: most days of a backfill need no client, which takes longer to import than all the rest.
            from backmarket.operators.order_reading import OrderReading
            from backmarket.operators.order_reading_by_id import read_by_id
            from backmarket.warehouse.orders import OrderStaging

            with self.hook as client:
                reading = OrderReading(client, OrderStaging(connection, self.account))
                found = read_by_id(reading, numbers)
                counts = reading.store(CONCERN, succeeded=found.stopped_by is None)
                remember_unknown(connection, self.account, found.absent)
                counts |= {"absent": len(found.absent), "unread": list(found.unread)}
                counts["requests"] = client.requests_made
        counts["seconds"] = round(monotonic() - began, 1)
        reading.tell(self.log, counts)
        found.tell(self.log)
        if found.absent:
            self.log.warning(
                "Back Market has no orders of these numbers, which statements name: %s.", named(found.absent)
            )
        if found.stopped_by:
            raise found.stopped_by
        return counts
