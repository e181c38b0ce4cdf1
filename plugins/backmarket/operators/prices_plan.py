"""Plans all prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPricesPlanOperator(BackMarketOperator):
    """Writes to the ledger which prices are to be sent, which are refused, and which a person must see first.

    Rows of ``seller.prices`` that cannot be read are left out and named; the others are planned.

    :raises FeedUnusableError: where none can be read.
    """

    ui_color = "#cfe2ff"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many prices were looked at, what becomes of them, and how many rows were left out."""
        from backmarket.operators.markets import chosen_markets
        from backmarket.operators.price_planning import plan_prices
        from backmarket.settings import PriceSettings
        from backmarket.warehouse import sql
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.seller_rows import fail_if_unusable, name_left_out

        settings = PriceSettings.load()
        markets = chosen_markets(settings, self.hook.config)
        with connect(self.warehouse_conn_id) as connection:
            counts, feed = plan_prices(
                connection, self.account, settings, markets=markets, now=datetime.now(UTC), run_id=context["run_id"]
            )
            parameters = {"account": self.account, "markets": markets}
            unmatched = connection.execute(sql.statement("prices/count_unmatched"), parameters).fetchall()
            self.log.info("Prices: %s.", ", ".join(f"{name} {number}" for name, number in counts.items()))
            for reason, rows, examples in unmatched:
                self.log.warning("%d rows of seller.prices %s, such as %s.", rows, reason, ", ".join(examples))
            if counts["price_changed_outside"]:
                self.log.warning(
                    "%d prices were changed outside since they were sent: see backmarket.inventory_findings.",
                    counts["price_changed_outside"],
                )
            counts |= {"unmatched": sum(rows for _, rows, _ in unmatched)}
            counts |= name_left_out(connection, self.account, feed, run_id=context["run_id"])
            fail_if_unusable(connection, self.account, feed)
        return counts
