"""Deletes histories that are too old, and nothing that a later decision needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.warehouse import sql, sync_state
from backmarket.warehouse.settlements.reconciliation import lock_findings

if TYPE_CHECKING:
    from backmarket.warehouse.connection import Connection

_EVERY = timedelta(days=1)
_SYNC_NAME = "history"


def history_is_due(connection: Connection, account: str, now: datetime) -> bool:
    """Tell whether a day has passed since :func:`purge_history` last looked through everything."""
    last = sync_state.read(connection, account, _SYNC_NAME).succeeded_at
    return last is None or now >= last + _EVERY


def purge_history(
    connection: Connection,
    account: str,
    *,
    days: int,
    price_decision_days: int | None,
    moves_kept: timedelta | None = None,
) -> dict[str, int]:
    """Delete what ended more than so many days ago; return how many rows of each history.

    What stays grows with orders and SKUs, and no longer with time: ``include/sql/history.sql`` says of each table what
    that is and why. Orders, listings, statements and their lines are no history, and stay.

    :param price_decision_days: how long a decision about a move of a price holds; None where that cannot be told, and
        all of them stay.
    :param moves_kept: how far back a move may still hold a price for repricing; None where that cannot be told, and all
        of them stay.
    """
    parameters = {
        "account": account,
        "days": days,
        "decision_days": price_decision_days,
        "moves_kept": moves_kept,
    }

    def purge(name: str) -> int:
        return connection.execute(sql.statement(f"history/purge_{name}"), parameters).rowcount

    histories = (
        "changes",
        "offer_history",
        "backbox_history",
        "backbox_requests",
        "settlement_reports",
        "need_marks",
    )
    counts = {name: purge(name) for name in histories}
    counts["price_decisions"] = 0 if price_decision_days is None else purge("price_decisions")
    with connection.transaction():
        lock_findings(connection, account)
        counts |= {name: purge(name) for name in ("finding_history", "closed_findings")}
    sync_state.record_success(connection, account, _SYNC_NAME, counts)
    return counts
