"""Starts runs of DAGs for people on the page, by their own right."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from backmarket.page import access

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from sqlalchemy.orm import Session


class Started(NamedTuple):
    """A run that was asked for.

    :param run_id: empty where none was started.
    :param text: for a person: that it starts, or why it does not and what then.
    """

    dag_id: str
    run_id: str
    text: str

    @property
    def path(self) -> str:
        """Where Airflow shows the run; empty where there is none."""
        return f"/dags/{quote(self.dag_id)}/runs/{quote(self.run_id, safe='')}" if self.run_id else ""


def why_not_started(session: Session, user: BaseUser, dag_id: str) -> str:
    """Return why a person cannot start a DAG now, for that person; empty where they can."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    dag = session.scalar(select(DagModel).where(DagModel.dag_id == dag_id, ~DagModel.is_stale))
    if dag is None:
        return f"Airflow has not read {dag_id}: nothing runs until it has."
    if dag.is_paused:
        return f"{dag_id} is paused: unpause it."
    if not access.may_start(user, dag_id):
        return f"You may not start {dag_id}: its next run goes on with it."
    return ""


def start_run(session: Session, user: BaseUser, dag_id: str) -> Started:
    """Start a run of a DAG as Airflow's own button does; one that waits to start already is taken for it."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    if obstacle := why_not_started(session, user, dag_id):
        return Started(dag_id, "", obstacle)
    queued = session.execute(
        select(DagRun.run_id, DagRun.conf).where(
            DagRun.dag_id == dag_id, DagRun.state == DagRunState.QUEUED, DagRun.run_type != DagRunType.BACKFILL_JOB
        )
    )
    # One with parameters may be about the past, as a backfill's is: it sends nothing.
    if waiting := next((run_id for run_id, conf in queued if not conf), ""):
        return Started(dag_id, waiting, f"A run of {dag_id} is about to start.")
    run = trigger_dag(
        dag_id, triggered_by=DagRunTriggeredByType.UI, triggering_user_name=user.get_name(), session=session
    )
    return Started(dag_id, run.run_id if run else "", f"{dag_id} is started.")
