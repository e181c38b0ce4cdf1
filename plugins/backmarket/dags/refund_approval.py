"""
### Refunds: a person decides

Runs when `backmarket_after_sales` finds refunds above `backmarket_refund_approval_above` (0 by default: all of them),
or more in a day than `backmarket_refund_approval_above_a_day`. The form stands under Browse → Required Actions: select
the refunds that may go out, or `All of them`, or `None of them` (which wins over whatever else is selected), and
answer.

**Selected** refunds are sent by the next run of `backmarket_after_sales`, which starts at once, if they still are what
`seller.refunds` asks for and the order still allows them. **Others** are declined, and without an answer within
`backmarket_refund_approval_hours` all expire; both stand in `backmarket.changes`.

The page "Back Market" lists the same refunds, with buttons: what is decided there is decided here, too.

Nothing waits for this DAG but the refunds themselves. It is safe to clear, or to delete a run: its questions are put
again, at the latest when the time to answer them is over. `airflow dags test` waits for an answer like any run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.assets import asset
from backmarket.concerns import REFUND_APPROVAL
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.operators.refund_approval import BackMarketRefundApprovalOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        REFUND_APPROVAL,
        doc_md=__doc__,
        tags=("after-sales",),
        assets=asset("refund_questions", account.name),
    ) as dag:
        gate = BackMarketGateOperator(task_id="refund_upload_gate", toggle="refund_upload")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse")
        approval = BackMarketRefundApprovalOperator(task_id="refund_approval")

        gate >> prepare >> approval
    return dag
