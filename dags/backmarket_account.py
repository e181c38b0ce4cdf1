"""
### Is the account connected?

Validates the token of the connection `backmarket_default`: which platform, which markets answer, how many orders
and listings are visible, how long a call takes. Run it by hand before switching anything on, and after renewing
the token; scheduled, it runs once a day while `backmarket_enabled` is on.

**When it fails:** the message says which field of the connection is wrong, or how to renew the token. Nothing on
Back Market is ever changed by this DAG.
"""

from __future__ import annotations

from airflow.sdk import dag

from backmarket.configuration import schedule
from backmarket.dag_defaults import START_DATE, TAGS, default_args
from backmarket.operators.account import BackMarketAccountCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator


@dag(
    schedule=schedule("account_schedule"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=[*TAGS, "account"],
    doc_md=__doc__,
)
def backmarket_account() -> None:
    prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse")
    check = BackMarketAccountCheckOperator(task_id="account_check")

    prepare >> check


backmarket_account()
