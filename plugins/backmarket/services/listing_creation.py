"""Decides which rows of ``seller.catalog`` become listings and products, and sends them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.api.markets import MARKETS
from backmarket.rules.catalog import MarketRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from backmarket.api.config import ClientConfig
    from backmarket.rules.catalog import CatalogRow, LeafCategory
    from backmarket.warehouse.ledger import PlannedChange, RecordedChange
    from backmarket.warehouse.listings import Catalog, Check


def market_of(row: CatalogRow, config: ClientConfig) -> str:
    """Return the market in which a row is to be listed; the connection's own where it names none."""
    return (row.market or "").strip().lower() or config.market


def markets_of_platform(config: ClientConfig) -> set[str]:
    """Return the markets that the connection's platform serves."""
    return {market.code for market in MARKETS.values() if market.platform == config.platform}


def market_rules(
    market: str, config: ClientConfig, categories: Mapping[int, LeafCategory] | None
) -> MarketRules | None:
    """Return what a market asks for; None where the platform has no such market.

    :param categories: the market's leaf categories; None where they are not known.
    """
    if market not in markets_of_platform(config):
        return None
    return MarketRules(MARKETS[market].currency, MARKETS[market].decimals, categories)


_MOST_NAMED = 100


def _batches(changes: Iterable[RecordedChange]) -> Iterator[list[RecordedChange]]:
    """Split the queue into batches of one market and category each, the longest waiting first within each."""
    from backmarket.warehouse.sku_line_budget import MOST_LINES_OF_A_BATCH

    groups: dict[tuple[str, str], list[RecordedChange]] = {}
    for change in changes:
        key = change.payload["market"], change.payload["columns"].get("category_id", "")
        groups.setdefault(key, []).append(change)
    for group in groups.values():
        for start in range(0, len(group), MOST_LINES_OF_A_BATCH):
            yield group[start : start + MOST_LINES_OF_A_BATCH]


_MOST_REFUSALS_LOGGED = 100


class _Finding(NamedTuple):
    """A checked row and what the ledger records of it."""

    check: Check
    payload: dict[str, Any]


def _rules_by_market(catalog: Catalog, config: ClientConfig) -> Callable[[str], MarketRules | None]:

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
