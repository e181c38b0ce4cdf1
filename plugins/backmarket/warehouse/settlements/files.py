"""Stores settlement statements: a file is copied in as it is read, each in one transaction."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, NamedTuple

from psycopg.sql import SQL, Identifier

from backmarket.rules.settlements.blocks import StatementError
from backmarket.rules.settlements.contents import refuse_other_content
from backmarket.rules.settlements.coverage import covered_days
from backmarket.rules.settlements.files import Survey, read_lines, survey
from backmarket.rules.settlements.references import invoice_reference, issue_date
from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean
from backmarket.warehouse.quarantine import key_of
from backmarket.warehouse.settlements.lines import copy_text
from backmarket.warehouse.settlements.ties import find_ties

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.warehouse.connection import Connection


class KnownFile(NamedTuple):
    """A file of the inbox as it was when it was read.

    :param invoice_ref: of the statement that has its rows, if it is a copy without a reference of its own.
    :param line_count: how many rows it has; 0 of one that was only a copy, from which none was loaded.
    """

    size: int
    modified_at: datetime
    sha256: str
    invoice_ref: str
    line_count: int


@dataclass(frozen=True)
class StatementFile:
    """One file to load.

    :param path: where it lies; the key under which it is remembered.
    :param name: its own name, which may hold the invoice reference.
    :param modified_at: when it was stored, as its storage says.
    :param content: seekable, at its beginning.
    :param listed_at: when it was seen, later than which it cannot have been stored; None for a time that is sure.
    :param older_by: how much earlier it counts as stored than the archive that it lies in.
    """

    path: str
    name: str
    size: int
    modified_at: datetime
    sha256: str
    content: IO[bytes]
    listed_at: datetime | None = None
    older_by: timedelta = timedelta(0)

    @property
    def exported_at(self) -> datetime:
        """When it was stored: of two exports of one statement the later one holds."""
        return min(self.modified_at, self.listed_at or self.modified_at) - self.older_by


def known_files(connection: Connection, account: str) -> dict[str, KnownFile]:
    """Return the files read so far, by path."""
    rows = connection.execute(sql.statement("settlements/select_files"), {"account": account}).fetchall()
    return {path: KnownFile(*known) for path, *known in rows}


def load_file(
    connection: Connection,
    account: str,
    file: StatementFile,
    advance: Callable[[int, int], object] = lambda *_: None,
    tell: Callable[[str], object] = lambda _: None,
) -> int:
    """Store the rows of a file that are not stored yet, in one transaction; safe beside others that load it too.

    An invoice may have a file for each of its currencies, or one for all: an export speaks of those that it holds.

    :param advance: is told how many rows have been read, and how many the file has.
    :param tell: is told, for a person, of a currency that an earlier export has and this one has not, of another
        statement that holds exactly the same, and of an export that counts once more.
    :return: how many rows were new; 0 for a content that is stored already as this statement's newest export, or that
        comes again without a reference.
    :raises StatementError: where it cannot be understood or is another account's; nothing is stored then.
    """
    with connection.transaction():
        # One after the other where two runs meet in a file, or in two exports of one statement.
        invoice_ref = invoice_reference(file.name, file.sha256)
        for name in (f"/{file.sha256}", *sorted({f"{account}/{file.sha256}", f"{account}/{invoice_ref}"})):
            connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"settlement/{name}"])
        _refuse_foreign(connection, account, file, invoice_ref)
        alike = _statements_of(connection, account, file.sha256)
        here = known_files(connection, account).get(file.path)
        if here and (here.sha256, here.invoice_ref) == (file.sha256, invoice_ref) and invoice_ref in alike:
            # A file that was only touched is no further export.
            _remember(connection, account, file, invoice_ref, here.line_count)
            return 0
        if alike and invoice_ref == file.sha256:
            # Nothing tells it from a copy. It is read again once the statement that has its rows is taken out.
            _remember(connection, account, file, max(alike), 0)
            return 0
        if invoice_ref != file.sha256:
            key = {"account": account, "sha256": file.sha256, "invoice_ref": invoice_ref}
            connection.execute(sql.statement("settlements/delete_nameless"), key)
        others = sorted(alike - {invoice_ref, file.sha256})
        refuse_other_content(file.content)
        text = io.TextIOWrapper(file.content, encoding="utf-8-sig", newline="")
        try:
            stored = _store(connection, account, file, invoice_ref, text, advance)
        finally:
            text.detach()
        _remember(connection, account, file, invoice_ref, stored.line_count)
    if others:
        tell(
            f"it holds exactly what statement {' and '.join(others)} holds, and both count. If it is the same under a "
            "wrong reference, take out one of them: docs/operations/settlements.md says how"
        )
    if stored.is_another_export and invoice_ref in alike:
        tell(
            f"statement {invoice_ref} was like this before, and is again, as this was stored after the export that "
            "counted until now. If it was only moved or copied, store that export anew, so that it is the later one"
        )
    if stored.lacking:
        lacking = " and ".join(stored.lacking)
        tell(f"it has no row in {lacking}, of which statement {invoice_ref} keeps what was loaded before")
    return stored.new


def _refuse_foreign(connection: Connection, account: str, file: StatementFile, invoice_ref: str) -> None:
    """Refuse a file that another account has loaded, byte for byte, as the same statement: both read one inbox."""
    parameters = {"account": account, "sha256": file.sha256, "invoice_ref": invoice_ref}
    found = connection.execute(sql.statement("settlements/select_other_account"), parameters).fetchone()
    if found:
        raise StatementError(
            f"account {found[0]} has loaded this very content. Give each account an inbox of its own (Variable "
            f"backmarket_{account}__settlement_inbox). If the file is not {found[0]}'s, take its rows from there: "
            "docs/operations/accounts.md says how"
        )


def _statements_of(connection: Connection, account: str, sha256: str) -> set[str]:
    """Return the references of the statements that were loaded from a content, whatever its file holds by now."""
    parameters = {"account": account, "sha256": sha256}
    return {ref for (ref,) in connection.execute(sql.statement("settlements/select_statements_of_content"), parameters)}


def release_files(connection: Connection, account: str, still: list[str]) -> None:
    """Let all files leave the quarantine but those at these paths: still not readable, or not given."""
    connection.execute(
        sql.statement("settlements/release_files"),
        {"account": account, "still": [key_of(path) for path in still]},
    )


class _Stored(NamedTuple):
    """What was stored of a file.

    :param new: how many of its rows are new.
    :param line_count: how many rows it has.
    :param lacking: the stored currencies of which it has none.
    :param is_another_export: whether another export of its statement counted until now.
    """

    new: int
    line_count: int
    lacking: list[str]
    is_another_export: bool


def _store(
    connection: Connection,
    account: str,
    file: StatementFile,
    invoice_ref: str,
    text: io.TextIOWrapper,
    advance: Callable[[int, int], object],
) -> _Stored:
    key = {"account": account, "invoice_ref": invoice_ref}
    exports = connection.execute(sql.statement("settlements/select_newest_exports"), key).fetchall()
    stored = {currency: (exported_at, sha256) for currency, exported_at, sha256 in exports}
    found = survey(text, issue_date(invoice_ref))
    text.seek(0)
    if not stored:
        # Nothing to compare with, so nothing to stage.
        _copy(
            connection, account, file, invoice_ref, text, found, Identifier("backmarket", "settlement_lines"), advance
        )
        days = sorted(set(found.dates.values()))
        connection.execute(sql.statement("settlements/insert_stale_days"), {"account": account, "days": days})
        new = found.counts.total()
    else:
        connection.execute("set local work_mem = '64MB'")
        connection.execute(sql.statement("settlements/stage_lines"))
        _copy(connection, account, file, invoice_ref, text, found, Identifier("staged_settlement_lines"), advance)
        connection.execute("analyze staged_settlement_lines")
        new = sum(_merge(connection, key, file, currency, stored.get(currency)) for currency in found.counts)
    newest = [each for each in found.counts if each not in stored or (file.exported_at, file.sha256) > stored[each]]
    _upsert_statements(connection, key, file, found, newest)
    content = {"currencies": list(found.counts), "sha256": file.sha256}
    connection.execute(sql.statement("settlements/upsert_content"), key | content)
    is_another = any(each in stored and stored[each][1] != file.sha256 for each in newest)
    return _Stored(new, found.counts.total(), sorted(stored.keys() - found.counts.keys()), is_another)


def _merge(
    connection: Connection,
    key: dict[str, str],
    file: StatementFile,
    currency: str,
    stored: tuple[datetime, str] | None,
) -> int:
    """Merge the staged rows of a currency with those stored, and return how many are new.

    :param stored: the newest export of this currency before; None where there is none.
    """
    export = {
        "currency": currency,
        "exported_at": file.exported_at,
        "newest_before": stored and stored[0],
        "is_newest": stored is None or (file.exported_at, file.sha256) > stored,
    }
    row = connection.execute(sql.statement("settlements/merge_lines"), key | export).fetchone()
    return int(row[0]) if row else 0


def _copy(
    connection: Connection,
    account: str,
    file: StatementFile,
    invoice_ref: str,
    text: io.TextIOWrapper,
    found: Survey,
    table: Identifier,
    advance: Callable[[int, int], object],
) -> None:
    ties = find_ties(connection, account, found.numbers, found.parcels)
    statement = SQL(sql.statement("settlements/copy_lines")).format(table=table)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for lines in read_lines(text, found):
            copy.write(copy_text(lines, ties, account, invoice_ref, file.exported_at))
            advance(found.counts.total(), found.rows)


def _upsert_statements(
    connection: Connection, key: dict[str, str], file: StatementFile, found: Survey, currencies: list[str]
) -> None:
    issued_on, today = issue_date(key["invoice_ref"]), datetime.now(UTC).date()
    for currency in currencies:
        days = covered_days(found.days[currency] or set(found.dates.values()), issued_on, today)
        statement = {
            "currency": currency,
            "file_name": clean(file.name),
            "sha256": file.sha256,
            "exported_at": file.exported_at,
            "issued_on": issued_on,
            "first_day": days and days[0],
            "last_day": days and days[1],
            "line_count": found.counts[currency],
            "total": found.totals[currency],
        }
        connection.execute(sql.statement("settlements/upsert_statement"), key | statement)


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
