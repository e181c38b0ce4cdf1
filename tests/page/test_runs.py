"""The page's "What runs": one row is one run, backfills stand apart, and a failure says why."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from backmarket.failure_alert import CAUSE
from backmarket.warehouse.ledger import Ledger, PlannedChange

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]

ORDERS = "backmarket_orders"
PRICES = "backmarket_inventory_prices"


def add_run(
    tasks: dict[str, str],
    *,
    dag_id: str = ORDERS,
    run_id: str = "",
    run_type: str = "scheduled",
    state: str = "success",
    began: timedelta = timedelta(minutes=5),
    xcoms: dict[tuple[str, str], Any] | None = None,
    backfill_id: int | None = None,
) -> str:
    """Note a run in Airflow's tables, newer than all others there, and return its id.

    :param tasks: the state of each task; ``name[3]`` is an instance of a mapped one.
    :param began: how long ago.
    :param xcoms: by task and key.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import insert, select

    run_id = run_id or f"{run_type}__{uuid4()}"
    moment = datetime.now(UTC) - began
    with create_session() as session:
        run = {"dag_id": dag_id, "run_id": run_id, "run_type": run_type, "state": state, "backfill_id": backfill_id}
        times = {"run_after": moment, "start_date": moment, "logical_date": None}
        session.execute(insert(DagRun.__table__).values(**run, **times))
        key = session.scalar(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        for name, task_state in tasks.items():
            task_id, _, index = name.rstrip("]").partition("[")
            session.execute(
                insert(TaskInstance.__table__).values(
                    id=uuid4(),
                    dag_id=dag_id,
                    run_id=run_id,
                    task_id=task_id,
                    map_index=int(index or -1),
                    state=task_state or None,
                    pool="default_pool",
                    pool_slots=1,
                    start_date=moment,
                    end_date=moment,
                )
            )
        for (name, xcom), value in (xcoms or {}).items():
            task_id, _, index = name.rstrip("]").partition("[")
            of_task = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": int(index or -1)}
            session.execute(
                insert(XComModel.__table__).values(**of_task, dag_run_id=key, key=xcom, value=value, timestamp=moment)
            )
    return run_id


def add_backfill(*states: str, dag_id: str = ORDERS, days_ago: int = 0) -> None:
    """Note a backfill and its runs."""
    from airflow.models.backfill import Backfill
    from airflow.utils.session import create_session

    asked = datetime.now(UTC) - timedelta(days=days_ago)
    with create_session() as session:
        first, last = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
        made = Backfill(dag_id=dag_id, from_date=first, to_date=last, created_at=asked)
        session.add(made)
        session.flush()
        backfill_id = made.id
    for state in states:
        task = {"order_download": "failed" if state == "failed" else "success"}
        add_run(task, dag_id=dag_id, run_type="backfill", state=state, backfill_id=backfill_id)


def row_of(page: str, title: str) -> str:
    """Return a switch's row, without markup."""
    rows = re.findall(r"<tr>(.*?)</tr>", page[page.index('class="concerns"') :], flags=re.DOTALL)
    row = next(row for row in rows if f'<th scope="row">{title}' in row)
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


@pytest.fixture(autouse=True)
def no_backfills(airflow_database: None) -> None:
    """Each test begins without backfills."""
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun))
        session.execute(delete(Backfill))


@pytest.fixture
def viewer(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], dags_of: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """Read the page of an account whose main switch is on, with its DAGs running."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "on")
    dags_of("default")
    with create_session() as session:
        soon = datetime.now(UTC) + timedelta(minutes=4, seconds=30)
        session.execute(update(DagModel).values(is_paused=False, next_dagrun_create_after=soon))
    reader = signed_in("viewer")

    def read(path: str = "") -> str:
        answer = reader.get(f"/backmarket/{path}")
        assert answer.status_code == 200
        return answer.text

    return read


def test_a_later_backfill_hides_no_failure(viewer: Callable[[], str]) -> None:
    """The newest run that is no backfill's is judged; the backfill is told apart, running or over."""
    add_run({"order_download": "failed"}, state="failed")
    add_backfill("success", "success", "running")
    page = viewer()
    assert "1 task failed" in page
    assert row_of(page, "Orders in").startswith("Orders in failed 5 minutes ago")
    assert "none of 3 failed, 1 to go" in page
    assert "Backfills with failed runs" not in page


def test_a_failed_backfill_is_no_failure_of_today(viewer: Callable[[], str]) -> None:
    """It is something to look at, named as what it is, with its link; a newer backfill does not hide it."""
    add_run({"order_download": "success"})
    add_backfill(*["failed"] * 3, *["success"] * 27)
    add_backfill("success")
    add_backfill("failed", days_ago=15)
    page = viewer()
    assert "1 thing to look at" in page
    assert "task failed" not in page
    assert page.count(f'href="/dags/{ORDERS}/backfills"') == 2
    assert "3 of 30 failed" in page
    assert "Backfills with failed runs" in page
    assert row_of(page, "Orders in").startswith("Orders in success")


def test_a_new_run_hides_a_failure_only_once_it_has_come_to_that_task(viewer: Callable[[], str]) -> None:
    """While it is under way, what failed before is still what is known."""
    add_run({"order_download": "success", "quarantine_check": "failed"}, state="failed", began=timedelta(minutes=15))
    newer = add_run({"order_download": "running", "quarantine_check": ""}, state="running")
    page = viewer()
    assert "1 task failed" in page
    assert "/tasks/quarantine_check" in page
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        of_newer = update(TaskInstance).where(TaskInstance.run_id == newer)
        session.execute(of_newer.values(state="success"))
    assert "task failed" not in viewer()


def test_a_failed_task_says_why_on_its_card(viewer: Callable[[], str]) -> None:
    """Of several with one cause it is said once; a mapped task's link leads to the instance that failed."""
    wrong = "VariableError: Variable backmarket_dry_run is 'x', which cannot be used."
    tasks = {"inventory_plan": "failed", "prices_plan": "failed", "price_batch_results": "failed"}
    causes: dict[tuple[str, str], Any] = {("inventory_plan", CAUSE): wrong, ("prices_plan", CAUSE): wrong}
    add_run(tasks, dag_id=PRICES, state="failed", xcoms=causes)
    mapped = {"active_listing_download[0]": "success", "active_listing_download[3]": "failed"}
    add_run(
        mapped,
        dag_id="backmarket_listings",
        state="failed",
        xcoms={("active_listing_download[3]", CAUSE): "ServerError: de-de is <down>"},
    )
    page = viewer()
    assert "4 tasks failed" in page
    assert page.count("VariableError: Variable backmarket_dry_run is") == 1
    assert "ServerError: de-de is &lt;down&gt;" in page
    assert "/tasks/active_listing_download/mapped/3" in page


def test_a_row_is_one_run(viewer: Callable[[], str], warehouse: psycopg.Connection[Any]) -> None:
    """Time, outcome and counts are of one run and one switch, whatever else the DAG did and the ledger holds."""
    older = add_run(
        {"inventory_upload": "success", "prices_upload": "success"},
        dag_id=PRICES,
        began=timedelta(hours=1),
        xcoms={("prices_upload", "return_value"): {"confirmed": 77, "requests": 9}},
    )
    Ledger(warehouse, "default", "price").plan([PlannedChange("A", {}, "fr-fr", "refused", "too dear")], run_id=older)
    newest = add_run(
        {
            "inventory_upload": "failed",
            "prices_upload": "success",
            "price_batch_results": "success",
            "inventory_upload_gate": "success",
        },
        dag_id=PRICES,
        state="failed",
        xcoms={
            ("prices_upload", "return_value"): {"confirmed": 3, "in_batches": 2, "not_sent": ["x"], "requests": 9},
            ("price_batch_results", "return_value"): {"confirmed": 2},
        },
    )
    moves = [PlannedChange("B", {"price": "1"}, "fr-fr", "awaiting_approval")]
    Ledger(warehouse, "default", "price").plan(moves, run_id=newest)
    page = viewer()
    prices, quantities = row_of(page, "Prices out"), row_of(page, "Quantities out")
    assert re.match(
        r"Prices out success 5 minutes ago 5 confirmed, 2 in batches, 1 awaiting approval 5 minutes ago in 4 minutes",
        prices,
    )
    assert quantities.startswith("Quantities out failed 5 minutes ago — an hour ago") or "1 hour ago" in quantities
    assert f"runs/{newest.replace(':', '%3A').replace('+', '%2B')}/tasks/prices_upload" in page


def test_a_row_says_why_nothing_was_done(viewer: Callable[[], str], warehouse: psycopg.Connection[Any]) -> None:
    """Off, behind a failed task, or a dry run, whose plan is counted."""
    run_id = add_run(
        {
            "inventory_upload_gate": "skipped",
            "inventory_upload": "skipped",
            "prices_upload_gate": "success",
            "prices_upload": "skipped",
        },
        dag_id=PRICES,
        xcoms={("inventory_upload_gate", "reason"): "backmarket_inventory_upload off: set to true"},
    )
    Ledger(warehouse, "default", "price").plan([PlannedChange("A", {}, "fr-fr", "dry_run")], run_id=run_id)
    add_run({"prepare_warehouse": "failed", "order_download": "upstream_failed"}, state="failed")
    page = viewer()
    assert "backmarket_inventory_upload off: set to true" in row_of(page, "Quantities out")
    assert "1 dry run" in row_of(page, "Prices out")
    assert "never" in row_of(page, "Prices out")
    assert "not reached: a task before it failed" in row_of(page, "Orders in")
    assert "Tracking out backmarket_tracking_imei — never" in row_of(page, "Tracking out")


def test_a_backfill_is_no_last_success(viewer: Callable[[], str], warehouse: psycopg.Connection[Any]) -> None:
    """Nor is a report that one has stored; what the database remembers counts where Airflow has forgotten."""
    add_run({"settlement_download": "success"}, dag_id="backmarket_settlements", run_type="backfill")
    warehouse.execute(
        "insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html) "
        "values ('default', 'backfill__1', current_date, current_date, '')"
    )
    warehouse.execute(
        "insert into backmarket.sync_state (account, concern, succeeded_at) "
        "values ('default', 'orders', now() - interval '3 days')"
    )
    page = viewer()
    assert "never" in row_of(page, "Settlements in")
    assert "3 days ago" in row_of(page, "Orders in")


@pytest.mark.parametrize(
    ("due", "state", "told"),
    [
        (timedelta(minutes=4, seconds=30), "success", "in 4 minutes"),
        (timedelta(seconds=-20), "success", "now"),
        (timedelta(minutes=-20), "running", "after this run"),
        (timedelta(minutes=-20), "success", "overdue by 20 minutes"),
    ],
)
def test_the_next_run_is_a_time_to_come(viewer: Callable[[], str], due: timedelta, state: str, told: str) -> None:
    """Or it says that it is overdue; one that is due while another runs waits for that."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    add_run({"order_download": state}, state=state)
    with create_session() as session:
        session.execute(update(DagModel).values(next_dagrun_create_after=datetime.now(UTC) + due))
    assert row_of(viewer(), "Orders in").endswith(told)


def test_variables_that_nobody_reads_are_told(viewer: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the nearest name, and never in another account's name."""
    from airflow.models.variable import Variable

    Variable.set("backmarket_orderdownload", "true")
    Variable.set("backmarket_max_qty", "3")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SAFETYQTY", "1")
    page = viewer()
    assert "Variables that nobody reads" in page
    assert "did you mean backmarket_order_download?" in page
    assert "did you mean backmarket_safety_qty?" in page
    assert "2 things to look at" in page


def test_the_page_says_what_holds_the_connections(
    viewer: Callable[[], str], warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits under Admin → Connections would be ignored."""
    page = viewer()
    assert "backmarket_warehouse: set by environment, where Admin → Connections changes nothing" in page
    assert "backmarket_default: Admin → Connections" in page
    warehouse.execute(
        "insert into backmarket.accounts (account, host, token_fingerprint, conn_id) "
        "values ('default', 'www.backmarket.fr', 'f', 'my_account')"
    )
    monkeypatch.setenv("AIRFLOW_CONN_MY_ACCOUNT", "backmarket://s3cr3t@example.com")
    page = viewer()
    assert "my_account: set by environment" in page
    assert "s3cr3t" not in page


def test_all_accounts_count_failures_as_each_page_does(viewer: Callable[..., str]) -> None:
    """A backfill neither hides one nor is one."""
    add_run({"order_download": "failed"}, state="failed")
    add_backfill("success", "failed")
    assert "1 failed task<" in viewer("accounts")
