"""Operators of ``backmarket_listings``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from backmarket.configuration import wait_of
from backmarket.lineage import LISTING_TABLES
from backmarket.operators.base import BackMarketAnnouncementOperator, BackMarketOperator
from backmarket.operators.sending import BackMarketBatchWaitingOperator, BackMarketSendingOperator
from backmarket.words import counted, time_of_day

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.rules.catalog import Kind
    from backmarket.services.creation_batches import BatchResults


class BackMarketMarketsOperator(BackMarketOperator):
    """Returns the markets of ``backmarket_markets``, or the connection's own market where it is empty.

    Other tasks map over them, one task instance a market.

    :raises VariableError: where a market is unknown, or not one of the connection's platform.
    """

    def execute(self, context: Context) -> list[str]:
        """Return the markets, each once, in the order in which the Variable names them."""
        from backmarket.settings import MarketSettings, chosen_markets

        markets = chosen_markets(self.account, MarketSettings.load(self.account), self.hook.config)
        self.log.info("Markets: %s.", ", ".join(markets))
        return markets


class BackMarketActiveListingDownloadOperator(BackMarketOperator):
    """Brings one market's listings into ``backmarket.listings``, ``listing_offers`` and ``listing_offer_history``.

    A complete read is a snapshot: what it does not hold is marked as gone. What a short or failed read brings is
    stored, and marks nothing. Running again repeats nothing.

    :param market: the market, such as ``fr-fr``.
    :raises ShortReadError: where the list moved, or lacked rows, for as long as it was read.
    :raises BackMarketError: what a page could not be read for; all others are stored.
    """

    reads = ("ws/listings",)
    writes = LISTING_TABLES

    template_fields = (*BackMarketOperator.template_fields, "market")

    def __init__(self, *, market: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.market = market

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts: offers new, changed, unchanged, gone and quarantined, requests made."""
        from backmarket.services.listing_reading import MarketReading
        from backmarket.settings import MarketSettings, chosen_markets
        from backmarket.warehouse.connection import connect

        hook = self.hook
        markets = chosen_markets(self.account, MarketSettings.load(self.account), hook.config)
        with (
            connect(self.warehouse_conn_id) as connection,
            hook as client,
            self.progress(context, "listing", self.market) as progress,
        ):
            reading = MarketReading(client, connection, self.account, markets, self.log, progress)
            counts = reading.read_whole(self.market)
            return {**counts, "requests": client.requests_made}


class BackMarketCategoryDownloadOperator(BackMarketOperator):
    """Brings the leaves of the category tree into ``backmarket.categories``, once a day for each market that
    ``seller.catalog`` proposes products in.

    Where Back Market does not answer, the stored tree stays in use. A market of which none is stored is named, and its
    new products wait; the trees of all others are read.

    :raises BackMarketError: where a failure concerns all markets alike.
    """

    reads = ("seller.catalog", "ws/category/tree")
    writes = ("backmarket.categories",)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of :func:`~backmarket.services.listing_creation.download_categories`."""
        from backmarket.services.listing_creation import download_categories
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.listings import Catalog

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            return download_categories(client, Catalog(connection, self.account), self.log)


class BackMarketListingCreationPlanOperator(BackMarketOperator):
    """Checks the rows of one kind and records the plan in ``backmarket.changes``; it asks nothing of Back Market.

    What was found of each row stands in ``backmarket.catalog_readiness``. What Back Market itself refused is not
    sent again before the row changes, or a person starts a run with the param ``retry_refused``. A row that cannot be
    read is refused for its reason; the others go.

    :raises FeedUnusableError: where the table cannot be read at all.
    :param kind: ``listing``, or ``product`` for new products with their listing.
    """

    reads = ("seller.catalog", "backmarket.categories", "backmarket.listings", "backmarket.changes")
    writes = ("backmarket.catalog_checks", "backmarket.changes")

    template_fields = (*BackMarketOperator.template_fields, "kind")

    def __init__(self, *, kind: Kind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of :meth:`~backmarket.services.listing_creation.CreationPlanning.plan`."""
        from backmarket.services.listing_creation import CreationPlanning
        from backmarket.settings import is_neighbour_on, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.listings import Catalog

        dry_run, products_on = read_variable(self.account, "dry_run"), is_neighbour_on(self.account, "product_creation")
        config = self.hook.config
        with connect(self.warehouse_conn_id) as connection:
            planning = CreationPlanning(
                Catalog(connection, self.account),
                self.kind,
                config,
                self.log,
                dry_run=dry_run,
                products_on=products_on,
                retry_refused=bool(context["params"].get("retry_refused")),
            )
            return planning.plan(run_id=context["run_id"], rows_limit_pct=self.rows_limit_pct)


class BackMarketListingCreationOperator(BackMarketSendingOperator):
    """Sends what is planned, the longest waiting first, as far as the hour's budget of SKU lines goes.

    Before that it looks whether Back Market has a listing of the SKU after all: a batch would overwrite it. A batch
    holds lines of one market and, for products, of one category. Its lines are marked as sent before it leaves; how
    they ended is for the task that follows to find out, even where the answer was lost or this task was killed. A SKU
    that Back Market cannot look up, and a batch or a market that it refuses, stay planned; all others are sent. Where
    its toggle is off by now, or ``backmarket_dry_run`` is on, the task skips itself.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    """

    reads = ("backmarket.changes", "ws/listings")
    writes = ("ws/listings", "backmarket.changes", *LISTING_TABLES)

    template_fields = (*BackMarketOperator.template_fields, "kind")

    def __init__(self, *, kind: Kind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts of :meth:`~backmarket.services.creation_batches.CreationSending.send`."""
        from backmarket.services.creation_batches import CreationSending
        from backmarket.settings import ListingCreationSettings, ProductCreationSettings
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.listings import Catalog

        settings = {"listing": ListingCreationSettings, "product": ProductCreationSettings}[self.kind]
        self.skip_unless_sending(settings.load(self.account), f"{self.kind}_creation")
        with self.open_to_send(keep_for_quantities=True) as (connection, client, budget):
            ledger, catalog = Ledger(connection, self.account, self.kind), Catalog(connection, self.account)
            return CreationSending(ledger, catalog, client, budget, self.log).send()


class BackMarketListingCreationResultsOperator(BackMarketBatchWaitingOperator):
    """Settles what was sent: reads the status of the batches, reads the SKUs back, and compares.

    What is under way stands in ``backmarket.changes`` alone, so this task may be killed, cleared or repeated at any
    moment. It waits until batches end and lost ones show, at most until ``[backmarket] batch_wait_seconds`` after they
    were sent; after that the next run reads the results.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    :param wait: whether to wait; without it, read the results once and go on.
    """

    reads = ("ws/tasks", "ws/listings", "backmarket.changes")
    writes = (*LISTING_TABLES, "backmarket.changes")

    template_fields = (*BackMarketBatchWaitingOperator.template_fields, "kind")

    def __init__(self, *, kind: Kind, wait: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.wait = wait

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many lines were created as sent, created with differences, refused, put back into the queue,
        and are not known yet; and, as ``new``, how many listings there are more."""
        return self.read_results({})

    def read_results(self, ended: dict[str, int]) -> dict[str, int]:
        """Settle what has ended, and wait and settle again while that helps."""
        from backmarket.services.creation_batches import final_counts

        counts = Counter(ended)
        while True:
            results = self._settle()
            unknown = results.counts.pop("unknown", 0)
            counts += results.counts
            if not self.wait or results.look_at is None:
                return final_counts(counts, unknown, self.log)
            lines = counted(unknown, "line is", "lines are")
            self.log.info("%s not known yet; looking again at %s.", lines, time_of_day(results.look_at))
            self.wait_for_batches(results.running, results.look_at, dict(counts))

    def _settle(self) -> BatchResults:
        from backmarket.services.creation_batches import CreationResults
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            return CreationResults(
                Ledger(connection, self.account, self.kind),
                client,
                poll=wait_of("batch_poll_seconds"),
                patience=wait_of("batch_wait_seconds"),
                deadline=wait_of("batch_deadline_seconds"),
                log=self.log,
            ).settle()


class BackMarketListingAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/listings``, with the run's counts, where offers changed; else skips."""

    thing = "listings"
    one = "offer"
    things = "offers"


class BackMarketListingCreationCheckOperator(BaseOperator):
    """Fails, visibly and once, where lines that were sent did not become listings; also where this run sends nothing.

    :param leftovers: the counts of what earlier runs had sent.
    :param results: the counts of what this run sent.
    :param sent: the counts of the sending; ``not_sent`` in them are SKUs that stay planned or were refused unsent. None
        where nothing was to be sent.
    :raises ListingsNotCreatedError: saying how many, and where to look.
    """

    template_fields = ("leftovers", "results", "sent")

    def __init__(self, *, leftovers: Any, results: Any, sent: Any, **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "none_failed_min_one_success", **kwargs})
        self.leftovers = leftovers
        self.results = results
        self.sent = sent

    def execute(self, context: Context) -> None:
        """Pass where everything that was sent has been created."""
        from backmarket.services.creation_batches import fail_if_not_created

        fail_if_not_created(self.leftovers, self.results, self.sent["not_sent"] if self.sent else [])
