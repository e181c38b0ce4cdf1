"""Processor time of reading the DAG files, beyond importing Airflow, as the DAG processor does.

It forks a process for each file, which has imported what the DAG processor itself imports and nothing of ours, and puts
each DAG into the form in which it is stored.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from benchmarks.figures import Figure, show
from benchmarks.orders import PROJECT
from local.machine_speed import SpeedMeter

SECONDS = 1.0
# [dag_processor] min_file_process_interval is 30 s unless somebody changes it: each file is read so often.
_READINGS_AN_HOUR = 3600 // 30
_TRIES = 3


def figures() -> list[Figure]:
    """Measure; the least of some tries, against a bound that is of a machine at its full speed."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "benchmarks.dag_files", "read"]
        with SpeedMeter() as meter:
            output = subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True)
    of_files: dict[str, float] = json.loads(output.stdout.splitlines()[-1])
    seconds = sum(of_files.values())
    worst = max(of_files, key=lambda name: of_files[name])
    return [
        Figure(
            f"{len(of_files)} DAG files read once, each in a process of its own: processor time",
            f"{seconds:.2f} s; {seconds * _READINGS_AN_HOUR:.0f} s an hour",
            f"most: {worst}, {of_files[worst]:.2f} s; at full speed {seconds / meter.slowness:.2f} s",
            f"{SECONDS:.0f} s at full speed",
            kept=seconds / meter.slowness <= SECONDS,
        )
    ]


def _read_all() -> dict[str, float]:
    # Nothing of it is used: what the DAG processor has imported, no file imports again.
    import airflow.dag_processing.manager  # noqa: F401
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    found: dict[str, float] = {}
    for path in sorted((PROJECT / "dags").glob("*.py")):
        for _ in range(_TRIES):
            before = os.times()
            if (pid := os.fork()) == 0:
                bag = DagBag(path)
                for dag in bag.dags.values():
                    DagSerialization.to_dict(dag)
                os._exit(0 if bag.dags and not bag.import_errors else 1)
            _, status = os.waitpid(pid, 0)
            after = os.times()
            if status:
                raise SystemExit(f"{path.name} could not be read.")
            seconds = after.children_user + after.children_system - before.children_user - before.children_system
            found[path.name] = min(seconds, found.get(path.name, seconds))
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["read"]:
        sys.stdout.write(json.dumps(_read_all()) + "\n")
    else:
        sys.exit(0 if show(figures()) else 1)
