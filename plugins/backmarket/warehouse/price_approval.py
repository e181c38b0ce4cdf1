"""Stores which large moves of prices a person was asked about, and what was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from backmarket.rules.prices import Decision
    from backmarket.warehouse.connection import Connection

Decisions = dict[tuple[str, str, Decimal | None, Decimal | None], "Decision"]
"""What people decided, by SKU, market, old price and new price."""

MOST_MOVES_A_QUESTION = 50
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


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


def unasked(
    connection: Connection, account: str, *, decided_since: datetime, asked_before: datetime = _LONG_AGO
) -> list[Move]:
    """Return the moves that wait and that nobody was asked about, at most as many as one form takes.

    :param decided_since: a decision made before this no longer holds: the question is asked again.
    :param asked_before: a question asked before this and still not answered counts as never asked: its run is gone.
    """
    parameters = {
        "account": account,
        "most": MOST_MOVES_A_QUESTION,
        "asked_before": asked_before,
        "decided_since": decided_since,
    }
    return [Move(*row) for row in connection.execute(sql.statement("price_approval/select_unasked"), parameters)]


def ask(connection: Connection, account: str, *, run_id: str, decided_since: datetime) -> list[Move]:
    """Make the waiting moves the question of a run, and return all that it asks; an earlier try may have asked some.

    :param decided_since: see :func:`unasked`.
    """
    with connection.transaction():
        connection.execute(sql.statement("price_approval/forget_unanswered"), {"account": account, "run_id": run_id})
        for move in unasked(connection, account, decided_since=decided_since):
            parameters = {"account": account, "run_id": run_id, **move._asdict()}
            connection.execute(sql.statement("price_approval/insert_question"), parameters)
        return asked(connection, account, run_id=run_id)


def asked(connection: Connection, account: str, *, run_id: str) -> list[Move]:
    """Return the moves that a run asked about and has no answer to."""
    parameters = {"account": account, "run_id": run_id}
    return [Move(*row) for row in connection.execute(sql.statement("price_approval/select_asked"), parameters)]


def decide(
    connection: Connection,
    account: str,
    move: Move,
    decision: Decision,
    *,
    run_id: str,
    decided_by: str | None,
) -> None:
    """Record a decision; it holds for exactly this move, old price and new price."""
    parameters = {"sku": move.sku, "market": move.market, "status": decision, "decided_by": decided_by}
    connection.execute(sql.statement("price_approval/decide"), {"account": account, "run_id": run_id, **parameters})


def decisions(connection: Connection, account: str, markets: list[str], *, decided_since: datetime) -> Decisions:
    """Return what people decided about moves in these markets."""
    parameters = {"account": account, "markets": markets, "decided_since": decided_since}
    rows = connection.execute(sql.statement("price_approval/select_decisions"), parameters)
    return {(sku, market, old, new): decision for sku, market, old, new, decision in rows}
