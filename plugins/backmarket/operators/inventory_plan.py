"""Plans all quantities."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketInventoryPlanOperator(BackMarketOperator):
    """Writes to ``backmarket.inventory`` how each quantity came about, and to the ledger what is to be sent.

    Rows of ``seller.stock`` that cannot be read are left out and named; the others are planned.

    :raises FeedUnusableError: where none can be read.
    """

    ui_color = "#cfe2ff"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many SKUs were planned and differ, findings by kind, and how many rows were left out."""
        from backmarket.operators.inventory_planning import plan_quantities
        from backmarket.settings import QuantitySettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.inventory import stock_rows
        from backmarket.warehouse.seller_rows import fail_if_unusable, name_left_out

        with connect(self.warehouse_conn_id) as connection:
            counts = plan_quantities(
                connection,
                self.account,
                QuantitySettings.load(),
                now=datetime.now(UTC),
                run_id=context["run_id"],
                allow_mass_zero=bool((context["dag_run"].conf or {}).get("allow_mass_zero")),
            )
            self.log.info("Quantities: %s.", ", ".join(f"{name} {number}" for name, number in counts.items()))
            # Read once more: the plan is made anew while it is sent, too, and only this task names rows.
            feed = stock_rows(connection, self.account)
            counts |= name_left_out(connection, self.account, feed, run_id=context["run_id"])
            fail_if_unusable(connection, self.account, feed)
        return counts
