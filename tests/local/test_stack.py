"""The whole stack, started once: Airflow runs DAGs in it, tells of failures, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil
import pytest

from local.airflow_api import AirflowApi
from local.bootstrap import PROJECT
from local.demo import run_step
from local.failure import LocalError
from local.processes import Processes
from local.settings import StackSettings, free_port
from local.stack import Stack, ending_in_order, running_stack
from local.up import say_where_all_is
from tests.commands import STACK, blocks, run_as_typed
from tests.stack_by_make import AS_A_PERSON, in_folder

if TYPE_CHECKING:
    from pathlib import Path

DAGS = """
from datetime import datetime

from airflow.sdk import Variable, dag, task

from backmarket.dags import create_dags


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def toggles_are_on():
    @task
    def read():
        assert Variable.get("backmarket_enabled") == "true"

    read()


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def fails():
    @task
    def break_off():
        raise ValueError("the shelf is empty")

    break_off()


toggles_are_on()
fails()

# For the commands of the documentation; a run of it is only noted.
backmarket_orders = create_dags()["backmarket_orders"]
backmarket_orders.is_paused_upon_creation = True
"""


def processes_of(state: Path) -> list[psutil.Process]:
    """Every live process that has to do with a stack's folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        told = " ".join([*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()])
        if str(state) in told and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def check_a_good_run(stack: Stack, started: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    """A DAG runs to its end, with the Variables of the stack."""
    api = AirflowApi(stack.url, stack.user, stack.password)
    run_step(api, stack.processes, "toggles_are_on", started)
    assert "read                         success" in capsys.readouterr().out

    with pytest.raises(LocalError, match="fails failed at break_off"):
        run_step(api, stack.processes, "fails", started)
    assert "ValueError: the shelf is empty" in capsys.readouterr().out

    assert api.switch_on("backmarket_made_up")
    assert not api.switch_on("backmarket_made_up")
    api.close()


def check_the_documented_commands(stack: Stack, folder: Path) -> None:
    """What the documentation tells people to type beside the stack of ``make up``."""
    of_stack = [block.text for block in blocks() if block.surroundings == STACK]
    assert of_stack
    make = f'make() {{ command make {" ".join(in_folder(folder))} "$@"; }}'
    answer = run_as_typed("\n".join([make, *of_stack]), PROJECT)
    assert answer.returncode == 0, answer.stderr
    assert "backmarket_orders" in answer.stdout
    api = AirflowApi(stack.url, stack.user, stack.password)
    assert {"backmarket_orders"} == {run["dag_id"] for run in api.runs() if run["state"] == "queued"}
    api.close()


@pytest.mark.timeout(400)
def test_a_stack_runs_dags_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Airflow runs DAGs and commands, a failed task shows its log, a second stack is refused, all ends together."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "throw_away.py").write_text(DAGS)
    state = tmp_path / "state"
    settings = StackSettings(port=free_port(), sandbox_port=free_port(), state=state, dags=dags)
    started = datetime.now(UTC)

    with running_stack(settings) as stack:
        check_a_good_run(stack, started, capsys)
        check_the_documented_commands(stack, tmp_path)
        with pytest.raises(LocalError, match="is running here already"), running_stack(settings):
            pass
        assert processes_of(state)
    assert processes_of(state) == []


def test_make_up_says_where_all_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page too, which nobody would look for in Airflow's menu, and how to call Airflow beside it."""
    uris = ("postgresql://w", "postgresql://own", "http://bm")
    stack = Stack("http://here", "admin", "secret", *uris, tmp_path, Processes(tmp_path))
    say_where_all_is(stack)
    told = capsys.readouterr().out
    for each in (stack.url, stack.password, stack.page_url, stack.warehouse_uri, stack.own_uri, stack.sandbox_url):
        assert each in told
    assert "make airflow" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_asks_for_an_end_gets_an_orderly_one(number: signal.Signals) -> None:
    """Ctrl-C, a supervisor and a closed terminal are answered alike, and once: nothing cuts the end short."""
    with pytest.raises(KeyboardInterrupt), ending_in_order():
        signal.raise_signal(number)
    with ending_in_order():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(number)


def test_ctrl_c_ends_make_up_while_it_starts(tmp_path: Path) -> None:
    """What has started is ended, and make has no error to tell of."""
    ports = f"PORT={free_port()}", f"SANDBOX_PORT={free_port()}"
    starting = subprocess.Popen(
        ["make", "up", *in_folder(tmp_path), *ports],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **AS_A_PERSON,
    )
    assert starting.stdout is not None
    # The first words come once PostgreSQL and the sandbox run.
    assert "Preparing" in starting.stdout.read(len("Preparing"))
    assert processes_of(tmp_path / "state")

    # As a terminal does: to make and all that it has started.
    os.killpg(starting.pid, signal.SIGINT)
    told, _ = starting.communicate(timeout=60)

    assert told.splitlines()[-2:] == ["Stopping …", "Stopped."]
    # Make dies of the signal, or ends before it has taken note of it; an error of its own would be a 2.
    assert starting.returncode in {-signal.SIGINT, 0}
    assert processes_of(tmp_path / "state") == []


def test_without_a_stack_make_airflow_says_how_to_start_it(tmp_path: Path) -> None:
    """And not what SQLAlchemy says of a database that does not answer."""
    for arguments, told in (("ARGS=dags list", "The stack does not run"), ("ARGS=", "Say what Airflow is to do")):
        answer = subprocess.run(
            ["make", "airflow", *in_folder(tmp_path), arguments],
            cwd=PROJECT,
            capture_output=True,
            check=False,
            **AS_A_PERSON,
        )
        assert answer.stderr.startswith(told)
        assert answer.stderr.count("\n") == 2  # the second is make's
