"""Decides which rows of ``seller.catalog`` become listings and products."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from backmarket.api.errors import BackMarketError
from backmarket.api.markets import MARKETS
from backmarket.rules.catalog import MarketRules, kind_of, reasons_against, twins
from backmarket.rules.catalog_csv import columns_of
from backmarket.rules.skus import sku_key
from backmarket.services.listing_reading import read_each_market
from backmarket.warehouse import feeds
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.listings import Check, Verdict
from backmarket.warehouse.seller_rows import name_left_out
from backmarket.words import counted, minute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from backmarket.api.client import BackMarketClient
    from backmarket.api.config import ClientConfig
    from backmarket.rules.catalog import CatalogRow, Kind
    from backmarket.services.log import Log
    from backmarket.warehouse.listings import Catalog
    from backmarket.warehouse.seller_rows import LeftOut, SellerRows

_MOST_REFUSALS_LOGGED = 100
_TREE_IS_FRESH = timedelta(days=1)


def market_of(row: CatalogRow, config: ClientConfig) -> str:
    """Return the market in which a row is to be listed; the connection's own where it names none."""
    return (row.market or "").strip().lower() or config.market


def markets_of_platform(config: ClientConfig) -> set[str]:
    """Return the markets that the connection's platform serves."""
    return {market.code for market in MARKETS.values() if market.platform == config.platform}


@dataclass(frozen=True)
class CreationPlanning:
    """Checks the rows of one kind and plans what is to be sent; it asks nothing of Back Market.

    :param products_on: whether new products are switched on; else all rows count as listings.
    :param retry_refused: send again what Back Market refused, although its row is unchanged.
    """

    catalog: Catalog
    kind: Kind
    config: ClientConfig
    log: Log
    dry_run: bool
    products_on: bool
    retry_refused: bool

    def plan(self, *, run_id: str, rows_limit_pct: Decimal) -> dict[str, Any]:
        """Check all rows of the kind, and record checks and plan.

        :param rows_limit_pct: with a larger share of rows that cannot be used the table is unusable as a whole.
        :return: how many rows of the kind are listed, under way, ready, refused and left out; and the table, as
            ``unusable_feeds``, where it cannot be used as a whole.
        :raises FeedUnusableError: where the table cannot be read at all.
        """
        connection, account = self.catalog.connection, self.catalog.account
        rows, feed = self.catalog.read()
        found = list(self._check(rows))
        verdicts = Counter(check.verdict for check, _ in found)
        checks: list[Check] = []
        changes: list[PlannedChange] = []
        for check, payload in _once_a_sku(found):
            checks.append(check)
            if check.verdict == "refused":
                reason = "; ".join(check.reasons)
                changes.append(PlannedChange(check.sku, payload, status="refused", reason=reason))
            elif check.verdict == "ready":
                changes.append(PlannedChange(check.sku, payload, status=planned_status(dry_run=self.dry_run)))
        self.catalog.confirm_appeared(self.kind)
        Ledger(connection, account, self.kind).plan(changes, run_id=run_id)
        self.catalog.store_checks(self.kind, checks)
        self._log_plan(changes)
        left_out = self._name_left_out(rows, feed, run_id=run_id)
        unusable = feeds.judge(connection, account, feed, limit_pct=rows_limit_pct, run_id=run_id)
        counts = {verdict.replace(" ", "_"): verdicts[verdict] for verdict in get_args(Verdict)}
        return {**counts, **left_out, "unusable_feeds": unusable}

    def _check(self, rows: list[CatalogRow]) -> Iterator[tuple[Check, dict[str, Any]]]:
        """Check each row of this kind; yield the result, and what of the row is to be sent."""
        twin_skus = twins(row.sku for row in rows)
        listed, under_way = self.catalog.listed(), self.catalog.under_way()
        refused = {} if self.retry_refused else self.catalog.refused_by_back_market(self.kind)
        rules = cache(self._rules)
        for row in rows:
            if kind_of(row, products_on=self.products_on) != self.kind:
                continue
            market, key = market_of(row, self.config), sku_key(row.sku)
            bare = {"market": market, "columns": {"sku": row.sku}}
            if key in under_way:
                yield Check(row.sku, market, "under way", []), bare
            elif key in listed and key not in twin_skus:
                yield Check(row.sku, market, "listed", []), bare
            elif reasons := reasons_against(row, self.kind, rules(market), twin_skus=twin_skus):
                yield Check(row.sku, market, "refused", reasons), bare
            else:
                payload = {"market": market, "columns": columns_of(row, self.kind)}
                refused_payload, reason = refused.get(row.sku, (None, ""))
                if payload == refused_payload:
                    yield Check(row.sku, market, "refused", [reason]), payload
                else:
                    yield Check(row.sku, market, "ready", []), payload

    def _rules(self, market: str) -> MarketRules | None:
        """Return what a market asks for; None where the platform has no such market."""
        if market not in markets_of_platform(self.config):
            return None
        return MarketRules(MARKETS[market].currency, MARKETS[market].decimals, self.catalog.categories(market))

    def _name_left_out(self, rows: list[CatalogRow], feed: SellerRows[CatalogRow], *, run_id: str) -> dict[str, int]:
        """Name the rows of this kind that cannot be read; one without a SKU counts as a listing."""
        kinds = {row.sku: kind_of(row, products_on=self.products_on) for row in rows if row.unreadable}
        own: list[LeftOut] = []
        others: list[LeftOut] = []
        for each in feed.left_out:
            (own if kinds.get(each.document["sku"] or "", "listing") == self.kind else others).append(each)
        connection, account = self.catalog.connection, self.catalog.account
        return name_left_out(connection, account, replace(feed, left_out=own), run_id=run_id, named_elsewhere=others)

    def _log_plan(self, changes: list[PlannedChange]) -> None:
        """Write each refusal with all its reasons to the log, and how many rows are to be sent."""
        refused = [change for change in changes if change.status == "refused"]
        for change in refused[:_MOST_REFUSALS_LOGGED]:
            self.log.warning("SKU %s is not sent: %s.", change.subject, change.reason)
        if len(refused) > _MOST_REFUSALS_LOGGED:
            self.log.warning("All %s refusals stand in backmarket.catalog_readiness.", f"{len(refused):,}")
        ready = len(changes) - len(refused)
        if self.dry_run and ready:
            would_go = counted(ready, "row")
            self.log.info("Dry run: %s would be sent; see status dry_run in backmarket.changes.", would_go)
        else:
            self.log.info("%s ready to be sent, %s refused.", counted(ready, "row"), f"{len(refused):,}")


def _once_a_sku(found: Iterable[tuple[Check, dict[str, Any]]]) -> Iterator[tuple[Check, dict[str, Any]]]:
    """Yield each SKU once, with the reasons against all of its rows: apart, they would be told anew in each run.

    :param found: as rows were checked; those of one SKU have one verdict.
    """
    of_sku: dict[str, list[tuple[Check, dict[str, Any]]]] = {}
    for check, payload in found:
        of_sku.setdefault(check.sku, []).append((check, payload))
    for own in of_sku.values():
        # A view gives its rows in any order.
        own.sort(key=lambda each: (each[0].market, each[0].reasons))
        first, payload = own[0]
        reasons = dict.fromkeys(reason for check, _ in own for reason in check.reasons)
        yield first._replace(reasons=list(reasons)), payload


def download_categories(client: BackMarketClient, catalog: Catalog, log: Log) -> dict[str, Any]:
    """Read and store the category tree of each market that the catalog proposes products in, once a day.

    :return: the number of leaf categories by market, 0 where the stored tree stays in use, as ``leaves``; markets whose
        tree is fresh are absent. And the markets of which no tree is known, as ``markets_left``.
    :raises BackMarketError: where it concerns all markets alike.
    """
    proposed = {market_of(row, client.config) for row in catalog.rows() if kind_of(row, products_on=True) == "product"}
    wanted = sorted(proposed & markets_of_platform(client.config))
    stored_at = {market: catalog.categories_read_at(market) for market in wanted}
    now = datetime.now(UTC)
    due = [market for market, read_at in stored_at.items() if read_at is None or now - read_at >= _TREE_IS_FRESH]
    leaves, left = read_each_market(
        due,
        lambda market: _download_tree(market, client, catalog, stored_at[market], log),
        log,
        was_answered=len(due) < len(stored_at),
    )
    trees = [
        f"{market} with {counted(number, 'category', 'categories')}" for market, number in leaves.items() if number
    ]
    log.info("Category trees read: %s.", ", ".join(trees) or "none needed, or all fresh")
    return {"leaves": leaves, "markets_left": list(left)}


def _download_tree(
    market: str, client: BackMarketClient, catalog: Catalog, stored_at: datetime | None, log: Log
) -> int:
    """Read and store the tree of a market, and return its number of leaves; 0 where the stored tree stays in use.

    :raises BackMarketError: where Back Market refused or failed, and no tree is stored.
    """
    read_at = datetime.now(UTC)
    try:
        tree = client.category_tree(market)
    except BackMarketError as error:
        if stored_at is None:
            raise
        log.warning("The tree of %s stays that of %s: %s", market, minute(stored_at), error)
        return 0
    for category in tree.left_out:
        log.warning(
            "Category %s is left out of the tree of %s, so no product can be created in it: %s",
            category.key or "without an id",
            market,
            category.reason,
        )
    return catalog.store_categories(market, tree, read_at=read_at)
