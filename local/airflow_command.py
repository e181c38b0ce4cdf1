"""`make airflow ARGS="…"`: a command of Airflow's, in the stack that `make up` has running."""

from __future__ import annotations

import os
import sys

from local.airflow_env import program, saved_environment
from local.bootstrap import STACK_LOCK, STATE
from local.failure import LocalError, run_command
from local.lock import is_held


def airflow() -> int:
    """Become the command.

    :raises LocalError: where no stack runs: its PostgreSQL holds all that the command would look at.
    """
    if not sys.argv[1:]:
        raise LocalError('Say what Airflow is to do, as in: make airflow ARGS="dags list".')
    try:
        environment = saved_environment(STATE) if is_held(STATE / STACK_LOCK) else {}
    except OSError:
        environment = {}
    if not environment:
        raise LocalError(
            "The stack does not run, so its PostgreSQL does not: run `make up` in another terminal, and wait until it "
            "has said where Airflow is."
        )
    os.execve(program("airflow"), ["airflow", *sys.argv[1:]], environment)  # noqa: S606 - the point of it


if __name__ == "__main__":
    sys.exit(run_command(airflow))
