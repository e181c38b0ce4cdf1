"""What people decide and work off of what comes after the sale: refunds, customers who wait, files and parts."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.concerns import STEMS
from backmarket.services.alerts import tell_what_is_new
from backmarket.warehouse import refund_approval
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.refunds import settle_doubtful
from backmarket.warehouse.snapshot import reader
from tests.page.given import add_orders, form_token

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    import psycopg
    from starlette.testclient import TestClient

    from backmarket.services.alerts import Message
    from backmarket.warehouse.needs import Need

    SignIn = Callable[..., TestClient]
    Database = psycopg.Connection[Any]

APPROVALS, IN_DOUBT = "/backmarket/needs/refund_approvals", "/backmarket/needs/refunds_in_doubt"
REFUSED, WORKED_OFF = "/backmarket/needs/refused", "/backmarket/worked-off"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def _refund(order_id: int, amount: str = "20.00", *, is_whole: bool = False) -> tuple[str, dict[str, Any]]:
    """Return the line of an order and what a refund of it says."""
    line = order_id + 1_000_000
    return str(line), {
        "order_id": order_id,
        "orderline_id": line,
        "refund": "refund",
        "amount": amount,
        "currency": "EUR",
        "is_whole": is_whole,
    }


def _plan(
    database: Database, *refunds: tuple[str, dict[str, Any]], status: Any = "awaiting_approval", reason: str = "large"
) -> None:
    changes = [PlannedChange(subject, payload, status=status, reason=reason) for subject, payload in refunds]
    Ledger(database, "default", "refund").plan(changes, run_id="r")


def _lose_answer(database: Database, *refunds: tuple[str, dict[str, Any]]) -> None:
    """Send refunds an hour ago whose answer was lost, after a person has approved each."""
    _plan(database, *refunds, status="planned")
    ledger = Ledger(database, "default", "refund")
    planned = ledger.planned()
    ledger.mark_sent(planned)
    ledger.settle([change.change_id for change in planned], "unknown", "the answer was lost")
    database.execute("update backmarket.changes set sent_at = now() - interval '1 hour'")
    for line, payload in refunds:
        database.execute(
            "insert into backmarket.refund_approvals (account, orderline_id, order_id, kind, amount, currency, reason, "
            "status, run_id, decided_at, decided_by) "
            "values ('default', %s, %s, 'refund', %s, 'EUR', '', 'approved', 'r', now(), 'ada')",
            [line, payload["order_id"], payload["amount"]],
        )


def _values(page: str) -> dict[str, str]:
    """Return what stands for each thing in the form, by its topic."""
    found = re.findall(r'name="item" value="([^"]*)"', page)
    return {html.unescape(value).partition(":")[2]: html.unescape(value) for value in found}


def _do(person: TestClient, path: str, action: str, *topics: str) -> httpx2.Response:
    """Tick things on a list, press a button, and return the page that follows."""
    page = person.get(path).text
    chosen = [_values(page)[topic] for topic in topics]
    answer = person.post(path, data={"item": chosen, "action": action, "csrf": form_token(page)})
    return person.get(answer.headers["location"]) if answer.status_code == 303 else answer


def _needs(hours: int = 20) -> dict[str, Need]:
    with reader("default") as database:
        return {need.name: need for need in read_needs(database, STEMS, most=50, answer_hours=hours)}


def _ledger(database: Database) -> list[tuple[Any, ...]]:
    return database.execute(
        "select status, reason from backmarket.changes where kind = 'refund' order by change_id"
    ).fetchall()


def test_a_refund_is_approved_or_declined_on_the_page(
    signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None]
) -> None:
    """With what it is decided by; the run that sends it starts, and the decision holds for exactly this amount."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    dags_of("default")
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == "backmarket_after_sales").values(is_paused=False))
    add_orders(warehouse, 10)
    _plan(warehouse, _refund(5), _refund(6), _refund(7))
    kim = signed_in("user", "kim")
    overview = kim.get("/backmarket/").text
    assert '<a class="button" href="/backmarket/needs/refund_approvals">Approve or decline' in overview
    page = kim.get(APPROVALS).text
    for told in ("20.00 EUR", "199.90", "SKU-5", "large", 'href="/backmarket/orders/5"'):
        assert told in page
    assert "1 thing approved." in _do(kim, APPROVALS, "approve", "1000005").text
    assert list(_values(_do(kim, APPROVALS, "decline", "1000006").text)) == ["1000007"]
    assert refund_approval.decisions(warehouse, "default", decided_since=LONG_AGO).keys() == {
        (1000005, "refund", Decimal("20.00"), "EUR"),
        (1000006, "refund", Decimal("20.00"), "EUR"),
    }
    with create_session() as session:
        (run,) = session.scalars(select(DagRun).where(DagRun.dag_id == "backmarket_after_sales")).all()
        assert run.triggering_user_name == "kim"
    worked_off = kim.get(WORKED_OFF).text
    assert "approved by kim" in worked_off
    assert "declined by kim" in worked_off
    assert "Prices to approve" not in overview


def test_another_amount_than_was_shown_is_not_approved(signed_in: SignIn, warehouse: Database) -> None:
    """The row of seller.refunds was raised while a person looked."""
    add_orders(warehouse, 10)
    _plan(warehouse, _refund(5))
    kim = signed_in("user", "kim")
    page = kim.get(APPROVALS).text
    _plan(warehouse, _refund(5, "150.00"))
    data = {"item": list(_values(page).values()), "action": "approve", "csrf": form_token(page)}
    answer = kim.post(APPROVALS, data=data)
    assert "0 things approved. 1 thing changed or decided" in kim.get(answer.headers["location"]).text
    assert refund_approval.decisions(warehouse, "default", decided_since=LONG_AGO) == {}


def test_the_form_about_refunds_is_answered_once_nothing_is_left_to_decide(
    signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None]
) -> None:
    """In Airflow's Required Actions, by the person who decided on the page."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    dags_of("default")
    add_orders(warehouse, 10)
    _plan(warehouse, _refund(5))
    with create_session() as session:
        run = trigger_dag("backmarket_refund_approval", triggered_by=DagRunTriggeredByType.TEST, session=session)
        assert run is not None
        run_id = run.run_id
        task = session.scalar(
            select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == "refund_approval")
        )
        assert task is not None
        task.state, task.next_method, task.next_kwargs = "deferred", "execute_complete", {}
        options = ["All of them", "None of them"]
        session.add(HITLDetail(ti_id=task.id, options=options, subject="Which may go out?", multiple=True, params={}))
    refund_approval.DESK.ask(warehouse, "default", run_id=run_id, decided_since=LONG_AGO)
    kim = signed_in("user", "kim")
    assert "The same is asked in Airflow" in kim.get(APPROVALS).text
    assert "Questions open in Airflow" not in kim.get("/backmarket/").text
    assert "1 thing approved." in _do(kim, APPROVALS, "approve", "1000005").text
    with create_session() as session:
        detail = session.scalars(select(HITLDetail)).one()
        assert detail.chosen_options == ["None of them"]
        assert detail.responded_by == {"id": "kim", "name": "kim"}


def test_a_refund_in_doubt_ends_by_what_a_person_saw(signed_in: SignIn, warehouse: Database) -> None:
    """Paid back: it is confirmed. Not: it is planned anew, and a person is asked anew. Who said so is kept."""
    add_orders(warehouse, 10)
    _lose_answer(warehouse, _refund(5), _refund(6), _refund(7))
    kim = signed_in("user", "kim")
    assert "It was paid back or it was not" in kim.get("/backmarket/").text
    page = _do(kim, IN_DOUBT, "paid_back", "1000005").text
    assert "1 thing noted as paid back." in page
    assert list(_values(_do(kim, IN_DOUBT, "not_paid_back", "1000006").text)) == ["1000007"]
    assert _ledger(warehouse) == [
        ("confirmed", "kim saw it in the Back Office"),
        ("superseded", "kim saw that it was not applied"),
        ("unknown", "the answer was lost"),
    ]
    decided = refund_approval.decisions(warehouse, "default", decided_since=LONG_AGO)
    assert {line for line, *_ in decided} == {1000005, 1000007}
    page = kim.get(WORKED_OFF).text
    assert "seen paid back by kim" in page
    assert "seen not paid back by kim" in page
    assert "kim saw it in the Back Office" in kim.get("/backmarket/orders/5").text
    # The next run plans the second anew.
    _plan(warehouse, _refund(6))
    (asked,) = refund_approval.DESK.unasked(warehouse, "default", decided_since=LONG_AGO)
    assert asked.orderline_id == 1000006


def test_only_what_nothing_else_shows_is_put_to_a_person(signed_in: SignIn, warehouse: Database) -> None:
    """Not yet a whole line, which the order shows; not what was sent a minute ago, and may still arrive."""
    add_orders(warehouse, 10)
    _lose_answer(warehouse, _refund(5, is_whole=True), _refund(6), _refund(7))
    warehouse.execute("update backmarket.changes set sent_at = now() - interval '1 minute' where subject = '1000006'")
    assert list(_values(signed_in("user").get(IN_DOUBT).text)) == ["1000007"]


def test_a_whole_refund_whose_order_cannot_tell_is_put_to_a_person_after_a_day(
    signed_in: SignIn, warehouse: Database
) -> None:
    """Back Market has no such order any more, or nobody can read it: each run would be red for ever."""
    add_orders(warehouse, 10)
    _lose_answer(warehouse, _refund(5, is_whole=True), _refund(6, is_whole=True))
    query = "select change_id from backmarket.changes where kind = 'refund' order by change_id"
    (lost,), (early,) = warehouse.execute(query).fetchall()
    warehouse.execute(
        "update backmarket.changes set sent_at = now() - interval '25 hours' where change_id = %s", [lost]
    )
    kim = signed_in("user", "kim")
    page = kim.get(IN_DOUBT).text
    assert list(_values(page)) == ["1000005"]
    assert "answer lost" in page
    assert settle_doubtful(warehouse, "default", early, was_applied=True, by="kim") is None
    _do(kim, IN_DOUBT, "not_paid_back", "1000005")
    assert [status for status, _ in _ledger(warehouse)] == ["superseded", "unknown"]


def test_what_is_known_meanwhile_is_not_settled_again(signed_in: SignIn, warehouse: Database) -> None:
    """A statement has shown it while a person looked: their word changes nothing, also at the very same moment."""
    add_orders(warehouse, 10)
    _lose_answer(warehouse, _refund(5))
    kim = signed_in("user", "kim")
    page = kim.get(IN_DOUBT).text
    ((change_id,),) = warehouse.execute("select change_id from backmarket.changes where kind = 'refund'").fetchall()
    Ledger(warehouse, "default", "refund").settle([change_id], "confirmed", "statement 1 shows it")
    data = {"item": list(_values(page).values()), "action": "not_paid_back", "csrf": form_token(page)}
    answer = kim.post(IN_DOUBT, data=data)
    assert "0 things noted as not paid back. 1 thing changed or decided" in kim.get(answer.headers["location"]).text
    assert settle_doubtful(warehouse, "default", change_id, was_applied=False, by="kim") is None
    assert _ledger(warehouse) == [("confirmed", "statement 1 shows it")]
    assert len(refund_approval.decisions(warehouse, "default", decided_since=LONG_AGO)) == 1


@pytest.mark.parametrize(("path", "action"), [(APPROVALS, "approve"), (IN_DOUBT, "paid_back")])
def test_who_may_not_answer_the_form_decides_nothing(
    signed_in: SignIn, warehouse: Database, path: str, action: str
) -> None:
    """Neither by a button, nor by a form with a valid token."""
    add_orders(warehouse, 10)
    _lose_answer(warehouse, _refund(5))
    _plan(warehouse, _refund(6))
    values = _values(signed_in("user").get(path).text)
    viewer = signed_in("viewer")
    assert 'type="checkbox"' not in viewer.get(path).text
    token = form_token(viewer.get("/backmarket/").text)
    assert viewer.post(path, data={"item": list(values.values()), "action": action, "csrf": token}).status_code == 403
    assert {status for status, _ in _ledger(warehouse)} == {"unknown", "awaiting_approval"}
    token = form_token(signed_in("user").get("/backmarket/").text)
    data = {"item": list(values.values()), "action": "resolve", "csrf": token}
    assert signed_in("user").post(path, data=data).status_code == 404


def test_a_declined_refund_is_a_decision(signed_in: SignIn, warehouse: Database) -> None:
    """It needs nobody; one that nobody decided in time does, and trying it again has a person asked anew."""
    add_orders(warehouse, 10)
    _plan(warehouse, _refund(5), status="refused", reason="declined by kim on 2026-11-26: large")
    assert "refused" not in _needs()
    _plan(warehouse, _refund(5), status="refused", reason="large: nobody approved it in time")
    (item,) = _needs()["refused"].items
    assert (item["story"], item["subject"], item["amount"], item["currency"]) == (
        "order",
        "5",
        Decimal("20.00"),
        "EUR",
    )
    warehouse.execute(
        "insert into backmarket.refund_approvals (account, orderline_id, order_id, kind, amount, currency, reason, "
        "status, run_id, decided_at) "
        "values ('default', 1000005, 5, 'refund', 20, 'EUR', 'large', 'expired', 'r', now())"
    )
    assert "1 thing to be tried again." in _do(signed_in("user"), REFUSED, "retry", "refund//1000005").text
    assert refund_approval.decisions(warehouse, "default", decided_since=LONG_AGO) == {}


def _add_folder(database: Database, care_folder_id: int, hours: int, order_id: int | None = 5) -> None:
    database.execute(
        "insert into backmarket.care_folders (account, care_folder_id, order_id, state, country_code, last_message_by, "
        "waits_for, date_last_message, waits_since, document, read_at) "
        "select 'default', %(id)s, %(order)s, 0, 'fr-fr', 'customer', 'seller', since, since, '{}', now() "
        "from (select now() - %(hours)s * interval '1 hour' as since) as began",
        {"id": care_folder_id, "order": order_id, "hours": hours},
    )


def test_a_customer_who_waits_too_long_needs_a_person(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the hours of the Variable, the longest first; answered or closed, nobody."""
    _add_folder(warehouse, 70, 19)
    _add_folder(warehouse, 71, 21)
    _add_folder(warehouse, 72, 90, order_id=None)
    _add_folder(warehouse, 73, 90)
    warehouse.execute("update backmarket.care_folders set state = 9 where care_folder_id = 73")
    since = datetime.now(UTC) - timedelta(hours=90)
    page = signed_in("viewer").get("/backmarket/needs/customers").text
    subjects = re.findall(r'<th scope="row">\s*(?:<a [^>]*>)?([^<\n]*)', page)
    assert subjects == ["care folder 72", "5"]
    assert f"waits for you since {since:%Y-%m-%d %H:%M} UTC" in page
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_CARE_ANSWER_HOURS", "12")
    assert "1 to 3 of 3" in signed_in("viewer").get("/backmarket/needs/customers").text
    assert "Customers who wait <span" in signed_in("viewer").get("/backmarket/").text


def test_who_needs_no_answer_is_resolved_until_they_write_again(signed_in: SignIn, warehouse: Database) -> None:
    """Not by the hours that pass, but by another message, although nobody has answered the first."""
    _add_folder(warehouse, 70, 30)
    path = "/backmarket/needs/customers"
    assert "1 thing resolved." in _do(signed_in("user"), path, "resolve", "70").text
    assert "customers" not in _needs()
    warehouse.execute("update backmarket.care_folders set date_last_message = now()")
    assert _needs()["customers"].total == 1


def test_files_and_parts_are_told_without_a_name(signed_in: SignIn, warehouse: Database) -> None:
    """A file's path may hold a customer's; one that is refused with its order is told once."""
    warehouse.execute(
        "insert into backmarket.invoice_files (account, path, size, modified_at, order_id, reason) values "
        "('default', 'file:///i/Jane Doe.pdf', 1234, '2026-11-20 07:00+00', null, 'the file is no PDF document'), "
        "('default', 'file:///i/Jane 5.pdf', 0, now(), 5, 'the file is empty'), "
        "('default', 'file:///i/Jane 6.pdf', 0, now(), 6, 'the file is empty'), "
        "('default', 'file:///i/7.pdf', 9, now(), 7, null)"
    )
    Ledger(warehouse, "default", "invoice").plan(
        [PlannedChange("6", {"order_id": 6}, status="refused", reason="the file is empty")], run_id="r"
    )
    warehouse.execute(
        "insert into backmarket.after_sales_parts (account, part, unavailable_since, asked_at, reason) values "
        "('default', 'care', now(), now(), '404'), ('default', 'returns', now(), now() - interval '9 days', '404')"
    )
    needs = _needs()
    assert sorted(item["subject"] for item in needs["invoice_files"].items) == ["5", "a file"]
    assert [(item["subject"], item["story"]) for item in needs["refused"].items] == [("6", "order")]
    assert [item["subject"] for item in needs["unserved"].items] == ["care folders"]
    page = signed_in("admin").get("/backmarket/needs/invoice_files").text
    assert "the file is no PDF document · saved 2026-11-20 07:00 UTC, 1,234 bytes" in page
    assert "Jane" not in page + signed_in("admin").get("/backmarket/needs/invoice_files?format=csv").text


def test_people_are_told_of_all_of_it_without_names(warehouse: Database) -> None:
    """Customers again after the hours of repeating; a part that is not served once."""
    add_orders(warehouse, 10)
    _lose_answer(warehouse, _refund(5))
    _plan(warehouse, _refund(6))
    _add_folder(warehouse, 70, 30)
    warehouse.execute(
        "insert into backmarket.care_messages (account, care_folder_id, message_id, message) "
        "values ('default', 70, 1, 'Jane waits')"
    )
    warehouse.execute(
        "insert into backmarket.after_sales_parts (account, part, unavailable_since, asked_at, reason) values "
        "('default', 'care', now(), now(), '404')"
    )
    sent: list[Message] = []
    needs = [need for name, need in _needs().items() if name != "late"]
    tell = partial(tell_what_is_new, warehouse, "default", needs, sent.append, repeat_hours=24, url="u")
    assert tell() == 4
    for told in (
        "Refunds in doubt: 1 new",
        "Refunds to approve: 1 new",
        "- 6: line 1000006 · refund of 20.00 EUR · large",
        "Customers who wait: 1 new",
        "- 5: fr-fr · waits for you since",
        "Parts that Back Market does not serve: 1 new",
    ):
        assert told in sent[0].text
    assert "Jane" not in sent[0].text
    assert tell() == 0
    warehouse.execute("update backmarket.alerts set told_at = told_at - interval '25 hours'")
    assert tell() == 3


def test_a_table_of_refunds_that_cannot_be_used_is_told(warehouse: Database) -> None:
    """To readers of after-sales, who are the ones it stops."""
    warehouse.execute(
        "insert into backmarket.feeds (account, feed, row_count, left_out, reasons, unusable_since) "
        "values ('default', 'seller.refunds', 9, 9, array['amount is ''x'''], now())"
    )
    with reader("default") as database:
        (need,) = read_needs(database, ["after_sales"], most=5, answer_hours=20)
    assert need.items[0]["subject"] == "seller.refunds"
