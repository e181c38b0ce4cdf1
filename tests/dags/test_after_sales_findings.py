"""What statements, refunds, returns and conversations do not explain of each other is found, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.dags.test_refunds import SHIPPED, order, row
from tests.dags.test_settlements import database, inbox, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    Database = psycopg.Connection[Any]

__all__ = ["database", "inbox", "sandbox"]

KINDS = {"refund_not_in_statement", "refund_without_refunded_line", "returned_not_refunded", "refunded_not_returned"}


def _open(database: Database) -> set[tuple[str, int]]:
    query = b"select kind, order_id from backmarket.settlement_findings where status = 'open'"
    return set(database.execute(query).fetchall())


def test_every_planted_difference_after_the_sale_is_found_and_nothing_else(
    connected: Sandbox,
    inbox: Path,
    database: Database,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
) -> None:
    """Precision and recall are 100 %: also a part that stands in a statement, and a return of it, are no finding."""
    switch_on(
        "order_download",
        "care_download",
        "refund_upload",
        "settlement_download",
        initial_lookback_days=400,
        care_lookback_days=400,
        returns_lookback_days=400,
        refund_approval_above=1_000_000,
        refund_approval_above_a_day="",
        settlement_inbox=inbox.as_uri(),
        settlement_due_days=5,
    )
    run_dag("backmarket_orders")
    for amount in ("20", "15", "10"):
        order_id, _ = order(connected, SHIPPED)
        row(database, order_id, amount=amount, currency="EUR")
    assert run_dag("backmarket_after_sales").xcoms["refund_upload"]["confirmed"] == 3
    connected.advance_clock(14 * 86_400)
    connected.write_statements(inbox, planted_after_sales=True)
    planted = json.loads((inbox.parent / "inbox.planted.json").read_text())["differences"]
    due = datetime.now(UTC).date() - timedelta(days=30)
    expected = {
        (each["kind"], each["order_id"])
        for each in planted
        if each["kind"] != "refunded_not_returned" or each["row_date"] < due.isoformat()
    }
    assert {kind for kind, _ in expected} == KINDS
    # Only now: one of the planted returns has a day of long ago.
    switch_on("returns_download")
    run_dag("backmarket_orders")
    run_dag("backmarket_after_sales")
    run = run_dag("backmarket_settlements")
    assert run.state == "success"
    assert _open(database) == expected
