"""Names SKUs of the seller's stock and prices that no listing has, such as one that is misspelt."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from backmarket.rules.skus import sku_key
from backmarket.warehouse import inventory_prices, sync_state
from backmarket.warehouse.inventory_prices import Finding
from backmarket.warehouse.listings import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backmarket.rules.inventory import StockRow
    from backmarket.rules.prices import WantedPrice
    from backmarket.rules.sku_map import SkuMap
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection

_MOST_NAMED = 100
_WHAT_TO_DO = "Back Market has no listing of this SKU: is it misspelt, or is its listing still to be created?"


def report_unlisted_stock(
    connection: Connection, account: str, rows: Iterable[StockRow], feeding: SkuMap, *, market: str, log: Log
) -> int:
    """Report SKUs that have units and no listing, or not each that they feed, and return how many they are.

    :param rows: of ``seller.stock``, those that count.
    :param market: whose listings are read, the home market.
    """
    units: Counter[str] = Counter()
    for row in rows:
        units[row.sku] += row.quantity
    told = {sku: f"{quantity} in seller.stock" for sku, quantity in units.items() if quantity > 0}
    return _report(connection, account, "stock_without_listing", told, feeding, market=market, log=log)


def report_unlisted_prices(
    connection: Connection, account: str, rows: Iterable[WantedPrice], feeding: SkuMap, *, market: str, log: Log
) -> int:
    """Report SKUs that have prices and no listing, or not each that they feed, and return how many they are.

    :param rows: of ``seller.prices``.
    :param market: whose listings are read, the home market.
    """
    wanted: dict[str, list[str]] = {}
    for row in rows:
        wanted.setdefault(row.sku, []).append(row.market)
    told = {sku: f"priced for {', '.join(sorted(markets))}" for sku, markets in wanted.items()}
    return _report(connection, account, "price_without_listing", told, feeding, market=market, log=log)


def _report(
    connection: Connection,
    account: str,
    kind: Literal["stock_without_listing", "price_without_listing"],
    told: Mapping[str, str],
    feeding: SkuMap,
    *,
    market: str,
    log: Log,
) -> int:
    """Make these findings of a kind all that there are of it.

    Before the listings of the home market were read whole, nothing is known to be missing. A table with very many such
    SKUs holds those of other channels, too: they are counted in the log alone. Where ``seller.catalog`` cannot be read,
    that holds nothing up.
    """
    catalog = Catalog(connection, account)
    was_read = sync_state.read(connection, account, "listings", market).succeeded_at is not None
    proposed = catalog.proposed()
    if proposed is None:
        log.warning("seller.catalog cannot be read: SKUs whose listing is still to be created are named, too.")
    known = catalog.listed() | (proposed or set())
    unlisted = {}
    for sku, what in told.items() if was_read else ():
        if missing := sorted(feeding.listings_of(sku).keys() - known):
            where = "" if missing == [sku_key(sku)] else f", for {', '.join(missing)} by seller.sku_map"
            unlisted[sku] = what + where
    if len(unlisted) > _MOST_NAMED:
        log.warning(
            "%s SKUs have no listing on Back Market (%s), such as %s. So many are not listed one by one.",
            f"{len(unlisted):,}",
            kind.replace("_", " "),
            ", ".join(list(unlisted)[:5]),
        )
    named = unlisted if len(unlisted) <= _MOST_NAMED else {}
    findings = [Finding(kind, sku, f"{what}. {_WHAT_TO_DO}") for sku, what in named.items()]
    with connection.transaction():
        inventory_prices.record_findings(connection, account, findings)
        inventory_prices.end_states(connection, account, findings, kinds=[kind])
    return len(unlisted)
