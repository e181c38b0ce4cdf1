"""What people do about the things that wait for them: by whom, when, many at once, and what becomes of it."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse.ledger import Ledger, PlannedChange
from tests.page.given import form_token

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]
    Database = psycopg.Connection[Any]

REFUSED, WORKED_OFF = "/backmarket/needs/refused", "/backmarket/worked-off"


def _refuse(database: Database, *skus: str, reason: str = "too dear", status: str = "refused") -> None:
    """Plan prices that are refused here, and nothing else."""
    payload = {"price": "90.00", "currency": "EUR"}
    changes = [PlannedChange(sku, payload, "fr-fr", status, reason) for sku in skus]  # type: ignore[arg-type]
    Ledger(database, "default", "price").plan(changes, run_id="r")


def _ask(database: Database, *skus: str) -> None:
    """Plan moves of prices from 100 to 60 that wait for a person."""
    payload = {"price": "60.00", "old_price": "100.00", "currency": "EUR"}
    changes = [PlannedChange(sku, payload, "fr-fr", "awaiting_approval", "a large move") for sku in skus]
    Ledger(database, "default", "price").plan(changes, run_id="r")


def _values(page: str) -> dict[str, str]:
    """Return what stands for each thing in the form, by its topic."""
    found = re.findall(r'name="item" value="([^"]*)"', page)
    return {html.unescape(value).partition(":")[2]: html.unescape(value) for value in found}


def _do(person: TestClient, path: str, action: str, *topics: str, comment: str = "") -> httpx2.Response:
    """Tick things on a list, press a button, and return the page that follows."""
    page = person.get(path).text
    values = _values(page)
    chosen = [values[topic] for topic in topics]
    answer = person.post(path, data={"item": chosen, "action": action, "comment": comment, "csrf": form_token(page)})
    return person.get(answer.headers["location"]) if answer.status_code == 303 else answer


def _ledger(database: Database) -> list[tuple[Any, ...]]:
    return database.execute(
        "select subject, status, reason, tried_again_by from backmarket.changes order by change_id"
    ).fetchall()


def test_what_is_resolved_is_gone_everywhere_and_stands_with_who_and_when(
    signed_in: SignIn, warehouse: Database
) -> None:
    """Two at once: from the list, the overview, its counts and the alerts; the third stays."""
    from backmarket.concerns import STEMS
    from backmarket.warehouse.needs import read_needs
    from backmarket.warehouse.snapshot import reader

    _refuse(warehouse, "A", "B", "C")
    kim = signed_in("user", "kim")
    page = _do(kim, REFUSED, "resolve", "price/fr-fr/A", "price/fr-fr/B", comment="agreed with Ada").text
    assert "2 things resolved." in page
    assert list(_values(page)) == ["price/fr-fr/C"]
    assert re.search(r'To look at <span class="count">1</span>', kim.get("/backmarket/").text)
    with reader("default") as database:
        (need,) = read_needs(database, STEMS, most=5, answer_hours=20)
    assert (need.total, [item["subject"] for item in need.items]) == (1, ["C"])
    page = kim.get(WORKED_OFF).text
    assert page.count("resolved by kim") == 2
    assert page.count("agreed with Ada") == 2


@pytest.mark.parametrize(
    ("action", "again", "changed"), [("resolve", True, True), ("ignore", False, True), ("comment", True, True)]
)
def test_how_long_a_thing_stays_away(
    signed_in: SignIn, warehouse: Database, action: str, again: bool, changed: bool
) -> None:
    """Resolved: until it is found again. Ignored: until it changes. A comment keeps it where it is."""
    _refuse(warehouse, "A")
    kim = signed_in("user", "kim")
    page = _do(kim, REFUSED, action, "price/fr-fr/A", comment="asked Ada").text
    assert (_values(page) != {}) is (action == "comment")
    assert ("commented by kim" in page) is (action == "comment")
    _refuse(warehouse)
    _refuse(warehouse, "A")
    assert (_values(kim.get(REFUSED).text) != {}) is again
    _refuse(warehouse, "A", reason="above max_price")
    assert (_values(kim.get(REFUSED).text) != {}) is changed


def test_what_was_worked_off_comes_back_by_one_press(signed_in: SignIn, warehouse: Database) -> None:
    """From the list of what was worked off; pressed twice it comes back once."""
    _refuse(warehouse, "A")
    kim = signed_in("user", "kim")
    _do(kim, REFUSED, "ignore", "price/fr-fr/A")
    page = kim.get(WORKED_OFF).text
    (mark,) = re.findall(r'name="mark" value="(\d+)"', page)
    for told in ("1 thing listed again", "0 things listed again"):
        answer = kim.post(WORKED_OFF, data={"mark": mark, "csrf": form_token(page)})
        assert told in kim.get(answer.headers["location"]).text
    assert list(_values(kim.get(REFUSED).text)) == ["price/fr-fr/A"]
    assert warehouse.execute("select mark, marked_by from backmarket.need_marks order by mark_id").fetchall() == [
        ("ignored", "kim"),
        ("reopened", "kim"),
    ]


def test_what_changed_while_a_person_looked_is_not_worked_off(signed_in: SignIn, warehouse: Database) -> None:
    """Nobody resolves what they have not seen."""
    _refuse(warehouse, "A", "B")
    kim = signed_in("user", "kim")
    page = kim.get(REFUSED).text
    _refuse(warehouse, "A", reason="something else")
    answer = kim.post(
        REFUSED, data={"item": list(_values(page).values()), "action": "resolve", "csrf": form_token(page)}
    )
    page = kim.get(answer.headers["location"]).text
    assert "0 things resolved. 2 things changed or decided since the page was shown" in page
    assert list(_values(page)) == ["price/fr-fr/A"]


def test_a_refusal_of_back_market_is_tried_again_by_one_press(
    signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None]
) -> None:
    """It ends in the ledger, a run that plans it anew starts, and the page leads there; a second press starts none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    dags_of("default")
    _pause("backmarket_inventory_prices", is_paused=False)
    _refuse(warehouse, "A", "B")
    warehouse.execute("update backmarket.changes set attempts = 1, sent_at = now()")
    kim = signed_in("user", "kim")
    for sku in "AB":
        page = _do(kim, REFUSED, "retry", f"price/fr-fr/{sku}").text
        assert "1 thing to be tried again." in page
    with create_session() as session:
        (run,) = session.scalars(select(DagRun).where(DagRun.dag_id == "backmarket_inventory_prices")).all()
        assert (run.triggering_user_name, run.run_type) == ("kim", "manual")
    assert f"/dags/backmarket_inventory_prices/runs/{run.run_id.replace(':', '%3A').replace('+', '%2B')}" in page
    assert _ledger(warehouse) == [(sku, "superseded", "tried again by kim: too dear", "kim") for sku in ("A", "B")]
    assert Ledger(warehouse, "default", "price").refusals(since=datetime(2026, 1, 1, tzinfo=UTC)).payloads == {}
    _refuse(warehouse, "A", status="planned", reason="")
    page = kim.get(WORKED_OFF).text
    assert page.count("tried again by kim") == 2
    assert "planned" in page
    assert "not planned again yet" in page


@pytest.mark.parametrize(
    ("switched_on", "starts"),
    [
        (("repricing",), "backmarket_backbox"),
        (("prices_upload",), "backmarket_inventory_prices"),
        (("prices_upload", "repricing"), "backmarket_inventory_prices"),
    ],
)
@pytest.mark.parametrize("action", ["approve", "retry"])
def test_a_price_is_sent_by_the_dag_whose_switch_is_on(
    signed_in: SignIn,
    warehouse: Database,
    dags_of: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    switched_on: tuple[str, ...],
    starts: str,
    action: str,
) -> None:
    """With repricing alone that is the BackBox's; the list of what was worked off leads to that run."""
    dags_of("default")
    for switch in switched_on:
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{switch.upper()}", "true")
    for dag_id in ("backmarket_backbox", "backmarket_inventory_prices"):
        _pause(dag_id, is_paused=False)
    kim = signed_in("user", "kim")
    if action == "approve":
        _ask(warehouse, "A")
        page = _do(kim, "/backmarket/needs/approvals", action, "fr-fr/A").text
    else:
        _refuse(warehouse, "A")
        page = _do(kim, REFUSED, action, "price/fr-fr/A").text
    assert f"{starts} is started." in page
    (run_path,) = warehouse.execute("select run_path from backmarket.need_marks").fetchone() or ("",)
    assert run_path.startswith(f"/dags/{starts}/runs/")


@pytest.mark.parametrize(
    ("queued", "told"),
    [
        ({"run_type": "scheduled"}, "A run of backmarket_orders is about to start."),
        ({"run_type": "backfill"}, "backmarket_orders is started."),
        ({"run_type": "manual", "conf": {"from": "2026-01-01T00:00:00Z"}}, "backmarket_orders is started."),
    ],
    ids=["scheduled", "backfill", "of the past"],
)
def test_a_run_about_the_past_stands_for_none_that_sends(
    signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None], queued: dict[str, Any], told: str
) -> None:
    """What was asked to be tried again would wait for a run that sends nothing."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import insert

    dags_of("default")
    _pause("backmarket_orders", is_paused=False)
    with create_session() as session:
        run = {"dag_id": "backmarket_orders", "run_id": "queued", "state": "queued", "run_after": datetime.now(UTC)}
        session.execute(insert(DagRun.__table__).values(**run, **queued))
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) "
        "values ('default', 'order', '7', '{}', 'state: is missing')"
    )
    assert told in _do(signed_in("user", "kim"), "/backmarket/needs/quarantine", "retry", "order/7").text


def test_a_paused_dag_is_said_and_not_started(
    signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None]
) -> None:
    """A document's retry starts the DAG that reads it, unless that is paused."""
    dags_of("default")
    _pause("backmarket_inventory_prices", is_paused=True)
    _pause("backmarket_orders", is_paused=True)
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) "
        "values ('default', 'order', '7', '{}', 'state: is missing'), ('default', 'seller.stock', 'A', '{}', 'no')"
    )
    kim = signed_in("user", "kim")
    page = _do(kim, "/backmarket/needs/quarantine", "retry", "order/7", "seller.stock/A").text
    assert "backmarket_orders is paused: unpause it." in page
    assert "backmarket_inventory_prices is paused: unpause it." in page
    assert "tried again by kim" in page


def test_a_viewer_only_looks(signed_in: SignIn, warehouse: Database) -> None:
    """Neither by a button, of which there is none, nor by a form with a valid token."""
    _ask(warehouse, "B")
    values = _values(signed_in("user").get("/backmarket/needs/approvals").text)
    viewer = signed_in("viewer")
    token = form_token(viewer.get("/backmarket/").text)
    for path in (REFUSED, "/backmarket/needs/approvals"):
        assert 'type="checkbox"' not in viewer.get(path).text
    data = {"item": list(values.values()), "action": "approve", "csrf": token}
    assert viewer.post("/backmarket/needs/approvals", data=data).status_code == 403
    _refuse(warehouse, "A")
    values = _values(signed_in("user").get(REFUSED).text)
    data = {"item": list(values.values()), "action": "resolve", "csrf": token}
    answer = viewer.post(REFUSED, data=data)
    assert answer.status_code == 403
    assert "the right to edit backmarket_inventory_prices" in answer.text
    assert warehouse.execute("select count(*) from backmarket.need_marks").fetchone() == (0,)


@pytest.mark.parametrize("path", [REFUSED, "/backmarket/needs/approvals", WORKED_OFF])
def test_a_form_of_another_site_does_nothing(signed_in: SignIn, warehouse: Database, path: str) -> None:
    """As with switches: only what this page was shown with."""
    answer = signed_in("admin").post(path, data={"item": "x", "mark": "1", "action": "resolve", "csrf": "forged"})
    assert answer.status_code == 403


@pytest.mark.parametrize(("name", "action"), [("late", "resolve"), ("approvals", "resolve"), ("refused", "delete")])
def test_only_what_there_is_can_be_done(signed_in: SignIn, warehouse: Database, name: str, action: str) -> None:
    """An overdue order ends by itself, a price by a decision."""
    admin = signed_in("admin")
    token = form_token(admin.get("/backmarket/").text)
    answer = admin.post(f"/backmarket/needs/{name}", data={"item": "x", "action": action, "csrf": token})
    assert answer.status_code == 404


def test_no_link_puts_words_on_the_page(signed_in: SignIn, warehouse: Database) -> None:
    """What was done is told only where this page has signed it."""
    page = signed_in("viewer").get("/backmarket/worked-off?notice=Call+0800+HELP").text
    assert "HELP" not in page


def test_a_price_is_approved_with_all_it_is_decided_by(signed_in: SignIn, warehouse: Database) -> None:
    """Old and new price, floor and stock; the decision is that of the form, holds for this move, and is made once."""
    _ask(warehouse, "A", "B", "C")
    warehouse.execute(
        "insert into seller.prices (account, sku, market, price, currency, min_price) "
        "values ('default', 'a ', 'fr-fr', 60, 'EUR', 55.5)"
    )
    warehouse.execute(
        "insert into seller.stock (account, sku, quantity, counted_at) values ('default', 'A', 17, now())"
    )
    kim = signed_in("user", "kim")
    page = kim.get("/backmarket/needs/approvals").text
    for told in ("100.00 EUR", "60.00 EUR", "-40.0", "55.5", "17"):
        assert told in page
    assert "1 thing approved." in _do(kim, "/backmarket/needs/approvals", "approve", "fr-fr/A", comment="sale").text
    page = _do(kim, "/backmarket/needs/approvals", "decline", "fr-fr/B").text
    assert list(_values(page)) == ["fr-fr/C"]
    decided = "select sku, status, decided_by from backmarket.price_approvals order by sku"
    assert warehouse.execute(decided).fetchall() == [("A", "approved", "kim"), ("B", "refused", "kim")]
    page = kim.get(WORKED_OFF).text
    assert "approved by kim" in page
    assert "declined by kim" in page


def test_of_two_who_decide_the_first_wins(signed_in: SignIn, warehouse: Database) -> None:
    """The form in Airflow has answered while the page was open: nothing is turned round."""
    from backmarket.services.approval import record_answer
    from backmarket.warehouse import price_approval

    _ask(warehouse, "A")
    kim = signed_in("user", "kim")
    page = kim.get("/backmarket/needs/approvals").text
    moves = price_approval.DESK.ask(warehouse, "default", run_id="q", decided_since=datetime(2026, 1, 1, tzinfo=UTC))
    record_answer(warehouse, "default", price_approval.DESK, moves, {moves[0].option}, run_id="q", decided_by="ada")
    data = {"item": list(_values(page).values()), "action": "decline", "csrf": form_token(page)}
    answer = kim.post("/backmarket/needs/approvals", data=data)
    assert "0 things declined. 1 thing changed or decided" in kim.get(answer.headers["location"]).text
    decided = "select status, decided_by from backmarket.price_approvals"
    assert warehouse.execute(decided).fetchall() == [("approved", "ada")]


def test_the_form_in_airflow_is_answered_once_nothing_is_left_to_decide(
    signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None]
) -> None:
    """Half decided it stays open; then it is answered, by the person who decided, and nothing waits there any more."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    from backmarket.warehouse import price_approval

    dags_of("default")
    _ask(warehouse, "A", "B")
    with create_session() as session:
        run = trigger_dag("backmarket_price_approval", triggered_by=DagRunTriggeredByType.TEST, session=session)
        assert run is not None
        run_id = run.run_id
        task = session.scalar(
            select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == "price_approval")
        )
        assert task is not None
        task.state, task.next_method, task.next_kwargs = "deferred", "execute_complete", {}
        options = ["All of them", "None of them"]
        session.add(HITLDetail(ti_id=task.id, options=options, subject="Which may go out?", multiple=True, params={}))
    price_approval.DESK.ask(warehouse, "default", run_id=run_id, decided_since=datetime(2026, 1, 1, tzinfo=UTC))
    kim = signed_in("user", "kim")
    for topic, is_open in (("fr-fr/A", True), ("fr-fr/B", False)):
        page = _do(kim, "/backmarket/needs/approvals", "approve", topic).text
        assert ("The same is asked in Airflow" in page) is is_open
    with create_session() as session:
        detail = session.scalars(select(HITLDetail)).one()
        assert detail.chosen_options == ["None of them"]
        assert detail.responded_by == {"id": "kim", "name": "kim"}


def test_a_declined_price_is_a_decision(signed_in: SignIn, warehouse: Database) -> None:
    """It needs nobody, and the SKU's story says who declined it and when; so with what older versions wrote."""
    _refuse(warehouse, "A", reason="declined by kim on 2026-11-26: a large move")
    viewer = signed_in("viewer")
    assert "Nothing of this kind waits" in viewer.get(REFUSED).text
    story = viewer.get("/backmarket/skus/A").text
    assert "price declined" in story
    assert "declined by kim on 2026-11-26" in story
    _refuse(warehouse, "A", reason="a large move: a person refused it")
    assert "Nothing of this kind waits" in viewer.get(REFUSED).text
    _refuse(warehouse, "A", reason="a large move: nobody approved it in time")
    assert "nobody approved it in time" in viewer.get(REFUSED).text


@pytest.mark.parametrize(
    ("state", "is_backship", "told"),
    [
        (1, False, "Accept it, or cancel it in the Back Office."),
        (3, False, "Ship it, or cancel it in the Back Office."),
        (3, True, "hand the parcel over under Back Market"),
    ],
)
def test_an_overdue_order_says_what_can_be_done(
    signed_in: SignIn, warehouse: Database, state: int, is_backship: bool, told: str
) -> None:
    """On the list and on its story, which looks overdue; nobody is told to ship what Back Market ships."""
    warehouse.execute(
        "insert into backmarket.orders (account, order_id, state, is_backship, expected_dispatch_date, document, "
        "first_seen_at, read_at) values ('default', 7, %s, %s, now() - interval '2 days', '{}', now(), now())",
        [state, is_backship],
    )
    viewer = signed_in("viewer")
    story = html.unescape(viewer.get("/backmarket/orders/7").text)
    assert '<span class="state failed">overdue</span>' in story
    assert "It should have been dispatched" in story
    assert told in story
    listed = html.unescape(viewer.get("/backmarket/needs/late").text)
    assert ("Backship: hand the parcel over" in listed) is is_backship
    assert ("ship it" in listed) is (state == 3 and not is_backship)
    warehouse.execute("update backmarket.orders set state = 9")
    assert "overdue" not in viewer.get("/backmarket/orders/7").text


def _pause(dag_id: str, *, is_paused: bool) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=is_paused))
