"""Operators of ``backmarket_inventory_prices``."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from backmarket.assets import PRICE_QUESTIONS
from backmarket.configuration import wait_of
from backmarket.operators.base import BackMarketOperator
from backmarket.operators.listings import BackMarketBatchWaitingOperator
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import named
from backmarket.services.offers import OfferUpload
from backmarket.services.prices import PriceSending
from backmarket.services.quantities import ROUNDS, _plan_anew, _send_all
from backmarket.warehouse import inventory_prices, sql
from backmarket.warehouse.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.services.price_batches import PriceBatches
    from backmarket.settings import SendingSettings
    from backmarket.warehouse.connection import Connection


class BackMarketInventoryListingRefreshOperator(BackMarketOperator):
    """Reads the listings of the home market, compares them with what was known, and settles lost answers.

    What was sent last without an answer is waited for before reading: it may still arrive, also after a newer one.
    Quantities are the same in all markets, so no other one is read, or can stand in their way. Where the list comes out
    short, as where a page cannot be read, what it did not hold keeps its older reading, on which nothing is raised; all
    others go on.

    :raises BackMarketError: where nothing could be read.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the listings read and quarantined, requests made, what was settled, and quantities raised outside; and
        the market, as ``lists_short``, where its list did not come out whole."""
        from backmarket.services.listing_reading import MarketReading
        from backmarket.services.offers import settle_quantities
        from backmarket.settings import QuantitySettings, markets_for_marking
        from backmarket.warehouse.connection import connect

        settings, hook = QuantitySettings.load(), self.hook
        home = hook.config.market
        with connect(self.warehouse_conn_id) as connection, hook as client:
            let_arrive(Ledger(connection, self.account, "quantity").unsettled(), wait_of("in_flight_seconds"), self.log)
            markets = markets_for_marking(hook.config)
            read = MarketReading(client, connection, self.account, markets, self.log).read(home)
            now, hold = datetime.now(UTC), timedelta(hours=settings.pending_hold_hours)
            lag = settings.stock_policy.intake_lag
            lines = inventory_prices.lines_by_sku(connection, self.account, now=now, hold=hold, intake_lag=lag)
            found = inventory_prices.note_readings(
                connection,
                self.account,
                inventory_prices.stored_readings(connection, self.account),
                lines,
                since=now - hold,
            )
            inventory_prices.record_findings(connection, self.account, found)
            counts: dict[str, Any] = {"listings": read.listings, "quarantined": read.quarantined}
            counts |= settle_quantities(connection, self.account)
            counts |= {"requests": client.requests_made, "lists_short": [] if read.is_whole else [home]}
        for finding in found:
            self.log.warning("%s %s. Two integrations on one account sell wrong stock.", finding.sku, finding.detail)
        return {**counts, "quantity_changed_outside": len(found)}


class BackMarketOfferRefreshOperator(BackMarketOperator):
    """Reads the offers of every market of ``backmarket_markets``, and settles prices whose answer was lost.

    A market that refuses or fails is named and keeps its older reading, on which no price is planned; all others are
    read. The home market is not read again where this run has read it for the quantities.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the listings read and quarantined, requests made, what was settled; and the markets that could not be
        read, as ``markets_left``."""
        from backmarket.services.listing_reading import MarketReading
        from backmarket.services.offers import settle_prices
        from backmarket.services.price_batches import PriceBatches
        from backmarket.settings import MarketSettings, chosen_markets
        from backmarket.warehouse.connection import connect

        hook = self.hook
        markets = chosen_markets(MarketSettings.load(), hook.config)
        with connect(self.warehouse_conn_id) as connection, hook as client:
            batches = PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)
            reports = batches.reports()
            wanted = [market for market in markets if not self._was_read(connection, market, context)]
            reading = MarketReading(client, connection, self.account, markets, self.log)
            found = reading.read_each(wanted, was_answered=len(wanted) < len(markets))
            counts: dict[str, Any] = {"listings": found.listings, "quarantined": found.quarantined}
            counts |= settle_prices(connection, self.account)
            in_batches = batches.settle(reports)
            counts["batch_prices_settled"] = sum(in_batches.values()) - in_batches["unknown"]
            counts |= {"requests": client.requests_made, "markets_left": list(found.left)}
        self.log.info(
            "Markets read: %s.", ", ".join(each for each in wanted if each not in found.left) or "none but home"
        )
        return counts

    def _was_read(self, connection: Connection, market: str, context: Context) -> bool:
        """Tell whether this run has read a market to its end already."""
        from backmarket.warehouse import sync_state

        read_at = sync_state.read(connection, self.account, "listings", market).succeeded_at
        began = context["dag_run"].start_date
        return read_at is not None and began is not None and read_at >= began


class BackMarketInventoryPlanOperator(BackMarketOperator):
    """Writes to ``backmarket.inventory`` how each quantity came about, and to the ledger what is to be sent.

    Rows of ``seller.stock`` that cannot be read are left out and named; the others are planned.

    :raises FeedUnusableError: where none can be read.
    """

    ui_color = "#cfe2ff"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many SKUs were planned and differ, findings by kind, and how many rows were left out."""
        from backmarket.services.quantities import plan_quantities
        from backmarket.settings import QuantitySettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.inventory_prices import stock_rows
        from backmarket.warehouse.seller_rows import fail_if_unusable, name_left_out

        with connect(self.warehouse_conn_id) as connection:
            counts = plan_quantities(
                connection,
                self.account,
                QuantitySettings.load(),
                now=datetime.now(UTC),
                run_id=context["run_id"],
                allow_mass_zero=bool((context["dag_run"].conf or {}).get("allow_mass_zero")),
            )
            self.log.info("Quantities: %s.", ", ".join(f"{name} {number}" for name, number in counts.items()))
            # Read once more: the plan is made anew while it is sent, too, and only this task names rows.
            feed = stock_rows(connection, self.account)
            counts |= name_left_out(connection, self.account, feed, run_id=context["run_id"])
            fail_if_unusable(connection, self.account, feed)
        return counts


PRICES_PLAN = "prices_plan"
"""The task of the same DAG that plans prices."""


class BackMarketInventoryUploadOperator(BackMarketOperator):
    """Sends quantities one by one: stock-outs first, then the lowest, then the rest.

    A home price of the same SKU goes along in the same request, where this run has planned prices: one that an earlier
    run planned may not be wanted any more. Running again sends nothing twice: what was confirmed is planned no more,
    and what is uncertain is read back, again once it must have arrived, before anything else is sent. A listing that
    Back Market fails on, or lists and does not find, is named and stays planned; all others are sent.
    """

    ui_color = "#f5c6cb"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the outcomes, how many changes wait, requests made; and the SKUs that could not be sent, as
        ``not_sent``."""
        from backmarket.settings import QuantitySettings, is_neighbour_on

        settings = QuantitySettings.load()
        skip_unless_sending(settings, "inventory_upload")
        prices_too = is_neighbour_on("prices_upload") and _are_prices_planned(context)
        with open_upload(self, hold=timedelta(hours=settings.pending_hold_hours)) as upload:
            for _ in range(ROUNDS):
                again = _send_all(upload, prices_too=prices_too)
                again |= upload.look_again(wait_of("in_flight_seconds"))
                if not again:
                    break
                _plan_anew(upload, settings, context)
            waiting = upload.tell_what_waits(upload.quantities)
            requests = upload.client.requests_made
        self.log.info("Quantities sent: %s; %d requests.", dict(upload.counts) or "none", requests)
        return {**upload.counts, "waiting": waiting, "requests": requests, "not_sent": list(upload.failures.failed)}


def _are_prices_planned(context: Context) -> bool:
    """Tell whether this run's prices are planned. Asked for, not depended on: no price stands in a quantity's way."""
    ti, run_id = context["ti"], context["run_id"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[PRICES_PLAN], run_ids=[run_id])
    return bool(states.get(run_id, {}).get(PRICES_PLAN) == "success")


class BackMarketPricesPlanOperator(BackMarketOperator):
    """Writes to the ledger which prices are to be sent, which are refused, and which a person must see first.

    Rows of ``seller.prices`` that cannot be read are left out and named; the others are planned.

    :raises FeedUnusableError: where none can be read.
    """

    ui_color = "#cfe2ff"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many prices were looked at, what becomes of them, and how many rows were left out."""
        from backmarket.services.prices import plan_prices
        from backmarket.settings import PriceSettings, chosen_markets
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.seller_rows import fail_if_unusable, name_left_out

        settings = PriceSettings.load()
        markets = chosen_markets(settings, self.hook.config)
        with connect(self.warehouse_conn_id) as connection:
            counts, feed = plan_prices(
                connection, self.account, settings, markets=markets, now=datetime.now(UTC), run_id=context["run_id"]
            )
            parameters = {"account": self.account, "markets": markets}
            unmatched = connection.execute(sql.statement("inventory_prices/count_unmatched"), parameters).fetchall()
            self.log.info("Prices: %s.", ", ".join(f"{name} {number}" for name, number in counts.items()))
            for reason, rows, examples in unmatched:
                self.log.warning("%d rows of seller.prices %s, such as %s.", rows, reason, ", ".join(examples))
            if counts["price_changed_outside"]:
                self.log.warning(
                    "%d prices were changed outside since they were sent: see backmarket.inventory_findings.",
                    counts["price_changed_outside"],
                )
            counts |= {"unmatched": sum(rows for _, rows, _ in unmatched)}
            counts |= name_left_out(connection, self.account, feed, run_id=context["run_id"])
            fail_if_unusable(connection, self.account, feed)
        return counts


class BackMarketPricesUploadOperator(BackMarketOperator):
    """Sends prices, the longest waiting first; those sent along with a quantity are done already.

    Where many prices of a market change they go out in a batch, if that needs fewer requests; else one by one, at
    once. How a batch ended is for the task that follows, or the next run, to find out. A market that refuses, and a
    listing that Back Market fails on, are named and stay planned; all others are sent.
    """

    ui_color = "#f5c6cb"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the outcomes, how many went out in batches, how many wait, requests made; and the prices that could
        not be sent, as ``not_sent``, with the ``markets_left``."""
        from backmarket.services.price_batches import PriceBatches
        from backmarket.settings import PriceSettings

        settings = PriceSettings.load()
        skip_unless_sending(settings, "prices_upload")
        with open_upload(self, hold=None, keep_for_quantities=True) as upload:
            batches = PriceBatches(
                upload.connection, self.account, upload.client, wait_of("batch_deadline_seconds"), self.log
            )
            sending = PriceSending(upload, batches)
            sending.send()
            waiting, not_sent = upload.tell_what_waits(upload.prices), sending.not_sent()
            requests = upload.client.requests_made
        self.log.info(
            "Prices sent one by one: %s; in batches: %d; %d requests.",
            dict(upload.counts) or "none",
            sending.in_batches,
            requests,
        )
        return {
            **upload.counts,
            "in_batches": sending.in_batches,
            "waiting": waiting,
            "requests": requests,
            "not_sent": not_sent,
            "markets_left": list(sending.markets_left),
        }


class MarketsLeftError(Exception):
    """Markets could not be read back; the prices that were sent to them in batches are not settled yet."""


class BackMarketPriceBatchResultsOperator(BackMarketBatchWaitingOperator):
    """Waits for the batches for a short while, reads their markets back, and settles their prices.

    A run must not keep the next one's quantities waiting: what Back Market has not finished after ``[backmarket]
    price_batch_wait_seconds``, the next run settles. What is under way stands in ``backmarket.changes`` alone, so
    this task may be killed, cleared or repeated at any moment.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many prices were confirmed, refused, planned again, and are not known yet, or skip."""
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            batches = self._batches(connection, client)
            if not batches.under_way():
                raise AirflowSkipException("No price is under way in a batch.")
            reports = batches.reports()
            running = [batch_id for batch_id, report in reports.items() if batch_id and report.state == "running"]
        if running:
            look_at = datetime.now(UTC) + wait_of("price_batch_wait_seconds")
            self.log.info("Back Market is at work on %d batches; looking again by %s.", len(running), look_at)
            self.wait_for_batches(running, look_at, {})
        return self.look_again({})

    def look_again(self, ended: dict[str, int]) -> dict[str, int]:
        """Read the markets of the batches that are over, and settle.

        :raises MarketsLeftError: where markets could not be read; the prices of all others are settled.
        """
        from backmarket.services.listing_reading import MarketReading
        from backmarket.settings import markets_for_marking
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            batches = self._batches(connection, client)
            reports = batches.reports()
            over = {batch_id for batch_id, report in reports.items() if report.state != "running"}
            markets = list(dict.fromkeys(change.market for change in batches.under_way() if change.batch_id in over))
            reading = MarketReading(client, connection, self.account, markets_for_marking(client.config), self.log)
            left = reading.read_each(markets).left
            counts = batches.settle(reports)
        self.log.info(
            "Prices sent in batches: %(confirmed)d confirmed, %(refused)d refused, %(planned)d to be sent again, "
            "%(unknown)d not known yet.",
            counts,
        )
        if left:
            raise MarketsLeftError(
                f"The markets {named(list(left))} could not be read back after their batches; the log says why. "
                "Their prices are settled by the next run; all others are."
            )
        return counts

    def _batches(self, connection: Connection, client: BackMarketClient) -> PriceBatches:
        from backmarket.services.price_batches import PriceBatches

        return PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)


MOST_ROWS = 50

_HEADER = ("SKU", "stock", "reserved", "held", "safety", "max", "shown", "to show", "remark")


class MassZeroError(AirflowFailException):
    """The stock feed would take too many listings offline at once; they were left as they are."""


class BackMarketUploadSummaryOperator(BackMarketOperator):
    """Logs how quantities came about, and fails, visibly, where the zero guard holds some.

    :raises MassZeroError: saying how many, and how to let them go.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> int:
        """Return how many SKUs are worth a look."""
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection:
            parameters = {"account": self.account, "most": MOST_ROWS}
            rows = connection.execute(sql.statement("inventory_prices/select_summary"), parameters).fetchall()
            held = connection.execute(sql.statement("inventory_prices/count_held_by_guard"), parameters).fetchone()
        for row in [_HEADER, *rows]:
            cells = ["" if cell is None else str(cell) for cell in row]
            self.log.info("%-24s %8s %8s %6s %6s %6s %6s %8s  %s", *cells)
        if held and held[0]:
            raise MassZeroError(
                f"The stock feed would zero {held[0]} live SKUs at once, more than backmarket_zero_guard_pct allows, "
                "and no orders explain it. They are left as they are; everything else was sent. If the feed is right, "
                "trigger this DAG with allow_mass_zero; if not, repair seller.stock: the next run sees it."
            )
        return len(rows)


class BackMarketPriceQuestionOperator(BackMarketOperator):
    """Updates the asset ``backmarket/price_questions`` where large moves wait that nobody was asked about."""

    ui_color = "#fff3cd"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(outlets=[PRICE_QUESTIONS], **kwargs)

    def execute(self, context: Context) -> int:
        """Return how many moves wait, or skip."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.price_approval import unasked

        # An open question ends by itself after that many hours; one that is older was deleted with its run.
        patience = timedelta(hours=read_variable("price_approval_hours") + 1)
        with connect(self.warehouse_conn_id) as connection:
            now = datetime.now(UTC)
            decided_since = now - timedelta(days=read_variable("price_decision_days"))
            moves = unasked(connection, self.account, decided_since=decided_since, asked_before=now - patience)
        if not moves:
            raise AirflowSkipException("No large price change waits to be shown to a person.")
        return len(moves)


@contextmanager
def open_upload(
    operator: BackMarketOperator, *, hold: timedelta | None, keep_for_quantities: bool = False
) -> Iterator[OfferUpload]:
    """Open what an upload task works with: the database, the client, and the hour's budget.

    :param hold: see :class:`OfferUpload`.
    :param keep_for_quantities: see :func:`open_sku_line_budget`.
    """
    from backmarket.warehouse.connection import connect
    from backmarket.warehouse.sku_line_budget import open_sku_line_budget

    hook = operator.hook
    with (
        connect(operator.warehouse_conn_id) as connection,
        hook as client,
        open_sku_line_budget(
            operator.warehouse_conn_id, operator.account, keep_for_quantities=keep_for_quantities
        ) as budget,
    ):
        yield OfferUpload(connection, operator.account, client, budget, hook.config.market, hold, operator.log)


def skip_unless_sending(settings: SendingSettings, toggle: str) -> None:
    """Skip the task where its toggle is off, be it since the run began, or nothing at all is to be sent.

    :param toggle: without ``backmarket_``.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    if not getattr(settings, toggle):
        raise AirflowSkipException(f"backmarket_{toggle} is off.")
    if settings.dry_run:
        raise AirflowSkipException("backmarket_dry_run is on: the plan is recorded, nothing is sent.")
