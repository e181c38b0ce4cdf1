"""Runs DAGs as KubernetesExecutor does, as far as one machine can: each task in a process and folders of its own.

A process that has imported Airflow and nothing else of a run forks for each task, for each wait of a deferred one, and
again where that goes on. The fork reads the DAG file anew from a read-only checkout; its working directory, HOME and
AIRFLOW_HOME are new and empty. Python's audit hook tells of every file and folder that it makes, changes or removes.

The last line it prints is what happened, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_GIVEN = ("work", "home", "airflow")


class Pods:
    """What ran, and what it left.

    :param ran: the tasks that were executed, by DAG.
    :param written: what tasks and triggers have written outside their own temporary folder, by task.
    """

    def __init__(self, folder: Path, ours: tuple[str, ...]) -> None:
        from airflow.sdk.definitions import dag
        from airflow.sdk.execution_time import supervisor

        self.folder, self._ours = folder, ours
        self._run_task, self._run_trigger = supervisor.run_task_in_process, dag._run_inline_trigger
        supervisor.run_task_in_process = self.run_task  # type: ignore[assignment]
        dag._run_inline_trigger = self.run_trigger
        self.ran: dict[str, set[str]] = {}
        self.written: dict[str, list[str]] = {}
        self._number = 0

    def run_task(self, *, ti: Any, task: Any) -> Any:
        """Execute a task in a pod; stands for Airflow's `run_task_in_process`."""

        def work() -> Any:
            from airflow.dag_processing.dagbag import DagBag

            own = DagBag(task.dag.fileloc).dags[ti.dag_id].task_dict[ti.task_id]
            result = self._run_task(ti=ti, task=own)
            return result.ti.state, result.msg

        state, message = self._in_a_pod(ti, work)
        self.ran.setdefault(ti.dag_id, set()).add(ti.task_id)
        return SimpleNamespace(msg=message, ti=SimpleNamespace(state=state, task=task), error=None)

    def run_trigger(self, trigger: Any, ti: Any) -> Any:
        """Wait in a pod of the triggerer; stands for Airflow's `_run_inline_trigger`.

        Here it would start the thread of Airflow's execution API, which a fork does not inherit and would wait for.
        """
        return self._in_a_pod(ti, lambda: self._run_trigger(trigger, ti))  # type: ignore[no-untyped-call]

    def _in_a_pod(self, ti: Any, work: Callable[[], Any]) -> Any:
        """Do some work in a process and folders of its own, and return what it gives."""
        self._number += 1
        pod = self.folder / f"{self._number:03d}-{ti.task_id}"
        for name in (*_GIVEN, "tmp"):
            (pod / name).mkdir(parents=True)
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reading)
            self._be_the_pod(pod, writing, work)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(pid, 0)
        if not answer:
            raise RuntimeError(f"{ti.dag_id}.{ti.task_id} ended without an answer: its trace stands above.")
        result, written, modules = pickle.loads(answer)  # noqa: S301 - from our own fork
        # Reading modules takes longer than most tasks do: the next pod finds them read.
        for module in modules:
            with suppress(ImportError):
                importlib.import_module(module)
        left = [str(path) for name in _GIVEN for path in (pod / name).rglob("*")]
        if written or left:
            self.written.setdefault(f"{ti.dag_id}.{ti.task_id}", []).extend([*written, *left])
        return result

    def _be_the_pod(self, pod: Path, writing: int, work: Callable[[], Any]) -> NoReturn:
        """Do the work and never come back."""
        code = 1
        try:
            from airflow import settings

            # The parent's connections stay the parent's.
            assert settings.engine
            assert settings.async_engine
            settings.engine.dispose(close=False)
            settings.async_engine.sync_engine.dispose(close=False)
            os.chdir(pod / "work")
            os.environ.update(HOME=str(pod / "home"), AIRFLOW_HOME=str(pod / "airflow"), TMPDIR=str(pod / "tmp"))
            tempfile.tempdir = None
            written: list[str] = []
            known = set(sys.modules)
            sys.addaudithook(self._note(written, str(pod / "tmp")))
            answer = pickle.dumps((work(), written, sorted(set(sys.modules) - known)))
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(answer)
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as its parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _note(self, written: list[str], own: str) -> Any:
        allowed = (own, *self._ours)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open":
                path, _, flags = arguments
                if not isinstance(flags, int) or not flags & _WRITING:
                    return
            elif event in _CHANGES:
                path = arguments[0]
            else:
                return
            if not isinstance(path, int) and not str(Path(os.fsdecode(path)).absolute()).startswith(allowed):
                written.append(f"{event} {os.fsdecode(path)}")

        return hook


def main(folder: Path, dag_ids: list[str]) -> None:
    """Run DAGs one after another, and say what happened."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.plugins_manager import ensure_plugins_loaded
    from airflow.providers.standard.operators.hitl import HITLOperator

    from chaos.runs import _build_execution_api, _read_names_of_metrics

    manager = DagBundlesManager()  # type: ignore[no-untyped-call]
    manager.sync_bundles_to_db()
    (bundle,) = manager.get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
    # dag.test() would read all files and note them again, before each run.
    DagBundlesManager.get_all_dag_bundles = lambda _: ()  # type: ignore[method-assign, assignment]
    HITLOperator.execute = _answer_at_once  # type: ignore[method-assign, assignment]
    ensure_plugins_loaded()
    _read_names_of_metrics()
    _build_execution_api()

    metadata = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///")
    pods = Pods(folder, (metadata, os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"], os.devnull))
    states = {}
    for dag_id in dag_ids:
        run = bag.dags[dag_id].test()
        states[dag_id] = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    all_tasks = {dag_id: set(dag.task_dict) for dag_id, dag in bag.dags.items()}
    never = {dag_id: sorted(tasks - pods.ran.get(dag_id, set())) for dag_id, tasks in all_tasks.items()}
    print(json.dumps({"states": states, "never": never, "written": pods.written}))


def _answer_at_once(operator: Any, context: Any) -> Any:
    """Stand for the person who is asked, and who agrees to the first option."""
    return operator.execute_complete(context, {"chosen_options": operator.options[:1], "params_input": {}})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
