"""Reads what each market shows before prices are planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.warehouse.connection import Connection


class BackMarketOfferRefreshOperator(BackMarketOperator):
    """Reads the offers of every market of ``backmarket_markets``, and settles prices whose answer was lost.

    A market that refuses or fails is named and keeps its older reading, on which no price is planned; all others are
    read. The home market is not read again where this run has read it for the quantities.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the listings read, requests made, what was settled; and the markets that could not be read, as
        ``markets_left``."""
        from backmarket.operators.inventory_settling import settle_prices
        from backmarket.operators.market_reading import MarketReading
        from backmarket.operators.markets import chosen_markets
        from backmarket.operators.price_batches import PriceBatches
        from backmarket.settings import MarketSettings
        from backmarket.warehouse.connection import connect

        hook = self.hook
        markets = chosen_markets(MarketSettings.load(), hook.config)
        with connect(self.warehouse_conn_id) as connection, hook as client:
            batches = PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)
            reports = batches.reports()
            wanted = [market for market in markets if not self._was_read(connection, market, context)]
            reading = MarketReading(client, connection, self.account, markets, self.log)
            found = reading.read_each(wanted, was_answered=len(wanted) < len(markets))
            counts: dict[str, Any] = {"listings": sum(found.rows.values()), **settle_prices(connection, self.account)}
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
