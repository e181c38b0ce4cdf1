"""
### Is the account connected?

Validates the token of the account's connection: which platform, which markets answer, how many orders
and listings are visible, how long a call takes. Run it by hand before switching anything on, and after renewing
the token; scheduled, it runs once a day while `backmarket_enabled` is on.

**When it fails:** the message says which field of the connection is wrong, or how to renew the token. Nothing on
Back Market is ever changed by this DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.concerns import ACCOUNT
from backmarket.dag_defaults import concern_dag
from backmarket.operators.account import BackMarketAccountCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(account, ACCOUNT, doc_md=__doc__, tags=("account",)) as dag:
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", main_switch="scheduled")
        check = BackMarketAccountCheckOperator(task_id="account_check")

        prepare >> check
    return dag
