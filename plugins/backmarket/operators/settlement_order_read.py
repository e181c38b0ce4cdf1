"""Reads the orders that statements name and that are not stored here."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

CONCERN = "settlement_orders"


class BackMarketSettlementOrderReadOperator(BackMarketOperator):
    """Asks Back Market by id for unknown orders, a limited number a run, so that none is called missing unread.

    What it does not have is remembered and not asked for again. Skips where statements name no unknown order.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new and changed, numbers that Back Market does not have, requests made."""
        from backmarket.settings import SettlementSettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlement_reconciliation import remember_unknown, unknown_numbers

        began = monotonic()
        budget = SettlementSettings.load().settlement_order_reads
        with connect(self.warehouse_conn_id) as connection:
            numbers = unknown_numbers(connection, self.account, budget)
            if not numbers:
                raise AirflowSkipException("Every order that statements name is known or has been asked for.")
            # Only now: most days of a backfill need no client, which takes longer to import than all the rest.
            from backmarket.api.errors import NotFoundError
            from backmarket.operators.order_reading import OrderReading
            from backmarket.warehouse.orders import OrderStaging

            absent = []
            with self.hook as client:
                reading = OrderReading(client, OrderStaging(connection, self.account))
                for number in numbers:
                    try:
                        reading.read_one(number)
                    except NotFoundError:
                        absent.append(number)
                counts = reading.store(CONCERN)
                remember_unknown(connection, self.account, absent)
                counts |= {"absent": len(absent), "requests": client.requests_made}
        counts["seconds"] = round(monotonic() - began, 1)
        reading.tell(self.log, counts)
        if absent:
            self.log.warning("Back Market has no orders of these numbers, which statements name: %s", absent)
        return counts
