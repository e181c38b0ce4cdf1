"""Operators of ``backmarket_listings``."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowFailException

from backmarket.assets import LISTINGS
from backmarket.configuration import wait_of
from backmarket.operators.base import BackMarketAnnouncementOperator, BackMarketOperator
from backmarket.rules.skus import sku_key
from backmarket.services.item_failures import named
from backmarket.services.listing_creation import (
    _MOST_NAMED,
    _MOST_REFUSALS_LOGGED,
    _batches,
    _changes,
    _Finding,
    _rules_by_market,
    _unless_refused,
)
from backmarket.settings import chosen_markets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.api.config import ClientConfig
    from backmarket.api.models import Listing
    from backmarket.rules.catalog import CatalogRow, Kind
    from backmarket.services.batches import BatchSending, Findings
    from backmarket.warehouse.ledger import PlannedChange, RecordedChange
    from backmarket.warehouse.listings import Catalog
    from backmarket.warehouse.seller_rows import LeftOut


class BackMarketMarketsOperator(BackMarketOperator):
    """Returns the markets of ``backmarket_markets``, or the connection's own market where it is empty.

    Other tasks map over them, one task instance a market.

    :raises VariableError: where a market is unknown, or not one of the connection's platform.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> list[str]:
        """Return the markets, each once, in the order in which the Variable names them."""
        from backmarket.settings import MarketSettings

        markets = chosen_markets(MarketSettings.load(), self.hook.config)
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

    template_fields = (*BackMarketOperator.template_fields, "market")
    ui_color = "#d4edda"

    def __init__(self, *, market: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.market = market

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts: offers new, changed, unchanged, gone and quarantined, requests made."""
        from backmarket.api.errors import ShortReadError
        from backmarket.services.listing_reading import ListingReading
        from backmarket.settings import MarketSettings, chosen_markets
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.listings import ListingStaging

        hook = self.hook
        markets = chosen_markets(MarketSettings.load(), hook.config)
        with connect(self.warehouse_conn_id) as connection, hook as client:
            reading = ListingReading(client, ListingStaging(connection, self.account), self.market)
            complete = reading.read()
            counts = reading.store(markets, complete=complete) | {"requests": client.requests_made}
        reading.tell(self.log, counts)
        if reading.failure:
            raise reading.failure
        if not complete:
            raise ShortReadError(
                f"{len(reading.seen)} listings of {self.market} were read, and others may be missing; what was read is "
                "stored, none is marked as gone",
                method="GET",
                path="/ws/listings",
            )
        return counts


_KEPT_FOR = timedelta(days=1)


class BackMarketCategoryDownloadOperator(BackMarketOperator):
    """Brings the leaves of the category tree into ``backmarket.categories``, once a day for each market that
    ``seller.catalog`` proposes products in.

    Where Back Market does not answer, the tree of earlier goes on being used. A market of which none is kept is named,
    and its new products wait; the trees of all others are read.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of leaf categories by market, 0 where the earlier tree goes on being used; those that
        were fresh are left out. And the markets of which no tree is known, as ``markets_left``.

        :raises BackMarketError: where it concerns all markets alike.
        """
        from backmarket.rules.catalog import kind_of
        from backmarket.services.listing_creation import market_of, markets_of_platform
        from backmarket.services.listing_reading import read_each_market
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.listings import Catalog

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            catalog = Catalog(connection, self.account)
            wanted = {
                market_of(row, client.config) for row in catalog.rows() if kind_of(row, products_on=True) == "product"
            }
            known_since = {
                market: catalog.categories_read_at(market)
                for market in sorted(wanted & markets_of_platform(client.config))
            }
            now = datetime.now(UTC)
            due = [market for market, read_at in known_since.items() if read_at is None or now - read_at >= _KEPT_FOR]
            found = read_each_market(
                due,
                lambda market: self._read(market, client, catalog, known_since[market]),
                self.log,
                was_answered=len(due) < len(known_since),
            )
        self.log.info("Category trees read: %s.", found.rows or "none needed, or all fresh")
        return {"leaves": found.rows, "markets_left": list(found.left)}

    def _read(self, market: str, client: BackMarketClient, catalog: Catalog, known_since: datetime | None) -> int:
        """Read and store the tree of a market, and return its number of leaves; 0 where that of earlier stays.

        :raises BackMarketError: where Back Market refused or failed, and no tree is kept.
        """
        from backmarket.api.errors import BackMarketError

        read_at = datetime.now(UTC)
        try:
            tree = client.category_tree(market)
        except BackMarketError as error:
            if known_since is None:
                raise
            self.log.warning("The tree of %s stays that of %s: %s", market, known_since, error)
            return 0
        for category in tree.left_out:
            self.log.warning(
                "Category %s is left out of the tree of %s, so no product can be created in it: %s",
                category.key or "without an id",
                market,
                category.reason,
            )
        return catalog.store_categories(market, tree, read_at=read_at)


class BackMarketListingCreationPlanOperator(BackMarketOperator):
    """Checks the rows of one kind and records the plan in ``backmarket.changes``; it asks nothing of Back Market.

    What was found of each row stands in ``backmarket.catalog_readiness``. What Back Market itself refused is not
    sent again before the row changes, or a person starts a run with the param ``retry_refused``. A row that cannot be
    read is refused for its reason; the others go.

    :raises FeedUnusableError: where no row of the whole table can be read.
    :param kind: ``listing``, or ``product`` for new products with their listing.
    """

    template_fields = (*BackMarketOperator.template_fields, "kind")
    ui_color = "#d1ecf1"

    def __init__(self, *, kind: Kind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many rows of the kind are listed, under way, ready, refused and left out."""
        from backmarket.settings import is_neighbour_on, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.listings import Catalog
        from backmarket.warehouse.seller_rows import fail_if_unusable, name_left_out

        dry_run, products_on = read_variable("dry_run"), is_neighbour_on("product_creation")
        config = self.hook.config
        retry_refused = bool(context["params"].get("retry_refused"))
        with connect(self.warehouse_conn_id) as connection:
            catalog = Catalog(connection, self.account)
            refused = {} if retry_refused else catalog.refused_by_back_market(self.kind)
            rows, feed = catalog.read()
            findings = [
                _unless_refused(finding, refused)
                for finding in self._check(rows, catalog, config, products_on=products_on)
            ]
            changes = list(_changes(findings, dry_run=dry_run))
            catalog.confirm_appeared(self.kind)
            Ledger(connection, self.account, self.kind).plan(changes, run_id=context["run_id"])
            catalog.store_checks(self.kind, [finding.check for finding in findings])
            self._tell(changes, dry_run=dry_run)
            of_kind = self._of_kind(rows, products_on=products_on)
            own = replace(feed, left_out=[each for each in feed.left_out if of_kind(each)])
            others = [each for each in feed.left_out if not of_kind(each)]
            left_out = name_left_out(connection, self.account, own, run_id=context["run_id"], named_elsewhere=others)
            fail_if_unusable(connection, self.account, feed)
        verdicts = Counter(finding.check.verdict for finding in findings)
        return {
            "listed": verdicts["listed"],
            "under_way": verdicts["under way"],
            "ready": verdicts["ready"],
            "refused": verdicts["refused"],
            **left_out,
        }

    def _of_kind(self, rows: Iterable[CatalogRow], *, products_on: bool) -> Callable[[LeftOut], bool]:
        """Return what tells whether this task names a row; one without a SKU counts as a listing."""
        from backmarket.rules.catalog import kind_of

        kinds = {row.sku: kind_of(row, products_on=products_on) for row in rows if row.unreadable}
        return lambda left_out: kinds.get(left_out.document["sku"] or "", "listing") == self.kind

    def _check(
        self, rows: list[CatalogRow], catalog: Catalog, config: ClientConfig, *, products_on: bool
    ) -> Iterator[_Finding]:
        """Check each row of this kind."""
        from backmarket.rules.catalog import kind_of, reasons_against, twins
        from backmarket.rules.catalog_csv import columns_of
        from backmarket.services.listing_creation import market_of
        from backmarket.warehouse.listings import Check

        twin_skus = twins(row.sku for row in rows)
        listed, under_way = catalog.listed(), catalog.under_way()
        rules = _rules_by_market(catalog, config)
        for row in rows:
            if kind_of(row, products_on=products_on) != self.kind:
                continue
            market, key = market_of(row, config), sku_key(row.sku)
            bare = {"market": market, "columns": {"sku": row.sku}}
            if key in under_way:
                yield _Finding(Check(row.sku, market, "under way", []), bare)
            elif key in listed and key not in twin_skus:
                yield _Finding(Check(row.sku, market, "listed", []), bare)
            elif reasons := reasons_against(row, self.kind, rules(market), twin_skus=twin_skus):
                yield _Finding(Check(row.sku, market, "refused", reasons), bare)
            else:
                payload = {"market": market, "columns": columns_of(row, self.kind)}
                yield _Finding(Check(row.sku, market, "ready", []), payload)

    def _tell(self, changes: list[PlannedChange], *, dry_run: bool) -> None:
        """Write each refusal with all its reasons, and how many rows are to be sent."""
        refused = [change for change in changes if change.status == "refused"]
        for change in refused[:_MOST_REFUSALS_LOGGED]:
            self.log.warning("SKU %s is not sent: %s.", change.subject, change.reason)
        if len(refused) > _MOST_REFUSALS_LOGGED:
            self.log.warning("All %d refusals stand in backmarket.catalog_readiness.", len(refused))
        ready = len(changes) - len(refused)
        if dry_run and ready:
            self.log.info("Dry run: %d rows would be sent; they stand in backmarket.changes as dry_run.", ready)
        else:
            self.log.info("%d rows are ready to be sent, %d are refused.", ready, len(refused))


class BackMarketListingCreationOperator(BackMarketOperator):
    """Sends what is planned, the longest waiting first, as far as the hour's budget of SKU lines goes.

    Before that it looks whether Back Market has a listing of the SKU after all: a batch would overwrite it. A batch
    holds lines of one market and, for products, of one category. Its lines are marked as sent before it leaves; how
    they ended is for the task that follows to find out, even where the answer was lost or this task was killed. A SKU
    that Back Market cannot look up, and a batch or a market that it refuses, stay planned; all others are sent. Where
    its toggle is off by now, or ``backmarket_dry_run`` is on, the task skips itself.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    """

    template_fields = (*BackMarketOperator.template_fields, "kind")
    ui_color = "#f8e5c4"

    def __init__(self, *, kind: Kind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many lines were sent in how many batches, were listed already, and wait for the next run; and the
        SKUs that could not be sent, as ``not_sent``."""
        from backmarket.operators.inventory_prices import skip_unless_sending
        from backmarket.services.batches import BatchSending
        from backmarket.settings import ListingCreationSettings, ProductCreationSettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.listings import Catalog
        from backmarket.warehouse.sku_line_budget import open_sku_line_budget

        settings = {"listing": ListingCreationSettings, "product": ProductCreationSettings}[self.kind]
        skip_unless_sending(settings.load(), f"{self.kind}_creation")
        counts: dict[str, Any] = {"sent": 0, "batches": 0, "listed_already": 0, "waiting": 0}
        not_sent: list[str] = []
        with (
            connect(self.warehouse_conn_id) as connection,
            open_sku_line_budget(self.warehouse_conn_id, self.account, keep_for_quantities=True) as budget,
            self.hook as client,
        ):
            catalog, ledger = Catalog(connection, self.account), Ledger(connection, self.account, self.kind)
            queue = ledger.planned()
            first = queue[: budget.left()]
            unlisted = self._without_listed(first, client, catalog, not_sent)
            counts["listed_already"] = len(first) - len(unlisted) - len(not_sent)
            sending = BatchSending(ledger, client, budget, self.log)
            for batch in _batches(unlisted):
                sent = self._send(sending, batch, not_sent)
                counts["sent"] += sent
                counts["batches"] += bool(sent)
            not_sent += [change.subject for change in sending.refused]
            counts["waiting"] = len(queue) - counts["listed_already"] - counts["sent"]
            if counts["waiting"]:
                self.log.info("%d lines wait; the next may go at %s.", counts["waiting"], budget.free_at())
        self.log.info("Sent %(sent)d lines in %(batches)d batches; %(listed_already)d were listed already.", counts)
        return {**counts, "not_sent": not_sent[:_MOST_NAMED]}

    def _send(self, sending: BatchSending, batch: list[RecordedChange], not_sent: list[str]) -> int:
        """Send one batch and return how many lines went out.

        :param not_sent: takes the SKUs of a batch that stays planned.
        :raises BackMarketError: where sending others would fail alike.
        """
        from backmarket.api.errors import BackMarketError
        from backmarket.services.item_failures import raise_what_concerns_all

        columns = {change.change_id: change.payload["columns"] for change in batch}
        market = batch[0].payload["market"]
        try:
            return sending.send(market, batch, columns)
        except BackMarketError as error:
            raise_what_concerns_all(error)
            self.log.warning("A batch of %d lines for %s stays planned: %s", len(batch), market, error)
            not_sent += [change.subject for change in batch]
            return 0

    def _without_listed(
        self, changes: list[RecordedChange], client: BackMarketClient, catalog: Catalog, not_sent: list[str]
    ) -> list[RecordedChange]:
        """Take out of the queue what Back Market has a listing of, and store those listings.

        :param not_sent: takes the SKUs of which Back Market could not say: sending might overwrite a listing.
        """
        from backmarket.services.listing_reading import look_up_each
        from backmarket.warehouse.listings import store_readings

        read_at = datetime.now(UTC)
        found = look_up_each(client, changes)
        present: list[tuple[str, Listing]] = [
            (change.payload["market"], look.listing)
            for change, look in zip(changes, found, strict=True)
            if look.listing is not None
        ]
        for market, listings in groupby(sorted(present, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            store_readings(
                catalog.connection, self.account, market, [listing for _, listing in listings], read_at=read_at
            )
        listed = [change for change, look in zip(changes, found, strict=True) if look.exists]
        if listed:
            catalog.supersede_listed(change.change_id for change in listed)
            self.log.info("%d SKUs are listed already; their listings stay as they are.", len(listed))
        for change, look in zip(changes, found, strict=True):
            if look.failure:
                not_sent.append(change.subject)
                self.log.warning("SKU %s stays planned, as it cannot be looked up: %s", change.subject, look.failure)
        return [change for change, look in zip(changes, found, strict=True) if look.exists is False]


class BackMarketBatchWaitingOperator(BackMarketOperator):
    """Waits for batches, and then looks again.

    :param deferrable: whether to wait in the triggerer, which holds no worker slot; else the task itself waits.
    """

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    @abstractmethod
    def look_again(self, ended: dict[str, int]) -> dict[str, int]:
        """Go on after a wait in the triggerer.

        :param ended: the counts of what had ended before it.
        """

    def wait_for_batches(self, batch_ids: list[int], look_at: datetime, ended: dict[str, int]) -> None:
        """Wait until none of the batches is running any more, or until a moment.

        Returns after a wait in the task; after one in the triggerer, the task goes on in :meth:`look_again`.

        :param batch_ids: Back Market's tasks; none means to wait for the moment alone.
        :param ended: the counts of what has ended so far.
        """
        if self.deferrable:
            from backmarket.triggers.batch import BackMarketBatchTrigger

            self.defer(
                trigger=BackMarketBatchTrigger(
                    backmarket_conn_id=self.backmarket_conn_id,
                    batch_ids=batch_ids,
                    look_at=look_at.timestamp(),
                    poll_seconds=wait_of("batch_poll_seconds").total_seconds(),
                    ended=ended,
                ),
                method_name="execute_complete",
            )
        self._sleep(batch_ids, look_at)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Go on after the triggerer's wait; the event says no more than that it is time to look."""
        if event.get("status") not in {"ended", "due"}:
            raise ValueError(f"The trigger answered {event.get('status')!r}, which is neither ended nor due.")
        return self.look_again(event["ended"])

    def _sleep(self, batch_ids: list[int], look_at: datetime) -> None:
        """Wait as the trigger does, in this task."""
        from backmarket.triggers.batch import have_ended

        with self.hook as client:
            while (left := look_at.timestamp() - time.time()) > 0:
                time.sleep(min(wait_of("batch_poll_seconds").total_seconds(), left))
                if batch_ids and have_ended(client, batch_ids):
                    return


_COUNTED = ("confirmed", "different", "refused", "planned", "unknown")

_MOST_REMARKS_LOGGED = 100


class BackMarketListingCreationResultsOperator(BackMarketBatchWaitingOperator):
    """Settles what was sent: reads the batches' reports, reads the SKUs back, and compares.

    What is under way stands in ``backmarket.changes`` alone, so this task may be killed, cleared or repeated at any
    moment. It waits until batches end and lost ones show, at most until ``[backmarket] batch_wait_seconds`` after they
    were sent; then the next run looks.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    :param wait: whether to wait; without it, look once and go on.
    """

    template_fields = (*BackMarketBatchWaitingOperator.template_fields, "kind")
    ui_color = "#d4edda"

    def __init__(self, *, kind: Kind, wait: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.wait = wait

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many lines were created as sent, created with differences, refused, put back into the queue,
        and are not known yet; and, as ``new``, how many listings there are more."""
        return self.look_again({})

    def look_again(self, ended: dict[str, int]) -> dict[str, int]:
        """Look, and wait and look again while that helps."""
        counts = Counter(ended)
        while True:
            findings = self._look()
            unknown = findings.counts.pop("unknown", 0)
            counts += findings.counts
            if not self.wait or findings.look_at is None:
                return self._end(counts, unknown)
            self.log.info("%d lines are not known yet; looking again at %s.", unknown, findings.look_at)
            self.wait_for_batches(findings.running, findings.look_at, dict(counts))

    def _look(self) -> Findings:
        from backmarket.services.batches import BatchLooking
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            ledger = Ledger(connection, self.account, self.kind)
            looking = BatchLooking(
                ledger,
                client,
                poll=wait_of("batch_poll_seconds"),
                patience=wait_of("batch_wait_seconds"),
                deadline=wait_of("batch_deadline_seconds"),
                log=self.log,
            )
            findings = looking.look()
        for remark in findings.remarks[:_MOST_REMARKS_LOGGED]:
            self.log.warning("%s", remark)
        if len(findings.remarks) > _MOST_REMARKS_LOGGED:
            self.log.warning("All %d remarks stand in backmarket.catalog_readiness.", len(findings.remarks))
        return findings

    def _end(self, ended: Counter[str], unknown: int) -> dict[str, int]:
        counts = {name: ended[name] for name in _COUNTED} | {
            "unknown": unknown,
            "new": ended["confirmed"] + ended["different"],
        }
        self.log.info(
            "Created: %(confirmed)d as sent, %(different)d with differences. Refused: %(refused)d. To be sent again: "
            "%(planned)d. Not known yet: %(unknown)d.",
            counts,
        )
        return counts


class ListingsNotCreatedError(AirflowFailException):
    """Back Market refused lines, failed a batch, or did not finish in time; everything else is settled."""


class BackMarketListingAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/listings``, with the run's counts, where offers changed; else skips."""

    announced = LISTINGS
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
    ui_color = "#f8d7da"

    def __init__(self, *, leftovers: Any, results: Any, sent: Any, **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "none_failed_min_one_success", **kwargs})
        self.leftovers = leftovers
        self.results = results
        self.sent = sent

    def execute(self, context: Context) -> None:
        """Pass where everything that was sent has been created."""
        refused = self.leftovers["refused"] + self.results["refused"]
        again, unknown = self.results["planned"], self.results["unknown"]
        not_sent = self.sent["not_sent"] if self.sent else []
        if not_sent and not (refused or again or unknown):
            raise ListingsNotCreatedError(
                f"The SKUs {named(not_sent)} could not be sent: they could not be looked up, or Back Market refused "
                "their batch as a whole; backmarket.changes says why. All others are settled. These go into the next "
                "run until they had as many tries as a line may have."
            )
        if refused or again or unknown:
            raise ListingsNotCreatedError(
                f"Of the lines sent to Back Market, {refused} were refused, {again} go into the next run, and of "
                f"{unknown} it is not known in time how they ended. backmarket.catalog_readiness has the reason of "
                "each SKU. Correct refused rows of seller.catalog; the next run settles the rest by itself."
            )
