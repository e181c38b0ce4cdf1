"""What Airflow knows of the Back Market DAGs: when they run next, how the last run ended, what waits for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from backmarket.concerns import STEMS
from backmarket.seller_account import DEFAULT_WAREHOUSE, dag_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

# Task states: the first on Airflow 3.2, which does not know the second.
_WAITING_FOR_A_PERSON = ("deferred", "awaiting_input")


_ACCOUNT_TAG = "account:"
_WAREHOUSE_TAG = "warehouse:"


@dataclass(frozen=True)
class DagState:
    """One DAG.

    :param next_run: when the scheduler starts it next; None where it is paused or runs by hand only.
    :param run_state: of the newest run; empty before the first.
    :param run_started: when that run began.
    :param tasks: the state of each task of that run.
    :param path: the newest run in Airflow's UI; the DAG before the first.
    """

    dag_id: str
    is_paused: bool
    next_run: datetime | None
    run_state: str
    run_started: datetime | None
    tasks: dict[str, str]
    path: str

    def task_path(self, task_id: str) -> str:
        """Return where the UI shows a task's log."""
        return f"{self.path}/tasks/{quote(task_id)}"


def task_path(dag_id: str, task_id: str, *, run_id: str) -> str:
    """Return where the UI shows a task's log of one run."""
    return f"/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}/tasks/{quote(task_id)}"


@dataclass(frozen=True)
class Approval:
    """A question that Airflow holds open under Required Actions."""

    subject: str
    since: datetime | None
    path: str


def dag_states(session: Session, dag_ids: Iterable[str]) -> dict[str, DagState]:
    """Return the state of each DAG that Airflow has read."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    found: dict[str, DagState] = {}
    for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(list(dag_ids)), ~DagModel.is_stale)):
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag.dag_id).order_by(DagRun.id.desc()).limit(1))
        tasks: dict[str, str] = {}
        if run is not None:
            rows = session.execute(
                select(TaskInstance.task_id, TaskInstance.state).where(
                    TaskInstance.dag_id == dag.dag_id, TaskInstance.run_id == run.run_id
                )
            )
            # Of a mapped task's instances a failed one is what a person has to see.
            for task_id, state in rows:
                tasks[task_id] = "failed" if "failed" in (state, tasks.get(task_id)) else str(state or "")
        path = f"/dags/{quote(dag.dag_id)}"
        found[dag.dag_id] = DagState(
            dag.dag_id,
            dag.is_paused,
            None if dag.is_paused else dag.next_dagrun_create_after,
            str(run.state) if run else "",
            (run.start_date or run.run_after) if run else None,
            tasks,
            f"{path}/runs/{quote(run.run_id, safe='')}" if run else path,
        )
    return found


def known_accounts(session: Session) -> dict[str, str]:
    """Return the accounts whose DAGs Airflow has read, and the connection of the database that each one's data is in.

    Their DAGs' tags say both; see :func:`backmarket.dag_defaults.concern_dag`.
    """
    from airflow.models.dag import DagModel, DagTag
    from sqlalchemy import or_, select

    told = or_(DagTag.name.startswith(_ACCOUNT_TAG), DagTag.name.startswith(_WAREHOUSE_TAG))
    rows = session.execute(
        select(DagTag.dag_id, DagTag.name)
        .join(DagModel, DagModel.dag_id == DagTag.dag_id)
        .where(told, ~DagModel.is_stale)
    )
    tags: dict[str, list[str]] = {}
    for dag_id, tag in rows:
        tags.setdefault(dag_id, []).append(tag)
    found: dict[str, str] = {}
    for dag_id, names in tags.items():
        account = next((name.removeprefix(_ACCOUNT_TAG) for name in names if name.startswith(_ACCOUNT_TAG)), "")
        warehouses = (name.removeprefix(_WAREHOUSE_TAG) for name in names if name.startswith(_WAREHOUSE_TAG))
        # Other people's DAGs may have any tags.
        if dag_id in {dag_id_of(stem, account) for stem in STEMS}:
            found[account] = next(warehouses, DEFAULT_WAREHOUSE)
    return dict(sorted(found.items()))


def open_approvals(session: Session, dag_ids: Iterable[str]) -> list[Approval]:
    """Return the questions of these DAGs that nobody has answered, oldest first."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    rows = session.execute(
        select(
            HITLDetail.subject, HITLDetail.created_at, TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id
        )
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(
            TaskInstance.dag_id.in_(list(dag_ids)),
            HITLDetail.responded_at.is_(None),
            TaskInstance.state.in_(_WAITING_FOR_A_PERSON),
        )
        .order_by(HITLDetail.created_at)
    )
    return [
        Approval(
            subject,
            created_at,
            f"{task_path(dag_id, task_id, run_id=run_id)}/required_actions",
        )
        for subject, created_at, dag_id, run_id, task_id in rows
    ]
