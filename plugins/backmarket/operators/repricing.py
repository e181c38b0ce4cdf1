"""Operators of repricing, in ``backmarket_backbox``; its moves are planned and sent as all prices are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.lineage import LISTING_TABLES
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketRepricingOperator(BackMarketOperator):
    """Writes to ``backmarket.repricing`` where each price goes in the competition for the BackBox, and why.

    Nothing is planned or sent here. A price without a known cost stays. Rows of the seller's costs and rates that
    cannot be read are left out and named; the others count. Where rates cannot be read at all, what needs none is
    decided.

    :raises FeedUnusableError: where prices, costs or the map of SKUs cannot be read at all.
    """

    reads = (
        "seller.prices",
        "seller.costs",
        "seller.device_costs",
        "seller.fx_rates",
        "seller.vat_rates",
        "seller.sku_map",
        "seller.stock",
        "seller.stock_by_warehouse",
        "backmarket.backbox",
        "backmarket.backbox_askings",
        "backmarket.inventory",
        *LISTING_TABLES,
        "backmarket.orders",
        "backmarket.order_lines",
        "backmarket.fee_shares",
        "backmarket.vat_rates",
        "backmarket.changes",
    )
    writes = ("backmarket.repricing",)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many prices were looked at, move, are asked for and stay, how many rows were left out; and the
        tables, as ``unusable_feeds``, that cannot be used as a whole."""
        from backmarket.services.repricing import decide_prices
        from backmarket.settings import RepricingSettings, SaleCostSettings, chosen_markets
        from backmarket.warehouse import feeds
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.seller_rows import name_left_out

        settings = RepricingSettings.load(self.account)
        markets = chosen_markets(self.account, settings, self.hook.config)
        run_id = context["run_id"]
        with connect(self.warehouse_conn_id) as connection:
            counts, read, unreadable = decide_prices(
                connection,
                self.account,
                settings,
                SaleCostSettings.load(self.account),
                self.log,
                markets=markets,
                now=datetime.now(UTC),
            )
            limit, unusable = self.rows_limit_pct, [*unreadable]
            left_out: Counter[str] = Counter()
            for feed in read:
                left_out.update(name_left_out(connection, self.account, feed, run_id=run_id))
                unusable += feeds.judge(connection, self.account, feed, limit_pct=limit, run_id=run_id)
        return {**counts, **left_out, "unusable_feeds": unusable}
