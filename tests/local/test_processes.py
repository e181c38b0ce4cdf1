"""The supervision of the stack's processes: none outlives it, and the death of one is noticed."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from local.failure import LocalError
from local.processes import Processes, supervised

if TYPE_CHECKING:
    from pathlib import Path

# A child that ignores the polite request, and a grandchild in a session of its own, as tasks of Airflow are.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(300)
"""


def grandchild(processes: Processes) -> psutil.Process:
    """Wait until the stubborn process has told of its child."""
    for _ in range(200):
        if text := processes.log("stubborn").read_text().strip():
            return psutil.Process(int(text))
        time.sleep(0.05)
    raise AssertionError("the process did not start")


def test_nothing_outlives_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ignores the polite request is ended by force, and so is a grandchild in a session of its own."""
    monkeypatch.setattr("local.processes._PATIENCE_SECONDS", 0.5)

    with supervised(tmp_path) as processes:
        processes.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)
        left = grandchild(processes)

    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_what_a_killed_stack_left_is_ended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next stack on the same folder ends what an earlier one could not, and nothing of other folders."""
    monkeypatch.setattr("local.processes._PATIENCE_SECONDS", 0.5)
    killed, other = Processes(tmp_path / "killed"), Processes(tmp_path / "other")
    for processes in (killed, other):
        processes.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)
    left, foreign = grandchild(killed), grandchild(other)

    with supervised(tmp_path / "killed"):
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
        assert foreign.is_running()
    killed.end()
    other.end()


def test_a_part_is_killed_with_all_that_it_has_started(tmp_path: Path) -> None:
    """As in a power cut, sessions of their own included; other parts go on, and it can be started again."""
    with supervised(tmp_path) as processes:
        processes.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)
        processes.start("other", [sys.executable, "-c", "import time; time.sleep(300)"], os.environ)
        left = grandchild(processes)
        processes.kill("stubborn")
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
        processes.check()
        processes.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)


def test_the_death_of_a_part_is_told_with_its_last_words(tmp_path: Path) -> None:
    """A part that ends by itself is a failure that names it, its exit code, its last line and its log."""
    with supervised(tmp_path) as processes:
        processes.start("scheduler", [sys.executable, "-c", "import sys; sys.exit('no disk')"], os.environ)
        processes._running["scheduler"].wait()
        with pytest.raises(LocalError, match=r"scheduler ended \(exit code 1\).*no disk.*scheduler\.log"):
            processes.check()


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    """A step of the preparation that fails names itself, its last line and its log."""
    with supervised(tmp_path) as processes, pytest.raises(LocalError, match=r"airflow db migrate failed: no database"):
        processes.run("airflow db migrate", [sys.executable, "-c", "import sys; sys.exit('no database')"], os.environ)
