"""Runs the real DAG files inside Airflow, against a sandbox and a PostgreSQL."""

from __future__ import annotations

import gc
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import airflow
import psycopg
import pytest
from airflow import sdk
from packaging.version import Version

from tests.conftest import new_database
from tests.plain_words import faults, is_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

    from sandbox.remote import Sandbox


needs_retry_policy = pytest.mark.skipif(
    not hasattr(sdk, "RetryPolicy"), reason="Airflow 3.2 has no retry policies: it tries every failed task again"
)


@dataclass(frozen=True)
class Run:
    """One finished DAG run.

    :param state: of the run: success or failed.
    :param tasks: the state of each task by its id.
    :param xcoms: what each task returned by its id; None where it returned nothing.
    :param reasons: why gates skipped, by task id.
    :param tries: how often each task was run.
    """

    state: str
    tasks: dict[str, str | None]
    xcoms: dict[str, Any]
    reasons: dict[str, Any]
    tries: dict[str, int]


@dataclass(frozen=True)
class OtherWarehouse:
    """A second database beside the one of a test, filled from the same Back Market.

    :param run: runs a DAG with this database in the place of the other.
    """

    database: psycopg.Connection[Any]
    run: Callable[[Callable[[], Run]], Run]


@pytest.fixture
def other_warehouse(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherWarehouse]:
    """An empty one."""
    with new_database(postgres_uri, "template1") as uri, psycopg.connect(uri, autocommit=True) as database:

        def run(dag: Callable[[], Run]) -> Run:
            with monkeypatch.context() as patched:
                patched.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", uri.replace("postgresql://", "postgres://"))
                return dag()

        yield OtherWarehouse(database, run)


def without_readings(
    database: psycopg.Connection[Any], tables: dict[str, str], differing: tuple[str, ...]
) -> list[list[tuple[Any, ...]]]:
    """Return all rows of tables, each in the order of its key, without columns that tell how they were read."""
    return [
        database.execute(
            f"select to_jsonb(own) - %s::text[] from backmarket.{table} as own order by {key}".encode(), [[*differing]]
        ).fetchall()
        for table, key in tables.items()
    ]


@pytest.fixture(scope="session")
def dag_bag(airflow_database: None) -> DagBag:
    """All DAG files of this project, as the DAG processor reads them and notes them in Airflow's tables."""
    from airflow.sdk.execution_time import supervisor

    # Airflow 3.2 would build its API anew for every task of a dag.test(), which takes seconds.
    supervisor.in_process_api_server = cache(supervisor.in_process_api_server)
    bag = read_dags()
    # Airflow is a million objects that stay: no need to look through them again for garbage.
    gc.freeze()
    return bag


def read_dags(folder: Path | None = None) -> DagBag:
    """Read DAG files, those of this project or of another folder, and note their DAGs in Airflow's tables."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()  # type: ignore[no-untyped-call]
    manager.sync_bundles_to_db()
    (bundle,) = manager.get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(folder or bundle.path, bundle_path=folder or bundle.path, bundle_name=bundle.name)
    assert bag.import_errors == {}
    sync_bag_to_db(bag, bundle.name, bundle.version)
    return bag


@pytest.fixture
def run_dag(
    dag_bag: DagBag, run_dag_in_airflow: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Run one DAG to its end, with what Airflow notes in its tables kept in memory; ``alter`` may change it before.

    An older Airflow cannot do that: there, it runs as in ``run_dag_in_airflow``.
    """
    if Version(airflow.__version__) < Version("3.3.2"):
        return run_dag_in_airflow
    from airflow.sdk.execution_time import task_runner

    from local.airflow_in_memory import run_in_memory

    def run(dag_id: str, *, alter: Callable[[DAG], None] | None = None, **conf: Any) -> Run:
        with monkeypatch.context() as patched:
            # What Airflow's UI shows of a task's arguments: nobody looks here, and it takes longer than the rest.
            patched.setattr(task_runner, "_serialize_rendered_fields", lambda _: {})
            state, instances, memory = run_in_memory(read_dag(dag_bag, dag_id, alter), conf or None)
        return Run(
            state=state,
            tasks={each.task_id: each.state for each in instances},
            xcoms={each.task_id: memory.of(each.task_id) for each in instances},
            reasons={each.task_id: memory.of(each.task_id, "reason") for each in instances},
            tries={each.task_id: each.try_number for each in instances},
        )

    return run


def read_dag(dag_bag: DagBag, dag_id: str, alter: Callable[[DAG], None] | None) -> DAG:
    """Read a DAG anew, as running a DAG object with params leaves them in it."""
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(dag_bag.dags[dag_id].fileloc).dags[dag_id]
    if alter:
        alter(dag)
    return dag


@pytest.fixture
def run_dag_in_airflow(dag_bag: DagBag, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run one DAG to its end, as ``airflow dags test`` does; ``alter`` may change it before."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    # dag.test() would read all files and note them again, before each run.
    monkeypatch.setattr(DagBundlesManager, "get_all_dag_bundles", lambda _: iter(()))

    def run(dag_id: str, *, alter: Callable[[DAG], None] | None = None, **conf: Any) -> Run:
        dag_run = read_dag(dag_bag, dag_id, alter).test(run_conf=conf or None)
        instances = dag_run.get_task_instances()
        return Run(
            state=str(dag_run.state),
            tasks={ti.task_id: ti.state and str(ti.state) for ti in instances},
            xcoms={ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in instances},
            reasons={ti.task_id: ti.xcom_pull(task_ids=ti.task_id, key="reason") for ti in instances},
            tries={ti.task_id: ti.try_number for ti in instances},
        )

    return run


def connect(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, account: str = "default", market: str = "fr-fr"
) -> None:
    """Point the connection of an account at a sandbox."""
    connection = {
        "conn_type": "backmarket",
        "host": sandbox.base_url,
        "password": sandbox.token,
        "extra": {"market": market, "user_agent": "BM-Example-Tests;tests@example.com"},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_BACKMARKET_{account.upper()}", json.dumps(connection))


@pytest.fixture
def connected(sandbox: Sandbox, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox that ``backmarket_default`` points at, with an empty operational database and all toggles off."""
    connect(sandbox, monkeypatch)
    return sandbox


@pytest.fixture
def switch_on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set Variables, ``enabled`` among them."""

    def switch(*toggles: str, **values: object) -> None:
        for name, value in {"enabled": True, **dict.fromkeys(toggles, True), **values}.items():
            monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", str(value))

    return switch


@pytest.fixture
def database(warehouse: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A look into the operational database, whose tables are there."""
    return warehouse


# Notes that tasks keep for themselves and each other: no lineage speaks of them.
NOTES = {
    f"backmarket.{table}"
    for table in (
        "accounts after_sales_parts alerts feeds invoice_files listing_baselines listing_drops "
        "order_history_reads orders_not_found progress quarantine seller_file_rows seller_files "
        "settlement_comparisons settlement_files settlement_stale_covers settlement_stale_days "
        "settlement_stale_orders settlement_stale_statements settlement_unknown_orders sync_state "
        "unannounced unclaimed_rows"
    ).split()
}
_WRITTEN = re.compile(r"\b(?:insert into|update|delete from|copy)\s+((?:backmarket|seller)\.[a-z_]+)")
_NAMED = re.compile(r"\b(?:backmarket|seller)\.[a-z_]+\b(?!\()")


@cache
def _tables(statement: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tables that a statement reads, and those that it writes."""
    text = re.sub(r"--.*", "", statement)
    written = frozenset(_WRITTEN.findall(text))
    return frozenset(_NAMED.findall(text)) - written, written


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold tasks to what their operators declare to read and write, in whichever test they run."""
    from airflow.sdk import get_current_context

    from backmarket.warehouse import sql

    statement = sql.statement
    undeclared: set[tuple[str, str, str]] = set()

    def watched(name: str) -> str:
        try:
            task: Any = get_current_context()["task"]
        except RuntimeError:
            return statement(name)
        reads, writes = getattr(task, "reads", ()), getattr(task, "writes", ())
        if reads or writes:
            read, written = _tables(statement(name))
            undeclared.update((task.task_type, "writes", each) for each in written - {*writes} - NOTES)
            undeclared.update((task.task_type, "reads", each) for each in read - {*reads, *writes} - NOTES)
        return statement(name)

    monkeypatch.setattr(sql, "statement", watched)
    yield
    assert undeclared == set()


@pytest.fixture(autouse=True)
def plain_words() -> Iterator[None]:
    """Hold what tasks log, and why they skip or fail, to the words of people, in whichever test they run."""
    import structlog
    from airflow.sdk.exceptions import AirflowSkipException

    told: list[str] = []

    def listen(_: Any, __: str, event: Any) -> Any:
        if is_ours(str(event.get("logger", ""))):
            told.append(str(event["event"]))
        return event

    def note_error(_: Any, __: str, event: Any) -> Any:
        error = sys.exc_info()[1]
        if type(error).__module__.startswith("backmarket.") or isinstance(error, AirflowSkipException):
            told.append(str(error))
        return event

    processors = structlog.get_config()["processors"]
    # The list that loggers hold already; before the last, which writes the line.
    processors.insert(len(processors) - 1, listen)
    processors.insert(0, note_error)
    yield
    processors.remove(listen)
    processors.remove(note_error)
    assert [fault for line in told for fault in faults(line)] == []


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that repeat as often as ever, and wait for milliseconds in between."""
    from datetime import timedelta

    from backmarket.hooks import backmarket as hooks

    checked, moment = hooks._checked, timedelta(milliseconds=5)
    short = {"backoff": moment, "backoff_limit": moment, "throttle_pause": moment}
    monkeypatch.setattr(hooks, "_checked", lambda *args: checked(*args).model_copy(update=short))
