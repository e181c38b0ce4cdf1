"""Calls `make` as a person does, for a stack in a folder of the test's own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# A group of processes of their own, as a terminal makes, without what a make around the tests passes on.
AS_A_PERSON: dict[str, Any] = {
    "env": {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "AIRFLOW"))},
    "start_new_session": True,
    "text": True,
}
_PYTHON = """#!/bin/sh
exec {python} {program} "$@"
"""
_PROGRAM = """
import pathlib, runpy, sys

sys.path[0] = ""
from local import bootstrap

bootstrap.STATE = pathlib.Path({state!r})
sys.argv[:2] = []
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def in_folder(folder: Path) -> tuple[str, ...]:
    """Arguments of make for a stack whose state lies in `folder`/state, in the environment that runs the tests."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program = folder / "with_state.py"
    program.write_text(_PROGRAM.format(state=str(folder / "state")))
    python = programs / "python"
    python.write_text(_PYTHON.format(python=sys.executable, program=program))
    python.chmod(0o755)
    return f"BIN={programs}", "BOOTSTRAP=true"
