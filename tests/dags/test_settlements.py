"""``backmarket_settlements`` inside Airflow: statement files of a running Back Market, its orders, PostgreSQL."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.rules.settlements.kinds import KINDS
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.conftest import read_dags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.dag_processing.dagbag import DagBag

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

AFTER_SALES = {"refund_not_in_statement", "returned_not_refunded", "refunded_not_returned"}
"""Kinds of findings that ``test_after_sales_findings.py`` plants."""


@pytest.fixture
def database(warehouse_uri: str) -> Iterator[psycopg.Connection[Any]]:
    """A look into the operational database."""
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Back Market with orders enough for a difference of every kind, each in an order of its own."""
    with running_sandbox(SandboxConfig(orders=300, listings=40)) as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An empty inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def settlements(
    connected: Sandbox, inbox: Path, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> Callable[..., Run]:
    """Run ``backmarket_settlements`` with its toggle on and that inbox."""
    switch_on("order_download", "settlement_download", initial_lookback_days=400, settlement_inbox=inbox.as_uri())
    return lambda **conf: run_dag("backmarket_settlements", **conf)


def _all(database: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return database.execute(query.encode()).fetchall()


def _open(database: psycopg.Connection[Any]) -> set[tuple[Any, ...]]:
    return set(
        _all(database, "select kind, order_id, currency from backmarket.settlement_findings where status = 'open'")
    )


def test_every_planted_difference_is_found_and_nothing_else(
    settlements: Callable[..., Run],
    run_dag: Callable[..., Run],
    connected: Sandbox,
    inbox: Path,
    database: psycopg.Connection[Any],
) -> None:
    """Precision and recall are 100 % for every kind, in five styles, with one file twice and one in two exports.

    A second run changes nothing.
    """
    connected.write_statements(inbox, planted=True)
    planted = json.loads((inbox.parent / "inbox.planted.json").read_text())["differences"]
    run_dag("backmarket_orders")
    run = settlements()
    assert run.state == "success", run.tasks
    expected = {(each["kind"], each["order_id"], each["currency"]) for each in planted}
    assert {kind for kind, *_ in expected} == set(KINDS) - AFTER_SALES
    assert _open(database) == expected
    amounts = {
        (kind, order): (expected, actual)
        for kind, order, expected, actual in _all(
            database, "select kind, order_id, expected, actual from backmarket.settlement_findings"
        )
    }
    for each in planted:
        # There the record says the currencies: the amount is the order's own.
        if each["kind"] != "currency_mismatch":
            found = amounts[each["kind"], each["order_id"]]
            assert [value and str(value) for value in found] == [each["expected"], each["actual"]]
    again = settlements()
    assert again.xcoms["settlement_download"]["new_lines"] == 0
    assert again.xcoms["reconciliation"]["changed"] == again.xcoms["reconciliation"]["closed"] == 0


def test_honest_statements_leave_no_finding(
    settlements: Callable[..., Run],
    run_dag: Callable[..., Run],
    connected: Sandbox,
    inbox: Path,
    database: psycopg.Connection[Any],
) -> None:
    """Packed or not, in folders or not, read from orders known or asked for by id: all is explained."""
    files = [Path(path) for path in connected.write_statements(inbox)]
    (inbox / "2026" / "autumn").mkdir(parents=True)
    packed, zipped, *_ = files
    (inbox / "2026" / f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    with zipfile.ZipFile(inbox / "2026" / "autumn" / "one.zip", "w") as archive:
        archive.write(zipped, f"folder/{zipped.name}")
    zipped.unlink()
    run = settlements()
    assert run.state == "success", run.tasks
    assert run.xcoms["settlement_download"]["loaded"] == len(files)
    assert run.xcoms["settlement_order_read"]["new"] > 50
    assert _open(database) == set()
    (html,) = _all(database, "select html from backmarket.settlement_reports")[0]
    assert "<svg" in html
    assert 'src="' not in html
    assert "<script" not in html


def test_odd_rows_are_loaded_and_flagged(
    settlements: Callable[..., Run],
    inbox: Path,
    database: psycopg.Connection[Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Rows of nothing, an order id of another kind, no date: the file is loaded, each odd row is one finding.

    What stands in place of an order id is in the table alone; the other file, with rounded ids, is refused.
    """
    header = "invoice_key;value_date;sku;order_id;designation;amount;currency"
    fee = "ccbm_fees;2026-09-08;;;Care;-1,00;EUR"
    (inbox / "20260914-EU-H-1.csv").write_text(
        "\n".join(
            [
                header,
                *[fee] * 40,
                ";;;;;;",
                "sales;2026-09-08;S;victor@example.com;Phone;10,00;EUR",
                "adjustment;;S;;Phone;2,50;EUR",
                " ; ; ",
                ";;;;;;",
            ]
        )
    )
    run = settlements()
    assert run.state == "success", run.tasks
    assert run.xcoms["settlement_download"] | {"seconds": 0} == {
        "files": 1,
        "loaded": 1,
        "new_lines": 42,
        "unreadable": 0,
        "files_left": [],
        "seconds": 0,
    }
    assert _all(database, "select total::text from backmarket.settlement_statements") == [("-27.50",)]
    assert _open(database) == {("unknown_order_reference", None, "EUR"), ("no_value_date", None, "EUR")}
    reference = "select order_reference from backmarket.settlement_lines where order_reference is not null"
    assert _all(database, reference) == [("victor@example.com",)]
    (html,) = _all(database, "select html from backmarket.settlement_reports")[0]
    assert "victor" not in html + "".join(capfd.readouterr()) + json.dumps(run.xcoms, default=str)
    (inbox / "20260921-EU-H-2.csv").write_text(f"{header}\nsales;2026-09-15;S;7,48E+07;Phone;10,00;EUR")
    again = settlements()
    assert again.xcoms["settlement_download"]["unreadable"] == 1
    assert again.tasks["settlement_check"] == "failed"


def test_without_an_inbox_what_is_loaded_is_compared_all_the_same(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download skips itself where its folder is missing; orders have changed since the last statement."""
    monkeypatch.setattr("backmarket.hooks.inbox._ROOT", Path("/nowhere/plugins"))
    switch_on("settlement_download")
    run = run_dag("backmarket_settlements")
    assert run.state == "success"
    assert (run.tasks["settlement_download"], run.tasks["reconciliation"]) == ("skipped", "success")


def test_without_its_storage_orders_are_compared_all_the_same(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], tmp_path: Path
) -> None:
    """What is loaded is compared with the orders that have changed, and reported; the run ends red."""
    switch_on("settlement_download", settlement_inbox=(tmp_path / "nowhere").as_uri())
    run = run_dag("backmarket_settlements")
    assert run.state == "failed"
    tasks = ("settlement_download", "reconciliation", "settlement_check", "quarantine_check")
    assert [run.tasks[task] for task in tasks] == ["failed", "success", "success", "upstream_failed"]


def test_without_its_switch_nothing_is_compared(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """The turn of the comparison comes behind the switch, too."""
    switch_on("order_download")
    run = run_dag("backmarket_settlements")
    assert {state for task, state in run.tasks.items() if task != "announce_settlements"} == {"skipped"}


def test_the_check_follows_the_account(
    connected: Sandbox,
    inbox: Path,
    switch_on: Callable[..., None],
    dag_bag: DagBag,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An ambiguous file fails the check of the account that has it, and the report's link leads to that account."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "second.py").write_text(
        "# Airflow\nfrom backmarket.dags import create_dag\ndag = create_dag('settlements', 'second')\n"
    )
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_SECOND", os.environ["AIRFLOW_CONN_BACKMARKET_DEFAULT"])
    switch_on("settlement_download", settlement_inbox=inbox.as_uri())
    (inbox / "export.csv").write_text(
        "invoice_key,value_date,sku,order_id,designation,amount,currency\nsales,01/09/2026,S,1,Phone,10.00,EUR\n"
    )
    (inbox / "20260914-EU-H-1.csv").write_text(
        "invoice_key,value_date,sku,order_id,designation,amount,currency\nccbm_fees,2026-09-08,,,Care,-1.00,EUR\n"
    )
    run = read_dags(tmp_path / "dags").dags["backmarket_second_settlements"].test()
    instances = run.get_task_instances()
    states = {ti.task_id: str(ti.state) for ti in instances}
    (report,) = (ti for ti in instances if ti.task_id == "settlement_report")
    link = report.xcom_pull(task_ids="settlement_report", key="_link_BackMarketSettlementReportLink")
    assert "/backmarket/reports/runs/manual__" in link
    assert link.endswith("?account=second")
    assert states["reconciliation"] == "success"
    assert states["settlement_check"] == "failed"
    assert str(run.state) == "failed"
