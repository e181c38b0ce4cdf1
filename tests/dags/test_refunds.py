"""Rows of ``seller.refunds`` pay back what they say, once each, and never more than was paid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import Rate

from backmarket.api import throttle
from backmarket.services.approval import record_answer
from backmarket.services.work_off import decide
from backmarket.warehouse import refund_approval
from backmarket.warehouse.needs import REFUNDS_IN_DOUBT, read_need
from backmarket.warehouse.snapshot import writer

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    Database = psycopg.Connection[Any]

PHONE, TABLET = "IP13-128-MID-C", "IPAD9-64-SIL-C"
PAID, ACCEPTED, SHIPPED = 1, 2, 3
REFUND = "/ws/sav/refund"


@pytest.fixture
def refund(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_after_sales`` with refunds alone switched on, none of which needs a person."""
    switch_on("refund_upload", refund_approval_above=1_000_000, refund_approval_above_a_day="")
    return lambda: run_dag("backmarket_after_sales")


def order(sandbox: Sandbox, *states: int, sku: str = PHONE) -> tuple[int, list[int]]:
    """Make an order of single units in some states, and return its id and those of its lines."""
    lines = [{"sku": sku, "quantity": 1, "state": state} for state in states]
    document = sandbox.create_order(lines=lines, force=True, market="fr-fr")
    return int(document["order_id"]), [int(line["id"]) for line in document["orderlines"]]


def row(database: Database, order_id: int, kind: str = "refund", **more: Any) -> None:
    """Add a row to ``seller.refunds``."""
    values = {"order_id": order_id, "kind": kind, **more}
    query = f"insert into seller.refunds ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})"
    database.execute(query.encode(), list(values.values()))


def ledger(database: Database) -> list[tuple[Any, ...]]:
    """Return all refunds of the ledger: line, status, amount, reason."""
    query = (
        b"select subject::bigint, status, (payload ->> 'amount')::numeric, reason from backmarket.changes "
        b"where kind = 'refund' order by change_id"
    )
    return database.execute(query).fetchall()


def applied(sandbox: Sandbox) -> list[tuple[int, Decimal]]:
    """Return what the server itself recorded: line and amount."""
    return [(each["orderline_id"], Decimal(each["amount"])) for each in sandbox.refunds()]


def shown_by_statement(database: Database, order_id: int, amount: Decimal | int) -> None:
    """Load a statement that pays an order's customer back tomorrow."""
    database.execute(
        b"insert into backmarket.settlement_lines (account, invoice_ref, line_id, line_no, currency, invoice_key, "
        b"category, role, value_date, order_id, number, tied_by, designation, amount, first_export, last_export, "
        b"vanished) values ('default', '20261201-EU-H-1', 1, 1, 'EUR', 'refunds', 'refund', 'refund', current_date + 1,"
        b" %s, %s, 'order', 'Refund', -%s, now(), null, false)",
        [order_id, order_id, amount],
    )


def test_each_kind_of_refund_is_sent_once_and_proven(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """A cancellation, a refund before shipping, all and a part of a line after it: the server's record has each."""
    wanted = {}
    for kind, state in (("cancel", PAID), ("refund_before_shipping", ACCEPTED), ("refund", SHIPPED)):
        order_id, (line,) = order(connected, state)
        row(database, order_id, kind, return_reason=21)
        wanted[line] = Decimal(connected.order(order_id)["orderlines"][0]["price"])
    part_of, (part,) = order(connected, SHIPPED)
    row(database, part_of, orderline_id=part, amount=Decimal("20.5"), currency="EUR")
    run = refund()
    assert (run.state, run.tasks["refund_check"]) == ("success", "success")
    assert run.xcoms["refund_upload"]["confirmed"] == 4
    assert {line: status for line, status, *_ in ledger(database)} == dict.fromkeys([*wanted, part], "confirmed")
    assert {line for line, _ in applied(connected)} == {*wanted, part}
    assert dict(applied(connected))[part] == Decimal("20.50")
    states = database.execute(
        b"select orderline_id, state from backmarket.order_lines order by orderline_id"
    ).fetchall()
    assert sorted(state for _, state in states) == [3, 4, 5, 6]
    connected.clear_journal()
    again = refund()
    assert again.xcoms["refund_upload"]["wanted"] == 0
    assert connected.journal("POST") == []


def test_one_bad_row_costs_no_other_and_says_why(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """More than was paid, the wrong state, an unknown line: each is refused with its reason, the good one goes out.

    A row that cannot be read at all is kept in quarantine and turns the run red, once.
    """
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id, amount="99999", currency="EUR")
    row(database, order_id, amount="20", currency="EUR")
    paid_id, (paid,) = order(connected, PAID)
    row(database, paid_id)
    row(database, order_id, orderline_id=line + 5)
    database.execute(b"alter table seller.refunds alter column order_id type text")
    database.execute(b"insert into seller.refunds (order_id, kind) values ('ada@example.com', 'refund')")
    run = refund()
    assert (run.state, run.tasks["refund_upload"], run.tasks["refund_check"]) == ("failed", "success", "failed")
    assert applied(connected) == [(line, Decimal("20.00"))]
    reasons = {subject: reason for subject, status, _, reason in ledger(database) if status == "refused"}
    assert reasons[line].startswith("amount 99999.00 is more than can be paid back")
    assert "what can be done with it now is cancel" in reasons[paid]
    assert reasons[line + 5] == f"order {order_id} has no line {line + 5}"
    kept = database.execute(b"select key, reason from backmarket.quarantine where entity = 'seller.refunds'").fetchone()
    assert kept is not None
    assert "ada@" not in " ".join(kept)
    assert refund().state == "success"
    assert len(applied(connected)) == 1


def test_several_parts_of_one_line_go_out_in_one_run(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """One after the other, as each is checked against what the one before it left; the same row twice is one refund."""
    order_id, (line,) = order(connected, SHIPPED)
    for amount in ("20", "5.50", "20"):
        row(database, order_id, amount=amount, currency="EUR")
    run = refund()
    assert run.state == "success"
    assert sorted(applied(connected)) == [(line, Decimal("5.50")), (line, Decimal("20.00"))]
    assert run.xcoms["refund_upload"]["confirmed"] == 2


def test_a_part_whose_answer_was_lost_waits_for_a_person_or_a_statement(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """Nothing at Back Market shows it. It is never sent again; a statement that shows it proves it."""
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id, amount="20", currency="EUR")
    connected.fault("reset_after", method="POST", path_prefix=REFUND)
    run = refund()
    assert (run.state, run.tries["refund_upload"]) == ("success", 2)
    assert refund().state == "success"
    assert applied(connected) == [(line, Decimal("20.00"))]
    ((_, status, _, reason),) = ledger(database)
    assert status == "unknown"
    assert "say on the page what you saw" in reason
    # Another refund of the line would be sent without knowing what is left of it.
    row(database, order_id, amount="5", currency="EUR")
    assert refund().state == "success"
    assert len(applied(connected)) == 1
    shown_by_statement(database, order_id, 20)
    assert refund().state == "success"
    assert [(status, reason) for _, status, amount, reason in ledger(database) if amount == 20] == [
        ("confirmed", "statement 20261201-EU-H-1 shows it")
    ]
    assert sorted(applied(connected)) == [(line, Decimal("5.00")), (line, Decimal("20.00"))]


@pytest.mark.parametrize("was_applied", [True, False])
def test_what_a_person_saw_ends_a_refund_in_doubt(
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    *,
    was_applied: bool,
) -> None:
    """Paid back: it is never sent again. Not: a person is asked anew, and what they approve goes out once."""
    switch_on("refund_upload", refund_approval_above=1_000_000, refund_approval_above_a_day="")
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id, amount="20", currency="EUR")
    connected.fault("reset_after" if was_applied else "reset_before", method="POST", path_prefix=REFUND)
    run_dag("backmarket_after_sales")
    database.execute(b"update backmarket.changes set sent_at = now() - interval '1 hour' where kind = 'refund'")
    switch_on("refund_upload", refund_approval_above=0)
    with writer("default") as page:
        need = read_need(page, REFUNDS_IN_DOUBT, ["after_sales"], most=None, answer_hours=20)
        paid_back, not_paid_back = need.answers
        answer = paid_back if was_applied else not_paid_back
        done = decide(page, need, need.items, answer, comment="", by="kim", decided_since=datetime.now(UTC))
    assert len(done.items) == 1
    run = run_dag("backmarket_after_sales")
    assert run.state == "success"
    assert run.xcoms.get("ask_for_refund_approval") == (None if was_applied else 1)
    if not was_applied:
        since = datetime.now(UTC) - timedelta(days=7)
        asked = refund_approval.DESK.ask(database, "default", run_id="r", decided_since=since)
        record_answer(database, "default", refund_approval.DESK, asked, {asked[0].option}, run_id="r", decided_by="kim")
        assert run_dag("backmarket_after_sales").state == "success"
    assert applied(connected) == [(line, Decimal("20.00"))]
    assert [status for _, status, *_ in ledger(database)][-1] == "confirmed"


def test_a_whole_refund_whose_answer_was_lost_is_read_back(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """The line's state shows it."""
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id)
    connected.fault("reset_after", method="POST", path_prefix=REFUND)
    run = refund()
    assert (run.state, run.xcoms["refund_upload"]["confirmed"]) == ("success", 1)
    assert [each for each, _ in applied(connected)] == [line]


def test_what_back_market_answered_is_never_sent_again_whatever_the_order_shows(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """Its state may follow later. Until then it is in doubt: a person can tell, and so can the order."""
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id)
    before = connected.order(order_id)["orderlines"]
    connected.fault("odd_document", order_id=order_id, fields={"orderlines": before}, times=None)
    for _ in range(3):
        assert refund().state == "success"
        ((_, status, _, reason),) = ledger(database)
        assert status == "unknown"
        assert "answered that this was done, but the order does not show it" in reason
        assert [each for each, _ in applied(connected)] == [line]
    database.execute(b"update backmarket.changes set sent_at = now() - interval '1 hour' where kind = 'refund'")
    with writer("default") as page:
        need = read_need(page, REFUNDS_IN_DOUBT, ["after_sales"], most=None, answer_hours=20)
        assert [item["why"].split(" UTC, ")[-1] for item in need.items] == ["answered as done, and not shown"]
    connected.clear_faults()
    assert refund().state == "success"
    assert [status for _, status, *_ in ledger(database)] == ["confirmed"]
    assert [each for each, _ in applied(connected)] == [line]


def test_a_statement_proves_a_whole_refund_that_its_order_does_not_show(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """Answered, not shown, and paid back all the same."""
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id)
    before = connected.order(order_id)["orderlines"]
    connected.fault("odd_document", order_id=order_id, fields={"orderlines": before}, times=None)
    assert refund().state == "success"
    ((_, amount),) = applied(connected)
    shown_by_statement(database, order_id, amount)
    assert refund().state == "success"
    assert [(status, reason) for _, status, _, reason in ledger(database)] == [
        ("confirmed", "statement 20261201-EU-H-1 shows it")
    ]
    assert [each for each, _ in applied(connected)] == [line]


def test_a_refused_part_is_refused_although_its_order_cannot_be_read(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """No order shows a part, so none is asked: the answer alone says that nothing was paid."""
    order_id, _ = order(connected, SHIPPED)
    row(database, order_id, amount="20", currency="EUR")
    connected.fault("404", method="POST", path_prefix=REFUND)
    connected.fault("500", method="GET", path_prefix=f"/ws/orders/{order_id}", after=2, times=None)
    refund()
    assert [status for _, status, *_ in ledger(database)] == ["refused"]


def test_an_account_that_may_not_refund_by_the_api_is_told_so(
    refund: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """403 refuses each refund with the reason; what goes another way goes."""
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id)
    paid_id, (paid,) = order(connected, PAID)
    row(database, paid_id, "cancel")
    connected.make_unavailable("/ws/sav", 403)
    assert refund().state == "success"
    assert {subject: status for subject, status, *_ in ledger(database)} == {line: "refused", paid: "confirmed"}
    assert refund().state == "success"
    assert len(connected.journal("POST", path_prefix=REFUND)) == 1, "not again within the hour"


def test_a_refund_that_cannot_be_sent_keeps_nobody_from_being_asked_about_others(
    refund: Callable[..., Run], connected: Sandbox, database: Database, switch_on: Callable[..., None]
) -> None:
    """The run is red, and the question goes out."""
    sick, _ = order(connected, SHIPPED)
    row(database, sick, amount="20", currency="EUR")
    other, _ = order(connected, SHIPPED)
    row(database, other, amount="60", currency="EUR")
    connected.fault("500", method="GET", path_prefix=f"/ws/orders/{sick}", after=1, times=None)
    switch_on("refund_upload", refund_approval_above=50, refund_approval_above_a_day="")
    run = refund()
    assert (run.state, run.tasks["refund_upload"]) == ("failed", "failed")
    assert run.xcoms["ask_for_refund_approval"] == 1


def test_a_days_limit_that_is_used_up_keeps_nothing_else_from_going(
    refund: Callable[..., Run], connected: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back Market takes 500 refunds a day: the next ones wait for tomorrow, and cancellations go."""
    monkeypatch.setitem(throttle.ENDPOINT_RATES, "care_refund", [Rate(1, 86_400_000)])
    for _ in range(3):
        row(database, order(connected, SHIPPED)[0])
    row(database, order(connected, PAID)[0], "cancel")
    run = refund()
    assert run.state == "success"
    assert run.xcoms["refund_upload"]["confirmed"] == 2
    waiting = [reason for _, status, _, reason in ledger(database) if status == "planned"]
    assert len(waiting) == 2
    assert all("limit" in reason for reason in waiting)
    assert len(connected.journal("POST", path_prefix=REFUND)) == 1


def test_a_dry_run_plans_and_sends_nothing(
    refund: Callable[..., Run], switch_on: Callable[..., None], connected: Sandbox, database: Database
) -> None:
    """It stands in the ledger as it would go out."""
    switch_on(dry_run=True)
    order_id, (line,) = order(connected, SHIPPED)
    row(database, order_id)
    assert refund().state == "success"
    assert connected.journal("POST") == []
    assert [(subject, status) for subject, status, *_ in ledger(database)] == [(line, "dry_run")]
