"""Runs of DAGs in forked processes: Airflow is imported once, a fork starts a run at once, and any can be killed."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from chaos import child

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from airflow.sdk import DAG

    from chaos.stage import Stage

RunType = Literal["manual", "scheduled", "backfill"]
DAGS = (
    "backmarket_orders",
    "backmarket_tracking_imei",
    "backmarket_inventory_prices",
    "backmarket_after_sales",
    "backmarket_seller_files",
    "backmarket_listings",
    "backmarket_settlements",
    "backmarket_backbox",
    "backmarket_price_approval",
    "backmarket_refund_approval",
    "backmarket_account",
    "backmarket_alerts",
)
LONGEST_RUN_SECONDS = 600.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Wanted:
    """One run to be made.

    :param kill_after: seconds after which it is killed.
    :param kill_between_steps: kill it at the first pair of steps at which no run was killed before.
    :param number: its number, which its log and its user agent carry.
    """

    dag_id: str
    run_type: RunType = "manual"
    logical_date: datetime | None = None
    interval: tuple[datetime, datetime] | None = None
    conf: dict[str, Any] = field(default_factory=dict)
    kill_after: float | None = None
    kill_between_steps: bool = False
    number: int = 0


@dataclass(frozen=True)
class Ended:
    """How a run ended: success, failed, killed, or hung where it had to be ended."""

    wanted: Wanted
    how: str
    seconds: float
    log: Path


@dataclass
class _Running:
    pid: int
    wanted: Wanted
    began: float
    log: Path
    metadata: Path
    ended_by: str = ""


class Runner:
    """Starts runs and follows them.

    ``interrupted`` names the runs that were killed, or under way when PostgreSQL crashed.

    :param in_memory: keep what Airflow notes of each run in memory, which is quicker.
    :raises RuntimeError: where the DAG files cannot be read.
    """

    def __init__(self, stage: Stage, *, in_memory: bool = False) -> None:
        self._stage = stage
        self._in_memory = in_memory
        self._running: list[_Running] = []
        self._number = 0
        self.visited: set[str] = set()
        self.interrupted: set[str] = set()
        self.ended: list[Ended] = []
        self._dags = _warm_up(stage)

    @property
    def busy(self) -> int:
        """How many run now."""
        return len(self._running)

    def start(self, wanted: Wanted) -> None:
        """Fork a process for a run."""
        self._number += 1
        wanted = Wanted(**{**vars(wanted), "number": self._number})
        log = self._stage.logs / f"{self._number:05d}-{wanted.dag_id}-{wanted.run_type}.log"
        metadata = self._stage.folder / f"run-{self._number}.db"
        shutil.copyfile(self._stage.metadata_template, metadata)
        pid = os.fork()
        if pid == 0:
            os.environ["AIRFLOW_CONN_BACKMARKET_DEFAULT"] = self._stage.connection_of(f"run-{self._number}")
            _be(
                self._dags[wanted.dag_id],
                wanted,
                metadata=metadata,
                log=log,
                visited=frozenset(self.visited),
                in_memory=self._in_memory,
            )
        self._running.append(_Running(pid, wanted, time.monotonic(), log, metadata))

    def look(self) -> None:
        """Kill those whose time has come, and note those that have ended."""
        for running in list(self._running):
            age = time.monotonic() - running.began
            due = running.wanted.kill_after
            if not running.ended_by and due is not None and age > due:
                self._kill(running, "killed")
            elif not running.ended_by and age > LONGEST_RUN_SECONDS:
                self._kill(running, "hung")
            pid, status = os.waitpid(running.pid, os.WNOHANG)
            if pid:
                self._end(running, status)

    def wait(self, *, most: int = 0) -> None:
        """Wait until no more than so many run."""
        while self.busy > most:
            self.look()
            time.sleep(_LOOK_SECONDS)

    def run(self, wanted: Wanted) -> Ended:
        """Run one alone, to its end."""
        self.wait()
        self.start(wanted)
        self.wait()
        return self.ended[-1]

    def end_all(self) -> None:
        """Kill whatever runs."""
        for running in self._running:
            self._kill(running, "killed")
        self.wait()

    def counts(self) -> dict[str, Counter[str]]:
        """Count runs by DAG and by how they ended."""
        counts: dict[str, Counter[str]] = {}
        for ended in self.ended:
            counts.setdefault(ended.wanted.dag_id, Counter())[ended.how] += 1
        return counts

    def note_crash(self) -> None:
        """Note that PostgreSQL went down under all that run."""
        self.interrupted |= {f"run-{running.wanted.number}" for running in self._running}

    def _kill(self, running: _Running, why: str) -> None:
        running.ended_by = why
        os.kill(running.pid, signal.SIGKILL)

    def _end(self, running: _Running, status: int) -> None:
        self._running.remove(running)
        note = running.log.with_suffix(".killed")
        how = {0: "success", 1: "failed"}.get(os.waitstatus_to_exitcode(status), "crashed")
        if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
            how = running.ended_by or "killed"
            self.interrupted.add(f"run-{running.wanted.number}")
            if note.exists():
                self.visited.add(note.read_text())
        note.unlink(missing_ok=True)
        for path in running.metadata.parent.glob(f"{running.metadata.name}*"):
            path.unlink()
        self.ended.append(Ended(running.wanted, how, time.monotonic() - running.began, running.log))


def _be(dag: DAG, wanted: Wanted, *, metadata: Path, log: Path, visited: frozenset[str], in_memory: bool) -> None:
    """Be the forked process; never come back."""
    code = 70
    try:
        went_well = child.run(dag, wanted, metadata=metadata, log=log, visited=visited, in_memory=in_memory)
        code = 0 if went_well else 1
    except BaseException:  # noqa: BLE001 - the parent's frames must not go on here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _warm_up(stage: Stage) -> dict[str, DAG]:
    """Import all that a run does, here, once.

    A first run in a process of its own writes the DAGs into the template and tells which modules it loaded. No thread
    may be started here: a fork copies only the one that forks.
    """
    from airflow.dag_processing.dagbag import DagBag
    from airflow.plugins_manager import ensure_plugins_loaded

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    if bag.import_errors:
        raise RuntimeError(f"DAG files cannot be read: {bag.import_errors}")
    child.shorten_pauses()
    for module in _modules_of_a_run(stage, bag.dags["backmarket_account"]):
        if module not in sys.modules:
            try:
                importlib.import_module(module)
            except ImportError:
                continue
    ensure_plugins_loaded()
    _read_names_of_metrics()
    _build_execution_api()
    return dict(bag.dags)


def _modules_of_a_run(stage: Stage, dag: DAG) -> Iterable[str]:
    metadata, names, log = stage.folder / "first.db", stage.folder / "modules", stage.folder / "first.log"
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            shutil.copyfile(stage.metadata_template, metadata)
            code = 0 if child.first_run(dag, metadata=metadata, log=log) else 1
            names.write_text("\n".join(name for name in sys.modules if name != "__main__"))
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"The first run failed:\n{log.read_text()[-3000:]}")
    # SQLite keeps the latest writes in a second file: a backup has all of them in one.
    with sqlite3.connect(metadata) as first, sqlite3.connect(stage.metadata_template) as template:
        first.backup(template)
    first.close()
    template.close()
    return names.read_text().split()


def _read_names_of_metrics() -> None:
    """Read Airflow's list of metrics, which takes half a second and which a run reads otherwise."""
    from airflow._shared.observability.metrics import stats as of_core
    from airflow.sdk._shared.observability.metrics import stats as of_tasks

    of_core._get_registry()
    of_tasks._get_registry()


def _build_execution_api() -> None:
    """Build the routes of Airflow's execution API, which takes three seconds and is the same for every run."""
    from airflow.sdk.execution_time.supervisor import in_process_api_server
    from sqlalchemy.orm import configure_mappers

    configure_mappers()
    in_process_api_server().app._cadwyn_initialize()
