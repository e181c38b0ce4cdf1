"""A Variable that cannot be understood is said once a run, by the first task that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.failure_alert import CAUSE
from backmarket.operators.gate import BackMarketGateOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.dag_processing.dagbag import DagBag

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


@pytest.mark.parametrize(
    ("dag_id", "first"),
    [
        ("backmarket_orders", "order_download_gate"),
        ("backmarket_inventory_prices", "inventory_upload_gate"),
        ("backmarket_alerts", "attention_alert"),
    ],
)
def test_a_wrong_main_switch_fails_one_task(
    connected: Sandbox, run_dag: Callable[..., Run], switch_on: Callable[..., None], dag_id: str, first: str
) -> None:
    """The other tasks that read it skip, and say where it is told; nothing is asked of Back Market."""
    switch_on(enabled="perhaps")
    run = run_dag(dag_id)
    assert run.state == "failed"
    assert [task_id for task_id, state in run.tasks.items() if state == "failed"] == [first]
    told = [reason for reason in run.reasons.values() if reason]
    assert all(f"the log of {first} says why" in reason for reason in told)
    assert connected.journal() == []


def test_a_wrong_toggle_fails_its_first_gate_alone(
    connected: Sandbox, run_dag: Callable[..., Run], switch_on: Callable[..., None]
) -> None:
    """Downloads go on, and the second gate of the same toggle only skips."""
    switch_on("order_download", order_acceptance="perhaps")
    run = run_dag("backmarket_orders")
    assert [task_id for task_id, state in run.tasks.items() if state == "failed"] == ["order_acceptance_gate"]
    assert run.tasks["order_download"] == "success"
    assert run.tasks["download_is_over"] == "skipped"


def test_the_first_gate_of_each_dag_always_runs(dag_bag: DagBag) -> None:
    """Nothing stands before it: a Variable that cannot be understood never goes unsaid."""
    found = 0
    for dag in dag_bag.dags.values():
        first: dict[str, Any] = {}
        for task in dag.tasks:
            if isinstance(task, BackMarketGateOperator):
                first.setdefault("enabled", task)
                first.setdefault(task.toggle, task)
        assert all(not task.upstream_task_ids for task in first.values())
        found += len(first)
    assert found > 10


def test_the_cause_of_a_failure_is_kept_for_the_page(
    connected: Sandbox,
    run_dag_in_airflow: Callable[..., Run],
    switch_on: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this project's own words, also where the operational database is down."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:s3cr3t@127.0.0.1:1/nothing")
    switch_on("order_download")
    run = run_dag_in_airflow("backmarket_orders", alter=_without_retries)
    assert run.tasks["prepare_warehouse"] == "failed"
    with create_session() as session:
        causes = select(XComModel.value).where(XComModel.dag_id == "backmarket_orders", XComModel.key == CAUSE)
        newest = session.scalars(causes.order_by(XComModel.dag_run_id.desc())).first()
    assert "WarehouseUnavailableError: " in str(newest)
    assert "s3cr3t" not in str(newest)


def _without_retries(dag: Any) -> None:
    for task in dag.tasks:
        task.retries = 0
