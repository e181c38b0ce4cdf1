"""``backmarket_settlements`` inside Airflow: statement files of a running Back Market, its orders, PostgreSQL."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


@pytest.fixture
def database(warehouse_uri: str) -> Iterator[psycopg.Connection[Any]]:
    """A look into the operational database."""
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        yield connection


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
    """Precision and recall are 100 % on statements in five styles with one file twice; a second run changes nothing."""
    connected.write_statements(inbox, planted=True)
    planted = json.loads((inbox.parent / "inbox.planted.json").read_text())["differences"]
    run_dag("backmarket_orders")
    run = settlements()
    assert run.state == "success", run.tasks
    expected = {(each["kind"], each["order_id"], each["currency"]) for each in planted}
    assert len(expected) >= 10
    assert _open(database) == expected
    amounts = {
        (kind, order): (expected, actual)
        for kind, order, expected, actual in _all(
            database, "select kind, order_id, expected, actual from backmarket.settlement_findings"
        )
    }
    for each in planted:
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
