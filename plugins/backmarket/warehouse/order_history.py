"""Remembers what runs of backfills have read of the orders' past, so that the others need not read it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.rules.order_window import HISTORY_READ_HOLDS, HistoryRead
from backmarket.warehouse import sql

if TYPE_CHECKING:
    from datetime import datetime

    from backmarket.warehouse.connection import Connection


def lock_history(connection: Connection, account: str) -> None:
    """Wait until no other run of a backfill reads this account's past; held as long as the connection."""
    connection.execute(sql.statement("orders/lock_history"), {"account": account})


def history_reads(connection: Connection, account: str, *, now: datetime) -> list[HistoryRead]:
    """Return the readings that still hold, the newest first."""
    parameters = {"account": account, "since": now - HISTORY_READ_HOLDS}
    rows = connection.execute(sql.statement("orders/select_history_reads"), parameters).fetchall()
    return [HistoryRead(*row) for row in rows]


def note_history_read(connection: Connection, account: str, read: HistoryRead) -> None:
    """Note a complete reading, and forget those that hold no longer."""
    connection.execute(
        sql.statement("orders/delete_old_history_reads"),
        {"account": account, "before": read.began_at - HISTORY_READ_HOLDS},
    )
    connection.execute(
        sql.statement("orders/insert_history_read"),
        {
            "account": account,
            "run_id": read.run_id,
            "clear_number": read.clear_number,
            "created_from": read.created_from,
            "created_to": read.created_to,
            "began_at": read.began_at,
        },
    )
