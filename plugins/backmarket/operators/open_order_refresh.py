"""Reads open orders again once a day: ``date_modification`` can miss changes (seen in production)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator
from backmarket.operators.item_failures import named

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.warehouse.connection import Connection

CONCERN = "open_orders"
EVERY = timedelta(days=1)
OPEN_STATES = (10, 1, 3)


class BackMarketOpenOrderRefreshOperator(BackMarketOperator):
    """Reads all open orders by state, then, one by one, those open here that the lists lacked.

    Skips until a day has passed since the last time, and on the very first run, which reads everything anyway.
    An order that Back Market answers 404 for is marked ``gone_at``; it was most likely never paid. One that it fails
    on is named and left as it is; all others are stored.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged, quarantined and gone, requests made, seconds taken; and
        the ids of those that could not be read, as ``unread``."""
        from backmarket.api.errors import ShortReadError
        from backmarket.operators.order_reading import OrderReading
        from backmarket.operators.order_reading_by_id import read_by_id
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders import OrderStaging, mark_gone, open_order_ids

        began = monotonic()
        with connect(self.warehouse_conn_id) as connection:
            if reason := self._reason_to_wait(connection):
                # Those who add up counts find nothing instead of an error about a missing XCom.
                context["ti"].xcom_push(key="return_value", value={})
                raise AirflowSkipException(reason)
            with self.hook as client:
                reading = OrderReading(client, OrderStaging(connection, self.account))
                complete = [reading.read_list(state=state) for state in OPEN_STATES]
                absent = [each for each in open_order_ids(connection, self.account) if each not in reading.seen]
                found = read_by_id(reading, absent)
                mark_gone(connection, self.account, found.absent)
                counts = reading.store(CONCERN, succeeded=all(complete) and found.stopped_by is None)
            counts |= {
                "gone": len(found.absent),
                "unread": list(found.unread),
                "requests": client.requests_made,
                "seconds": round(monotonic() - began, 1),
            }
        reading.tell(self.log, counts)
        found.tell(self.log)
        if found.absent:
            self.log.warning("Back Market no longer serves these orders that were open here: %s.", named(found.absent))
        if found.stopped_by:
            raise found.stopped_by
        if not all(complete):
            raise reading.failure or ShortReadError(method="GET", path="/ws/orders")
        return counts

    def _reason_to_wait(self, connection: Connection) -> str | None:
        from backmarket.warehouse import sync_state

        last = sync_state.read(connection, self.account, CONCERN).succeeded_at
        if last is None:
            sync_state.record_success(connection, self.account, CONCERN, {})
            return "The first download has just read everything: due in a day."
        if datetime.now(UTC) < last + EVERY:
            return f"Done {last:%Y-%m-%d %H:%M} UTC, due a day later."
        return None
