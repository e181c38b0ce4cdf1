"""Downloads orders: what changed since the last time, or a span of the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.rules.order_window import (
    Historical,
    Incremental,
    historical_window,
    incremental_window,
    next_watermark,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.operators.order_reading import OrderReading
    from backmarket.warehouse.connection import Connection

CONCERN = "orders"


class BackMarketOrderDownloadOperator(BackMarketOperator):
    """Brings orders from Back Market into ``backmarket.orders``, ``order_lines`` and ``order_addresses``.

    Scheduled and manual runs are incremental: everything modified since the watermark, less an overlap. With the
    params ``from`` and ``to``, or in a backfill, a run loads the orders created in that span and leaves the
    watermark alone. Data and watermark move in one transaction after all pages have arrived: a crash at any
    moment loses nothing, and running again repeats nothing.

    :raises BackMarketError: where Back Market refused, or failed on a page; :class:`ShortReadError` where the list
        moved too much to be read whole. What was read besides is stored, the watermark has not moved.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged and quarantined, requests made, seconds taken."""
        from backmarket.api.errors import BackMarketError, ShortReadError
        from backmarket.operators.order_reading import OrderReading
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.orders import OrderStaging

        began = monotonic()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            window = self._window(context, connection)
            self.log.info("Reading orders %s.", window)
            reading = OrderReading(client, OrderStaging(connection, self.account))
            refusal: BackMarketError | None = None
            try:
                complete = _read(reading, window)
            except BackMarketError as error:
                complete, refusal = False, error
            watermark = None
            if complete and isinstance(window, Incremental) and reading.started_at:
                watermark = next_watermark(reading.newest_modification, reading.started_at, window.modified_since)
            counts = reading.store(CONCERN, watermark=watermark, succeeded=watermark is not None)
            counts |= {"requests": client.requests_made, "seconds": round(monotonic() - began, 1)}
        self.log.info("Watermark: %s.", watermark or "not moved")
        reading.tell(self.log, counts)
        if not complete:
            raise refusal or reading.failure or ShortReadError(method="GET", path="/ws/orders")
        return counts

    def _window(self, context: Context, connection: Connection) -> Incremental | Historical:
        from backmarket.settings import read_variable
        from backmarket.warehouse import sync_state

        params, dag_run = context["params"], context["dag_run"]
        if params.get("from") or params.get("to"):
            return historical_window(_moment(params.get("from")), _moment(params.get("to")))
        if dag_run.run_type == "backfill":
            return historical_window(dag_run.data_interval_start, dag_run.data_interval_end)
        lookback = timedelta(days=read_variable("initial_lookback_days"))
        watermark = sync_state.read(connection, self.account, CONCERN).watermark
        return incremental_window(watermark, now=datetime.now(UTC), initial_lookback=lookback)


def _read(reading: OrderReading, window: Incremental | Historical) -> bool:
    if isinstance(window, Incremental):
        return reading.read_list(date_modification=window.modified_since)
    reading.created_to = window.created_to
    return reading.read_list(date_creation=window.created_from)


def _moment(value: str | None) -> datetime | None:
    """Read a param as Airflow's form gives it: a date or a time, in UTC unless it says otherwise."""
    if not value:
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
