"""What one forked process does: run one DAG to its end in an Airflow of its own, all output into one file.

Changed here, openly, and nowhere else: pauses are shorter, a person's answer to a question about prices comes at once,
each request says when it got its place at the rate limit, and a run is of the type and interval that the harness wants.
`DAG.test` makes manual runs only; so the one function by which it makes a run is wrapped, and the run is a scheduled
or a backfill run before its first task starts.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chaos.steps import KillPoint, arm
from chaos.writes import LEFT_AT

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

    from chaos.runs import Wanted

PAUSES: dict[str, timedelta] = {
    "backoff": timedelta(milliseconds=10),
    "backoff_limit": timedelta(milliseconds=200),
    "throttle_pause": timedelta(milliseconds=50),
    "read_timeout": timedelta(seconds=1.5),
    "connect_timeout": timedelta(seconds=2),
}
"""How long a client waits, in place of what a real one does."""


def shorten_pauses() -> None:
    """Let clients wait as `PAUSES` says: how long, never whether."""
    from backmarket.api.config import ClientConfig

    for name, pause in PAUSES.items():
        ClientConfig.model_fields[name].default = pause
    ClientConfig.model_rebuild(force=True)


def run(
    dag: DAG, wanted: Wanted, *, metadata: Path, log: Path, visited: frozenset[str], in_memory: bool = False
) -> bool:
    """Run a DAG; tell whether the run succeeded.

    :param metadata: a copy of Airflow's own database for this run alone.
    :param log: what all output goes to.
    :param in_memory: keep what Airflow notes of the run in memory, which is quicker.
    """
    with log.open("wb", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    # The servers go first, so that a busy machine does not look like a sandbox that counts in fits and starts.
    os.nice(5)
    _use(metadata)
    _know_all_dags()
    _answer_at_once(wanted)
    _note_departures()
    _make_runs_as(wanted)
    if wanted.kill_between_steps:
        arm(KillPoint(visited, log.with_suffix(".killed")))
    if in_memory:
        return _run_in_memory(dag, wanted)
    dag_run = dag.test(logical_date=wanted.logical_date or datetime.now(UTC), run_conf=wanted.conf or None)
    return str(dag_run.state) == "success"


def _run_in_memory(dag: DAG, wanted: Wanted) -> bool:
    from airflow.sdk.execution_time import task_runner

    from local.airflow_in_memory import run_in_memory

    # What Airflow's UI shows of a task's arguments: nobody looks here, and it takes longer than the rest.
    task_runner._serialize_rendered_fields = lambda _: {}
    state, _, _ = run_in_memory(
        dag,
        wanted.conf or None,
        run_type=wanted.run_type,
        logical_date=wanted.logical_date,
        interval=wanted.interval,
    )
    return state == "success"


def first_run(dag: DAG, *, metadata: Path, log: Path) -> bool:
    """Run a DAG as it is, which also writes all DAGs into Airflow's database."""
    with log.open("wb", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    _use(metadata)
    return str(dag.test().state) == "success"


def _use(metadata: Path) -> None:
    from airflow import settings

    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{metadata}"
    settings.dispose_orm(do_log=False)
    settings.configure_vars()  # type: ignore[no-untyped-call]
    settings.configure_orm()  # type: ignore[no-untyped-call]


def _know_all_dags() -> None:
    """Do not read the DAG files again: the template knows them, and reading takes as long as a run."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager.get_all_dag_bundles = lambda _: []  # type: ignore[method-assign, assignment]


def _answer_at_once(wanted: Wanted) -> None:
    from airflow.providers.standard.operators.hitl import HITLOperator

    from backmarket.services.approval import NONE_OF_THEM

    def answer(self: Any, context: Any) -> Any:
        options = [option for option in self.options if option != NONE_OF_THEM]
        chosen = [options[wanted.number % len(options)]]
        return self.execute_complete(context, {"chosen_options": chosen, "params_input": {}})

    HITLOperator.execute = answer  # type: ignore[method-assign]


def _note_departures() -> None:
    """Let each request say when it got its place: how long it then was on its way, a busy machine decides."""
    import httpx

    from backmarket.api.throttle import Throttle

    acquire, send = Throttle.acquire, httpx.HTTPTransport.handle_request
    departure = threading.local()

    def note(self: Throttle, *args: Any, **kwargs: Any) -> None:
        acquire(self, *args, **kwargs)
        departure.at = time.time_ns() // 1000

    def tell(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        if at := getattr(departure, "at", None):
            request.headers[LEFT_AT] = str(at)
        return send(self, request)

    Throttle.acquire = note  # type: ignore[method-assign]
    httpx.HTTPTransport.handle_request = tell  # type: ignore[method-assign]


def _make_runs_as(wanted: Wanted) -> None:
    from airflow.models import dagrun
    from airflow.utils.types import DagRunType

    make = dagrun.get_or_create_dagrun

    def make_as_wanted(**kwargs: Any) -> Any:
        if wanted.interval:
            kwargs["data_interval"] = wanted.interval
        made = make(**kwargs)
        made.run_type = DagRunType(wanted.run_type)
        kwargs["session"].commit()
        return made

    dagrun.get_or_create_dagrun = make_as_wanted
