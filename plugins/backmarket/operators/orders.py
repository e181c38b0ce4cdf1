"""Operators of ``backmarket_orders``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.lineage import ORDER_TABLES
from backmarket.operators.base import (
    BackMarketAnnouncementOperator,
    BackMarketOperator,
    BackMarketOrderChangesOperator,
)
from backmarket.words import counted

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.rules.order_window import Historical
    from backmarket.services.order_changes import OrderAction
    from backmarket.warehouse.connection import Connection


class BackMarketOrderDownloadOperator(BackMarketOperator):
    """Brings orders from Back Market into ``backmarket.orders``, ``order_lines`` and ``order_addresses``.

    Scheduled and manual runs are incremental: everything modified since the watermark, less an overlap. With the
    params ``from`` and ``to`` a run loads the orders created in that span and leaves the watermark alone; so does the
    first run of a backfill, which reads from the start of its interval up to now. The others skip, without a request:
    their span was read. Data and watermark move in one transaction after all pages have arrived: a crash at any
    moment loses nothing, and running again repeats nothing.

    :raises BackMarketError: where Back Market refused, or failed on a page; :class:`ShortReadError` where the list
        moved too much to be read whole. What was read besides is stored, the watermark has not moved.
    :raises HistoryReadTooOftenError: where a backfill would read the same orders over and over.
    """

    reads = ("ws/orders",)
    writes = ORDER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged and quarantined, requests made, seconds taken."""
        from backmarket.services.order_reading import download_orders, span_of_run, window_since_watermark
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect

        span = span_of_run(context["params"], context["dag_run"])
        with connect(self.warehouse_conn_id) as connection:
            if span and context["dag_run"].run_type == "backfill":
                return self._download_for_all_runs(connection, span, context)
            with self.order_reading(connection) as reading, self.progress(context, "order") as reading.progress:
                window = span or window_since_watermark(
                    connection,
                    self.account,
                    now=datetime.now(UTC),
                    initial_lookback=timedelta(days=read_variable(self.account, "initial_lookback_days")),
                )
                return download_orders(reading, window)

    def _download_for_all_runs(self, connection: Connection, span: Historical, context: Context) -> dict[str, Any]:
        """Read for all runs of a backfill, or skip where one of them has. They take turns."""
        from backmarket.services.order_reading import HistoryTurn, download_history

        run = context["dag_run"]
        turn = HistoryTurn(connection, self.account, context["run_id"], run.clear_number or 0)
        if reason := turn.why_span_is_read(span, run.dag_id, now=datetime.now(UTC)):
            self.skip_without_counts(context, reason)
        is_given = context["params"].get("from") or context["params"].get("to")
        window = span if is_given else replace(span, created_to=None)
        with self.order_reading(connection) as reading, self.progress(context, "order") as reading.progress:
            return download_history(reading, turn, window, now=datetime.now(UTC))


class BackMarketOpenOrderRefreshOperator(BackMarketOperator):
    """Reads all open orders by state, then, one by one, those that are open here and were in no list.

    Skips until a day has passed since the last time, and where the very first run has just read everything anyway.
    An order that Back Market answers 404 for is marked ``gone_at``; it was most likely never paid. One that it fails
    on is named and left as it is; all others are stored.
    """

    reads = ("ws/orders", "backmarket.orders")
    writes = ORDER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged, quarantined and gone, requests made, seconds taken; and
        the ids of those that could not be read, as ``unread``."""
        from backmarket.services.order_reading import refresh_open_orders, span_of_run, why_open_orders_can_wait
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection:
            if context["dag_run"].run_type == "backfill":
                self.skip_without_counts(context, "A backfill is about the past: open orders are read by other runs.")
            is_about_past = span_of_run(context["params"], context["dag_run"]) is not None
            if reason := why_open_orders_can_wait(
                connection, self.account, now=datetime.now(UTC), is_about_past=is_about_past
            ):
                self.skip_without_counts(context, reason)
            with self.order_reading(connection) as reading:
                return refresh_open_orders(reading)


class BackMarketPaidOrderRefreshOperator(BackMarketOperator):
    """Stores every order in state 1, whatever its modification date says, and whether or not downloads are on.

    Where the list does not come out whole, what was read is stored and judged all the same: an order that is not known
    is not accepted, and none that is known has to wait for it.
    """

    reads = ("ws/orders",)
    writes = ORDER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged and quarantined, requests made, seconds taken; and the
        list, as ``lists_short``, where it did not come out whole."""
        from backmarket.services.order_reading import refresh_paid_orders
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.order_reading(connection) as reading:
            return refresh_paid_orders(reading)


class BackMarketOrderAcceptanceOperator(BackMarketOrderChangesOperator):
    """Moves paid lines to state 2, one request per order and SKU, oldest payment first.

    A line that the stock does not cover is neither accepted nor cancelled: it is reported with its ship-by time.

    :raises ChangesWaitingError: where some lines could not be accepted now; the others were.
    """

    reads = (
        "seller.stock",
        "seller.stock_by_warehouse",
        "seller.sku_map",
        "backmarket.inventory",
        "backmarket.orders",
        "backmarket.order_lines",
        "ws/orders",
    )
    writes = ("ws/orders", "backmarket.changes", *ORDER_TABLES)

    def load_action(self) -> OrderAction:
        from backmarket.services.acceptance import Acceptance
        from backmarket.settings import AcceptanceSettings

        return Acceptance(self.log, AcceptanceSettings.load(self.account))


class BackMarketOrderAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/orders``, with the run's counts, where orders changed; else skips."""

    thing = "orders"
    one = "order"
    things = "orders"
    is_noted = True


class BackMarketPurgePersonalDataOperator(BackMarketOperator):
    """Deletes personal data older than ``backmarket_pii_retention_days``; skips while that Variable is empty.

    It needs no concern to be on, and so brings the schema up to date itself; the main switch alone stops it.

    Addresses of open orders stay: they are needed to ship.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many addresses, messages of care folders and quarantined documents were deleted."""
        from backmarket.settings import key_of, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate
        from backmarket.warehouse.orders import purge_personal_data

        self.skip_unless_enabled("Nothing is touched.", told_by="order_download_gate")
        days = read_variable(self.account, "pii_retention_days")
        if days is None:
            retention = key_of(self.account, "pii_retention_days")
            raise AirflowSkipException(f"{retention} is empty: personal data is kept.")
        with connect(self.warehouse_conn_id) as connection:
            migrate(connection)
            purged = purge_personal_data(connection, self.account, days=days)
        self.log.info(
            "Older than %s, deleted: %s, %s, %s.",
            counted(days, "day"),
            counted(purged.addresses, "address", "addresses"),
            counted(purged.care_messages, "message of customers", "messages of customers"),
            counted(purged.quarantined_documents, "quarantined document"),
        )
        return purged._asdict()
