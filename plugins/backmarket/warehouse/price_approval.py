"""Stores which large moves of prices a person was asked about, and what was decided."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.approvals import Answer
from backmarket.rules.skus import sku_key
from backmarket.warehouse import sql
from backmarket.warehouse.approvals import ApprovalDesk

if TYPE_CHECKING:
    from datetime import datetime

    from backmarket.rules.approvals import Decision
    from backmarket.warehouse.connection import Connection

Decisions = dict[tuple[str, str, Decimal | None, Decimal | None], Answer]
"""What people decided, by :func:`sku_key`, market, old price and new price."""


class Move(NamedTuple):
    """A large move of a price."""

    sku: str
    market: str
    old_price: Decimal
    new_price: Decimal
    currency: str
    reason: str

    @property
    def option(self) -> str:
        """The move as a choice in the form."""
        return f"{self.sku} {self.market}: {self.old_price} → {self.new_price} {self.currency}"


DESK = ApprovalDesk("price_approval", Move)
"""Where the questions about large moves lie."""


def decide_waiting(
    connection: Connection,
    account: str,
    change_id: int,
    prices: tuple[str | None, str],
    decision: Decision,
    *,
    decided_by: str,
    decided_since: datetime,
) -> str | None:
    """Record a decision about a move that waits in the ledger, and return the run that may have asked about it.

    :param prices: the old and the new one, as they were shown; a move without an old one is none to decide about.
    :param decided_since: a decision made before this no longer holds.
    :return: None where there was nothing to decide: it is another move now, or was decided already.
    """
    from psycopg.rows import scalar_row

    parameters = {
        "account": account,
        "change_id": change_id,
        "old_price": prices[0],
        "new_price": prices[1],
        "status": decision,
        "decided_by": decided_by,
        "decided_since": decided_since,
    }
    cursor = connection.cursor(row_factory=scalar_row)
    return cursor.execute(sql.statement("price_approval/decide_waiting"), parameters).fetchone()


def decisions(connection: Connection, account: str, markets: list[str], *, decided_since: datetime) -> Decisions:
    """Return what people decided about moves in these markets."""
    parameters = {"account": account, "markets": markets, "decided_since": decided_since}
    rows = connection.execute(sql.statement("price_approval/select_decisions"), parameters)
    return {(sku_key(sku), market, old, new): Answer(*answer) for sku, market, old, new, *answer in rows}
