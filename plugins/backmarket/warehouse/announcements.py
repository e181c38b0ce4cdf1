"""Remembers what has changed until an asset event tells of it: a task may store something, and fail after that."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.warehouse.connection import Connection


def note(connection: Connection, account: str, thing: str, counts: Mapping[str, int]) -> None:
    """Note what has changed, in the transaction that changes it. What is settled in the ledger notes itself.

    :param thing: of :data:`backmarket.assets.THINGS`.
    :param counts: how many changed how, by the names that the asset event has for them.
    """
    from psycopg.types.json import Jsonb

    if changed := {name: units for name, units in counts.items() if units}:
        parameters = {"account": account, "thing": thing, "counts": Jsonb(changed)}
        connection.execute(sql.statement("sync_state/note_unannounced"), parameters)


def last_claim(connection: Connection, account: str, thing: str) -> str | None:
    """Return which run was the last that had something to announce."""
    row = connection.execute(sql.statement("sync_state/select_last_claim"), {"account": account, "thing": thing})
    return next((run_id for (run_id,) in row), None)


def claim(
    connection: Connection, account: str, thing: str, *, run_id: str, instead_of: str | None = None
) -> Counter[str]:
    """Return what a run has to announce: all that none has announced yet, and what it claimed before.

    So a task that is tried again announces it again, and the next run does not.

    :param instead_of: a run that claimed something, and then failed to announce it.
    :return: how many changed how; empty where nothing did.
    """
    parameters = {"account": account, "thing": thing, "run_id": run_id, "instead_of": instead_of}
    claimed: Counter[str] = Counter()
    with connection.transaction():
        connection.execute(sql.statement("sync_state/claim_unannounced"), parameters)
        if instead_of:
            connection.execute(sql.statement("sync_state/reclaim_unannounced"), parameters)
        connection.execute(sql.statement("sync_state/delete_announced"), parameters)
        for (counts,) in connection.execute(sql.statement("sync_state/select_claimed"), parameters):
            claimed.update(counts)
    return claimed
