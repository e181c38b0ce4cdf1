"""
### Price moves that wait: a person decides

Runs when `backmarket_inventory_prices` or `backmarket_backbox` finds moves larger than
`backmarket_price_change_limit_pct`, or repricing would leave less than its margin; one of `backmarket_prices_upload`
and `backmarket_repricing` has to be on. The form stands under Browse → Required Actions: select the moves that may go
out, or `All of them`, or `None of them` (which wins over whatever else is selected), and answer.

**Selected** moves are sent by the next runs of these two DAGs, which start at once, if they still are what you want: a
move whose old or new price has changed since is put to you again. **Others** are declined, and without an answer
within `backmarket_price_approval_hours` all expire; both stand in `backmarket.changes`.

The page "Back Market" lists the same moves, with buttons: what is decided there is decided here, too.

Nothing waits for this DAG but the moves themselves. It is safe to clear, or to delete a run: its questions are put
again, at the latest when the time to answer them is over. `airflow dags test` waits for an answer like any run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.assets import asset
from backmarket.concerns import PRICE_APPROVAL
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.operators.price_approval import BackMarketPriceApprovalOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        PRICE_APPROVAL,
        doc_md=__doc__,
        tags=("prices",),
        assets=asset("price_questions", account.name),
    ) as dag:
        # Either of them plans moves that wait.
        prices_gate = BackMarketGateOperator(task_id="prices_upload_gate", toggle="prices_upload")
        repricing_gate = BackMarketGateOperator(task_id="repricing_gate", toggle="repricing")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")
        approval = BackMarketPriceApprovalOperator(task_id="price_approval")

        [prices_gate, repricing_gate] >> prepare >> approval
    return dag
