"""Plans all quantities."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketInventoryPlanOperator(BackMarketOperator):
    """Writes to ``backmarket.inventory`` how each quantity came about, and to the ledger what is to be sent."""

    ui_color = "#cfe2ff"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many SKUs were planned and differ, and findings by kind."""
        from backmarket.operators.inventory_planning import plan_quantities
        from backmarket.settings import QuantitySettings
        from backmarket.warehouse.connection import connect

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
        return counts
