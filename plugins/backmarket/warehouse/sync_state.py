"""Remembers up to when each concern's data is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from backmarket.warehouse.connection import Connection


class SyncState(NamedTuple):
    """Where a concern stands.

    :param watermark: everything modified on Back Market up to this moment is stored; None before that is so.
    :param succeeded_at: when it last succeeded; None before the first success.
    """

    watermark: datetime | None
    succeeded_at: datetime | None


def read(connection: Connection, account: str, concern: str, market: str = "") -> SyncState:
    """Return where a concern stands; all None before its first success."""
    parameters = {"account": account, "concern": concern, "market": market}
    row = connection.execute(sql.statement("sync_state/select_watermark"), parameters).fetchone()
    return SyncState(*row) if row else SyncState(None, None)


def record_success(
    connection: Connection,
    account: str,
    concern: str,
    counts: Mapping[str, object],
    *,
    watermark: datetime | None = None,
    market: str = "",
) -> None:
    """Record a success, in the transaction of the data it speaks of; the watermark only moves forwards."""
    from psycopg.types.json import Jsonb

    connection.execute(
        sql.statement("sync_state/upsert_sync_state"),
        {
            "account": account,
            "concern": concern,
            "market": market,
            "watermark": watermark,
            "counts": Jsonb(dict(counts)),
        },
    )
