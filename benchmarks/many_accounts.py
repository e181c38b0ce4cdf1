"""Many accounts on one Airflow: how long their DAGs take to be read, and what they cost the scheduler.

``python -m benchmarks.many_accounts 500`` starts a DAG processor and a scheduler on a PostgreSQL of their own. No task
is run, as the pool has no slots. All DAGs are due at once, which is the worst moment there is.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from backmarket.concerns import CONCERNS
from local.airflow_env import airflow_environment, load_secrets, program
from local.postgres import embedded_postgres, ensure_database
from local.processes import supervised
from local.settings import StackSettings, free_port

if TYPE_CHECKING:
    from local.processes import Processes

_ACCOUNTS_A_FILE = 50
_MOST_SECONDS = 1800.0
_DAG_FILE = '''"""DAGs of some accounts, for Airflow."""

from pathlib import Path

from backmarket.dags import create_dags_of_accounts

globals().update(create_dags_of_accounts(Path(__file__).with_suffix(".yml")))
'''


def main() -> None:
    """Start it, wait, and print a table."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        dags = _write_dag_files(state / "dags", accounts)
        with supervised(state) as processes, embedded_postgres(state / "postgres") as uri:
            settings = StackSettings(free_port(), free_port(), state, dags)
            metadata = ensure_database(uri, "airflow")
            environment = airflow_environment(
                settings, load_secrets(state), metadata_uri=metadata, warehouse_uri=ensure_database(uri, "backmarket")
            ) | {
                "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
                "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "600",
                "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
            }
            processes.run("migrate", [program("airflow"), "db", "migrate"], environment)
            processes.run("no-slots", [program("airflow"), "pools", "set", "default_pool", "0", ""], environment)
            with psycopg.connect(metadata, autocommit=True) as connection:
                Console().print(_measure(processes, environment, connection, accounts))


def _measure(
    processes: Processes, environment: dict[str, str], connection: psycopg.Connection[Any], accounts: int
) -> Table:
    scheduled = sum(1 for concern in CONCERNS if concern.cron)
    table = Table(title=f"{accounts} accounts, {accounts * len(CONCERNS):,} DAGs", title_justify="left")
    for heading in ("what", "seconds", "of one processor"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, what, query, wanted in (
        ("dag-processor", "all DAGs are read and written down", "select count(*) from dag", accounts * len(CONCERNS)),
        ("scheduler", "all that are due have a run", "select count(*) from dag_run", accounts * scheduled),
    ):
        arguments = ("--skip-serve-logs",) if name == "scheduler" else ()
        processes.start(name, [program("airflow"), name, *arguments], environment)
        seconds = _wait_for(connection, query, wanted)
        table.add_row(what, f"{seconds:.0f}", f"{_processor_seconds(name):.0f}")
        if name == "scheduler":
            before = _processor_seconds(name)
            time.sleep(60)
            table.add_row("a minute of the scheduler after that", "60", f"{_processor_seconds(name) - before:.0f}")
        processes.kill(name)
    return table


def _write_dag_files(folder: Path, accounts: int) -> Path:
    folder.mkdir()
    for start in range(0, accounts, _ACCOUNTS_A_FILE):
        names = range(start, min(start + _ACCOUNTS_A_FILE, accounts))
        (folder / f"accounts_{start}.py").write_text(_DAG_FILE)
        (folder / f"accounts_{start}.yml").write_text("accounts:\n" + "".join(f"  shop{name}:\n" for name in names))
    return folder


def _wait_for(connection: psycopg.Connection[Any], query: str, wanted: int) -> float:
    began = time.monotonic()
    while connection.execute(query.encode()).fetchone() != (wanted,):
        if time.monotonic() - began > _MOST_SECONDS:
            raise TimeoutError(f"{query}: not {wanted} after {_MOST_SECONDS:.0f} s.")
        time.sleep(0.5)
    return time.monotonic() - began


def _processor_seconds(name: str) -> float:
    """What the processes of one part of Airflow have used, those that have ended included."""
    ours = [each for each in psutil.Process().children(recursive=True) if name in " ".join(_command_line(each))]
    return sum(sum(each.cpu_times()[:4]) for each in ours)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        found: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return found


if __name__ == "__main__":
    main()
