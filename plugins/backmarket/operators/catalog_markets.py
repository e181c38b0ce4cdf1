"""The market of a row of ``seller.catalog``, and what that market asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.api.markets import MARKETS
from backmarket.rules.catalog import MarketRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.api.config import ClientConfig
    from backmarket.rules.catalog import CatalogRow, LeafCategory


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
