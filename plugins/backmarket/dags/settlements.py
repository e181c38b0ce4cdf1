"""
### Settlements in, and every cent explained

Once a day, loads the statement files that have landed, compares them with the orders, and reports what differs.

**Switches** (Admin → Variables): `backmarket_enabled` and `backmarket_settlement_download`. Statements come as files:
export them from the Back Office and put them into `backmarket_settlement_inbox`. Files are never moved or changed.

**A run** loads every file that is new or has changed and compares all orders and rows that have changed since the last
run, whatever its date. Findings stand in `backmarket.settlement_findings`; one closes itself when later data explains
it.

**The past:** start a backfill: one run a day, in any order, several at once, beside the daily run. Or trigger it with
`from` and `to` (days in UTC, `to` not included). Orders belong to the day they were shipped, rows to their value date.

**When it fails:** `settlement_check` fails where statements do not add up, too many rows belong to no order, or a
file cannot be read, and names it; `quarantine_check` where the storage did not give a file or Back Market an order.
`settlement_download` itself fails where the inbox cannot be listed. Everything else is loaded and compared. To repeat
any task, clear it: that is always safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from backmarket.concerns import SETTLEMENTS
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.operators.settlements import (
    BackMarketReconciliationOperator,
    BackMarketSettlementAnnouncementOperator,
    BackMarketSettlementCheckOperator,
    BackMarketSettlementDownloadOperator,
    BackMarketSettlementOrderReadOperator,
    BackMarketSettlementReportOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        SETTLEMENTS,
        doc_md=__doc__,
        tags=("settlements",),
        # Days of a backfill run side by side; locks in the database keep each file and the findings to one at a time.
        max_active_runs=4,
        params={
            "from": Param(
                None,
                title="From day",
                description="Leave empty for what has changed.",
                type=["null", "string"],
                format="date",
            ),
            "to": Param(
                None,
                title="Up to day, not included",
                description="Leave empty for what has changed.",
                type=["null", "string"],
                format="date",
            ),
        },
    ) as dag:
        gate = BackMarketGateOperator(task_id="settlement_download_gate", toggle="settlement_download")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse")
        download = BackMarketSettlementDownloadOperator(task_id="settlement_download")
        read_orders = BackMarketSettlementOrderReadOperator(task_id="settlement_order_read")
        # The turn of reconciliation comes however loading files and reading orders ended: orders have changed since.
        orders_are_read = BackMarketGateOperator(
            task_id="orders_are_read", toggle="settlement_download", trigger_rule="all_done"
        )
        BackMarketItemsCheckOperator(
            task_id="quarantine_check",
            counts=[download.output, read_orders.output],
            trigger_rule="none_failed_min_one_success",
        )
        reconcile = BackMarketReconciliationOperator(task_id="reconciliation")
        BackMarketSettlementAnnouncementOperator(
            task_id="announce_settlements", counts=[download.output, reconcile.output], trigger_rule="all_done"
        )
        report = BackMarketSettlementReportOperator(task_id="settlement_report")
        settlement_check = BackMarketSettlementCheckOperator(task_id="settlement_check")

        gate >> prepare >> download >> read_orders
        read_orders >> orders_are_read
        [prepare, orders_are_read] >> reconcile >> [report, settlement_check]
    return dag
