"""Tells which markets a run works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.api.config import ClientConfig
    from backmarket.settings import MarketSettings


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


def chosen_markets(settings: MarketSettings, config: ClientConfig) -> list[str]:
    """Return the markets that a run works on, each once.

    :raises VariableError: where a market is unknown, or not one of the connection's platform.
    """
    from backmarket.settings import VariableError

    markets = list(dict.fromkeys(settings.markets or (config.market,)))
    for market in markets:
        try:
            config.require_market(market)
        except ValueError as error:
            raise VariableError(
                f"Variable backmarket_markets cannot be used: {error}. Correct it under Admin → Variables, then "
                "clear this task."
            ) from None
    return markets


def markets_for_marking(config: ClientConfig) -> list[str]:
    """Return the markets whose offers keep a listing from being gone: those chosen, or all of the platform.

    For quantities, which need no market but home: a slip in ``backmarket_markets`` is for others to complain of.
    """
    from backmarket.api.markets import MARKETS
    from backmarket.settings import MarketSettings, VariableError

    try:
        return chosen_markets(MarketSettings.load(), config)
    except VariableError:
        return [market.code for market in MARKETS.values() if market.platform == config.platform]
