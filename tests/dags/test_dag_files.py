"""What every DAG file of this project keeps to."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import TaskGroup

from backmarket.operators.gate import BackMarketGateOperator
from local.machine_speed import slowness_of_python
from tests.dags.conftest import needs_retry_policy

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAGS = sorted((Path(__file__).resolve().parents[2] / "dags").glob("*.py"))
PARSE_LIMIT_SECONDS = 1.5
# Whose runs may overlap, since locks in the database keep them apart where they meet.
RUNS_SIDE_BY_SIDE = {"backmarket_settlements": 4}


def test_every_file_holds_the_dag_it_is_named_after(dag_bag: DagBag) -> None:
    """A person who sees a DAG in the UI finds its file by name."""
    assert {"backmarket_account", "backmarket_orders"} <= set(dag_bag.dags)
    assert sorted(dag_bag.dags) == [path.stem for path in DAGS]


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_a_dag_keeps_house_policy(dag_bag: DagBag, path: Path) -> None:
    """Documented, tagged, no catching up, one run at a time but for backfills by day, no task runs for ever."""
    dag = dag_bag.dags[path.stem]
    assert dag.doc_md
    assert "backmarket" in dag.tags
    assert dag.max_active_runs == RUNS_SIDE_BY_SIDE.get(path.stem, 1)
    assert dag.catchup is False
    assert dag.tasks
    for task in dag.tasks:
        assert task.owner == "backmarket"
        assert task.execution_timeout is not None


@needs_retry_policy
def test_every_task_has_our_retry_policy(dag_bag: DagBag) -> None:
    """Where Airflow knows such policies."""
    policies = {type(task.retry_policy).__name__ for dag in dag_bag.dags.values() for task in dag.tasks}
    assert policies == {"BackMarketRetryPolicy"}


@needs_retry_policy
def test_a_task_is_not_tried_again_where_only_a_person_can_help() -> None:
    """Nothing that is read once more changes a feed that zeroes too much, or what Back Market refused."""
    from backmarket.retry_policy import BackMarketRetryPolicy
    from backmarket.services.creation_batches import ListingsNotCreatedError
    from backmarket.services.item_failures import ItemsLeftError
    from backmarket.services.quantities import MassZeroError
    from backmarket.services.seller_files import FilesLeftError
    from backmarket.services.settlement_check import SettlementsOffError
    from backmarket.services.settlements import PeriodError
    from backmarket.warehouse.migrations import NewerSchemaError
    from backmarket.warehouse.pooler import PoolerModeError

    errors = (
        FilesLeftError("1 file cannot be used"),
        ItemsLeftError("order 7 could not be read"),
        ListingsNotCreatedError("3 were refused"),
        MassZeroError("9 would go to zero"),
        NewerSchemaError("9999_to_come"),
        PeriodError("'to' must lie after 'from'"),
        PoolerModeError("backmarket_warehouse"),
        SettlementsOffError("a statement does not add up"),
    )
    for error in errors:
        assert BackMarketRetryPolicy().evaluate(error, 1, 3).action.value == "fail"


@needs_retry_policy
def test_a_check_whose_process_is_killed_is_tried_again(dag_bag: DagBag) -> None:
    """Its verdict ends it at once; a worker that goes away is no verdict."""
    checks = [task for dag in dag_bag.dags.values() for task in dag.tasks if task.task_id.endswith("_check")]
    assert len(checks) > 8
    assert {task.task_id: task.retries for task in checks if not task.retries} == {}


@needs_retry_policy
@pytest.mark.parametrize(("minutes", "action"), [(1, "retry"), (10, "retry"), (11, "fail"), (1_400, "fail")])
def test_no_run_waits_for_hours(minutes: int, action: str) -> None:
    """A day's limit that is used up is for a later run: this one would keep all else of its DAG waiting."""
    from backmarket.api.errors import ThrottledError
    from backmarket.retry_policy import BackMarketRetryPolicy

    error = ThrottledError(retry_after=timedelta(minutes=minutes))
    assert BackMarketRetryPolicy().evaluate(error, 1, 3).action.value == action


def test_quantities_wait_for_prices_a_bounded_time(dag_bag: DagBag) -> None:
    """No task between the prices' gate and the quantities is tried again; asking Back Market has a limit of its own."""
    dag = dag_bag.dags["backmarket_inventory_prices"]
    assert {task_id: dag.get_task(task_id).retries for task_id in ("offer_refresh", "prices_plan")} == {
        "offer_refresh": 0,
        "prices_plan": 0,
    }
    assert dag.get_task("prices_plan").execution_timeout == timedelta(minutes=10)


def test_every_task_fails_in_our_words(dag_bag: DagBag) -> None:
    """No task is an operator of a provider as it is: its failure would speak of SQL or of Python."""
    operators = {
        getattr(task, "operator_class", type(task)).__module__ for dag in dag_bag.dags.values() for task in dag.tasks
    }
    assert {name for name in operators if not name.startswith("backmarket.operators.")} == set()


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_a_run_fails_where_any_task_fails(dag_bag: DagBag, path: Path) -> None:
    """Airflow judges a run by its last tasks: each failure must reach one that does not run all the same."""
    dag = dag_bag.dags[path.stem]

    def reaches_the_end(task_id: str) -> bool:
        followers = [dag.get_task(each) for each in dag.get_task(task_id).downstream_task_ids]
        passed_on = [each for each in followers if not each.trigger_rule.value.startswith("all_done")]
        return not followers or any(reaches_the_end(each.task_id) for each in passed_on)

    assert [task.task_id for task in dag.tasks if not reaches_the_end(task.task_id)] == []


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_the_graph_of_a_dag_fits_a_screen(dag_bag: DagBag, path: Path) -> None:
    """Collapsed it has at most ten boxes, from left to right; a DAG with several toggles has a group for each.

    With five tasks or fewer there is nothing to collapse.
    """
    dag = dag_bag.dags[path.stem]
    toggles = {task.toggle for task in dag.tasks if isinstance(task, BackMarketGateOperator)}
    boxes = dag.task_group.children.values()
    groups = [box for box in boxes if isinstance(box, TaskGroup)]
    assert len(boxes) <= 10
    assert len(dag.task_group.topological_sort()) == len(boxes), "Airflow draws no groups that wait for each other"
    assert len(toggles) <= 1 or len(groups) >= len(toggles) or len(dag.tasks) <= 5
    assert all(group.prefix_group_id is False for group in groups), "a task keeps its name in alerts and rules"


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_a_dag_file_reads_like_a_table_of_contents(path: Path) -> None:
    """At most 68 lines of code besides its documentation and imports, and no SQL."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source)
    documentation = ast.get_docstring(module, clean=False) or ""
    imports = [each for each in ast.walk(module) if isinstance(each, ast.Import | ast.ImportFrom)]
    import_lines = sum((each.end_lineno or each.lineno) - each.lineno + 1 for each in imports)
    assert len(source.splitlines()) - len(documentation.splitlines()) - import_lines <= 68
    assert "select " not in source.replace(documentation, "").lower()


def test_parsing_is_cheap_and_touches_nothing() -> None:
    """All files parse in under 1.5 s of CPU at full speed beyond ``import airflow.sdk``, with no socket opened.

    Neither pandas nor the API client may be loaded, and no Variable or connection read, while parsing.
    """
    program = """
import socket, sys, time
import airflow.sdk
from airflow.sdk import BaseHook, Variable, conf, dag
from airflow.sdk.bases.operator import BaseOperator

def refuse(*args, **kwargs):
    raise AssertionError("touched the outside while parsing")

socket.socket.connect = refuse
Variable.get = BaseHook.get_connection = refuse
began = time.process_time()
import runpy
for path in sys.argv[1:]:
    runpy.run_path(path)
seconds = time.process_time() - began
heavy = [name for name in ("pandas", "openpyxl", "pyarrow", "psycopg", "backmarket.settings") if name in sys.modules]
# The connection form lists the markets, and Airflow asks for it while some DAG files are read.
light = {"backmarket.api", "backmarket.api.markets"}
heavy += [name for name in sys.modules if name.startswith("backmarket.api") and name not in light]
print(f"parsed {len(sys.argv) - 1} DAG files in {seconds:.2f} s of CPU")
assert not heavy, heavy
assert len(sys.argv) > 1
print(seconds)
"""
    before = slowness_of_python()
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, DAGS)], capture_output=True, text=True, check=False, env=os.environ
    )
    assert result.returncode == 0, result.stderr
    *_, message, seconds = result.stdout.splitlines()
    print(message)
    # The speed may have changed in between: the better of both is the stricter.
    assert float(seconds) / min(before, slowness_of_python()) < PARSE_LIMIT_SECONDS


def test_nothing_loads_pandas_that_needs_it_not() -> None:
    """Pandas, openpyxl and pyarrow are loaded where a file or a frame is handled: importing any module loads none."""
    program = """
import importlib, pkgutil, sys
import backmarket

for module in pkgutil.walk_packages(backmarket.__path__, "backmarket."):
    try:
        importlib.import_module(module.name)
    except ImportError:
        # Airflow 3.2 has no retry policies.
        assert module.name == "backmarket.retry_policy"
    heavy = [name for name in ("pandas", "openpyxl", "pyarrow") if name in sys.modules]
    assert not heavy, (module.name, heavy)
print("none")
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "none"
