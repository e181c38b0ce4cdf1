"""Refunds above an amount, or above a sum a day, wait for a person; what was approved goes out if still wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from backmarket.services.approval import record_answer
from backmarket.warehouse import refund_approval
from tests.dags.test_refunds import SHIPPED, applied, ledger, order, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run
    from tests.dags.test_refunds import Database


def test_by_default_a_person_sees_every_refund(
    connected: Sandbox, database: Database, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """What is approved goes out with the next run, for exactly that amount; what is declined does not."""
    switch_on("refund_upload")
    lines = {}
    for amount in ("20", "30"):
        order_id, (line,) = order(connected, SHIPPED)
        row(database, order_id, amount=amount, currency="EUR")
        lines[line] = amount
    run = run_dag("backmarket_after_sales")
    assert (run.state, run.xcoms["ask_for_refund_approval"]) == ("success", 2)
    assert applied(connected) == []
    assert {status for _, status, *_ in ledger(database)} == {"awaiting_approval"}
    asked = refund_approval.DESK.ask(
        database, "default", run_id="r", decided_since=datetime.now(UTC) - timedelta(days=7)
    )
    (wanted,) = [each for each in asked if each.amount == 20]
    assert wanted.option == f"order {wanted.order_id}, line {wanted.orderline_id}: refund 20.00 EUR"
    record_answer(database, "default", refund_approval.DESK, asked, {wanted.option}, run_id="r", decided_by="kim")
    assert run_dag("backmarket_after_sales").state == "success"
    assert applied(connected) == [(wanted.orderline_id, Decimal("20.00"))]
    refused = [reason for _, status, amount, reason in ledger(database) if status == "refused"]
    assert [reason.startswith("declined by kim on ") for reason in refused] == [True]
    # Another amount is another question.
    database.execute(b"update seller.refunds set amount = 31 where amount = 30")
    assert run_dag("backmarket_after_sales").xcoms["ask_for_refund_approval"] == 1
    assert len(applied(connected)) == 1


def test_above_a_sum_a_day_the_next_refund_waits(
    connected: Sandbox, database: Database, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """A feed gone wrong pays back no more than that without a person."""
    switch_on("refund_upload", refund_approval_above=50, refund_approval_above_a_day=100)
    for _ in range(4):
        order_id, _ = order(connected, SHIPPED)
        row(database, order_id, amount="30", currency="EUR")
    for _ in range(2):
        run_dag("backmarket_after_sales")
        assert len(applied(connected)) == 3
    waiting = [reason for _, status, _, reason in ledger(database) if status == "awaiting_approval"]
    assert waiting == ["with 30.00 EUR, today's refunds would come to 120.00; up to 100 a day go out by themselves"]


def test_without_a_question_the_dag_skips(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """Run by hand with nothing to ask it ends at once."""
    switch_on("refund_upload")
    run = run_dag("backmarket_refund_approval")
    assert run.state == "success"
    assert run.tasks["refund_approval"] == "skipped"
