"""Decides which rows of ``seller.catalog`` are sent, and tells for all others why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.operators.base import BackMarketOperator
from backmarket.rules.skus import sku_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow.sdk import Context

    from backmarket.api.config import ClientConfig
    from backmarket.rules.catalog import CatalogRow, Kind, MarketRules
    from backmarket.warehouse.catalog import Catalog, Check
    from backmarket.warehouse.ledger import PlannedChange
    from backmarket.warehouse.seller_rows import LeftOut

_MOST_REFUSALS_LOGGED = 100


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
        from backmarket.warehouse.catalog import Catalog
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
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
        from backmarket.operators.catalog_markets import market_of
        from backmarket.rules.catalog import kind_of, reasons_against, twins
        from backmarket.rules.catalog_csv import columns_of
        from backmarket.warehouse.catalog import Check

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


class _Finding(NamedTuple):
    """A checked row and what the ledger records of it."""

    check: Check
    payload: dict[str, Any]


def _rules_by_market(catalog: Catalog, config: ClientConfig) -> Callable[[str], MarketRules | None]:
    from backmarket.operators.catalog_markets import market_rules

    return cache(lambda market: market_rules(market, config, catalog.categories(market)))


def _unless_refused(finding: _Finding, refused_before: dict[str, tuple[dict[str, Any], str]]) -> _Finding:
    """Refuse a ready row that Back Market refused just so, for its reason."""
    payload, reason = refused_before.get(finding.check.sku, ({}, ""))
    if finding.check.verdict != "ready" or payload != finding.payload:
        return finding
    return finding._replace(check=finding.check._replace(verdict="refused", reasons=[reason]))


def _changes(findings: list[_Finding], *, dry_run: bool) -> Iterator[PlannedChange]:
    """Turn findings into what the ledger records: ready rows wait to be sent, refused ones carry their reasons."""
    from backmarket.warehouse.ledger import PlannedChange

    for check, payload in findings:
        if check.verdict == "refused":
            yield PlannedChange(check.sku, payload, status="refused", reason="; ".join(check.reasons))
        elif check.verdict == "ready":
            yield PlannedChange(check.sku, payload, status="dry_run" if dry_run else "planned")
