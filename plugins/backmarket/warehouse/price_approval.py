"""Stores which large moves of prices a person was asked about, and what was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.prices import Answer
from backmarket.warehouse import sql

if TYPE_CHECKING:
    from backmarket.rules.prices import Decision
    from backmarket.warehouse.connection import Connection

Decisions = dict[tuple[str, str, Decimal | None, Decimal | None], Answer]
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


def all_asked(connection: Connection, account: str, *, run_id: str) -> list[Move]:
    """Return the moves that a run asked about, those too that were decided elsewhere meanwhile."""
    parameters = {"account": account, "run_id": run_id}
    return [Move(*row) for row in connection.execute(sql.statement("price_approval/select_all_asked"), parameters)]


def decide_waiting(
    connection: Connection,
    account: str,
    change_id: int,
    prices: tuple[str, str],
    decision: Decision,
    *,
    decided_by: str,
    decided_since: datetime,
) -> str | None:
    """Record a decision about a move that waits in the ledger, and return the run that may have asked about it.

    :param prices: the old and the new one, as they were shown.
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
    return {(sku, market, old, new): Answer(*answer) for sku, market, old, new, *answer in rows}
