"""Decides which rows of ``seller.refunds`` pay money back, how much, and which of them a person sees first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - read at run time by the dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.given_texts import shortened
from backmarket.rules.order_facts import (
    ACCEPTED,
    DONE,
    NOT_PAYABLE_YET,
    PAID,
    SEND,
    SHIPPED,
    Decision,
    OrderFacts,
    refuse,
    wait,
)
from backmarket.rules.text_checks import decimals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

CANCELLED, BEFORE_SHIPPING, AFTER_SHIPPING = 4, 5, 6

NEW_STATES: dict[str, int] = {
    "cancel": CANCELLED,
    "refund_before_shipping": BEFORE_SHIPPING,
    "refund": AFTER_SHIPPING,
}
"""The state that a line has once all of it is paid back, by kind (spec)."""

RETURN_REASONS = frozenset({0, 1, 11, 12, 13, 21, 22, 23, 24, 25})
"""Back Market's ``return_reason`` (spec)."""

LONGEST_MESSAGE = 500
"""Characters that Back Market takes of ``return_message`` (spec)."""

_FROM: dict[str, int] = {"cancel": PAID, "refund_before_shipping": ACCEPTED, "refund": SHIPPED}
_INSTEAD = {state: kind for kind, state in _FROM.items()}
_CURRENCY = re.compile(r"[A-Z]{3}")
_ENDED = {
    CANCELLED: "cancelled",
    BEFORE_SHIPPING: "refunded before shipping",
    AFTER_SHIPPING: "refunded after shipping",
    7: "not paid",
}


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A row of ``seller.refunds``.

    :param orderline_id: None where the order has one line.
    :param kind: as it stands there.
    :param amount: in the order's currency; None: all that is left of the line.
    """

    order_id: int
    kind: str
    orderline_id: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    return_reason: int | None = None
    return_message: str | None = None


@dataclass(frozen=True, slots=True)
class PaidLine:
    """An order line and what the customer paid for it.

    :param paid: price and shipping, in ``currency``; None where that is not known.
    """

    orderline_id: int
    sku: str | None
    state: int
    currency: str | None
    paid: Decimal | None


@dataclass(frozen=True, slots=True)
class SentRefund:
    """A refund that the ledger holds as sent and not refused.

    :param on: the day on which it was sent, in UTC.
    :param is_sure: whether it is known to have been applied.
    """

    orderline_id: int
    kind: str
    amount: Decimal
    on: date
    is_sure: bool


class StatementRefund(NamedTuple):
    """A row of a statement that pays a customer back.

    :param amount: positive, in ``currency``.
    :param on: its value date.
    """

    amount: Decimal
    currency: str
    on: date


@dataclass(frozen=True, slots=True)
class Refund:
    """What a row comes to.

    :param amount: what the customer gets back, in the order's currency; 0 where nothing is sent.
    :param is_whole: whether all of the line is paid back and nothing of it was before: then no amount is sent, and the
        line shows it.
    :param ends_line: whether nothing is left of the line then.
    """

    decision: Decision
    row: RefundRow
    line: PaidLine | None = None
    amount: Decimal = Decimal(0)
    is_whole: bool = False
    ends_line: bool = False


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """What one order knows of money: its lines, and what was paid back.

    :param sent: refunds of the ledger.
    :param on_statements: what statements show as paid back.
    :param places: how many digits amounts of its currency have after the point.
    """

    lines: Sequence[PaidLine]
    sent: Sequence[SentRefund] = ()
    on_statements: Sequence[StatementRefund] = ()
    places: int = 2

    @property
    def elsewhere(self) -> Decimal:
        """What statements show that is none of the ledger's refunds, nor a line's that somebody else paid back whole.

        It was paid back in the Back Office, or by Back Market; of which line, statements do not say. A row from before
        a refund was sent is never that refund, however much alike they are.
        """
        left = sorted(self.on_statements, key=lambda row: row.on)
        for refund in sorted(self.sent, key=lambda refund: refund.on):
            _take(left, refund.amount, not_before=refund.on)
        ours = {refund.orderline_id for refund in self.sent}
        for line in self.lines:
            if line.state in {BEFORE_SHIPPING, AFTER_SHIPPING} and line.orderline_id not in ours and line.paid:
                _take(left, line.paid)
        return sum((row.amount for row in left), Decimal(0))

    def foreign(self, line: PaidLine) -> list[str]:
        """Return the other currencies in which statements pay back something of this order.

        What is left of a line is not known then.
        """
        return sorted({row.currency for row in self.on_statements if row.currency != line.currency})

    def left_of(self, line: PaidLine) -> Decimal | None:
        """Return what is left to be paid back of a line; None where it is not known what was paid."""
        if line.paid is None:
            return None
        return line.paid - self.refunded(line) - self.elsewhere

    def refunded(self, line: PaidLine) -> Decimal:
        """Return what the ledger's refunds of a line come to."""
        return sum((refund.amount for refund in self.sent if refund.orderline_id == line.orderline_id), Decimal(0))


def judge_refund(row: RefundRow, order: OrderMoney) -> Refund:
    """Decide what one row comes to, whether or not a person has to see it first."""
    line, reason = _line_of(row, order.lines)
    if line is None:
        return Refund(refuse(reason), row)
    if line.currency is None:
        return Refund(wait(f"the currency of line {line.orderline_id} is not known"), row, line)
    if reasons := _form(row, line, order.places):
        return Refund(refuse("; ".join(reasons)), row, line)
    amount = row.amount and row.amount.quantize(Decimal(1).scaleb(-order.places))
    decision = _known_already(row, line, amount, order.sent) or _by_state(row.kind, line.state)
    if line.state == NEW_STATES[row.kind]:
        decision = DONE
    if decision.verdict != "send":
        return Refund(decision, row, line)
    if row.kind != "refund" and line.sku is None:
        why = f"line {line.orderline_id} has no SKU, by which Back Market ends lines: do it in the Back Office"
        return Refund(refuse(why), row, line)
    if foreign := order.foreign(line):
        why = (
            f"a statement pays back something of this order in {', '.join(foreign)}, and the order is in "
            f"{line.currency}, so nobody knows what is left: look at it in the Back Office, and refund it there"
        )
        return Refund(refuse(why), row, line)
    left = order.left_of(line)
    if left is None:
        return Refund(wait(f"the price of line {line.orderline_id} is not known"), row, line)
    return _of_amount(row, line, amount, left)


def judge_order(order: OrderFacts, payloads: Sequence[Mapping[str, object]]) -> Decision:
    """Decide, from the order as it is now, whether refunds that go out in one request are sent, or were applied.

    :param payloads: as :func:`payload_of` makes them: one, or all of one SKU that end the same way.
    """
    ids = [int(str(payload["orderline_id"])) for payload in payloads]
    kind = str(payloads[0]["refund"])
    lines = [order.line(orderline_id) for orderline_id in ids]
    found = [line for line in lines if line is not None]
    if len(found) < len(lines):
        return refuse("the order does not have this line")
    if all(payload["ends_line"] for payload in payloads) and all(line.state == NEW_STATES[kind] for line in found):
        return DONE
    for line in found:
        decision = _by_state(kind, line.state)
        if decision.verdict != "send":
            return decision
    if kind != "refund":
        # These name a SKU, and Back Market applies them to each line that has it.
        others = [line for line in order.lines if line.sku == found[0].sku and line.orderline_id not in ids]
        if any(line.state == _FROM[kind] for line in others):
            return refuse(
                f"{len(others) + len(found)} lines of the order have SKU {shortened(found[0].sku or '')}, and Back "
                "Market would end them all: give a row for each, or do it in the Back Office"
            )
    return SEND


def payload_of(refund: Refund) -> dict[str, object]:
    """Return what the ledger keeps of a refund: amounts as text; not the message, which may be personal."""
    row, line = refund.row, refund.line
    assert line is not None  # noqa: S101 - only refunds of a line are planned
    payload = {
        "order_id": row.order_id,
        "orderline_id": line.orderline_id,
        "sku": line.sku,
        "refund": row.kind,
        "amount": format(refund.amount, "f"),
        "currency": line.currency,
        "is_whole": refund.is_whole,
        "ends_line": refund.ends_line,
        "return_reason": row.return_reason,
    }
    return {name: value for name, value in payload.items() if value is not None}


def why_person(
    amount: Decimal, currency: str, *, limit: Decimal, sent_today: Decimal, day_limit: Decimal | None
) -> str | None:
    """Return why a person has to see a refund before it goes out; None where it may go.

    :param limit: a larger refund needs a person.
    :param sent_today: what refunds of this currency have come to since midnight in UTC, those planned before this one
        included.
    :param day_limit: with this one, a day's refunds may come to so much without a person; None: to anything.
    """
    if amount > limit:
        return f"{amount} {currency} is above {limit}, up to which refunds go out by themselves"
    if day_limit is not None and sent_today + amount > day_limit:
        return (
            f"with {amount} {currency}, today's refunds would come to {sent_today + amount}; up to {day_limit} a day "
            "go out by themselves"
        )
    return None


def _line_of(row: RefundRow, lines: Sequence[PaidLine]) -> tuple[PaidLine | None, str]:
    """Return the line that a row is about, or why there is none."""
    if row.orderline_id is None:
        if len(lines) == 1:
            return lines[0], ""
        return None, f"orderline_id is missing, and the order has {len(lines)} lines"
    found = next((line for line in lines if line.orderline_id == row.orderline_id), None)
    return found, f"order {row.order_id} has no line {row.orderline_id}"


def _form(row: RefundRow, line: PaidLine, places: int) -> list[str]:
    """Name everything that is wrong with a row in itself."""
    reasons = []
    if row.kind not in NEW_STATES:
        reasons.append(f"kind is none of {', '.join(NEW_STATES)}")
    currency = (row.currency or "").strip().upper()
    if currency and currency != line.currency:
        given = f" {currency}" if _CURRENCY.fullmatch(currency) else ""
        reasons.append(f"currency{given} is not the order's {line.currency}")
    if row.amount is not None and not currency:
        reasons.append("currency is missing")
    if row.amount is not None:
        reasons += _amount(row.amount, places)
    if row.return_reason is not None and row.return_reason not in RETURN_REASONS:
        reasons.append(f"return_reason {row.return_reason} is none of {', '.join(map(str, sorted(RETURN_REASONS)))}")
    if len(row.return_message or "") > LONGEST_MESSAGE:
        reasons.append(f"return_message is longer than {LONGEST_MESSAGE} characters")
    return reasons


def _amount(amount: Decimal, places: int) -> list[str]:
    if not amount.is_finite():
        return [f"amount {amount} is not a number"]
    reasons = []
    if amount <= 0:
        reasons.append(f"amount {amount} is not above zero")
    if decimals(amount) > places:
        reasons.append(f"amount {amount} has more than {places} decimals")
    return reasons


def _known_already(
    row: RefundRow, line: PaidLine, amount: Decimal | None, sent: Iterable[SentRefund]
) -> Decision | None:
    """Decide on what the ledger knows of this line: the same refund is never sent twice, also where it is in doubt."""
    of_line = [refund for refund in sent if refund.orderline_id == line.orderline_id]
    same = [refund for refund in of_line if refund.kind == row.kind and amount in {None, refund.amount}]
    if amount is None:
        # All that is left: only a refund that left nothing has done that.
        same = [refund for refund in same if _sum(of_line) >= (line.paid or Decimal(0))]
    if same:
        return DONE
    if any(not refund.is_sure for refund in of_line):
        return wait("whether an earlier refund of this line was applied is not known yet")
    return None


def _sum(refunds: Collection[SentRefund]) -> Decimal:
    return sum((refund.amount for refund in refunds), Decimal(0))


def _take(rows: list[StatementRefund], amount: Decimal, not_before: date | None = None) -> None:
    """Take away the first row of an amount, of those that are not from before a day."""
    for place, row in enumerate(rows):
        if row.amount == amount and (not_before is None or row.on >= not_before):
            del rows[place]
            return


def _by_state(kind: str, state: int) -> Decision:
    """Decide on the state that a line is in."""
    if state == _FROM[kind]:
        return SEND
    if state in NOT_PAYABLE_YET:
        return wait(f"the line is not paid yet (state {state})")
    if state in _INSTEAD:
        return refuse(f"the line is in state {state}: what can be done with it now is {_INSTEAD[state]}")
    return refuse(f"the line is {_ENDED.get(state, f'in state {state}')} already")


def _of_amount(row: RefundRow, line: PaidLine, amount: Decimal | None, left: Decimal) -> Refund:
    assert line.paid is not None  # noqa: S101 - else nothing is known to be left
    if left <= 0:
        return Refund(refuse(f"nothing is left to be paid back of the {line.paid} {line.currency} paid"), row, line)
    if amount is not None and amount > left:
        so_far = f", of which {line.paid - left} was paid back before" if left < line.paid else ""
        paid = f"{line.paid} {line.currency} was paid for the line{so_far}"
        return Refund(refuse(f"amount {amount} is more than can be paid back: {paid}"), row, line)
    if row.kind != "refund" and (left < line.paid or amount not in {None, left}):
        why = f"{row.kind} pays back all of the line, {line.paid} {line.currency}: leave amount empty, or correct it"
        return Refund(refuse(why), row, line)
    ends_line = amount is None or amount == left
    return Refund(
        SEND,
        row,
        line,
        left if amount is None else amount,
        is_whole=ends_line and left == line.paid,
        ends_line=ends_line,
    )
