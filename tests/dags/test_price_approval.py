"""``backmarket_price_approval``: large moves, the question, the answers, and what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.concerns import STEMS
from backmarket.operators.price_approval import BackMarketPriceApprovalOperator
from backmarket.services.approval import ALL_OF_THEM, NONE_OF_THEM, ApprovalAnswerError
from backmarket.services.work_off import decide
from backmarket.warehouse import price_approval
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.needs import APPROVALS, APPROVE_OR_DECLINE, read_need
from backmarket.warehouse.snapshot import writer
from tests.dags.test_inventory_prices import all_of, offered, posts, price, priced, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

__all__ = ["upload"]

LAST_WEEK = datetime.now(UTC) - timedelta(days=7)


def halved(sandbox: Sandbox, sku: str) -> Decimal:
    """Half of a SKU's price."""
    return (offered(sandbox, sku) / 2).quantize(Decimal("0.01"))


@pytest.fixture
def asked(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> list[price_approval.Move]:
    """Two large moves and a small one were planned; the large ones are put to a person."""
    one, other, small = priced(connected, 3)
    price(database, one, str(halved(connected, one)))
    price(database, other, str(halved(connected, other)))
    price(database, small, str((offered(connected, small) * Decimal("1.01")).quantize(Decimal("0.01"))))
    run = upload()
    assert run.state == "success"
    assert run.xcoms["ask_for_price_approval"] == 2
    rows = dict(all_of(database, "select subject, status from backmarket.changes"))
    assert rows == {one: "awaiting_approval", other: "awaiting_approval", small: "confirmed"}
    return price_approval.DESK.ask(database, "default", run_id="r", decided_since=LAST_WEEK)


def answer(**event: Any) -> dict[str, int]:
    """Give the operator an answer, as Airflow does when a person or the clock has spoken."""
    operator = BackMarketPriceApprovalOperator(task_id="price_approval")
    context: Any = {"run_id": "r"}
    return operator.execute_complete(context, event)


def person_chose(*options: str) -> dict[str, int]:
    """Answer the form."""
    return answer(
        chosen_options=list(options),
        params_input={},
        responded_at=datetime.now(UTC),
        responded_by_user={"id": "1", "name": "kim"},
    )


def test_what_is_approved_goes_out_and_the_rest_is_recorded_as_refused(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    asked: list[price_approval.Move],
) -> None:
    """The next run sends the ticked move; the other is refused for good, and neither is asked about again."""
    approved, refused = asked
    before = offered(connected, refused.sku)
    assert person_chose(approved.option) == {"approved": 1, "refused": 1, "expired": 0}
    run = upload()
    assert run.state == "success"
    assert run.tasks["ask_for_price_approval"] == "skipped"
    assert offered(connected, approved.sku) == approved.new_price
    assert offered(connected, refused.sku) == before
    reasons = dict(all_of(database, "select subject, reason from backmarket.changes where status = 'refused'"))
    assert reasons[refused.sku].startswith(f"declined by kim on {datetime.now(UTC):%Y-%m-%d}: a move of -50")


def test_nothing_goes_out_without_an_answer(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    asked: list[price_approval.Move],
) -> None:
    """Expired moves are recorded so; neither an open question nor an expired one sends anything."""
    before = {move.sku: offered(connected, move.sku) for move in asked}
    assert upload().tasks["ask_for_price_approval"] == "skipped"
    assert answer(error="no response", error_type="timeout") == {"approved": 0, "refused": 0, "expired": 2}
    upload()
    assert {move.sku: offered(connected, move.sku) for move in asked} == before
    reasons = [row[0] for row in all_of(database, "select reason from backmarket.changes where status = 'refused'")]
    assert ["nobody approved it in time" in reason for reason in reasons] == [True, True]


def test_an_approval_holds_only_for_what_was_shown(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    asked: list[price_approval.Move],
) -> None:
    """Approved, but the wanted price has changed since: it waits again, to be asked anew."""
    move = asked[0]
    person_chose(*(each.option for each in asked))
    price(database, move.sku, str(move.new_price - 1))
    run = upload()
    assert offered(connected, move.sku) == move.old_price
    assert run.xcoms["ask_for_price_approval"] == 1


def test_a_decision_about_one_move_of_a_price_is_none_about_another(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    asked: list[price_approval.Move],
) -> None:
    """The plan changes and the run asks once more: the form shows both moves, and the one selected alone may go out."""
    move = asked[0]
    price(database, move.sku, str(move.new_price - 1))
    upload()
    again = price_approval.DESK.ask(database, "default", run_id="r", decided_since=LAST_WEEK)
    (other,) = set(again) - set(asked)
    assert person_chose(move.option) == {"approved": 1, "refused": 2, "expired": 0}
    rows = all_of(database, "select sku, new_price, status from backmarket.price_approvals")
    decided = {price_asked: status for sku, price_asked, status in rows if sku == move.sku}
    assert decided == {move.new_price: "approved", other.new_price: "refused"}
    upload()
    assert offered(connected, move.sku) == move.old_price


def test_none_of_them_refuses_all(asked: list[price_approval.Move]) -> None:
    """One tick says no to everything."""
    assert person_chose(NONE_OF_THEM) == {"approved": 0, "refused": 2, "expired": 0}


def test_all_of_them_approves_all(asked: list[price_approval.Move]) -> None:
    """One tick says yes to everything."""
    assert person_chose(ALL_OF_THEM) == {"approved": 2, "refused": 0, "expired": 0}


def test_none_of_them_wins_over_what_else_is_selected(asked: list[price_approval.Move]) -> None:
    """An answer that contradicts itself sends nothing."""
    chosen = (asked[0].option, ALL_OF_THEM, NONE_OF_THEM)
    assert person_chose(*chosen) == {"approved": 0, "refused": 2, "expired": 0}


def test_the_form_shows_what_is_asked_and_takes_no_sign_of_a_sku_for_markup(
    database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old price, new price and change of each move, in a table that no SKU can break."""
    from airflow.providers.standard.operators.hitl import HITLOperator

    hostile = PlannedChange(
        "A|B *c*\n[d](http://e)",
        {"price": "60.00", "old_price": "100.00", "currency": "EUR"},
        "fr-fr",
        "awaiting_approval",
        "a large move",
    )
    Ledger(database, "default", "price").plan([hostile], run_id="r")
    monkeypatch.setattr(HITLOperator, "execute", lambda *_: None)
    operator = BackMarketPriceApprovalOperator(task_id="price_approval")
    context: Any = {"run_id": "r"}
    operator.execute(context)
    assert operator.subject == "Back Market (default): 1 price change. Which may go out?"
    assert operator.body is not None
    *_, row = operator.body.splitlines()
    assert row == r"| A\|B \*c\* \[d\](http://e) | fr-fr | 100.00 EUR | 60.00 EUR | -40.0 % |"
    assert operator.options[-2:] == [ALL_OF_THEM, NONE_OF_THEM]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"chosen_options": ["NEVER-ASKED fr-fr: 1 → 2 EUR"]}, "names what was not asked: NEVER-ASKED"),
        ({"error": "the trigger stopped", "error_type": "unexpected"}, "could not hand the answer over: the trigger"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_in_our_words(
    database: psycopg.Connection[Any], warehouse: psycopg.Connection[Any], event: dict[str, Any], why: str
) -> None:
    """Nothing is decided by it, and the message says where to answer."""
    with pytest.raises(ApprovalAnswerError, match=rf"{why}.*Nothing was decided.*Required Actions"):
        answer(**event)


def test_a_question_whose_run_was_deleted_is_put_again(
    upload: Callable[..., Run], database: psycopg.Connection[Any], asked: list[price_approval.Move]
) -> None:
    """Not while a person may still answer; after that the next run asks anew."""
    assert upload().tasks["ask_for_price_approval"] == "skipped"
    database.execute("update backmarket.price_approvals set asked_at = now() - interval '26 hours'")
    assert upload().xcoms["ask_for_price_approval"] == 2
    assert len(price_approval.DESK.ask(database, "default", run_id="another", decided_since=LAST_WEEK)) == 2


@pytest.mark.parametrize("decision", [ALL_OF_THEM, NONE_OF_THEM])
def test_a_decision_of_last_year_holds_no_more(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    asked: list[price_approval.Move],
    decision: str,
) -> None:
    """The same move is put to a person again, whichever way it was decided: nothing goes out unasked."""
    before = {move.sku: offered(connected, move.sku) for move in asked}
    person_chose(decision)
    database.execute("update backmarket.price_approvals set decided_at = now() - interval '8 days'")
    run = upload()
    assert run.xcoms["ask_for_price_approval"] == 2
    assert {move.sku: offered(connected, move.sku) for move in asked} == before
    assert len(price_approval.DESK.ask(database, "default", run_id="r", decided_since=LAST_WEEK)) == 2
    person_chose(ALL_OF_THEM)
    upload()
    assert {move.sku: offered(connected, move.sku) for move in asked} == {move.sku: move.new_price for move in asked}


def decide_on_page(sku: str, *, is_approved: bool, comment: str = "") -> int:
    """Decide about a move as the page does, and return how many were decided."""
    with writer("default") as database:
        need = read_need(database, APPROVALS, STEMS, most=None, answer_hours=20)
        items = [item for item in need.items if item["subject"] == sku]
        approve, decline = APPROVE_OR_DECLINE
        answer = approve if is_approved else decline
        done = decide(database, need, items, answer, comment=comment, by="ada", decided_since=LAST_WEEK)
    return len(done.items)


def test_what_the_page_decides_is_the_forms_decision(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    asked: list[price_approval.Move],
) -> None:
    """Approved once, it goes out with the next run, once; declined it stays; the open form finds both decided."""
    approved, declined = asked
    before = offered(connected, declined.sku)
    assert decide_on_page(approved.sku, is_approved=True) == 1
    assert decide_on_page(approved.sku, is_approved=False) == 0
    assert decide_on_page(declined.sku, is_approved=False) == 1
    assert person_chose(approved.option, declined.option) == {"approved": 0, "refused": 0, "expired": 0}
    connected.clear_journal()
    assert upload().tasks["ask_for_price_approval"] == "skipped"
    upload()
    assert offered(connected, approved.sku) == approved.new_price
    assert offered(connected, declined.sku) == before
    assert len(posts(connected)) == 1
    reasons = dict(all_of(database, "select subject, reason from backmarket.changes where status = 'refused'"))
    assert reasons[declined.sku].startswith("declined by ada on ")


def test_what_the_page_approved_must_still_be_the_plan(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], asked: list[price_approval.Move]
) -> None:
    """Approved, but the wanted price has changed since: it waits again on the page, and does not go out."""
    move = asked[0]
    assert decide_on_page(move.sku, is_approved=True) == 1
    price(database, move.sku, str(move.new_price - 1))
    upload()
    assert offered(connected, move.sku) == move.old_price
    with writer("default") as page:
        waiting = read_need(page, APPROVALS, STEMS, most=None, answer_hours=20)
    assert (move.sku, move.new_price - 1) in [(item["subject"], item["amount"]) for item in waiting.items]


def test_without_a_question_the_dag_skips(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """Run by hand with nothing to ask it ends at once."""
    switch_on("prices_upload")
    run = run_dag("backmarket_price_approval")
    assert run.state == "success"
    assert run.tasks["price_approval"] == "skipped"


@pytest.mark.parametrize("toggle", ["prices_upload", "repricing"])
def test_whichever_sends_prices_has_its_moves_asked_about(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], toggle: str
) -> None:
    """One of the two is enough; a slip in the other is told, and stops nothing."""
    (other,) = {"prices_upload", "repricing"} - {toggle}
    switch_on(toggle, **{other: "perhaps"})
    run = run_dag("backmarket_price_approval")
    assert (run.tasks[f"{toggle}_gate"], run.tasks[f"{other}_gate"]) == ("success", "failed")
    assert run.reasons["price_approval"] is None
    assert run.tasks["prepare_warehouse"] == "success"


def test_where_nothing_sends_prices_nobody_is_asked(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """The reasons name both Variables."""
    switch_on()
    run = run_dag("backmarket_price_approval")
    assert set(run.tasks.values()) == {"skipped"}
    assert "backmarket_prices_upload" in run.reasons["prices_upload_gate"]
    assert "backmarket_repricing" in run.reasons["repricing_gate"]
