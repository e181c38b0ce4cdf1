"""`make demo`: every concern once, run by Airflow's scheduler against the local Back Market, and what came of it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.services.approval import ALL_OF_THEM, NONE_OF_THEM
from local import seller
from local.airflow_api import AirflowApi
from local.failure import LocalError, run_command
from local.settings import StackSettings, asked_port, free_port
from local.stack import running_stack
from local.summary import print_summary
from local.variables import TOGGLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.processes import Processes
    from local.stack import Stack


@dataclass(frozen=True)
class Step:
    """A DAG to run.

    :param before: what customers and the seller's own systems do before it.
    :param asked_by: a DAG that an earlier step's has started, to ask a person: the answer starts this step's.
    """

    dag_id: str
    before: Callable[[Stack], None] | None = None
    asked_by: str | None = None


# In this order: a later one builds on what an earlier one brought.
STEPS = (
    Step("backmarket_account"),
    Step("backmarket_seller_files", before=seller.propose_catalog),
    Step("backmarket_listings"),
    Step("backmarket_orders"),
    Step("backmarket_seller_files", before=seller.count_stock_and_set_prices),
    # Again: with the stock counted, paid orders can be accepted.
    Step("backmarket_orders"),
    Step("backmarket_seller_files", before=seller.ship_accepted_orders),
    Step("backmarket_tracking_imei"),
    Step("backmarket_inventory_prices"),
    Step("backmarket_seller_files", before=seller.tell_costs),
    Step("backmarket_backbox"),
    Step("backmarket_after_sales", before=seller.take_a_device_back),
    Step("backmarket_after_sales", asked_by="backmarket_refund_approval"),
    Step("backmarket_settlements", before=seller.export_statements),
)

_PARSE_SECONDS = 90.0
_RUN_SECONDS = 600.0
# A person takes longer, too. Airflow fails a task whose question is answered before the scheduler knows that it waits.
_READING_SECONDS = 4.0
_LOG_LINES = 15
_ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}


def demo() -> int:
    """Start the stack, run the steps, print the summary, stop the stack."""
    started = datetime.now(UTC)
    settings = StackSettings(
        port=asked_port("PORT") or free_port(),
        sandbox_port=asked_port("SANDBOX_PORT") or free_port(),
        # Each step is run by hand: what ran by itself beside it would keep it waiting.
        on_schedule=False,
    )
    with running_stack(settings) as stack:
        api = AirflowApi(stack.url, stack.user, stack.password)
        try:
            for name in TOGGLES:
                if api.switch_on(name):
                    print(f"{name} was off: switched on")
            for step in STEPS:
                if step.before:
                    step.before(stack)
                run_id = None
                if step.asked_by:
                    run_id = say_yes(api, stack.processes, step.asked_by, step.dag_id, started)
                run_step(api, stack.processes, step.dag_id, started, run_id)
        finally:
            api.close()
        print_summary(stack.warehouse_uri)
    seconds = (datetime.now(UTC) - started).total_seconds()
    print(f"\nAll went well, in {seconds:.0f} s. `make up` shows these runs in Airflow.")
    return 0


def say_yes(api: AirflowApi, processes: Processes, asking: str, answered: str, started: datetime) -> str:
    """Answer what a DAG asks, as a person who agrees to everything; return the run that the answer starts.

    :param asking: the DAG that asks.
    :param answered: the DAG that goes on with the answer.
    :param started: since when the question may have been put.
    :raises LocalError: if nothing is asked, or the answer starts nothing.
    """
    print(f"\n{asking}", flush=True)
    asked_at = datetime.now(UTC)
    deadline = time.monotonic() + _RUN_SECONDS
    put_at: dict[tuple[str, int], float] = {}
    while True:
        processes.check()
        # One that is left from a demo that was broken off stands in the way of the next.
        for question in api.questions():
            task = question["task_instance"]
            first_seen = put_at.setdefault((task["id"], task["try_number"]), time.monotonic())
            if task["dag_id"] == asking and time.monotonic() > first_seen + _READING_SECONDS:
                for option in question["options"]:
                    if option not in {ALL_OF_THEM, NONE_OF_THEM}:
                        print(f"  asks about {option}: yes", flush=True)
                api.answer(question, [ALL_OF_THEM])
        asked = api.runs_since(asking, started)
        if asked and all(run["state"] in _ENDED for run in asked):
            for run in api.runs_since(answered, asked_at):
                if run["run_type"] == "asset_triggered":
                    return str(run["dag_run_id"])
        if time.monotonic() > deadline:
            raise LocalError(f"{asking} did not lead to a run of {answered} within {_RUN_SECONDS:.0f} s.")
        time.sleep(0.5)


def run_step(api: AirflowApi, processes: Processes, dag_id: str, started: datetime, run_id: str | None = None) -> None:
    """Run one DAG and tell of each task as it ends.

    :param started: Airflow must have read the DAG's file after this moment, or it would run an older version.
    :param run_id: a run that has started already; None starts one.
    :raises LocalError: if a task fails, after printing the end of its log.
    """
    _wait_until_parsed(api, processes, dag_id, started)
    run_id = run_id or api.trigger(dag_id)
    print(f"\n{dag_id}", flush=True)
    told: set[str] = set()
    deadline = time.monotonic() + _RUN_SECONDS
    while True:
        processes.check()
        state = api.run_state(dag_id, run_id)
        tasks = api.tasks(dag_id, run_id)
        for task in tasks:
            _tell(task, told)
        if state == "success":
            return
        if state == "failed":
            _print_logs(api, dag_id, run_id, tasks)
            raise LocalError(f"\n{dag_id} failed at {', '.join(_failed(tasks)) or 'no task of its own'}.")
        if time.monotonic() > deadline:
            raise LocalError(f"{dag_id} is still {state} after {_RUN_SECONDS:.0f} s (run {run_id}).")
        time.sleep(0.5)


def _wait_until_parsed(api: AirflowApi, processes: Processes, dag_id: str, started: datetime) -> None:
    deadline = time.monotonic() + _PARSE_SECONDS
    while not api.is_parsed(dag_id, since=started):
        processes.check()
        if errors := api.import_errors():
            raise LocalError("Airflow cannot load: " + "; ".join(errors))
        if time.monotonic() > deadline:
            raise LocalError(f"Airflow found no DAG {dag_id} within {_PARSE_SECONDS:.0f} s.")
        time.sleep(0.5)


def _tell(task: dict[str, Any], told: set[str]) -> None:
    """Print a line when a task ended, and when it failed but is to be tried again."""
    name, state = task["task_id"], task["state"]
    line = f"{name} {state} {task['try_number']}"
    if line in told or state not in _ENDED | {"up_for_retry"}:
        return
    told.add(line)
    duration = f"{task['duration']:.1f} s" if task["duration"] is not None else ""
    print(f"  {name:28} {state.replace('_', ' '):16} {duration:>8}", flush=True)


def _failed(tasks: list[dict[str, Any]]) -> list[str]:
    return [task["task_id"] for task in tasks if task["state"] == "failed"]


def _print_logs(api: AirflowApi, dag_id: str, run_id: str, tasks: list[dict[str, Any]]) -> None:
    for task in tasks:
        if task["state"] == "failed":
            print(f"\nThe end of the log of {task['task_id']}:")
            for line in list(api.log(dag_id, run_id, task))[-_LOG_LINES:]:
                print(f"  {line}")


if __name__ == "__main__":
    sys.exit(run_command(demo))
