"""Stores which refunds a person was asked about, and what was decided."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.rules.approvals import Answer
from backmarket.warehouse import sql
from backmarket.warehouse.approvals import ApprovalDesk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from backmarket.rules.approvals import Decision
    from backmarket.warehouse.connection import Connection

Decisions = dict[tuple[int, str, Decimal, str], Answer]
"""What people decided, by orderline id, kind, amount and currency."""


class RefundQuestion(NamedTuple):
    """A refund that a person is asked about; amount in the order's currency."""

    orderline_id: int
    order_id: int
    kind: str
    amount: Decimal
    currency: str
    reason: str

    @property
    def option(self) -> str:
        """The refund as a choice in the form."""
        return f"order {self.order_id}, line {self.orderline_id}: {self.kind} {self.amount} {self.currency}"


DESK = ApprovalDesk("refund_approval", RefundQuestion)
"""Where the questions about refunds lie."""


def decide_waiting(
    connection: Connection,
    account: str,
    change_id: int,
    amount: str,
    decision: Decision,
    *,
    decided_by: str,
    decided_since: datetime,
) -> str | None:
    """Record a decision about a refund that waits in the ledger, and return the run that may have asked about it.

    :param amount: as it was shown.
    :param decided_since: a decision made before this no longer holds.
    :return: None where there was nothing to decide: it is another refund now, or was decided already.
    """
    from psycopg.rows import scalar_row

    parameters = {
        "account": account,
        "change_id": change_id,
        "amount": amount,
        "status": decision,
        "decided_by": decided_by,
        "decided_since": decided_since,
    }
    cursor = connection.cursor(row_factory=scalar_row)
    return cursor.execute(sql.statement("refund_approval/decide_waiting"), parameters).fetchone()


def forget_decision(connection: Connection, account: str, payload: Mapping[str, Any]) -> None:
    """Let a person be asked again about exactly this refund.

    :param payload: as the ledger holds it.
    """
    parameters = {
        "account": account,
        "orderline_id": payload["orderline_id"],
        "kind": payload["refund"],
        "amount": payload["amount"],
        "currency": payload["currency"],
    }
    connection.execute(sql.statement("refund_approval/forget_decision"), parameters)


def decisions(connection: Connection, account: str, *, decided_since: datetime) -> Decisions:
    """Return what people decided about refunds."""
    parameters = {"account": account, "decided_since": decided_since}
    rows = connection.execute(sql.statement("refund_approval/select_decisions"), parameters)
    return {(line, kind, amount, currency): Answer(*answer) for line, kind, amount, currency, *answer in rows}
