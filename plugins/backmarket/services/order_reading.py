"""Reads orders, by lists and by id, so that none is missing although they arrive, change and leave meanwhile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import (
    BackMarketError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    ServerError,
    ShortReadError,
    UnreadableDocumentError,
)
from backmarket.rules.order_askings import choose_orders_to_ask
from backmarket.rules.order_facts import PAID
from backmarket.rules.order_window import (
    MOST_HISTORY_READS,
    Historical,
    HistoryRead,
    HistoryReadTooOftenError,
    Incremental,
    historical_window,
    history_read_for,
    incremental_window,
    moment_of,
    next_watermark,
)
from backmarket.services.item_failures import ItemFailures, named, raise_what_concerns_all
from backmarket.services.odd_fields import OddFields
from backmarket.services.progress import unseen
from backmarket.warehouse import order_history, orders, quarantine, refunds, sync_state, tracking_imei
from backmarket.warehouse.feeds import FeedUnusableError
from backmarket.warehouse.jsonb import dump
from backmarket.warehouse.settlements.reconciliation import remember_unknown
from backmarket.words import counted, minute, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Unreadable
    from backmarket.api.models.plain_order import AnyOrder
    from backmarket.services.log import Log
    from backmarket.services.progress import Advance
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.orders import OrderStaging

DOWNLOAD = "orders"
"""The concern whose watermark says up to when all orders are stored."""

_OPEN_ORDERS = "open_orders"
_OPEN_STATES = (10, 1, 3)
_OPEN_ORDERS_EVERY = timedelta(days=1)

# What is left over is read by the next run.
_MOST_NAMED_ORDERS = 500


@dataclass
class OrderReading:
    """The orders that one task has read into staging so far, over all lists and ids.

    :param created_to: orders created at this moment or later are not staged; None stages all.
    :param began: when the task began, as :func:`time.monotonic` says.
    :param started_at: Back Market's time when the first list began; None before that.
    :param newest_modification: of all orders read.
    :param unreadable: documents that could not be understood, by key.
    :param assumed_local: orders that had times without an offset that had to be French local time.
    :param is_complete: whether every list was read whole.
    :param failure: what a page failed with, so that its list is not complete.
    :param unread: why Back Market could not serve an order, by its id.
    :param refused: those of them whose id it does not take.
    :param stopped_by: what all further reading would have failed with.
    :param stored: how many orders were new, changed, unchanged and quarantined, once they are stored.
    :param progress: is told of each page how many orders of a list have been read, and how many it has.
    """

    client: BackMarketClient
    staging: OrderStaging
    log: Log
    created_to: datetime | None = None
    began: float = field(default_factory=monotonic)
    started_at: datetime | None = None
    newest_modification: datetime | None = None
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    assumed_local: set[int] = field(default_factory=set)
    odd: OddFields = field(default_factory=OddFields)
    is_complete: bool = True
    failure: BackMarketError | None = None
    unread: dict[str, str] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    stopped_by: BackMarketError | None = None
    stored: dict[str, int] = field(default_factory=dict)
    progress: Advance = unseen

    def read_list(self, **filters: Any) -> bool:
        """Read one list to its end.

        A page that cannot be read costs no other page: its error is remembered as ``failure``.

        :param filters: as :meth:`BackMarketClient.moving_orders` takes them.
        :return: whether every order was read that was in the list when reading began and still is.
        :raises BackMarketError: an error that other pages would meet, too, such as a refused token.
        """
        from backmarket.api.page_requests import COSTS_ONE_PAGE

        moving = self.client.moving_orders(**filters)
        met = 0
        try:
            with closing(moving.pages()) as pages:
                for page in pages:
                    self.started_at = self.started_at or page.server_time
                    wanted = [order for order in page.orders if self._is_wanted(order)]
                    self.staging.add(wanted, read_at=page.server_time)
                    self._note(wanted)
                    for document in page.unreadable:
                        self._set_aside(document)
                    met += len(page.orders)
                    self.progress(min(met, page.count), page.count)
        except COSTS_ONE_PAGE as error:
            self._miss(filters, error)
        self.is_complete = self.is_complete and moving.is_complete
        return moving.is_complete

    def read_list_apart(self, **filters: Any) -> bool:
        """Read one list as :meth:`read_list` does, and let what it fails with cost no other list.

        What was read of it stays staged. An error that would meet all further reading, too, is remembered as
        ``stopped_by``; nothing more should be asked for then.

        :return: as :meth:`read_list`.
        """
        try:
            return self.read_list(**filters)
        except BackMarketError as error:
            self.is_complete = False
            try:
                raise_what_concerns_all(error)
            except BackMarketError:
                self.stopped_by = error
            else:
                self._miss(filters, error)
        return False

    def read_by_ids(self, order_ids: Iterable[int]) -> list[int]:
        """Read orders one by one; those that Back Market fails on are named in ``unread``, the others are read.

        An error that would meet all others, too, ends the reading and is remembered as ``stopped_by``.

        :return: the orders that Back Market does not have.
        """
        absent = []
        failures = ItemFailures(self.unread)
        try:
            for order_id in failures.each(list(order_ids)):
                try:
                    self.read_one(order_id)
                except NotFoundError:
                    absent.append(order_id)
                except BackMarketError as error:
                    failures.note(str(order_id), error)
                    if isinstance(error, RefusedError):
                        self.refused.append(order_id)
                    continue
                failures.passed(str(order_id))
        except BackMarketError as error:
            self.stopped_by = error
        return absent

    def read_absent_by_ids(self, order_ids: Iterable[int]) -> list[int]:
        """Read orders as :meth:`read_by_ids` does, and take none for absent where Back Market has no list either.

        :return: the orders that Back Market does not have.
        """
        absent = self.read_by_ids(order_ids)
        if absent:
            try:
                self.client.count_orders()
            except (ServerError, MalformedAnswerError):
                # It is there, whatever it fails with.
                return absent
            except BackMarketError as error:
                self.stopped_by = self.stopped_by or error
                return []
        return absent

    def read_one(self, order_id: int) -> None:
        """Read one order by id.

        :raises NotFoundError: where Back Market does not serve it.
        """
        from backmarket.api.models import Unreadable

        try:
            order = self.client.get_order(order_id)
        except UnreadableDocumentError as error:
            self._set_aside(Unreadable(error.document, error.detail, str(order_id)))
            return
        self.staging.add_single(order)
        self._note([order])

    def store(self, concern: str | None, *, watermark: datetime | None = None, **counted: Any) -> dict[str, Any]:
        """Store what was read, and the success if nothing was missed, in one transaction; then log what came of it.

        :param concern: whose success it is; None where it is not to be remembered.
        :param watermark: up to when everything is stored now; None leaves it where it is.
        :param counted: what else the task has counted.
        :return: the orders new, changed, unchanged and quarantined, ``counted``, requests made and seconds taken.
        """
        connection, account = self.staging.connection, self.staging.account
        with connection.transaction():
            merged = self.staging.merge()
            quarantine.keep(connection, account, "order", self.unreadable)
            stored: dict[str, int] = {**merged._asdict(), "quarantined": len(self.unreadable)}
            if concern and self.is_complete and self.stopped_by is None:
                sync_state.record_success(connection, account, concern, stored, watermark=watermark)
        self.stored = stored
        counts: dict[str, Any] = stored | counted
        counts |= {"requests": self.client.requests_made, "seconds": round(monotonic() - self.began, 1)}
        self._log_what_was_read(counts)
        return counts

    def fail_if_incomplete(self) -> None:
        """Fail where orders were missed; to be called once those that were read are stored.

        :raises BackMarketError: what stopped the reading, or what a page failed with; :class:`ShortReadError` where a
            list moved too much.
        """
        if self.stopped_by:
            raise self.stopped_by
        if not self.is_complete:
            raise self.failure or ShortReadError(method="GET", path="/ws/orders")

    def _log_what_was_read(self, counts: dict[str, Any]) -> None:
        if self.assumed_local:
            self.log.warning(
                "%s with times without an offset that lie in Back Market's future as UTC: taken as French local time.",
                counted(len(self.assumed_local), "order came", "orders came"),
            )
        self.odd.tell(self.log, "order")
        for key, document in self.unreadable.items():
            self.log.warning("Order %s could not be understood and is kept in quarantine: %s", key, document.reason)
        self.log.info(
            "Orders: %s; %s in %s.",
            tally(self.stored, none="none came"),
            counted(counts["requests"], "request"),
            f"{counts['seconds']:,} seconds",
        )
        for order_id, reason in self.unread.items():
            self.log.warning("Order %s could not be read and is asked for again: %s", order_id, reason)

    def _miss(self, filters: Mapping[str, Any], error: BackMarketError) -> None:
        """Remember, and name in the log, a list of which something could not be read."""
        self.failure = self.failure or error
        which = ", ".join(
            f"{name} {minute(value) if isinstance(value, datetime) else value}" for name, value in filters.items()
        )
        self.log.warning("The list of orders%s could not be read whole: %s", f" of {which}" if which else "", error)

    def _note(self, read: Sequence[AnyOrder]) -> None:
        for order in read:
            self.odd.note(order.all_odd_fields, order.order_id)
            self.unreadable.pop(str(order.order_id), None)
        self.assumed_local.update(order.order_id for order in read if order.times_assumed_local)
        modified = [order.date_modification for order in read if order.date_modification]
        self.newest_modification = max([*modified, *filter(None, [self.newest_modification])], default=None)

    def _set_aside(self, document: Unreadable) -> None:
        """Keep a document for the quarantine under its id, or under its content where it has none."""
        key = document.key or f"sha256:{sha256(dump(document.document).encode()).hexdigest()}"
        self.unreadable[key] = document

    def _is_wanted(self, order: AnyOrder) -> bool:
        return self.created_to is None or order.date_creation is None or order.date_creation < self.created_to


def span_of_run(params: Mapping[str, Any], dag_run: Any) -> Historical | None:
    """Return the span of the past that a run is about; None for a run about what is new.

    :raises ValueError: where the span cannot be understood.
    """
    if params.get("from") or params.get("to"):
        return historical_window(moment_of(params.get("from")), moment_of(params.get("to")))
    if dag_run.run_type == "backfill":
        return historical_window(dag_run.data_interval_start, dag_run.data_interval_end)
    return None


def window_since_watermark(
    connection: Connection, account: str, *, now: datetime, initial_lookback: timedelta
) -> Incremental:
    """Return what a run reads that is about what is new."""
    watermark = sync_state.read(connection, account, DOWNLOAD).watermark
    return incremental_window(watermark, now=now, initial_lookback=initial_lookback)


def download_orders(reading: OrderReading, window: Incremental | Historical) -> dict[str, Any]:
    """Read and store the orders of a window; the watermark moves where an incremental window was read whole.

    :raises BackMarketError: where not all could be read; what was read is stored, the watermark has not moved.
    """
    reading.log.info("Reading orders %s.", window.in_words)
    watermark = None
    try:
        if isinstance(window, Historical):
            reading.created_to = window.created_to
            reading.read_list(date_creation=window.created_from)
        elif reading.read_list(date_modification=window.modified_since) and reading.started_at:
            watermark = next_watermark(reading.newest_modification, reading.started_at, window.modified_since)
    except BackMarketError as error:
        reading.stopped_by = error
    counts = reading.store(DOWNLOAD if watermark else None, watermark=watermark)
    if watermark:
        reading.log.info("All that Back Market changed up to %s is stored.", minute(watermark))
    else:
        reading.log.info("The watermark has not moved.")
    reading.fail_if_incomplete()
    return counts


@dataclass(frozen=True)
class HistoryTurn:
    """A run of a backfill that may have to read the past, for itself and for the runs after it.

    :param clear_number: how often the run has been cleared.
    """

    connection: Connection
    account: str
    run_id: str
    clear_number: int

    def why_span_is_read(self, span: Historical, dag_id: str, *, now: datetime) -> str | None:
        """Wait for the run's turn, and return why it need not read its span; None where it has to.

        :raises HistoryReadTooOftenError: where others have read the past so often that this one will not.
        """
        order_history.lock_history(self.connection, self.account)
        reads = order_history.history_reads(self.connection, self.account, now=now)
        if read := history_read_for(span, self.clear_number, reads):
            return (
                f"The orders created from {_minute(span.created_from)} to {_minute(span.created_to or now)} UTC were "
                f"read by run {read.run_id}, which began {_minute(read.began_at)} UTC and read on from "
                f"{_minute(read.created_from)}: nothing is asked of Back Market. Clear this run to read them again."
            )
        if len(reads) >= MOST_HISTORY_READS:
            oldest = min(span.created_from, *(read.created_from for read in reads))
            conf = f'{{"from": "{oldest:%Y-%m-%dT%H:%M:%SZ}", "to": "{now:%Y-%m-%dT%H:%M:%SZ}"}}'
            raise HistoryReadTooOftenError(
                f"Runs of backfills have read the order history {len(reads)} times within a day, each up to the "
                "present, as one that runs backwards does. This one is not read. One run reads any span in one pass; "
                f'stop the backfill and set "from" to where you want it to begin: airflow dags trigger {dag_id} '
                f"--conf '{conf}'"
            )
        return None


def download_history(reading: OrderReading, turn: HistoryTurn, span: Historical, *, now: datetime) -> dict[str, Any]:
    """Read and store the orders of a span of the past, and note that for the other runs.

    :raises BackMarketError: where not all could be read; what was read is stored, and the next run reads again.
    """
    counts = download_orders(reading, span)
    order_history.note_history_read(
        turn.connection,
        turn.account,
        HistoryRead(turn.run_id, turn.clear_number, span.created_from, span.created_to, now),
    )
    return counts


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def why_open_orders_can_wait(connection: Connection, account: str, *, now: datetime, is_about_past: bool) -> str | None:
    """Return why the open orders need not be read now; None where they are due.

    The very first run has just downloaded everything: it counts as done then, which is recorded here. Where that
    download failed on its way, they are due; where it failed at its door, this reading would, too.

    :param is_about_past: whether this run downloads a span of the past, not what is new.
    """
    last = sync_state.read(connection, account, _OPEN_ORDERS).succeeded_at
    if last is None and sync_state.read(connection, account, DOWNLOAD).succeeded_at is None:
        if is_about_past:
            return "Nothing but the past has been asked for yet: due after what is new."
        return None if orders.open_order_ids(connection, account) else "No open order is known here yet."
    if last is None:
        sync_state.record_success(connection, account, _OPEN_ORDERS, {})
        return "The first download has just read everything: due in a day."
    if now < last + _OPEN_ORDERS_EVERY:
        return f"Done {minute(last)}, due a day later."
    return None


def refresh_open_orders(reading: OrderReading) -> dict[str, Any]:
    """Read and store all open orders by state, then, one by one, those that are open here and were in no list.

    :raises BackMarketError: where not all could be read; what was read is stored.
    """
    connection, account = reading.staging.connection, reading.staging.account
    for state in _OPEN_STATES:
        if not reading.stopped_by:
            reading.read_list_apart(state=state)
    unlisted = reading.staging.not_staged(orders.open_order_ids(connection, account))
    lists_came = reading.is_complete
    absent = [] if reading.stopped_by else reading.read_by_ids(unlisted)
    # Beside a list that did not come, 404 says nothing of an order.
    absent = absent if lists_came else []
    orders.mark_gone(connection, account, absent)
    counts = reading.store(_OPEN_ORDERS, gone=len(absent), unread=list(reading.unread))
    if absent:
        reading.log.warning("Back Market no longer serves these orders that were open here: %s.", named(absent))
    reading.fail_if_incomplete()
    return counts


def refresh_paid_orders(reading: OrderReading) -> dict[str, Any]:
    """Read and store the list of paid orders; ``lists_short`` names it where it did not come out whole.

    :raises BackMarketError: an error that all further reading would meet, too; what was read is stored.
    """
    reading.read_list_apart(state=PAID)
    counts = reading.store("paid_orders")
    if reading.stopped_by:
        raise reading.stopped_by
    if reading.is_complete:
        return counts
    reading.log.warning("The list of paid orders did not come out whole. %s", reading.failure or "It moved too much.")
    return {**counts, "lists_short": ["paid orders"]}


def refresh_shipment_orders(reading: OrderReading, *, now: datetime) -> dict[str, Any]:
    """Read and store, by id, orders that the seller's tables name and of which too little is known here.

    A table that cannot be read costs the other nothing: it is named as one of ``unusable_feeds``.

    :raises BackMarketError: what stopped the reading; what was read is stored.
    """
    wanted: set[int] = set()
    unusable = []
    for table in tracking_imei.NAMING_ORDERS:
        try:
            found = tracking_imei.orders_to_read(reading.staging.connection, reading.staging.account, [table])
        except FeedUnusableError as error:
            reading.log.warning("%s", error)
            unusable.append(table)
        else:
            wanted.update(found)
    tables_name = "seller.shipments or seller.devices name"
    counts = _refresh_named(reading, sorted(wanted, reverse=True), "shipment_orders", tables_name, now=now)
    return {**counts, "unusable_feeds": unusable}


def refresh_refund_orders(reading: OrderReading, *, now: datetime) -> dict[str, Any]:
    """Read and store, by id, orders that ``seller.refunds`` names and of which too little is known here.

    :raises BackMarketError: what stopped the reading; what was read is stored.
    """
    wanted = refunds.orders_to_read(reading.staging.connection, reading.staging.account)
    return _refresh_named(reading, wanted, "refund_orders", "seller.refunds names", now=now)


def _refresh_named(
    reading: OrderReading, wanted: list[int], concern: str, tables_name: str, *, now: datetime
) -> dict[str, Any]:
    connection, account = reading.staging.connection, reading.staging.account
    orders.forget_found(connection, account, named=_still_named(connection, account))
    asked = orders.asked_orders(connection, account)
    absent = reading.read_absent_by_ids(choose_orders_to_ask(wanted, asked, now=now, most=_MOST_NAMED_ORDERS))
    counts = reading.store(concern, unknown=len(absent), unread=list(reading.unread))
    orders.mark_gone(connection, account, absent)
    # An id that is refused is no order either: it, too, must not take the turn of others for ever.
    orders.note_absent(connection, account, [*absent, *reading.refused])
    if absent:
        reading.log.warning(
            "%s orders that Back Market does not have: %s. They are asked for again, ever more seldom; correct the "
            "ids, or remove the rows.",
            tables_name,
            named(absent),
        )
    reading.fail_if_incomplete()
    return counts


def _still_named(connection: Connection, account: str) -> set[int]:
    """Return the orders that any of the seller's tables names, or may name, and of which too little is known here."""
    found = set()
    for naming in (tracking_imei, refunds):
        try:
            found.update(naming.orders_to_read(connection, account))
        except FeedUnusableError:
            # The concern that the table feeds says why. What it named before it may name again once it is corrected.
            found.update(orders.asked_orders(connection, account))
    return found


def read_orders_of_statements(reading: OrderReading, order_ids: Sequence[int]) -> dict[str, Any]:
    """Read and store, by id, orders that statements name and that are unknown here.

    :raises BackMarketError: what stopped the reading; what was read is stored.
    """
    absent = reading.read_absent_by_ids(order_ids)
    counts = reading.store("settlement_orders", absent=len(absent), unread=list(reading.unread))
    # An id that is refused is no order either.
    remember_unknown(reading.staging.connection, reading.staging.account, [*absent, *reading.refused])
    if absent:
        reading.log.warning("Back Market has no orders of these numbers, which statements name: %s.", named(absent))
    reading.fail_if_incomplete()
    return counts
