"""The whole stack, started once: Airflow runs DAGs in it, tells of failures, and nothing of it stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil
import pytest

from local.airflow_api import AirflowApi
from local.bootstrap import PROJECT
from local.demo import run_step
from local.failure import LocalError
from local.settings import StackSettings, free_port
from local.stack import running_stack

if TYPE_CHECKING:
    from pathlib import Path

    from local.stack import Stack

DAGS = """
from datetime import datetime

from airflow.sdk import Variable, dag, task


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


def test_a_stack_runs_dags_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Airflow runs DAGs, a failed task shows the end of its log, a second stack is refused, all ends together."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "throw_away.py").write_text(DAGS)
    state = tmp_path / "state"
    settings = StackSettings(port=free_port(), sandbox_port=free_port(), state=state, dags=dags)
    started = datetime.now(UTC)

    with running_stack(settings) as stack:
        check_a_good_run(stack, started, capsys)
        with pytest.raises(LocalError, match="is running here already"), running_stack(settings):
            pass
        assert processes_of(state)
    assert processes_of(state) == []


def test_a_stack_ends_when_asked_to_while_it_starts(tmp_path: Path) -> None:
    """A request to terminate in the middle of the start ends what has started so far."""
    script = (
        "import pathlib, sys\n"
        "from local.failure import run_command\n"
        "from local.settings import StackSettings, free_port\n"
        "from local.stack import running_stack\n"
        "def start():\n"
        "    state = pathlib.Path(sys.argv[1])\n"
        "    with running_stack(StackSettings(port=free_port(), sandbox_port=free_port(), state=state)):\n"
        "        return 0\n"
        "sys.exit(run_command(start))\n"
    )
    starting = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "state"], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert starting.stdout is not None
    # The first words come once PostgreSQL and the sandbox run.
    assert "Preparing" in starting.stdout.read(len("Preparing"))

    starting.send_signal(signal.SIGTERM)
    starting.communicate(timeout=60)

    assert starting.returncode == 130
    assert processes_of(tmp_path / "state") == []
