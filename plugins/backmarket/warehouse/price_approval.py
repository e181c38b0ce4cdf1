"""Remembers which large moves of prices a person was asked about, and what was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal  # noqa: TC003 - read at run time by the tuple's users
from typing import TYPE_CHECKING, Literal, NamedTuple

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from backmarket.warehouse.connection import Connection

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
    """Return the moves that wait and were put to nobody, at most as many as one form takes.

    :param decided_since: what was decided before this holds no more: the move is put to a person again.
    :param asked_before: a question put before this and not answered by now counts as never put: its run is gone.
    """
    parameters = {
        "account": account,
        "most": MOST_MOVES_A_QUESTION,
        "asked_before": asked_before,
        "decided_since": decided_since,
    }
    return [Move(*row) for row in connection.execute(sql.statement("price_approval/select_unasked"), parameters)]


def ask(connection: Connection, account: str, *, run_id: str, decided_since: datetime) -> list[Move]:
    """Take the waiting moves up as one run's question, again where a try of the run asked before.

    :param decided_since: see :func:`unasked`.
    """
    with connection.transaction():
        connection.execute(sql.statement("price_approval/forget_unanswered"), {"account": account, "run_id": run_id})
        for move in unasked(connection, account, decided_since=decided_since):
            parameters = {"account": account, "run_id": run_id, **move._asdict()}
            connection.execute(sql.statement("price_approval/insert_question"), parameters)
        return asked(connection, account, run_id=run_id)


def asked(connection: Connection, account: str, *, run_id: str) -> list[Move]:
    """Return what a run asked about and has no answer to."""
    parameters = {"account": account, "run_id": run_id}
    return [Move(*row) for row in connection.execute(sql.statement("price_approval/select_asked"), parameters)]


def decide(
    connection: Connection,
    account: str,
    move: Move,
    status: Literal["approved", "refused", "expired"],
    *,
    run_id: str,
    decided_by: str | None,
) -> None:
    """Record a decision; it holds for exactly this move, old price and new."""
    parameters = {"sku": move.sku, "market": move.market, "status": status, "decided_by": decided_by}
    connection.execute(sql.statement("price_approval/decide"), {"account": account, "run_id": run_id, **parameters})
