"""Makes the DAGs of seller accounts, for DAG files: ``globals().update(create_dags())``.

Airflow looks for DAGs in files alone that hold the words "airflow" and "dag"; a comment will do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from backmarket.concerns import CONCERNS
from backmarket.seller_account import DEFAULT_ACCOUNT, dag_id_of, seller_account

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount

__all__ = ["create_dag", "create_dags", "create_dags_of_accounts"]


def create_dag(
    stem: str,
    account: str = DEFAULT_ACCOUNT,
    *,
    backmarket_conn_id: str | None = None,
    warehouse_conn_id: str | None = None,
) -> DAG:
    """Return one DAG of one account.

    :param stem: the concern, such as ``orders``.
    :param account: the account's name, which leads the DAG's: ``backmarket_us_orders``; not so for ``default``.
    :param backmarket_conn_id: the connection of the account; by default ``backmarket_<account>``.
    :param warehouse_conn_id: the operational database; by default ``backmarket_warehouse``, which accounts share.
    :raises ValueError: where the account's name cannot be used.
    """
    chosen = seller_account(account, backmarket_conn_id=backmarket_conn_id, warehouse_conn_id=warehouse_conn_id)
    return _create(stem, chosen)


def create_dags(
    account: str = DEFAULT_ACCOUNT,
    *,
    backmarket_conn_id: str | None = None,
    warehouse_conn_id: str | None = None,
) -> dict[str, DAG]:
    """Return all DAGs of one account by their names; the parameters are those of :func:`create_dag`."""
    chosen = seller_account(account, backmarket_conn_id=backmarket_conn_id, warehouse_conn_id=warehouse_conn_id)
    return _create_all([chosen])


def create_dags_of_accounts(file: Path) -> dict[str, DAG]:
    """Return all DAGs of all accounts that a YAML file lists, by their names.

    Nothing but this file is read. An account that is not listed rightly costs no other its DAGs: a DAG
    ``backmarket_accounts_file`` fails every hour and says what is wrong.

    :param file: ``accounts.yml``, as :func:`backmarket.accounts_file.read_accounts` describes it.
    """
    from backmarket.accounts_file import read_accounts

    accounts, problems = read_accounts(file)
    dags = _create_all(accounts)
    if problems:
        from backmarket.dags.accounts_file import create_dag_of_problems

        dag = create_dag_of_problems(file.name, problems, runs_others=bool(accounts))
        dags[dag.dag_id] = dag
    return dags


def _create_all(accounts: list[SellerAccount]) -> dict[str, DAG]:
    """Make the DAGs of accounts; where Airflow is about to run a task, that task's DAG alone.

    Each task reads its DAG file anew: making hundreds of accounts' DAGs for it would take longer than most tasks.
    """
    from airflow.sdk import get_parsing_context

    wanted = {
        dag_id_of(concern.stem, account.name): (concern.stem, account) for account in accounts for concern in CONCERNS
    }
    only = get_parsing_context().dag_id
    if only in wanted:
        wanted = {only: wanted[only]}
    return {dag_id: _create(stem, account) for dag_id, (stem, account) in wanted.items()}


def _create(stem: str, account: SellerAccount) -> DAG:
    dag: DAG = import_module(f"{__name__}.{stem}").create_dag(account)
    return dag
