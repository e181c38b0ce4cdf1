"""Killed anywhere, or with every answer lost, no refund is paid twice, and none above what was paid."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.api.errors import ThrottledError
from backmarket.api.transport import Transport
from backmarket.operators.after_sales import BackMarketRefundOrderRefreshOperator, BackMarketRefundUploadOperator
from backmarket.services.order_changes import ChangesWaitingError
from tests.dags.test_exactly_once import CONTEXT, Failpoint, Killed, fast, sandbox
from tests.dags.test_refunds import ACCEPTED, PAID, PHONE, SHIPPED, TABLET, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.remote import Sandbox

    Database = psycopg.Connection[Any]

__all__ = ["fast", "sandbox"]

PART = Decimal("20.00")
KINDS = (("cancel", PAID), ("refund_before_shipping", ACCEPTED), ("refund", SHIPPED), ("refund", SHIPPED))
"""The refunds of one round, the last of a part: what is asked for, and the line's state before."""


@pytest.fixture
def ready(connected: Sandbox, switch_on: Callable[..., None], fast: None) -> Sandbox:
    """A Back Market with refunds switched on, none of which needs a person."""
    switch_on("refund_upload", refund_approval_above=1_000_000, refund_approval_above_a_day="")
    return connected


def _run() -> None:
    BackMarketRefundOrderRefreshOperator(task_id="refund_order_refresh").execute(CONTEXT)
    BackMarketRefundUploadOperator(task_id="refund_upload").execute(CONTEXT)


def _fill(sandbox: Sandbox, database: Database) -> list[int]:
    """A line for each of KINDS, and the row that asks for its refund; return the lines."""
    database.execute(b"truncate seller.refunds")
    lines = []
    for place, (kind, state) in enumerate(KINDS):
        document = sandbox.create_order(lines=[{"sku": PHONE, "state": state}], force=True, market="fr-fr")
        lines.append(int(document["orderlines"][0]["id"]))
        part = {"amount": PART, "currency": "EUR"} if place == len(KINDS) - 1 else {}
        row(database, document["order_id"], kind, **part)
    return lines


def _paid_back(sandbox: Sandbox, line: int) -> list[Decimal]:
    return [Decimal(each["amount"]) for each in sandbox.refunds() if each["orderline_id"] == line]


def _statuses(database: Database, line: int) -> list[str]:
    query = b"""
        select status from backmarket.changes
        where kind = 'refund' and subject = %s and status not in ('refused', 'superseded') order by change_id
    """
    return [status for (status,) in database.execute(query, [str(line)])]


@pytest.mark.timeout(600)
def test_killed_between_any_two_steps_no_refund_is_paid_twice(
    ready: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before every statement and every request: what the line shows is paid once; a part, which nothing shows, at most
    once, and a person is asked where it is not known."""
    points = Failpoint(None)
    execute, exchange = psycopg.Connection.execute, Transport._exchange

    def arm(failpoint: Failpoint) -> None:
        monkeypatch.setattr(psycopg.Connection, "execute", failpoint.before(execute))
        monkeypatch.setattr(Transport, "_exchange", failpoint.before(exchange))

    def disarm() -> None:
        monkeypatch.setattr(psycopg.Connection, "execute", execute)
        monkeypatch.setattr(Transport, "_exchange", exchange)

    lines = _fill(ready, database)
    arm(points)
    _run()
    disarm()
    assert [_statuses(database, line) for line in lines] == [["confirmed"]] * 4
    assert points.calls > 60
    doubtful = 0
    for at in range(1, points.calls + 1, 2):
        lines = _fill(ready, database)
        arm(Failpoint(at))
        with pytest.raises(Killed):
            _run()
        disarm()
        _run()
        *whole, part = lines
        for line in whole:
            assert _statuses(database, line) == ["confirmed"], f"killed before call {at}"
            assert len(_paid_back(ready, line)) == 1, f"killed before call {at}"
        (status,) = _statuses(database, part)
        assert _paid_back(ready, part) in ([PART], []), f"killed before call {at}"
        if status == "confirmed":
            assert _paid_back(ready, part) == [PART], f"killed before call {at}"
        else:
            assert status == "unknown", f"killed before call {at}"
            doubtful += 1
        database.execute(b"truncate seller.refunds")
    assert 0 < doubtful < points.calls / 4, "killed around its request, and nowhere else, it is in doubt"


@pytest.mark.parametrize("kind", ["500", "502_html", "503_cf_ray", "html_200"])
def test_what_may_have_been_applied_is_not_sent_again_before_it_has_surely_arrived(
    ready: Sandbox, database: Database, kind: str
) -> None:
    """Whatever failed on the way may still be at work: one request a run, and the next run waits and looks first."""
    line = _fill(ready, database)[2]
    database.execute(b"delete from seller.refunds where kind <> 'refund' or amount is not null")
    ready.fault(kind, method="POST", path_prefix="/ws/sav/refund")
    with pytest.raises((ChangesWaitingError, ThrottledError)):
        _run()
    assert _statuses(database, line) == ["unknown"]
    assert len(ready.journal("POST", path_prefix="/ws/sav/refund")) == 1
    _run()
    assert _statuses(database, line) == ["confirmed"]
    assert len(_paid_back(ready, line)) == 1


def test_an_answer_that_cannot_be_read_is_one_all_the_same(ready: Sandbox, database: Database) -> None:
    """201 says that a refund was made, whatever its body: it is never sent again."""
    line = _fill(ready, database)[2]
    database.execute(b"delete from seller.refunds where kind <> 'refund' or amount is not null")
    ready.fault("html_201", method="POST", path_prefix="/ws/sav/refund")
    with pytest.raises(ChangesWaitingError):
        _run()
    for _ in range(2):
        _run()
        assert _statuses(database, line) == ["unknown"]
        assert len(ready.journal("POST", path_prefix="/ws/sav/refund")) == 1


@pytest.mark.timeout(600)
def test_three_hundred_refunds_with_lost_answers(ready: Sandbox, database: Database) -> None:
    """By the server's own record each is applied at most once, and no line gets back more than was paid for it."""
    wanted: dict[int, Decimal | None] = {}
    paid: dict[int, Decimal] = {}
    for number in range(100):
        skus = [PHONE, TABLET] if number % 3 else [PHONE]
        order = ready.create_order(lines=[{"sku": sku, "state": SHIPPED} for sku in skus], force=True, market="fr-fr")
        for line in order["orderlines"]:
            paid[line["id"]] = Decimal(line["price"]) + Decimal(line["shipping_price"])
            row(database, order["order_id"], orderline_id=line["id"], amount="10.00", currency="EUR")
            if number % 2:
                row(database, order["order_id"], orderline_id=line["id"], amount="7.50", currency="EUR")
    count = database.execute(b"select count(*) from seller.refunds").fetchone()
    assert count is not None
    for number in range(300 - count[0]):
        order = ready.create_order(lines=[{"sku": PHONE, "state": SHIPPED}], force=True, market="fr-fr")
        (line,) = order["orderlines"]
        paid[line["id"]] = Decimal(line["price"]) + Decimal(line["shipping_price"])
        wanted[line["id"]] = None
        row(database, order["order_id"])
        if number % 10 == 0:
            row(database, order["order_id"], orderline_id=line["id"], amount="99999", currency="EUR")
    for kind in ("reset_after", "empty_body", "cut_json", "html_200", "500", "reset_before"):
        ready.fault(kind, method="POST", path_prefix="/ws/sav/refund", times=None, probability=0.04)
    ready.fault("502_html", method="POST", path_prefix="/ws/sav/refund", times=None, probability=0.04, applied=True)
    for _ in range(6):
        with suppress(ChangesWaitingError):
            _run()
    by_line: dict[int, Decimal] = {}
    for each in ready.refunds():
        by_line[each["orderline_id"]] = by_line.get(each["orderline_id"], Decimal(0)) + Decimal(each["amount"])
    assert all(amount <= paid[line] for line, amount in by_line.items())
    once = Counter((each["orderline_id"], Decimal(each["amount"])) for each in ready.refunds())
    assert set(once.values()) == {1}
    assert all(line in by_line for line in wanted), "what the line shows is paid, however many answers were lost"
    statuses = Counter(
        status
        for (status,) in database.execute(
            b"select status from backmarket.changes where kind = 'refund' and attempts > 0 and status <> 'superseded'"
        )
    )
    assert set(statuses) <= {"confirmed", "unknown"}
    assert 0 < statuses["unknown"] < 60
    assert sum(fault["fired"] for fault in ready.faults()) > 50
