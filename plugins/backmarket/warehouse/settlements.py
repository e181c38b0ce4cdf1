"""Stores settlement statements: a file is staged as it is read, then merged in one transaction."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from backmarket.rules.settlement_files import StatementLine, Survey, read_lines, survey
from backmarket.rules.settlement_references import invoice_reference, issue_date
from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean

if TYPE_CHECKING:
    from datetime import date, datetime

    from backmarket.warehouse.connection import Connection


class KnownFile(NamedTuple):
    """A file of the inbox as it was when it was read."""

    size: int
    modified_at: datetime
    sha256: str


@dataclass(frozen=True)
class StatementFile:
    """One file to load.

    :param path: where it lies; the key under which it is remembered.
    :param name: its own name, which may hold the invoice reference.
    :param modified_at: of two exports of one statement the later one holds.
    :param content: seekable, at its beginning.
    """

    path: str
    name: str
    size: int
    modified_at: datetime
    sha256: str
    content: IO[bytes]


def known_files(connection: Connection, account: str) -> dict[str, KnownFile]:
    """Return the files read so far, by path."""
    rows = connection.execute(sql.statement("settlements/select_files"), {"account": account}).fetchall()
    return {path: KnownFile(*known) for path, *known in rows}


def load_file(connection: Connection, account: str, file: StatementFile) -> int:
    """Store the rows of a file that are not stored yet, in one transaction; safe beside others that load it too.

    :return: how many rows were new; 0 for a content that was loaded before under any name.
    :raises StatementError: where it cannot be understood; nothing is stored then.
    """
    with connection.transaction():
        # One after the other where two runs meet in a file, or in two exports of one statement.
        invoice_ref = invoice_reference(file.name, file.sha256)
        for name in sorted({file.sha256, invoice_ref}):
            connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"settlement/{account}/{name}"]
            )
        if any(known.sha256 == file.sha256 for known in known_files(connection, account).values()):
            _remember(connection, account, file, invoice_ref, 0)
            return 0
        connection.execute("set local work_mem = '64MB'")
        found = _stage(connection, file, invoice_ref)
        new = _merge(connection, account, file, invoice_ref, found)
        _remember(connection, account, file, invoice_ref, sum(found.counts.values()))
    return new


def release_files(connection: Connection, account: str, unreadable: list[str]) -> None:
    """Let all files leave the quarantine but these."""
    connection.execute(
        sql.statement("settlements/release_files"),
        {"account": account, "unreadable": [clean(key) for key in unreadable]},
    )


def _stage(connection: Connection, file: StatementFile, invoice_ref: str) -> Survey:
    connection.execute(sql.statement("settlements/stage_lines"))
    text = io.TextIOWrapper(file.content, encoding="utf-8-sig", newline="")
    try:
        found = survey(text, issue_date(invoice_ref))
        text.seek(0)
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.statement("settlements/copy_lines")) as copy,
        ):
            for line in read_lines(text, found):
                copy.write_row((invoice_ref, *_row(line)))
    finally:
        text.detach()
    connection.execute("analyze staged_settlement_lines")
    return found


def _row(line: StatementLine) -> tuple[Any, ...]:
    return (
        line.line_no,
        line.invoice_key,
        line.category,
        line.role,
        _day(line.value_date),
        clean(line.sku),
        line.number,
        line.tracking_number,
        clean(line.designation),
        line.amount,
        line.currency,
        line.occurrence,
    )


@lru_cache(maxsize=4096)
def _day(day: date) -> str:
    """Write a date once for all rows that have it: psycopg would do it a million times."""
    return day.isoformat()


def _merge(connection: Connection, account: str, file: StatementFile, invoice_ref: str, found: Survey) -> int:
    key = {"account": account, "invoice_ref": invoice_ref}
    stored = connection.execute(sql.statement("settlements/select_newest_export"), key).fetchone()
    is_newest = stored is None or (file.modified_at, file.sha256) > stored
    if stored is None:
        new = connection.execute(sql.statement("settlements/insert_lines"), key).rowcount
        connection.execute(sql.statement("settlements/insert_stale_days"), {"account": account})
    else:
        if is_newest:
            connection.execute(sql.statement("settlements/mark_vanished"), key)
        row = connection.execute(sql.statement("settlements/merge_lines"), key | {"is_newest": is_newest}).fetchone()
        new = int(row[0]) if row else 0
    if is_newest:
        connection.execute(sql.statement("settlements/drop_statements"), key | {"currencies": list(found.counts)})
        for currency, line_count in found.counts.items():
            statement = {
                "currency": currency,
                "file_name": clean(file.name),
                "sha256": file.sha256,
                "exported_at": file.modified_at,
                "issued_on": issue_date(invoice_ref),
                "line_count": line_count,
                "total": found.totals[currency],
            }
            connection.execute(sql.statement("settlements/upsert_statement"), key | statement)
    return new


def _remember(connection: Connection, account: str, file: StatementFile, invoice_ref: str, line_count: int) -> None:
    connection.execute(
        sql.statement("settlements/upsert_file"),
        {
            "account": account,
            "path": clean(file.path),
            "size": file.size,
            "modified_at": file.modified_at,
            "sha256": file.sha256,
            "invoice_ref": invoice_ref,
            "line_count": line_count,
        },
    )
