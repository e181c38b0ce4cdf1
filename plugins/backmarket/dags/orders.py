"""
### Orders in, and accepted

Every ten minutes, brings new and changed orders of the seller account into PostgreSQL, and accepts paid ones.

**Switches** (Admin → Variables): `backmarket_enabled`, and separately `backmarket_order_download` and
`backmarket_order_acceptance`.

**A run** reads everything modified since the last one, less ten minutes. Pausing the DAG, a crash, or running it
twice loses and repeats nothing. Once a day the open orders are read again, whatever their modification date says.

**Acceptance** follows the download, so that all promises are known, and does not depend on it: it reads all orders
that wait for it, and accepts, oldest first, what `seller.stock` covers. What it does not cover is neither accepted nor
cancelled: `order_acceptance` reports it with its ship-by time.

**The past:** one run reads any span in one pass, by dates of creation in UTC, `to` not included:
`airflow dags trigger backmarket_orders --conf '{"from": "2026-01-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}'`.
A backfill needs no more: its first run reads up to now, and the others skip. It accepts nothing.

**When it fails:** the last lines of the failed task's log say what happened and what to do. Clear the task to
repeat it; that is always safe. `quarantine_check` and `acceptance_check` fail when documents could not be understood,
or orders not be read: all others are stored.

**Personal data** older than `backmarket_pii_retention_days` is deleted in every run, whichever switches are on, as
long as `backmarket_enabled` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param, TaskGroup

from backmarket.concerns import ORDERS
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.orders import (
    BackMarketOpenOrderRefreshOperator,
    BackMarketOrderAcceptanceOperator,
    BackMarketOrderAnnouncementOperator,
    BackMarketOrderDownloadOperator,
    BackMarketPaidOrderRefreshOperator,
    BackMarketPurgePersonalDataOperator,
)
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        ORDERS,
        doc_md=__doc__,
        tags=("orders",),
        params={
            "from": Param(
                None,
                title="Created from",
                description="Leave empty for what is new.",
                type=["null", "string"],
                format="date-time",
            ),
            "to": Param(
                None,
                title="Created before",
                description="Leave empty for up to now.",
                type=["null", "string"],
                format="date-time",
            ),
        },
    ) as dag:
        download_gate = BackMarketGateOperator(task_id="order_download_gate", toggle="order_download")
        acceptance_gate = BackMarketGateOperator(task_id="order_acceptance_gate", toggle="order_acceptance")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")

        with TaskGroup("download", prefix_group_id=False):
            download = BackMarketOrderDownloadOperator(task_id="order_download")
            # Open orders are read by lists of their own, and by id: their turn comes however the download ended.
            open_orders_turn = BackMarketGateOperator(
                task_id="open_orders_turn", toggle="order_download", trigger_rule="all_done"
            )
            refresh = BackMarketOpenOrderRefreshOperator(task_id="open_order_refresh")
            BackMarketItemsCheckOperator(
                task_id="quarantine_check",
                counts=[download.output, refresh.output],
                trigger_rule="none_failed_min_one_success",
            )

        with TaskGroup("acceptance", prefix_group_id=False):
            # The turn of acceptance comes however the download ended: it reads what it needs itself.
            download_is_over = BackMarketGateOperator(
                task_id="download_is_over", toggle="order_acceptance", trigger_rule="all_done"
            )
            paid = BackMarketPaidOrderRefreshOperator(task_id="paid_order_refresh")
            # Each order is read again before it is accepted, so acceptance does not depend on the list.
            acceptance_turn = BackMarketGateOperator(
                task_id="acceptance_turn", toggle="order_acceptance", trigger_rule="all_done"
            )
            acceptance = BackMarketOrderAcceptanceOperator(task_id="order_acceptance")
            BackMarketItemsCheckOperator(task_id="acceptance_check", counts=[paid.output, acceptance.output])

        stored = [download.output, refresh.output, paid.output, acceptance.output]
        BackMarketOrderAnnouncementOperator(task_id="announce_orders", counts=stored)
        # Personal data grows old whatever is switched on, and however it went.
        purge = BackMarketPurgePersonalDataOperator(task_id="purge_personal_data", trigger_rule="all_done")

        [download_gate, acceptance_gate] >> prepare >> purge
        [download_gate, prepare] >> download >> [open_orders_turn, download_is_over]
        [download_gate, prepare, open_orders_turn] >> refresh
        [acceptance_gate, prepare, download_is_over] >> paid >> acceptance_turn
        [acceptance_gate, prepare, acceptance_turn] >> acceptance
    return dag
