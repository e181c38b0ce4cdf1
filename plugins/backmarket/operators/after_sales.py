"""Operators of ``backmarket_after_sales``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.configuration import wait_of
from backmarket.lineage import CARE_TABLES, ORDER_TABLES
from backmarket.operators.base import BackMarketOperator, BackMarketOrderChangesOperator
from backmarket.operators.questions import BackMarketQuestionOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.services.order_changes import OrderWriting
    from backmarket.services.refunds import Refunding
    from backmarket.warehouse.after_sales import Part
    from backmarket.warehouse.approvals import ApprovalDesk
    from backmarket.warehouse.refund_approval import RefundQuestion


class BackMarketCareDownloadOperator(BackMarketOperator):
    """Reads care folders with their messages: those changed since the last time, and once a day all open ones.

    A folder that Back Market fails on costs no other: it is named, and read by the next run. Where Back Market does not
    serve care folders at all, that is told once, and the task does nothing more.

    :raises BackMarketError: where the list could not be read whole; what was read is stored.
    """

    reads = ("ws/sav", "backmarket.order_lines", "backmarket.care_folders_unread")
    writes = CARE_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: folders new, changed, unchanged, gone and quarantined, requests; and the ids of those that
        could not be read, as ``unread``."""
        from backmarket.services.care import CareReading
        from backmarket.settings import CareSettings
        from backmarket.warehouse.connection import connect

        lookback = timedelta(days=CareSettings.load(self.account).care_lookback_days)
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            reading = CareReading(client, connection, self.account, self.log)
            return reading.download(now=datetime.now(UTC), lookback=lookback)


class BackMarketReturnsDownloadOperator(BackMarketOperator):
    """Reads the parcels of Back Market's own shipping: deliveries and returns; skips where no order is carried by it.

    Where Back Market does not serve one of the two lists, that is told once; the other is read all the same.

    :raises BackMarketError: where a list could not be read whole; what was read is stored, of the other list, too.
    """

    reads = ("ws/shipping/v1/deliveries", "ws/shipping/v1/returns", "backmarket.orders")
    writes = ("backmarket.deliveries", "backmarket.returns")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of both lists: parcels new, changed, unchanged and quarantined, requests."""
        from backmarket.api.errors import BackMarketError
        from backmarket.services.backship import download_parcels, why_nothing_is_asked
        from backmarket.settings import ReturnSettings
        from backmarket.warehouse.connection import connect

        lookback = timedelta(days=ReturnSettings.load(self.account).returns_lookback_days)
        parts: tuple[Part, ...] = ("deliveries", "returns")
        counts: dict[str, Any] = {}
        failure: BackMarketError | None = None
        with connect(self.warehouse_conn_id) as connection:
            if why := why_nothing_is_asked(connection, self.account):
                self.skip_without_counts(context, why)
            with self.hook as client:
                for part in parts:
                    try:
                        found = download_parcels(
                            client,
                            connection,
                            self.account,
                            part,
                            self.log,
                            now=datetime.now(UTC),
                            lookback=lookback,
                        )
                    except BackMarketError as error:
                        failure = failure or error
                        continue
                    counts = {name: counts.get(name, 0) + found.get(name, 0) for name in {**counts, **found}}
                requests = client.requests_made
        if failure:
            raise failure
        return {**counts, "requests": requests}


class BackMarketRefundOrderRefreshOperator(BackMarketOperator):
    """Reads by id orders that ``seller.refunds`` names and that are unknown here, or too old a reading to judge by.

    An order that Back Market does not have is asked for a few times, ever more seldom; one that it fails on is named
    and tried again by the next run. All others are stored.
    """

    reads = (
        "seller.refunds",
        "seller.shipments",
        "seller.devices",
        "backmarket.orders",
        "backmarket.order_lines",
        "ws/orders",
    )
    writes = ORDER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged, quarantined and unknown, requests, seconds; and the ids
        of those that could not be read, as ``unread``."""
        from backmarket.services.order_reading import refresh_refund_orders
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.order_reading(connection) as reading:
            return refresh_refund_orders(reading, now=datetime.now(UTC))


class BackMarketRefundUploadOperator(BackMarketOrderChangesOperator):
    """Pays back what ``seller.refunds`` says, each refund once; of one line one after the other.

    What a person has to see first waits; what cannot be paid back is refused, with the reason.

    :raises ChangesWaitingError: where some refunds could not be sent now, or it is not known whether they were applied;
        the others were.
    """

    reads = (
        "seller.refunds",
        "backmarket.orders",
        "backmarket.order_lines",
        "backmarket.settlement_expected_lines",
        "backmarket.settlement_lines",
        "backmarket.refunds_sent",
        "backmarket.refund_approvals",
        "ws/orders",
    )
    writes = ("ws/orders", "ws/sav", "backmarket.changes", *ORDER_TABLES)

    def load_action(self) -> Refunding:
        from backmarket.services.refunds import Refunding
        from backmarket.settings import RefundSettings

        return Refunding(self.log, RefundSettings.load(self.account))

    def carry_out(self, writing: OrderWriting, action: Any, context: Context) -> dict[str, Any]:
        from backmarket.services.refunds import send_all, settle_by_statements

        settle_by_statements(writing.ledger, action)
        return send_all(writing, action, now=datetime.now(UTC), run_id=context["run_id"], limit_pct=self.rows_limit_pct)


class BackMarketRefundQuestionOperator(BackMarketQuestionOperator):
    """Updates the asset ``backmarket/refund_questions`` where refunds wait that nobody was asked about."""

    reads = ("backmarket.changes", "backmarket.refund_approvals")

    things = "refunds"
    questions = "refund_questions"
    decision_days = "refund_decision_days"
    approval_hours = "refund_approval_hours"

    @property
    def desk(self) -> ApprovalDesk[RefundQuestion]:
        from backmarket.warehouse.refund_approval import DESK

        return DESK


class BackMarketInvoiceUploadOperator(BackMarketOperator):
    """Sends the PDF files of the invoice folder to the orders that their names say, each content once.

    Of several files of one order the newest is sent. One that cannot be sent, or that Back Market refuses, is named
    with its reason and costs no other. Skips where no folder is given.

    :raises InboxError: where the folder cannot be listed.
    """

    reads = ("inbox/invoices",)
    writes = ("ws/orders", "backmarket.changes")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many invoices were confirmed, refused and so on; the files that the storage did not give, as
        ``files_left``, and what could not be sent, as ``not_sent``."""
        from backmarket.hooks.inbox import INVOICES, list_inbox
        from backmarket.services.invoices import InvoiceSending
        from backmarket.settings import InvoiceSettings, key_of
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger

        settings = InvoiceSettings.load(self.account)
        if settings.invoice_folder is None:
            folder = key_of(self.account, "invoice_folder")
            self.skip_without_counts(context, f"{folder} is empty: no invoice is sent.")
        files = list_inbox(settings.invoice_folder, INVOICES, variable=key_of(self.account, "invoice_folder"))
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            ledger = Ledger(connection, self.account, "invoice")
            sending = InvoiceSending(client, ledger, settings, self.log, wait_of("in_flight_seconds"))
            return sending.send(files, now=datetime.now(UTC), run_id=context["run_id"])
