"""Runs a DAG as ``dag.test()`` does, with what the tasks ask Airflow for kept in memory instead of in Airflow's tables.

For tests and the short chaos: most of a ``dag.test()`` goes into Airflow's tables. Tasks are run by the Task SDK, and
Airflow's own rule says which may run. ``tests/dags/test_runners.py`` holds both ways to one outcome.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from airflow.models.dagrun import DagRun
from airflow.sdk import timezone
from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.api.datamodels import _generated as answers
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time.comms import DeferTask, ErrorResponse, XComCountResponse
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from airflow.sdk.serde import deserialize, serialize
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.deps.trigger_rule_dep import TriggerRuleDep
from airflow.utils.state import State, TaskInstanceState
from airflow.utils.types import DagRunType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from airflow.sdk import DAG

_RULE: Any = TriggerRuleDep()


@dataclass
class Instance:
    """A task of a run, as Airflow's trigger rule looks at it."""

    task: Any
    run_id: str
    map_index: int = -1
    state: str | None = None
    try_number: int = 0
    id: UUID = field(default_factory=uuid4)

    @property
    def task_id(self) -> str:
        return str(self.task.task_id)

    @property
    def dag_id(self) -> str:
        return str(self.task.dag_id)

    def get_dagrun(self, **_: Any) -> None:
        """Say nothing: the rule asks for it to look up what it is told."""

    def set_state(self, state: str, **_: Any) -> bool:
        """Take the state that the rule gives without a run."""
        self.state = state
        return True


class Memory:
    """What Airflow knows of one run, and how the Task SDK's supervisor asks for it: the parts of its API client."""

    def __init__(self, run: answers.DagRun) -> None:
        self.run = run
        self.instances: dict[UUID, Instance] = {}
        self.values: dict[tuple[str, str], dict[int, Any]] = {}
        self.lengths: dict[str, int] = {}
        self.resumed: dict[UUID, dict[str, Any]] = {}
        self.task_instances = SimpleNamespace(
            start=self._start,
            succeed=lambda **sent: self._end(sent["id"], "success"),
            finish=lambda **sent: self._end(sent["id"], sent["state"]),
            retry=lambda **sent: self._end(sent["id"], "up_for_retry"),
            defer=lambda instance_id, _: self._end(instance_id, "deferred"),
            set_rtif=lambda *_: None,
            validate_inlets_and_outlets=lambda _: answers.InactiveAssetsResponse(inactive_assets=[]),
            get_task_states=self._states,
        )
        self.xcoms = SimpleNamespace(
            get=self._value,
            set=self._note,
            head=self._count,
            get_sequence_item=self._item,
            get_sequence_slice=self._slice,
            delete=self._forget,
        )
        # What the environment says, the Task SDK finds by itself; nobody else says anything.
        self.variables = SimpleNamespace(
            get=lambda key: ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": key}),
            keys=lambda **_: answers.VariableKeysResponse(keys=[], total_entries=0),
        )
        self.connections = SimpleNamespace(
            get=lambda conn_id: ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": conn_id})
        )

    def of(self, task_id: str, key: str = "return_value") -> Any:
        """Return what a task left under a key: a list of a mapped task's, None where it left nothing."""
        found = self.values.get((task_id, key), {})
        values = [deserialize(found[index]) for index in sorted(found)]
        return values if any(index >= 0 for index in found) else next(iter(values), None)

    def _start(self, instance_id: UUID, *_: Any) -> answers.TIRunContext:
        instance = self.instances[instance_id]
        instance.state = "running"
        left = [
            key
            for (task, key), found in self.values.items()
            if task == instance.task_id and instance.map_index in found
        ]
        resumed = self.resumed.pop(instance_id, {})
        retries = instance.task.retries
        return answers.TIRunContext(
            dag_run=self.run,
            max_tries=retries,
            should_retry=retries != 0 and instance.try_number <= retries,
            xcom_keys_to_clear=[] if resumed else left,
            **resumed,
        )

    def _end(self, instance_id: UUID, state: str) -> None:
        self.instances[instance_id].state = TaskInstanceState(state).value

    def _states(self, *, task_ids: list[str], run_ids: list[str], **_: Any) -> answers.TaskStatesResponse:
        if self.run.run_id not in run_ids:
            # As Airflow says of a run that it has forgotten.
            return answers.TaskStatesResponse(task_states={})
        asked = {each.task_id: each.state for each in self.instances.values() if each.task_id in task_ids}
        return answers.TaskStatesResponse(task_states={self.run.run_id: asked})

    def _note(self, _: str, __: str, task: str, key: str, value: Any, index: int | None = None, **more: Any) -> None:
        self.values.setdefault((task, key), {})[-1 if index is None else index] = json.loads(json.dumps(value))
        if more.get("mapped_length") is not None:
            self.lengths[task] = more["mapped_length"]

    def _value(self, _: str, __: str, task: str, key: str, index: int | None = None, *___: Any) -> answers.XComResponse:
        found = self.values.get((task, key), {})
        return answers.XComResponse(key=key, value=found.get(-1 if index is None else index))

    def _item(
        self, _: str, __: str, task: str, key: str, place: int
    ) -> answers.XComSequenceIndexResponse | ErrorResponse:
        found = self.values.get((task, key), {})
        if place not in range(-len(found), len(found)):
            return ErrorResponse(error=ErrorType.XCOM_NOT_FOUND, detail={"task_id": task, "key": key, "offset": place})
        return answers.XComSequenceIndexResponse(found[sorted(found)[place]])

    def _slice(self, _: str, __: str, task: str, key: str, *cut: Any) -> answers.XComSequenceSliceResponse:
        found = self.values.get((task, key), {})
        return answers.XComSequenceSliceResponse([found[index] for index in sorted(found)][slice(*cut[:3])])

    def _count(self, _: str, __: str, task: str, key: str) -> XComCountResponse:
        return XComCountResponse(len=len(self.values.get((task, key), {})))

    def _forget(self, _: str, __: str, task: str, key: str, index: int | None = None) -> None:
        self.values[task, key].pop(-1 if index is None else index, None)


class _Supervisor(InProcessTestSupervisor):
    @contextmanager
    def _setup_subprocess_socket(self) -> Iterator[None]:
        """Open none: no task starts a process that would ask through it."""
        yield


def run_in_memory(
    dag: DAG,
    conf: dict[str, Any] | None,
    *,
    run_type: str = "manual",
    logical_date: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
) -> tuple[str, list[Instance], Memory]:
    """Run a DAG to its end.

    :param logical_date: of the run; None: now.
    :param interval: the run's data interval; None: that of a manual run.
    :return: the state of the run, its tasks, and what they left.
    """
    now = timezone.coerce_datetime(timezone.utcnow())
    manual = coerce_to_core_timetable(dag.timetable).infer_manual_data_interval(run_after=now)
    begin, end = interval or (manual.start, manual.end)
    run_id = DagRun.generate_run_id(run_type=DagRunType(run_type), logical_date=logical_date or now, run_after=now)
    memory = Memory(
        answers.DagRun(
            dag_id=dag.dag_id,
            run_id=run_id,
            logical_date=logical_date or now,
            data_interval_start=begin,
            data_interval_end=end,
            run_after=now,
            start_date=now,
            end_date=None,
            run_type=answers.DagRunType(run_type),
            state="running",
            conf=conf,
            triggering_user_name="dag_test",
            consumed_asset_events=[],
            partition_key=None,
        )
    )
    run = _Run(memory, {task.task_id: [Instance(task, run_id)] for task in dag.tasks})
    while ready := [each for each in run.unfinished() if run.may_run(each)]:
        for instance in chain.from_iterable(map(run.expanded, ready)):
            instance.try_number += 1
            _work(instance, memory)
    if left := run.unfinished():
        raise RuntimeError(f"no task may run any more, and {left[0].task_id} has not ended")
    leaves = {instance.state for task in dag.leaves for instance in run.tasks[task.task_id]}
    state = "failed" if leaves & {"failed", "upstream_failed"} else "success"
    return state, list(chain.from_iterable(run.tasks.values())), memory


@dataclass
class _Run:
    memory: Memory
    tasks: dict[str, list[Instance]]

    def unfinished(self) -> list[Instance]:
        return [each for each in chain.from_iterable(self.tasks.values()) if each.state not in State.finished]

    def may_run(self, instance: Instance) -> bool:
        """Ask Airflow's rule, which notes a state at once where the task will never run."""
        above = frozenset(instance.task.upstream_task_ids)
        finished: list[Any] = [
            each for task_id in above for each in self.tasks[task_id] if each.state in State.finished
        ]
        context = DepContext(flag_upstream_failed=True, finished_tis=finished)
        # What the rule would count in Airflow's tables, where a task above is mapped.
        context.upstream_task_id_counts[instance.dag_id, instance.run_id, above] = [
            (task_id, len(self.tasks[task_id])) for task_id in above
        ]
        statuses = list(_RULE.get_dep_statuses(instance, context, session=None))
        return all(status.passed for status in statuses) and instance.state not in State.finished

    def expanded(self, instance: Instance) -> list[Instance]:
        """Return the tasks that a mapped one becomes; it is skipped where there is nothing to map over."""
        if not isinstance(instance.task, MappedOperator) or instance.map_index >= 0:
            return [instance]
        (above,) = (task.task_id for task in instance.task.iter_mapped_dependencies())
        made = [Instance(instance.task, instance.run_id, index) for index in range(self.memory.lengths[above])]
        if not made:
            instance.state = "skipped"
        self.tasks[instance.task_id] = made or [instance]
        return made


def _work(instance: Instance, memory: Memory) -> None:
    """Run a task by the Task SDK, and what it waits for where it defers itself."""
    memory.instances[instance.id] = instance
    told = answers.TaskInstance(
        id=instance.id,
        task_id=instance.task_id,
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        try_number=instance.try_number,
        map_index=instance.map_index,
        dag_version_id=uuid4(),
    )
    supervisor: Any = _Supervisor
    while isinstance(message := supervisor.start(what=told, task=instance.task, client=memory).msg, DeferTask):
        kwargs: Any = deserialize(cast("Any", message.trigger_kwargs))
        trigger = import_string(message.classpath)(**kwargs)
        event = supervisor.run_trigger_in_process(trigger=trigger, ti=told)
        given = {"event": serialize(event.payload)} if event else message.next_kwargs
        memory.resumed[instance.id] = {"next_method": message.next_method, "next_kwargs": given}
