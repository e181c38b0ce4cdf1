"""What Airflow knows of the Back Market DAGs: when they run next, how the last run ended, what waits for an answer.

A DAG is judged by its newest scheduled, asset-triggered or manual run. Backfills stand apart: their success hides no
failure, and their failure is none of today's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from backmarket.concerns import STEMS, SWITCHES
from backmarket.failure_alert import CAUSE
from backmarket.seller_account import DEFAULT_WAREHOUSE, dag_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

# Task states: the first on Airflow 3.2, which does not know the second.
_WAITING_FOR_A_PERSON = ("deferred", "awaiting_input")

_ACCOUNT_TAG = "account:"
_WAREHOUSE_TAG = "warehouse:"

_BACKFILL = "backfill"
_BACKFILLS_SHOWN = timedelta(days=14)
_RUNS_LOOKED_AT = 50
_RUNS_UNDER_WAY = 16
_ENDED_RUNS = frozenset({"success", "failed"})
_ENDED_TASKS = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
# Of a mapped task's instances, or of the tasks of one switch, the first of these is what a person has to see.
_MOST_PRESSING = ("failed", "upstream_failed", "running", "deferred", "up_for_retry", "queued", "scheduled", "success")


@dataclass(frozen=True)
class FailedTask:
    """A task that failed, and nothing newer took its place.

    :param since: when it failed.
    :param path: its log in Airflow's UI.
    :param cause: why, in this project's words; empty where that is not known.
    """

    dag_id: str
    task_id: str
    since: datetime | None
    path: str
    cause: str = ""


@dataclass(frozen=True)
class Backfill:
    """A backfill that runs, or some of whose runs have failed.

    :param runs: how many it has.
    :param failed: how many of them have failed.
    :param open: how many have not ended.
    :param path: the DAG's backfills in Airflow's UI.
    """

    dag_id: str
    first: datetime
    last: datetime
    since: datetime
    runs: int
    failed: int
    open: int
    path: str

    @property
    def in_words(self) -> str:
        """How it stands."""
        failed = f"{self.failed:,} of {self.runs:,} failed" if self.failed else f"none of {self.runs:,} failed"
        return f"{failed}, {self.open:,} to go" if self.open else failed


@dataclass(frozen=True)
class SwitchRun:
    """What the newest run of a DAG did for one switch.

    :param state: of the switch's own tasks, not of the run.
    :param reason: why its gate did not let it through; empty where it did.
    :param counts: what its tasks have returned, added up.
    :param path: the log of the task that says most of it.
    """

    state: str
    reason: str
    counts: dict[str, int]
    path: str


@dataclass(frozen=True)
class DagState:
    """One DAG, by its newest run that is no backfill's.

    :param next_run: when the scheduler starts it next; None where it is paused or runs by hand only.
    :param run_state: of the newest run; empty before the first.
    :param run_started: when that run began.
    :param tasks: the state of each task of that run.
    :param path: the newest run in Airflow's UI; the DAG before the first.
    :param failed: the tasks that failed in the newest run, or in the one before where it has not come to them yet.
    :param switches: what that run did, by toggle.
    :param successes: when each toggle last did what it is there for, in the newest runs.
    """

    dag_id: str
    is_paused: bool
    next_run: datetime | None
    run_id: str
    run_state: str
    run_started: datetime | None
    tasks: dict[str, str]
    path: str
    failed: list[FailedTask] = field(default_factory=list)
    switches: dict[str, SwitchRun] = field(default_factory=dict)
    successes: dict[str, datetime] = field(default_factory=dict)

    @property
    def is_under_way(self) -> bool:
        """Whether the newest run has not ended."""
        return self.run_state in {"running", "queued"}


def task_path(dag_id: str, task_id: str, *, run_id: str, map_index: int = -1) -> str:
    """Return where the UI shows a task's log of one run.

    :param map_index: which of a mapped task's instances; below 0: it is not mapped.
    """
    path = f"/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}/tasks/{quote(task_id)}"
    return path if map_index < 0 else f"{path}/mapped/{map_index}"


@dataclass(frozen=True)
class Approval:
    """A question that Airflow holds open under Required Actions."""

    subject: str
    since: datetime | None
    dag_id: str
    path: str


class _Run(NamedTuple):
    """One run of a DAG."""

    run_id: str
    state: str
    began_at: datetime


@dataclass(frozen=True)
class _Instance:
    """One instance of a task in one run."""

    run_id: str
    task_id: str
    map_index: int
    state: str
    end_date: datetime | None


def dag_states(session: Session, dag_ids: Iterable[str]) -> dict[str, DagState]:
    """Return the state of each DAG that Airflow has read."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    dags = session.scalars(select(DagModel).where(DagModel.dag_id.in_(list(dag_ids)), ~DagModel.is_stale))
    return {dag.dag_id: _dag_state(session, dag) for dag in dags}


def failed_tasks(session: Session, dag_ids: Iterable[str]) -> int:
    """Return how many tasks of these DAGs have failed, as their states would say it; for many accounts at once."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    known = session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(list(dag_ids)), ~DagModel.is_stale))
    return sum(
        len(_failed(dag_id, runs, _instances(session, dag_id, _judged(runs))))
        for dag_id in known.all()
        if (runs := _newest_runs(session, dag_id, most=_RUNS_UNDER_WAY))
    )


def schedules(session: Session, dag_ids: Iterable[str], now: datetime) -> dict[str, DagState]:
    """Return the state of each DAG that Airflow has read, but nothing of its tasks: quicker than :func:`dag_states`.

    :param now: the newest run is looked for only where the next one should have begun.
    """
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    found = {}
    for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(list(dag_ids)), ~DagModel.is_stale)).all():
        next_run = _next_run(dag)
        runs = _newest_runs(session, dag.dag_id, most=1) if next_run and next_run < now else []
        run_id, state, began_at = runs[0] if runs else ("", "", None)
        found[dag.dag_id] = DagState(
            dag.dag_id, dag.is_paused, next_run, run_id, state, began_at, {}, f"/dags/{quote(dag.dag_id)}"
        )
    return found


def _next_run(dag: Any) -> datetime | None:
    moment: datetime | None = None if dag.is_paused else dag.next_dagrun_create_after
    return moment


def _dag_state(session: Session, dag: Any) -> DagState:
    path = f"/dags/{quote(dag.dag_id)}"
    next_run = _next_run(dag)
    runs = _newest_runs(session, dag.dag_id, most=_RUNS_LOOKED_AT)
    if not runs:
        return DagState(dag.dag_id, dag.is_paused, next_run, "", "", None, {}, path)
    newest = runs[0]
    instances = _instances(session, dag.dag_id, _judged(runs))
    tasks = _tasks(instances, newest.run_id)
    xcoms = _xcoms(session, dag.dag_id, _judged(runs))
    switches = [switch for _, switch in SWITCHES if switch.toggle in tasks]
    failed = [
        replace(task, cause=str(xcoms.get((each.run_id, each.task_id, each.map_index, CAUSE)) or ""))
        for task, each in _failed(dag.dag_id, runs, instances)
    ]
    return DagState(
        dag.dag_id,
        dag.is_paused,
        next_run,
        newest.run_id,
        newest.state,
        newest.began_at,
        tasks,
        f"{path}/runs/{quote(newest.run_id, safe='')}",
        failed,
        {switch.toggle: _switch_run(dag.dag_id, newest.run_id, switch, tasks, xcoms) for switch in switches},
        _successes(session, dag.dag_id, [run.run_id for run in runs], switches),
    )


def _newest_runs(session: Session, dag_id: str, *, most: int) -> list[_Run]:
    """Return the newest runs of a DAG that are no backfill's, the newest first."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    rows = session.execute(
        select(DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.run_after)
        .where(DagRun.dag_id == dag_id, DagRun.run_type != _BACKFILL)
        .order_by(DagRun.id.desc())
        .limit(most)
    )
    return [_Run(run_id, str(state), start_date or run_after) for run_id, state, start_date, run_after in rows]


def _judged(runs: list[_Run]) -> list[str]:
    """Return the newest run, and the newest that has ended: the first may not have come to every task yet."""
    ended = next((run for run in runs if run.state in _ENDED_RUNS), runs[0])
    return list(dict.fromkeys([runs[0].run_id, ended.run_id]))


def _failed(dag_id: str, runs: list[_Run], instances: list[_Instance]) -> list[tuple[FailedTask, _Instance]]:
    """Return the failures of the judged runs that no newer try of the same task took the place of."""
    newest = runs[0].run_id
    tasks = _tasks(instances, newest)
    return [
        (
            FailedTask(
                dag_id,
                each.task_id,
                each.end_date,
                task_path(dag_id, each.task_id, run_id=each.run_id, map_index=each.map_index),
            ),
            each,
        )
        for each in instances
        if each.state == "failed" and (each.run_id == newest or tasks.get(each.task_id) not in _ENDED_TASKS)
    ]


def _instances(
    session: Session, dag_id: str, run_ids: Iterable[str], task_ids: Iterable[str] | None = None
) -> list[_Instance]:
    """Return the instances of tasks in runs.

    :param task_ids: of which tasks; None: of all.
    """
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    columns = (TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state)
    query = select(*columns, TaskInstance.end_date).where(
        TaskInstance.dag_id == dag_id, TaskInstance.run_id.in_(list(run_ids))
    )
    if task_ids is not None:
        query = query.where(TaskInstance.task_id.in_(list(task_ids)))
    return [
        _Instance(run_id, task, index, str(state or ""), end)
        for run_id, task, index, state, end in session.execute(query)
    ]


def _tasks(instances: Iterable[_Instance], run_id: str) -> dict[str, str]:
    """Return the state of each task of a run."""
    states: dict[str, list[str]] = {}
    for each in instances:
        if each.run_id == run_id:
            states.setdefault(each.task_id, []).append(each.state)
    return {task_id: _most_pressing(found) for task_id, found in states.items()}


def _most_pressing(states: list[str]) -> str:
    return next((state for state in _MOST_PRESSING if state in states), states[0])


def _xcoms(session: Session, dag_id: str, run_ids: Iterable[str]) -> dict[tuple[str, str, int, str], Any]:
    """Return causes of failures, reasons of gates and what tasks have counted, by run, task, map index and key."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    task_ids = {task for _, switch in SWITCHES for task in switch.tasks}
    wanted = XComModel.key.in_([CAUSE, "reason"]) | (
        (XComModel.key == "return_value") & XComModel.task_id.in_(sorted(task_ids))
    )
    rows = session.execute(
        select(XComModel.run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value).where(
            XComModel.dag_id == dag_id, XComModel.run_id.in_(list(run_ids)), wanted
        )
    )
    return {(row.run_id, row.task_id, row.map_index, row.key): row.value for row in rows}


def _switch_run(
    dag_id: str, run_id: str, switch: Any, tasks: dict[str, str], xcoms: dict[tuple[str, str, int, str], Any]
) -> SwitchRun:
    own = [task for task in switch.tasks if task in tasks]
    state = _most_pressing([tasks[task] or "scheduled" for task in own])
    counts: dict[str, int] = {}
    for (of_run, task, _, key), value in xcoms.items():
        if of_run == run_id and task in own and key == "return_value" and isinstance(value, dict):
            for name, number in value.items():
                if isinstance(number, int) and not isinstance(number, bool):
                    counts[name] = counts.get(name, 0) + number
    gate = f"{switch.toggle}_gate"
    reason = str(xcoms.get((run_id, gate, -1, "reason")) or "") if tasks.get(gate) == "skipped" else ""
    telling = next((task for task in own if tasks[task] == state), own[0])
    return SwitchRun(state, reason, counts, task_path(dag_id, gate if reason else telling, run_id=run_id))


def _successes(session: Session, dag_id: str, run_ids: list[str], switches: list[Any]) -> dict[str, datetime]:
    """Return when each toggle last succeeded: its own task, and what tells how that ended, without a failure."""
    task_ids = [task for switch in switches for task in switch.tasks]
    instances = _instances(session, dag_id, run_ids, task_ids)
    found: dict[str, datetime] = {}
    for switch in switches:
        states: dict[str, list[_Instance]] = {}
        for each in instances:
            if each.task_id in switch.tasks:
                states.setdefault(each.run_id, []).append(each)
        for of_run in states.values():
            ends = [each.end_date for each in of_run if each.task_id == switch.toggle and each.state == "success"]
            moment = max(filter(None, ends), default=None)
            if moment and not any(each.state in {"failed", "upstream_failed"} for each in of_run):
                found[switch.toggle] = max(moment, found.get(switch.toggle, moment))
    return found


def backfills(session: Session, dag_ids: Iterable[str]) -> list[Backfill]:
    """Return the backfills of the last two weeks that run or have failed runs, the newest first."""
    from airflow.models.backfill import Backfill as BackfillModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    asked = session.scalars(
        select(BackfillModel)
        .where(
            BackfillModel.dag_id.in_(list(dag_ids)), BackfillModel.created_at >= datetime.now(UTC) - _BACKFILLS_SHOWN
        )
        .order_by(BackfillModel.id.desc())
    ).all()
    if not asked:
        return []
    counts: dict[int, dict[str, int]] = {}
    for backfill_id, state, number in session.execute(
        select(DagRun.backfill_id, DagRun.state, func.count())
        .where(DagRun.backfill_id.in_([each.id for each in asked]), DagRun.run_type == _BACKFILL)
        .group_by(DagRun.backfill_id, DagRun.state)
    ):
        counts.setdefault(backfill_id, {})[str(state)] = number
    found = []
    for each in asked:
        of_it = counts.get(each.id, {})
        failed, ended = of_it.get("failed", 0), sum(of_it.get(state, 0) for state in _ENDED_RUNS)
        runs = sum(of_it.values())
        if failed or ended < runs:
            path = f"/dags/{quote(each.dag_id)}/backfills"
            found.append(
                Backfill(each.dag_id, each.from_date, each.to_date, each.created_at, runs, failed, runs - ended, path)
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
            dag_id,
            f"{task_path(dag_id, task_id, run_id=run_id)}/required_actions",
        )
        for subject, created_at, dag_id, run_id, task_id in rows
    ]
