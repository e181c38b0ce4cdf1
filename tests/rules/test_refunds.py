"""The rules of money that goes out: what can be paid back, how much, and what a person has to see."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.order_facts import LineFacts, OrderFacts
from backmarket.rules.refunds import (
    OrderMoney,
    PaidLine,
    RefundRow,
    SentRefund,
    StatementRefund,
    judge_order,
    judge_refund,
    payload_of,
    why_person,
)

NEW, PAID, ACCEPTED, SHIPPED, CANCELLED, BEFORE, AFTER, UNPAID, PENDING, HELD = range(10)
LINE = PaidLine(11, "A", SHIPPED, "EUR", Decimal("200.00"))
OTHER = PaidLine(12, "B", SHIPPED, "EUR", Decimal("50.00"))
ROW = RefundRow(1, "refund", 11)
ONE = Decimal(1)
TODAY, YESTERDAY = date(2026, 11, 26), date(2026, 11, 25)


def amount(text: str, currency: str | None = "EUR") -> dict[str, Any]:
    """The columns of a row that pays back a part."""
    return {"amount": Decimal(text), "currency": currency}


def sent(text: str, *, line: int = 11, kind: str = "refund", is_sure: bool = True) -> SentRefund:
    """A refund of the ledger."""
    return SentRefund(line, kind, Decimal(text), TODAY, is_sure)


def shown(text: str, on: date | None = None) -> StatementRefund:
    """A row of a statement, of today unless told otherwise."""
    return StatementRefund(Decimal(text), "EUR", on or TODAY)


@pytest.mark.parametrize(
    ("row", "line", "more", "verdict", "says"),
    [
        # The state of the line and the kind.
        ({}, {}, {}, "send", ""),
        ({}, {"state": PAID}, {}, "refuse", "state 1: what can be done with it now is cancel"),
        ({}, {"state": ACCEPTED}, {}, "refuse", "state 2: what can be done with it now is refund_before_shipping"),
        ({}, {"state": NEW}, {}, "wait", "not paid yet (state 0)"),
        ({}, {"state": PENDING}, {}, "wait", "not paid yet (state 8)"),
        ({}, {"state": HELD}, {}, "wait", "not paid yet (state 9)"),
        ({}, {"state": CANCELLED}, {}, "refuse", "the line is cancelled already"),
        ({}, {"state": BEFORE}, {}, "refuse", "the line is refunded before shipping already"),
        ({}, {"state": UNPAID}, {}, "refuse", "the line is not paid already"),
        ({}, {"state": 17}, {}, "refuse", "the line is in state 17 already"),
        ({}, {"state": AFTER}, {}, "done", ""),
        (amount("20"), {"state": AFTER}, {}, "done", ""),
        ({"kind": "cancel"}, {"state": PAID}, {}, "send", ""),
        ({"kind": "cancel"}, {"state": CANCELLED}, {}, "done", ""),
        ({"kind": "cancel"}, {}, {}, "refuse", "what can be done with it now is refund"),
        ({"kind": "refund_before_shipping"}, {"state": ACCEPTED}, {}, "send", ""),
        ({"kind": "refund_before_shipping"}, {"state": BEFORE}, {}, "done", ""),
        ({"kind": "Refund"}, {}, {}, "refuse", "kind is none of cancel, refund_before_shipping, refund"),
        # Which line.
        ({"orderline_id": None}, {}, {}, "send", ""),
        ({"orderline_id": None}, {}, {"lines": 2}, "refuse", "orderline_id is missing, and the order has 2 lines"),
        ({"orderline_id": 99}, {}, {}, "refuse", "order 1 has no line 99"),
        # The amount and its currency.
        (amount("200.00"), {}, {}, "send", ""),
        (amount("20"), {}, {}, "send", ""),
        (amount("0.01", "eur "), {}, {}, "send", ""),
        (amount("200.01"), {}, {}, "refuse", "amount 200.01 is more than can be paid back: 200.00 EUR was paid"),
        (amount("0"), {}, {}, "refuse", "amount 0 is not above zero"),
        (amount("-5"), {}, {}, "refuse", "amount -5 is not above zero"),
        (amount("NaN"), {}, {}, "refuse", "amount NaN is not a number"),
        (amount("Infinity"), {}, {}, "refuse", "amount Infinity is not a number"),
        (amount("1.005"), {}, {}, "refuse", "amount 1.005 has more than 2 decimals"),
        (amount("1.5"), {}, {"places": 0}, "refuse", "amount 1.5 has more than 0 decimals"),
        (amount("20.00"), {}, {"places": 0}, "send", ""),
        (amount("20", None), {}, {}, "refuse", "currency is missing"),
        (amount("20", "GBP"), {}, {}, "refuse", "currency GBP is not the order's EUR"),
        (amount("20", "12 Main Street"), {}, {}, "refuse", "currency is not the order's EUR"),
        ({"currency": "GBP"}, {}, {}, "refuse", "currency GBP is not the order's EUR"),
        ({}, {"paid": None}, {}, "wait", "the price of line 11 is not known"),
        ({}, {"currency": None}, {}, "wait", "the currency of line 11 is not known"),
        (amount("20"), {"currency": None}, {}, "wait", "the currency of line 11 is not known"),
        # What was paid back before.
        (
            amount("50.01"),
            {},
            {"sent": [sent("150")]},
            "refuse",
            "200.00 EUR was paid for the line, of which 150.00 was",
        ),
        (amount("50"), {}, {"sent": [sent("150")]}, "send", ""),
        ({}, {}, {"sent": [sent("150")]}, "send", ""),
        ({}, {}, {"sent": [sent("150"), sent("50")]}, "done", ""),
        ({}, {}, {"sent": [sent("200", is_sure=False)]}, "done", ""),
        ({}, {}, {"sent": [sent("20", is_sure=False)]}, "wait", "whether an earlier refund of this line was applied"),
        (amount("20"), {}, {"sent": [sent("20")]}, "done", ""),
        (amount("20"), {}, {"sent": [sent("20.00")]}, "done", ""),
        (amount("20"), {}, {"sent": [sent("20", is_sure=False)]}, "done", ""),
        (amount("30"), {}, {"sent": [sent("20", is_sure=False)]}, "wait", "is not known yet"),
        (amount("20"), {}, {"sent": [sent("20", line=12)]}, "send", ""),
        (amount("20"), {}, {"sent": [sent("20", kind="cancel")]}, "send", ""),
        (amount("20"), {}, {"on_statements": [shown("190")]}, "refuse", "of which 190.00 was paid back before"),
        (amount("10"), {}, {"on_statements": [shown("190")]}, "send", ""),
        (amount("10"), {}, {"sent": [sent("150")], "on_statements": [shown("150")]}, "send", ""),
        (amount("51"), {}, {"sent": [sent("150")], "on_statements": [shown("150")]}, "refuse", "more than can be paid"),
        (amount("1"), {}, {"on_statements": [shown("200")]}, "refuse", "nothing is left to be paid back of the 200.00"),
        # What ends a line before it was shipped ends all of it.
        ({"kind": "cancel", **amount("200")}, {"state": PAID}, {}, "send", ""),
        ({"kind": "cancel", **amount("20")}, {"state": PAID}, {}, "refuse", "cancel pays back all of the line, 200.00"),
        # What is said to the customer.
        ({"return_reason": 21, "return_message": "m" * 500}, {}, {}, "send", ""),
        ({"return_reason": 2}, {}, {}, "refuse", "return_reason 2 is none of 0, 1, 11, 12, 13, 21, 22, 23, 24, 25"),
        ({"return_message": "m" * 501}, {}, {}, "refuse", "return_message is longer than 500 characters"),
        ({**amount("0", "GBP"), "return_reason": 3}, {}, {}, "refuse", "not above zero; return_reason 3 is none of"),
    ],
)
def test_what_a_row_comes_to(
    row: dict[str, Any], line: dict[str, Any], more: dict[str, Any], verdict: str, says: str
) -> None:
    """Each rule of money, one a line."""
    lines = [replace(LINE, **line), OTHER][: more.pop("lines", 1)]
    refund = judge_refund(replace(ROW, **row), OrderMoney(lines, **more))
    assert (refund.decision.verdict, says in refund.decision.reason) == (verdict, True), refund.decision.reason


@pytest.mark.parametrize(
    ("row", "sent_before", "is_whole", "ends_line", "comes_to"),
    [
        ({}, [], True, True, "200.00"),
        (amount("200"), [], True, True, "200.00"),
        (amount("20"), [], False, False, "20.00"),
        # Told without an amount, Back Market might pay back the whole price again.
        ({}, [sent("150")], False, True, "50.00"),
        (amount("50"), [sent("150")], False, True, "50.00"),
    ],
)
def test_an_amount_is_left_out_only_where_nothing_was_paid_back_before(
    row: dict[str, Any], sent_before: list[SentRefund], is_whole: bool, ends_line: bool, comes_to: str
) -> None:
    """Amounts have the currency's digits, so that the same refund always reads the same."""
    refund = judge_refund(replace(ROW, **row), OrderMoney([LINE], sent_before))
    assert (refund.is_whole, refund.ends_line, str(refund.amount)) == (is_whole, ends_line, comes_to)
    assert payload_of(refund) == {
        "order_id": 1,
        "orderline_id": 11,
        "sku": "A",
        "refund": "refund",
        "amount": comes_to,
        "currency": "EUR",
        "is_whole": is_whole,
        "ends_line": ends_line,
    }


def test_the_ledger_never_has_the_customers_message() -> None:
    """It may be personal; the reason is a number."""
    row = replace(ROW, return_reason=21, return_message="Dear Ada, sorry.")
    assert payload_of(judge_refund(row, OrderMoney([LINE]))).keys() >= {"return_reason"}
    assert "Ada" not in str(payload_of(judge_refund(row, OrderMoney([LINE]))))


def test_a_refund_of_the_back_office_is_not_taken_for_ours() -> None:
    """It was paid back before ours was sent: of the same amount twice, the customer has got both."""
    money = OrderMoney([LINE], [sent("100")], [shown("100", YESTERDAY)])
    refused = judge_refund(replace(ROW, **amount("1")), money)
    assert refused.decision.reason.startswith("nothing is left")
    assert judge_refund(replace(ROW, **amount("1")), replace(money, on_statements=[shown("100")])).amount == ONE


def test_a_line_that_was_paid_back_elsewhere_takes_nothing_from_another() -> None:
    """The statement's row is that line's."""
    ended = replace(OTHER, state=AFTER)
    money = OrderMoney([LINE, ended], [], [shown("50.00")])
    assert judge_refund(ROW, money).amount == LINE.paid
    assert judge_refund(ROW, replace(money, lines=[LINE, OTHER])).amount == Decimal(150)


@given(
    rows=st.lists(
        st.decimals("0.01", "250", places=2) | st.sampled_from([Decimal(50), Decimal(100), None]), max_size=12
    ),
    elsewhere=st.lists(st.sampled_from([Decimal(50), Decimal(100), Decimal("0.37")]), max_size=2),
)
def test_no_sequence_of_refunds_pays_back_more_than_was_paid(
    rows: list[Decimal | None], elsewhere: list[Decimal]
) -> None:
    """Whatever rows come, in whichever order, and whatever the Back Office paid back before."""
    line, done = LINE, list[SentRefund]()
    for each in rows:
        money = OrderMoney([line], done, [StatementRefund(one, "EUR", YESTERDAY) for one in elsewhere])
        refund = judge_refund(replace(ROW, amount=each, currency="EUR"), money)
        if refund.decision.verdict == "send":
            done.append(SentRefund(11, "refund", refund.amount, TODAY, is_sure=True))
            if refund.ends_line:
                line = replace(line, state=AFTER)
    assert sum((each.amount for each in done), sum(elsewhere, Decimal(0))) <= Decimal(200)


def facts(*lines: tuple[int, int, str]) -> OrderFacts:
    """An order of lines: id, state, SKU."""
    return OrderFacts(1, tuple(LineFacts(line, state, 1, sku) for line, state, sku in lines))


def payload(line: int = 11, kind: str = "refund", *, ends_line: bool = True) -> dict[str, object]:
    """What the ledger keeps of a refund."""
    return {"orderline_id": line, "refund": kind, "ends_line": ends_line, "is_whole": ends_line}


@pytest.mark.parametrize(
    ("order", "payloads", "verdict", "says"),
    [
        (facts((11, SHIPPED, "A")), [payload()], "send", ""),
        (facts((11, AFTER, "A")), [payload()], "done", ""),
        # What was paid back by somebody else since takes the place of a part, and does not prove it.
        (facts((11, AFTER, "A")), [payload(ends_line=False)], "refuse", "refunded after shipping already"),
        (facts((11, SHIPPED, "A")), [payload(ends_line=False)], "send", ""),
        (facts((12, SHIPPED, "A")), [payload()], "refuse", "does not have this line"),
        (facts((11, PAID, "A")), [payload(kind="cancel")], "send", ""),
        (facts((11, ACCEPTED, "A")), [payload(kind="cancel")], "refuse", "now is refund_before_shipping"),
        # Back Market would end both.
        (
            facts((11, PAID, "A"), (12, PAID, "A")),
            [payload(kind="cancel")],
            "refuse",
            "2 lines of the order have SKU A",
        ),
        (facts((11, PAID, "A"), (12, PAID, "A")), [payload(11, "cancel"), payload(12, "cancel")], "send", ""),
        (facts((11, PAID, "A"), (12, CANCELLED, "A")), [payload(kind="cancel")], "send", ""),
        (facts((11, PAID, "A"), (12, PAID, "B")), [payload(kind="cancel")], "send", ""),
        # Half of it was applied.
        (
            facts((11, PAID, "A"), (12, CANCELLED, "A")),
            [payload(11, "cancel"), payload(12, "cancel")],
            "refuse",
            "cancel",
        ),
    ],
)
def test_what_the_order_as_it_is_now_says(
    order: OrderFacts, payloads: list[dict[str, object]], verdict: str, says: str
) -> None:
    """Right before a refund goes out, and after it."""
    decision = judge_order(order, payloads)
    assert (decision.verdict, says in decision.reason) == (verdict, True), decision.reason


@pytest.mark.parametrize(
    ("refund", "limit", "today", "a_day", "asks"),
    [
        ("0.01", "0", "0", "500", True),
        ("50", "50", "0", "500", False),
        ("50.01", "50", "0", "500", True),
        ("50", "50", "450", "500", False),
        ("50", "50", "450.01", "500", True),
        ("50", "50", "100000", None, False),
    ],
)
def test_a_person_sees_large_refunds_and_many(
    refund: str, limit: str, today: str, a_day: str | None, asks: bool
) -> None:
    """Above an amount each, and above a sum a day."""
    why = why_person(
        Decimal(refund),
        "EUR",
        limit=Decimal(limit),
        sent_today=Decimal(today),
        day_limit=None if a_day is None else Decimal(a_day),
    )
    assert (why is not None) == asks


def test_a_refund_in_another_currency_leaves_nobody_knowing_what_is_left() -> None:
    """A statement pays in euros an order in kronor: nothing more is paid back without a person."""
    line = replace(LINE, currency="SEK")
    refund = judge_refund(ROW, OrderMoney([line], [], [shown("45.00")]))
    assert refund.decision.verdict == "refuse"
    assert "in EUR, and the order is in SEK" in refund.decision.reason


@pytest.mark.parametrize(("kind", "state"), [("cancel", PAID), ("refund_before_shipping", ACCEPTED)])
def test_a_line_without_a_sku_is_ended_by_nobody(kind: str, state: int) -> None:
    """Back Market ends lines by their SKU."""
    line = replace(LINE, state=state, sku=None)
    refund = judge_refund(replace(ROW, kind=kind), OrderMoney([line]))
    assert refund.decision.verdict == "refuse"
    assert "has no SKU" in refund.decision.reason
