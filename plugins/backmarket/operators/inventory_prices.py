"""Operators of ``backmarket_inventory_prices``."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.configuration import wait_of
from backmarket.lineage import LISTING_TABLES
from backmarket.operators.base import BackMarketAnnouncementOperator, BackMarketOperator
from backmarket.operators.questions import BackMarketQuestionOperator
from backmarket.operators.sending import BackMarketBatchWaitingOperator, BackMarketSendingOperator
from backmarket.words import counted, tally, time_of_day

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.services.price_batches import PriceBatches
    from backmarket.services.prices import Wishes
    from backmarket.warehouse.approvals import ApprovalDesk
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.price_approval import Move


class BackMarketInventoryListingRefreshOperator(BackMarketOperator):
    """Reads the listings of the home market, compares them with what was known, and settles lost answers.

    Quantities are the same in all markets, so no other market is read; for :class:`BackMarketOfferRefreshOperator`,
    which reads the others, they wait a bounded time. Where the list comes out short, as where a page cannot be
    read, the listings that it lacks keep their older reading, on which nothing is raised; all others go on.

    :raises BackMarketError: where nothing could be read.
    """

    reads = (
        "ws/listings",
        "seller.stock",
        "seller.stock_by_warehouse",
        "seller.sku_map",
        "backmarket.inventory",
        "backmarket.orders",
        "backmarket.order_lines",
        "backmarket.changes",
    )
    writes = (*LISTING_TABLES, "backmarket.inventory_findings", "backmarket.changes")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of :func:`~backmarket.services.quantities.refresh_quantities`, and the requests made."""
        from backmarket.services.listing_reading import MarketReading
        from backmarket.services.quantities import refresh_quantities
        from backmarket.settings import QuantitySettings, markets_for_marking
        from backmarket.warehouse.connection import connect

        settings = QuantitySettings.load(self.account)
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            markets = markets_for_marking(self.account, client.config)
            reading = MarketReading(client, connection, self.account, markets, self.log)
            counts = refresh_quantities(reading, settings, in_flight=wait_of("in_flight_seconds"))
            return {**counts, "requests": client.requests_made}


class BackMarketOfferRefreshOperator(BackMarketOperator):
    """Reads the offers of every market of ``backmarket_markets``, and settles prices whose answer was lost.

    A market that refuses, fails or hangs is named and keeps its older reading, on which no price is planned; all others
    are read. Quantities wait for its end, so it takes a bounded time: two minutes a market and five for all, more only
    for more than 100,000 offers, and what is under way then still ends. The market that comes first is another one each
    time. The home market is not read again where this run has read it for the quantities.
    """

    reads = ("ws/listings", "ws/tasks", "backmarket.changes")
    writes = (*LISTING_TABLES, "backmarket.changes")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of :func:`~backmarket.services.prices.refresh_offers`, and the requests made."""
        from backmarket.services.listing_reading import MarketReading
        from backmarket.services.price_batches import PriceBatches
        from backmarket.services.prices import refresh_offers
        from backmarket.settings import MarketSettings, chosen_markets
        from backmarket.warehouse.connection import connect

        hook = self.hook
        markets = chosen_markets(self.account, MarketSettings.load(self.account), hook.config)
        with connect(self.warehouse_conn_id) as connection, hook as client:
            batches = PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)
            reading = MarketReading(client, connection, self.account, markets, self.log)
            counts = refresh_offers(
                reading,
                batches,
                markets,
                since=context["dag_run"].start_date,
                in_flight=wait_of("in_flight_seconds"),
            )
            return {**counts, "requests": client.requests_made}


class BackMarketInventoryPlanOperator(BackMarketOperator):
    """Writes to ``backmarket.inventory`` how each quantity came about, and to the ledger what is to be sent.

    Rows of ``seller.stock`` and ``seller.sku_map`` that cannot be read are left out and named; the others are planned.

    :raises FeedUnusableError: where a table cannot be read at all.
    """

    reads = (
        "seller.stock",
        "seller.stock_by_warehouse",
        "seller.sku_map",
        "seller.catalog",
        "backmarket.listings",
        "backmarket.orders",
        "backmarket.order_lines",
    )
    writes = ("backmarket.inventory", "backmarket.inventory_findings", "backmarket.changes")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many SKUs were planned and differ, findings by kind, how many rows were left out; and the tables,
        as ``unusable_feeds``, that cannot be used as a whole."""
        from backmarket.services.quantities import plan_in_words, plan_quantities, rows_that_count
        from backmarket.services.unlisted_skus import report_unlisted_stock
        from backmarket.settings import QuantitySettings
        from backmarket.warehouse import feeds, sku_map
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.inventory_prices import stock_rows
        from backmarket.warehouse.seller_rows import name_left_out

        settings = QuantitySettings.load(self.account)
        with connect(self.warehouse_conn_id) as connection:
            counts = plan_quantities(
                connection,
                self.account,
                settings,
                now=datetime.now(UTC),
                run_id=context["run_id"],
                allow_mass_zero=bool((context["dag_run"].conf or {}).get("allow_mass_zero")),
            )
            self.log.info("Quantities: %s.", plan_in_words(counts))
            # Read once more: quantities are planned again while they are sent, and only this task names rows.
            feed, (map_feed, feeding) = stock_rows(connection, self.account), sku_map.read(connection, self.account)
            limit, home, run_id = self.rows_limit_pct, self.hook.config.market, context["run_id"]
            left_out: Counter[str] = Counter()
            unusable = []
            for each in (feed, map_feed):
                left_out.update(name_left_out(connection, self.account, each, run_id=run_id))
                unusable += feeds.judge(connection, self.account, each, limit_pct=limit, run_id=run_id)
            counts |= left_out
            rows = rows_that_count(feed.rows, settings, self.log)
            unlisted = report_unlisted_stock(connection, self.account, rows, feeding, market=home, log=self.log)
        return {**counts, "without_listing": unlisted, "unusable_feeds": unusable}


class BackMarketInventoryUploadOperator(BackMarketSendingOperator):
    """Sends quantities one by one: stock-outs first, then the lowest, then the rest.

    A home price of the same SKU goes along in the same request, where this run has planned prices: one that an earlier
    run planned may not be wanted any more. Running again sends nothing twice: what was confirmed is no longer planned,
    and what is uncertain is read back, again once it must have arrived, before anything else is sent. A listing that
    Back Market fails on, or lists and does not find, is named and stays planned; all others are sent.
    """

    reads = (*BackMarketInventoryPlanOperator.reads, "backmarket.changes", "ws/listings")
    writes = ("ws/listings", *BackMarketInventoryPlanOperator.writes, *LISTING_TABLES)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the outcomes, how many changes wait, requests made; and the SKUs that could not be sent, as
        ``not_sent``."""
        from backmarket.services.offers import OfferSending
        from backmarket.services.quantities import send_quantities
        from backmarket.settings import QuantitySettings, is_neighbour_on

        settings = QuantitySettings.load(self.account)
        self.skip_unless_sending(settings, "inventory_upload")
        hold = timedelta(hours=settings.pending_hold_hours)
        with self.open_to_send(keep_for_quantities=False) as (connection, client, budget):
            sending = OfferSending(connection, self.account, client, hold, self.log, budget=budget)
            send_quantities(
                sending,
                settings,
                run_id=context["run_id"],
                allow_mass_zero=bool((context["dag_run"].conf or {}).get("allow_mass_zero")),
                prices_too=is_neighbour_on(self.account, "prices_upload") and self._are_prices_planned(context),
                in_flight=wait_of("in_flight_seconds"),
            )
            waiting, requests = sending.log_waiting(sending.quantities), client.requests_made
            not_sent = sending.not_sent()
        self.log.info("Quantities sent: %s; %s.", tally(sending.counts), counted(requests, "request"))
        return {**sending.counts, "waiting": waiting, "requests": requests, "not_sent": not_sent}

    def _are_prices_planned(self, context: Context) -> bool:
        """Tell whether this run's prices are planned. Asked, not depended on: quantities go whatever became of them."""
        ti, run_id = context["ti"], context["run_id"]
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=["prices_plan"], run_ids=[run_id])
        return bool(states.get(run_id, {}).get("prices_plan") == "success")


class BackMarketPricesPlanOperator(BackMarketOperator):
    """Writes to the ledger which prices are to be sent, which are refused, and which a person must see first.

    While ``backmarket_repricing`` is on, its wishes go before ``seller.prices``.

    Rows of ``seller.prices`` and ``seller.sku_map`` that cannot be read are left out and named; the others are planned.

    :raises FeedUnusableError: where a table cannot be read at all.
    """

    reads = (
        "seller.prices",
        "seller.sku_map",
        "seller.catalog",
        "backmarket.inventory",
        *LISTING_TABLES,
        "backmarket.price_approvals",
        "backmarket.repricing",
    )
    writes = ("backmarket.changes", "backmarket.inventory_findings")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many prices were looked at, what becomes of them, how many rows were left out; and the tables, as
        ``unusable_feeds``, that cannot be used as a whole."""
        from backmarket.services.prices import log_plan, plan_prices
        from backmarket.services.unlisted_skus import report_unlisted_prices
        from backmarket.settings import PriceSettings, chosen_markets, is_neighbour_on
        from backmarket.warehouse import feeds
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.seller_rows import name_left_out

        settings = PriceSettings.load(self.account)
        markets = chosen_markets(self.account, settings, self.hook.config)
        with connect(self.warehouse_conn_id) as connection:
            now = datetime.now(UTC)
            wishes, ceiling_pct = self._wishes(connection, now)
            plan = plan_prices(
                connection,
                self.account,
                settings,
                markets=markets,
                now=now,
                run_id=context["run_id"],
                wishes=wishes,
                ceiling_pct=ceiling_pct,
                # In the DAG of repricing, which a slip in this Variable does not stop.
                prices_upload=is_neighbour_on(self.account, "prices_upload"),
            )
            map_feed, feeding = plan.mapping
            counts = {
                **plan.counts,
                "unmatched": log_plan(connection, self.account, plan, self.log, markets=markets),
            }
            limit, home, run_id = self.rows_limit_pct, self.hook.config.market, context["run_id"]
            left_out: Counter[str] = Counter()
            unusable = []
            for each in (plan.feed, map_feed):
                left_out.update(name_left_out(connection, self.account, each, run_id=run_id))
                unusable += feeds.judge(connection, self.account, each, limit_pct=limit, run_id=run_id)
            counts |= left_out
            unlisted = report_unlisted_prices(
                connection, self.account, plan.feed.rows, feeding, market=home, log=self.log
            )
        return {**counts, "without_listing": unlisted, "unusable_feeds": unusable}

    def _wishes(self, connection: Connection, now: datetime) -> tuple[Wishes | None, Decimal]:
        """Return what repricing wants, None while it is off; and how far above the seller's price one may rise, in per
        cent.

        Where one of its Variables cannot be understood, the prices that it has moved stay: a slip sets none back.
        """
        from backmarket.settings import VariableError, read_variable
        from backmarket.warehouse.repricing import read_wishes

        since, ceiling_pct = now, Decimal(0)
        try:
            if not read_variable(self.account, "repricing"):
                return None, ceiling_pct
            ceiling_pct = read_variable(self.account, "repricing_ceiling_pct")
            since -= timedelta(minutes=read_variable(self.account, "repricing_max_age_minutes"))
        except VariableError as error:
            self.log.warning("%s Until then, prices that repricing has moved stay as they are.", error)
        return read_wishes(connection, self.account, since=since), ceiling_pct


class BackMarketPricesUploadOperator(BackMarketSendingOperator):
    """Sends prices, the longest waiting first; those sent along with a quantity are done already.

    Where many prices of a market change they go out in a batch, if that needs fewer requests; else one by one, at
    once. How a batch ended is for the task that follows, or the next run, to find out. A market that refuses, and a
    listing that Back Market fails on, are named and stay planned; all others are sent.

    :param toggle: the Variable, without ``backmarket_``, that lets it send: ``prices_upload`` or ``repricing``.
    """

    reads = ("backmarket.changes", "backmarket.listings", "backmarket.listing_offers", "ws/listings")
    writes = ("ws/listings", "backmarket.changes", *LISTING_TABLES)

    def __init__(self, *, toggle: Literal["prices_upload", "repricing"] = "prices_upload", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.toggle = toggle

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of :meth:`~backmarket.services.prices.PriceSending.send`, and the requests made."""
        from backmarket.services.offers import OfferSending
        from backmarket.services.price_batches import PriceBatches
        from backmarket.services.prices import PriceSending
        from backmarket.settings import PriceUploadSettings, RepricingSettings

        settings = PriceUploadSettings if self.toggle == "prices_upload" else RepricingSettings
        self.skip_unless_sending(settings.load(self.account), self.toggle)
        with self.open_to_send(keep_for_quantities=True) as (connection, client, budget):
            sending = OfferSending(connection, self.account, client, None, self.log, budget=budget)
            batches = PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)
            counts = PriceSending(sending, batches).send(wait_of("in_flight_seconds"))
            requests = client.requests_made
        self.log.info(
            "Prices sent one by one: %s; in batches: %s; %s.",
            tally(sending.counts),
            f"{counts['in_batches']:,}" if counts["in_batches"] else "none",
            counted(requests, "request"),
        )
        return {**counts, "requests": requests}


class BackMarketPriceBatchResultsOperator(BackMarketBatchWaitingOperator):
    """Waits for the batches for a short while, reads their markets back, and settles their prices.

    A run must not keep the next one's quantities waiting: what Back Market has not finished after ``[backmarket]
    price_batch_wait_seconds``, the next run settles. What is under way stands in ``backmarket.changes`` alone, so
    this task may be killed, cleared or repeated at any moment.
    """

    reads = ("ws/tasks", "ws/listings", "backmarket.changes")
    writes = ("backmarket.changes", *LISTING_TABLES)

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many prices were confirmed, refused, planned again, and are not known yet, or skip."""
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            batches = self._batches(connection, client)
            if not batches.under_way():
                raise AirflowSkipException("No price is under way in a batch.")
            looked = batches.look()
        running = [batch_id for batch_id, status in looked.statuses.items() if batch_id and status.state == "running"]
        if running:
            look_at = datetime.now(UTC) + wait_of("price_batch_wait_seconds")
            batches_running = counted(len(running), "batch", "batches")
            self.log.info("Back Market is at work on %s; looking again by %s.", batches_running, time_of_day(look_at))
            self.wait_for_batches(running, look_at, {})
        return self.read_results({})

    def read_results(self, ended: dict[str, int]) -> dict[str, int]:
        """Read the markets of the batches that are over, and settle.

        :raises MarketsLeftError: where markets could not be read; the prices of all others are settled.
        """
        from backmarket.services.listing_reading import MarketReading
        from backmarket.settings import markets_for_marking
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            markets = markets_for_marking(self.account, client.config)
            reading = MarketReading(client, connection, self.account, markets, self.log)
            return self._batches(connection, client).settle_ended(reading)

    def _batches(self, connection: Connection, client: BackMarketClient) -> PriceBatches:
        from backmarket.services.price_batches import PriceBatches

        return PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)


class BackMarketInventoryAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/inventory``, with the run's counts, where Back Market shows other quantities."""

    thing = "inventory"
    one = "quantity"
    things = "quantities"
    summed = ("confirmed", "refused", "waiting", "requests")
    changing = ("confirmed",)
    is_noted = True


class BackMarketUploadSummaryOperator(BackMarketOperator):
    """Logs how quantities came about, and fails, visibly, where the zero guard holds some.

    :raises MassZeroError: saying how many, and how to let them go.
    """

    reads = ("backmarket.inventory", "backmarket.inventory_findings")

    def execute(self, context: Context) -> int:
        """Return how many SKUs are worth a look."""
        from backmarket.services.quantities import log_summary
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection:
            return log_summary(connection, self.account, self.log)


class BackMarketPriceQuestionOperator(BackMarketQuestionOperator):
    """Updates the asset ``backmarket/price_questions`` where moves wait that nobody was asked about."""

    reads = ("backmarket.changes", "backmarket.price_approvals")

    things = "price changes"
    questions = "price_questions"
    decision_days = "price_decision_days"
    approval_hours = "price_approval_hours"

    @property
    def desk(self) -> ApprovalDesk[Move]:
        from backmarket.warehouse.price_approval import DESK

        return DESK
