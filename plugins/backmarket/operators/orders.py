"""Operators of ``backmarket_orders``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import ORDERS
from backmarket.operators.base import BackMarketOperator, BackMarketOrderChangesOperator
from backmarket.rules.acceptance import judge_acceptance, judge_stock, requests
from backmarket.rules.order_facts import SEND
from backmarket.rules.order_window import (
    Historical,
    Incremental,
    historical_window,
    incremental_window,
    next_watermark,
)
from backmarket.rules.skus import sku_key
from backmarket.services.acceptance import SAME_REFUSAL_AGAIN, Acceptance, _payloads, _ship_by
from backmarket.services.announcements import total
from backmarket.services.item_failures import named
from backmarket.services.order_changes import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from backmarket.rules.acceptance import Request
    from backmarket.rules.order_facts import Decision
    from backmarket.services.order_reading import OrderReading
    from backmarket.settings import AcceptanceSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedChange


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
        from backmarket.services.order_reading import OrderReading
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


OPEN_ORDERS = "open_orders"

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
        from backmarket.services.order_reading import OrderReading, read_by_id
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
                counts = reading.store(OPEN_ORDERS, succeeded=all(complete) and found.stopped_by is None)
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

        last = sync_state.read(connection, self.account, OPEN_ORDERS).succeeded_at
        if last is None:
            sync_state.record_success(connection, self.account, OPEN_ORDERS, {})
            return "The first download has just read everything: due in a day."
        if datetime.now(UTC) < last + EVERY:
            return f"Done {last:%Y-%m-%d %H:%M} UTC, due a day later."
        return None


class BackMarketPaidOrderRefreshOperator(BackMarketOperator):
    """Stores every order in state 1, whatever its modification date says, and whether or not downloads are on.

    Where the list does not come out whole, what was read is stored and judged all the same: an order that is not known
    is not accepted, and none that is known has to wait for it.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new, changed, unchanged and quarantined, requests made, seconds taken; and the
        list, as ``lists_short``, where it did not come out whole."""
        from backmarket.rules.order_facts import PAID
        from backmarket.services.order_reading import OrderReading
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


class BackMarketOrderAcceptanceOperator(BackMarketOrderChangesOperator["AcceptanceSettings"]):
    """Moves paid lines to state 2, one request per order and SKU, oldest payment first.

    A line that the stock does not cover is neither accepted nor cancelled: it is reported with its ship-by time.

    :raises ChangesWaitingError: where some lines could not be accepted now; the others are.
    """

    kind = "accept"

    def load_settings(self) -> AcceptanceSettings:
        """Read the concern's Variables."""
        from backmarket.settings import AcceptanceSettings

        return AcceptanceSettings.load()

    def action(self, settings: AcceptanceSettings) -> Acceptance:
        """Return what is done to an order."""
        return Acceptance()

    def plan_changes(self, connection: Connection, settings: AcceptanceSettings) -> Plan:
        """Decide what is to be accepted, and what is not, reported with its ship-by time."""
        from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
        from backmarket.warehouse.tracking_imei import paid_orders

        now = datetime.now(UTC)
        queue = requests(paid_orders(connection, self.account))
        refused = Ledger(connection, self.account, "accept").refusals(since=now - SAME_REFUSAL_AGAIN)
        changes: list[PlannedChange] = []
        for request, decision in zip(queue, self._decisions(connection, settings, queue, now), strict=True):
            if decision.verdict != "send":
                self._report(request, decision)
            for subject, payload in _payloads(request):
                if decision.verdict != "send":
                    reason = f"{decision.reason}{_ship_by(request)}"
                    changes.append(PlannedChange(subject, payload, status="refused", reason=reason))
                elif refused.include(subject, payload):
                    self.log.warning("Line %s: Back Market refused it less than an hour ago; later again.", subject)
                else:
                    changes.append(PlannedChange(subject, payload, status=planned_status(settings.dry_run)))
        return Plan(changes)

    def _decisions(
        self, connection: Connection, settings: AcceptanceSettings, queue: list[Request], now: datetime
    ) -> list[Decision]:
        from backmarket.warehouse.inventory_prices import lines_by_sku
        from backmarket.warehouse.tracking_imei import stock_by_sku

        by_order = [judge_acceptance(request.order, request.sku, request.orderline_ids) for request in queue]
        if not settings.acceptance_requires_stock:
            return by_order
        policy = settings.stock_policy
        lines = lines_by_sku(connection, self.account, now=now, hold=timedelta(0), intake_lag=policy.intake_lag)
        stock = stock_by_sku(connection, self.account, {sku_key(request.sku) for request in queue})
        by_stock = judge_stock(queue, stock, lines, policy, now=now)
        return [stock if order == SEND else order for order, stock in zip(by_order, by_stock, strict=True)]

    def _report(self, request: Request, decision: Decision) -> None:
        self.log.warning(
            "Order %d, SKU %s is not accepted: %s%s. A person has to decide.",
            request.order.order_id,
            request.sku,
            decision.reason,
            _ship_by(request),
        )


class BackMarketOrderAnnouncementOperator(BaseOperator):
    """Updates the asset ``backmarket/orders``, with the run's counts, where orders changed; else skips.

    :param counts: the counts of the tasks that read orders; None for one that was skipped.
    """

    template_fields = ("counts",)
    ui_color = "#fff3cd"

    def __init__(self, *, counts: Iterable[Any], **kwargs: Any) -> None:
        super().__init__(outlets=[ORDERS], **kwargs)
        self.counts = counts

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of the run."""
        totals = total(self.counts)
        changed = totals["new"] + totals["changed"] + totals["gone"]
        if not changed:
            raise AirflowSkipException("No order is new or changed: nothing to tell.")
        context["outlet_events"][ORDERS].extra = dict(totals)
        self.log.info("%d orders changed: asset %s updated.", changed, ORDERS.name)
        return totals


class BackMarketPurgePersonalDataOperator(BackMarketOperator):
    """Deletes personal data older than ``backmarket_pii_retention_days``; skips while that Variable is empty.

    It needs no concern to be on, and so brings the schema up to date itself; the main switch alone stops it.

    Addresses of open orders stay: they are needed to ship.
    """

    ui_color = "#f8d7da"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many addresses and quarantined documents were deleted."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate
        from backmarket.warehouse.orders import purge_personal_data

        if not read_variable("enabled"):
            raise AirflowSkipException("backmarket_enabled is off: nothing is touched.")
        days = read_variable("pii_retention_days")
        if days is None:
            raise AirflowSkipException("backmarket_pii_retention_days is empty: personal data is kept.")
        with connect(self.warehouse_conn_id) as connection:
            migrate(connection)
            addresses, documents = purge_personal_data(connection, self.account, days=days)
        self.log.info(
            "Older than %d days, deleted: %d addresses, %d quarantined documents.", days, addresses, documents
        )
        return {"addresses": addresses, "quarantined_documents": documents}
