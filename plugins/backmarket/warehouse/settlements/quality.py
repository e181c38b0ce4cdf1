"""Reads what must not be: files that cannot be read, statements that do not add up, rows of no order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from psycopg.rows import class_row

from backmarket.warehouse import sql
from backmarket.warehouse.settlements.reconciliation import lock_findings

if TYPE_CHECKING:
    from backmarket.warehouse.connection import Connection


class UnreadableFile(NamedTuple):
    """A file of the inbox, and why it cannot be read."""

    path: str
    reason: str


class StatementOff(NamedTuple):
    """A statement in one currency whose stored rows do not add up to what its newest export says."""

    invoice_ref: str
    currency: str
    file_name: str
    said_total: Decimal
    said_lines: int
    total: Decimal
    lines: int


class Orphans(NamedTuple):
    """How many rows are loaded, and how many of them are sales, fees and refunds of no order, also in per cent."""

    lines: int
    orphan_lines: int
    orphan_pct: Decimal


@dataclass(frozen=True)
class Quality:
    """What an account's statements are like."""

    unreadable: list[UnreadableFile]
    off: list[StatementOff]
    orphans: Orphans


def read_quality(connection: Connection, account: str) -> Quality:
    """Look at the files of an account, and at the statements that have changed or did not add up the last time."""
    of_account = {"account": account}
    with connection.cursor(row_factory=class_row(UnreadableFile)) as cursor:
        unreadable = cursor.execute(sql.statement("settlements/select_unreadable_files"), of_account).fetchall()
    with connection.transaction(), connection.cursor(row_factory=class_row(StatementOff)) as cursor:
        # Of two checks at a time the second would not see the marks that the first leaves again.
        lock_findings(connection, account)
        taken = connection.execute(sql.statement("settlements/take_stale_statements"), of_account).fetchall()
        stale = {"account": account, "invoice_refs": sorted({invoice_ref for (invoice_ref,) in taken})}
        off = cursor.execute(sql.statement("settlements/select_statements_off"), stale).fetchall()
        still = {"account": account, "invoice_refs": sorted({each.invoice_ref for each in off})}
        connection.execute(sql.statement("settlements/insert_stale_statements"), still)
    with connection.cursor(row_factory=class_row(Orphans)) as cursor:
        orphans = cursor.execute(sql.statement("settlements/select_quality"), of_account).fetchone()
    return Quality(unreadable, off, orphans or Orphans(0, 0, Decimal(0)))
