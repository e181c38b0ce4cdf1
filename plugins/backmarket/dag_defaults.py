"""What all DAGs of this package have in common, so that each DAG's module tells only what is its own."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow import sdk
from airflow.sdk import DAG

from backmarket.configuration import schedule_of, wait_of
from backmarket.failure_alert import BackMarketFailureAlert
from backmarket.seller_account import DEFAULT_ACCOUNT, DEFAULT_WAREHOUSE, dag_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk.definitions.asset import BaseAsset

    from backmarket.concerns import Concern
    from backmarket.seller_account import SellerAccount

START_DATE = datetime(2024, 1, 1, tzinfo=UTC)


@contextmanager
def concern_dag(
    account: SellerAccount,
    concern: Concern,
    *,
    doc_md: str | None,
    tags: tuple[str, ...],
    assets: BaseAsset | None = None,
    params: dict[str, Any] | None = None,
    max_active_runs: int = 1,
) -> Iterator[DAG]:
    """Make the DAG of one concern of an account, to put tasks in: they take the account and its connections from it.

    :param doc_md: what a person reads above its runs.
    :param tags: besides those that all have: the package's, and the account's by which the UI can filter.
    :param assets: whose updates start it, besides its schedule.
    """
    tags = ("backmarket", f"account:{account.name}", *tags)
    if account.warehouse_conn_id != DEFAULT_WAREHOUSE:
        # The page finds here where the account's data is.
        tags = (*tags, f"warehouse:{account.warehouse_conn_id}")
    with DAG(
        dag_id_of(concern.stem, account.name),
        schedule=schedule_of(concern, account.name, assets),
        start_date=START_DATE,
        catchup=False,
        max_active_runs=max_active_runs,
        default_args=default_args(account),
        tags=list(tags),
        doc_md=_documentation(doc_md or "", account.name),
    ) as dag:
        yield dag
    # Only now: each task would keep a copy, and noting them all takes Airflow longer than everything else in the DAG.
    # Airflow turns what is assigned into its own class.
    dag.params = params or {}  # type: ignore[assignment]


def default_args(account: SellerAccount) -> dict[str, Any]:
    """Return the arguments of every task: whose it is, who owns it, how failures are met, and who is told."""
    return {
        "account": account.name,
        "backmarket_conn_id": account.backmarket_conn_id,
        "warehouse_conn_id": account.warehouse_conn_id,
        "owner": "backmarket",
        "retries": 2,
        "retry_delay": wait_of("retry_delay_seconds"),
        **_retry_policy(),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": BackMarketFailureAlert(account.name, account.warehouse_conn_id),
    }


def tries_of_a_check() -> dict[str, Any]:
    """Return the ``retries`` of a task whose verdict only a person can change.

    The retry policy ends it at once, so that it is tried again only where its process was killed; Airflow 3.2 has none.
    """
    return {} if _retry_policy() else {"retries": 0}


def _retry_policy() -> dict[str, Any]:
    """Return the policy that judges a failure by its error; nothing on Airflow 3.2, which tries all errors alike."""
    if not hasattr(sdk, "RetryPolicy"):
        return {}
    from backmarket.retry_policy import BackMarketRetryPolicy

    return {"retry_policy": BackMarketRetryPolicy()}


def _documentation(doc_md: str, account: str) -> str:
    if account == DEFAULT_ACCOUNT:
        return doc_md
    return (
        f"{doc_md}\n**Account `{account}`:** a Variable `backmarket_{account}__<name>` counts for this account alone, "
        f"before `backmarket_<name>`; its DAGs are called `backmarket_{account}_…`.\n"
    )
