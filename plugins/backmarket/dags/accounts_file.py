"""The DAG that tells of accounts that cannot be run; it is there only while there are some."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG

from backmarket.dag_defaults import START_DATE, default_args
from backmarket.operators.accounts_file import BackMarketAccountsFileCheckOperator
from backmarket.seller_account import seller_account

if TYPE_CHECKING:
    from collections.abc import Sequence


def create_dag_of_problems(file_name: str, problems: Sequence[str], *, runs_others: bool) -> DAG:
    """Make a DAG whose one task fails every hour with the problems of an accounts file.

    :param problems: a sentence each.
    :param runs_others: whether any account is run.
    """
    rest = "All other accounts are." if runs_others else "No account is run."
    listed = "\n".join(f"- {problem}" for problem in problems)
    with DAG(
        "backmarket_accounts_file",
        schedule=timedelta(hours=1),
        start_date=START_DATE,
        catchup=False,
        # It tells of what is wrong, and nobody would think of unpausing it.
        is_paused_upon_creation=False,
        max_active_runs=1,
        default_args=default_args(seller_account()),
        tags=["backmarket"],
        doc_md=f"### Some accounts of `{file_name}` are not run\n\n{listed}\n\n{rest}",
    ) as dag:
        BackMarketAccountsFileCheckOperator(
            task_id="accounts_file_check", problems=list(problems), runs_others=runs_others
        )
    return dag
