"""
### After the sale: customers' messages, returns, refunds, invoices

Every half hour, and at once after a person has decided about refunds.

**Switches** (Admin → Variables): `backmarket_enabled`, and separately `backmarket_care_download`,
`backmarket_returns_download`, `backmarket_refund_upload` and `backmarket_invoice_upload`. `backmarket_dry_run` plans
and records everything and sends nothing.

**Messages and returns** are only read. A part that Back Market does not serve to the account (404 or 403) is told
once, and asked for once a day; nothing else depends on it.

**Refunds** are rows of `seller.refunds`. Each is checked against what was paid and what was paid back, shown to a
person above `backmarket_refund_approval_above`, written to `backmarket.changes`, sent once and read back. A part of a
line's price is shown by nothing but Back Market's answer: where that was lost, the refund stays `unknown`, is never
sent again by itself, and waits for a person, or for the statement that shows it.

**Invoices** are PDF files of `backmarket_invoice_folder`, named by order id; each content is sent once.

**When it fails:** `care_check`, `returns_check`, `refund_order_check`, `refund_check` and `invoice_check` fail when
single things could not be dealt with: all others are done. Any other task says in its last lines what happened and what
to do. Clear a task to repeat it: no refund is sent twice, and an invoice only where nothing tells that it arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import TaskGroup

from backmarket.assets import asset
from backmarket.concerns import AFTER_SALES
from backmarket.dag_defaults import concern_dag
from backmarket.operators.after_sales import (
    BackMarketCareDownloadOperator,
    BackMarketInvoiceUploadOperator,
    BackMarketRefundOrderRefreshOperator,
    BackMarketRefundQuestionOperator,
    BackMarketRefundUploadOperator,
    BackMarketReturnsDownloadOperator,
)
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        AFTER_SALES,
        doc_md=__doc__,
        tags=("after-sales", "orders"),
        assets=asset("refund_answers", account.name),
    ) as dag:
        care_gate = BackMarketGateOperator(task_id="care_download_gate", toggle="care_download")
        returns_gate = BackMarketGateOperator(task_id="returns_download_gate", toggle="returns_download")
        refund_gate = BackMarketGateOperator(task_id="refund_upload_gate", toggle="refund_upload")
        invoice_gate = BackMarketGateOperator(task_id="invoice_upload_gate", toggle="invoice_upload")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")

        with TaskGroup("care", prefix_group_id=False):
            care = BackMarketCareDownloadOperator(task_id="care_download")
            BackMarketItemsCheckOperator(task_id="care_check", counts=[care.output], documents="care folders")

        with TaskGroup("backship", prefix_group_id=False):
            parcels = BackMarketReturnsDownloadOperator(task_id="returns_download")
            BackMarketItemsCheckOperator(task_id="returns_check", counts=[parcels.output], documents="parcels")

        with TaskGroup("refunds", prefix_group_id=False):
            refresh = BackMarketRefundOrderRefreshOperator(task_id="refund_order_refresh")
            BackMarketItemsCheckOperator(task_id="refund_order_check", counts=[refresh.output])
            # Each refund reads its order itself, so its turn comes however the refresh ended.
            refunds_turn = BackMarketGateOperator(
                task_id="refunds_turn", toggle="refund_upload", trigger_rule="all_done"
            )
            refunds = BackMarketRefundUploadOperator(task_id="refund_upload")
            # A refund that could not be sent keeps nobody from being asked about the others.
            questions_turn = BackMarketGateOperator(
                task_id="refund_questions_turn", toggle="refund_upload", trigger_rule="all_done"
            )
            questions = BackMarketRefundQuestionOperator(task_id="ask_for_refund_approval")
            BackMarketItemsCheckOperator(task_id="refund_check", counts=[refunds.output])

        with TaskGroup("invoices", prefix_group_id=False):
            invoices = BackMarketInvoiceUploadOperator(task_id="invoice_upload")
            BackMarketItemsCheckOperator(task_id="invoice_check", counts=[invoices.output], documents="invoices")

        [care_gate, returns_gate, refund_gate, invoice_gate] >> prepare
        [care_gate, prepare] >> care
        [returns_gate, prepare] >> parcels
        [refund_gate, prepare] >> refresh >> refunds_turn
        [refund_gate, prepare, refunds_turn] >> refunds >> questions_turn
        [refund_gate, prepare, questions_turn] >> questions
        [invoice_gate, prepare] >> invoices
    return dag
