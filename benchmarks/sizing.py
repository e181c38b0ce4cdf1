"""What accounts cost an Airflow: reading their DAGs, and the tasks of a day.

``python -m benchmarks.sizing 500`` for 500 accounts. Seconds are of one processor; no database and no network is used.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.table import Table

from backmarket.concerns import CONCERNS
from backmarket.dags import create_dags, create_dags_of_accounts

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def main() -> None:
    """Measure, and print a table about the DAG processor and one about the scheduler."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    console = Console()
    console.print(_cost_of_reading(accounts))
    console.print(_day_of_an_account())


def _cost_of_reading(accounts: int) -> Table:
    from airflow.serialization.serialized_objects import DagSerialization

    create_dags()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "accounts.yml"
        file.write_text("accounts:\n" + "".join(f"  shop{number}:\n" for number in range(accounts)))
        dags, making = _timed(lambda: create_dags_of_accounts(file))
        _, noting = _timed(lambda: [DagSerialization.to_dict(dag) for dag in dags.values()])
        os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "backmarket_shop0_orders"
        _, own = _timed(lambda: create_dags_of_accounts(file))
        del os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"]
    table = _table(f"{accounts} accounts, {len(dags):,} DAGs", "what", "seconds")
    table.add_row("the DAG processor makes all DAGs", f"{making:.1f}")
    table.add_row("and writes them down for the scheduler", f"{noting:.1f}")
    table.add_row("a task makes its own DAG alone", f"{own:.3f}")
    return table


def _day_of_an_account() -> Table:
    table = _table("One account, a day by schedule", "DAG", "runs", "tasks a run", "tasks")
    total = 0
    for concern, dag in zip(CONCERNS, create_dags().values(), strict=True):
        runs = _runs_a_day(concern.cron)
        total += runs * len(dag.tasks)
        table.add_row(concern.stem, str(runs), str(len(dag.tasks)), f"{runs * len(dag.tasks):,}")
    table.add_row("all, where everything is on", "", "", f"{total:,}")
    return table


def _runs_a_day(cron: str) -> int:
    from croniter import croniter_range

    return sum(1 for _ in croniter_range(_NOON, _NOON + timedelta(days=1, seconds=-1), cron)) if cron else 0


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = process_time()
    return work(), process_time() - began


def _table(title: str, *headings: Any) -> Table:
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


if __name__ == "__main__":
    main()
