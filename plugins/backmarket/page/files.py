"""Files that people give to the page: shown before anything is stored, then put where a DAG loads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from fastapi import HTTPException
from psycopg.rows import tuple_row

from backmarket.concerns import SELLER_FILES, SETTLEMENTS
from backmarket.hooks import uploads
from backmarket.hooks.inbox import SELLER, InboxError, find_inbox
from backmarket.hooks.inbox import SETTLEMENTS as STATEMENTS
from backmarket.page import access, variables
from backmarket.page.access import Notice
from backmarket.page.downloads import Download, Heading
from backmarket.page.runs import start_run, why_not_started
from backmarket.seller_account import dag_id_of
from backmarket.services.seller_files import ENTITY, SellerFileLoading, rules_of, target_of
from backmarket.services.settlements import preview_statement
from backmarket.services.uploads import MOST_BYTES, UploadRefusedError, purpose_of
from backmarket.settings import MainSettings, SellerFilesSettings, SettlementSettings, VariableError
from backmarket.warehouse.seller_files import TARGETS

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from airflow.sdk import ObjectStoragePath
    from sqlalchemy.orm import Session

    from backmarket.hooks.uploads import Upload
    from backmarket.page.place import Place
    from backmarket.services.seller_files import Preview
    from backmarket.services.settlements import StatementPreview
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.snapshot import Row

STEMS = (SELLER_FILES.stem, SETTLEMENTS.stem)
"""The concerns that load files."""

MOST_PROBLEMS = 100
"""So many rows that cannot be used are shown before a file is loaded."""

STATEMENT_TITLES = {"name": "File", "invoice_ref": "Statement", "line_count": "Lines", "loaded_at": "Read"}
"""What stands above the columns of the list of statements."""

_MOST_STATEMENTS = 50
_PREVIEW_SECONDS = 300
_ROW = re.compile(r"row (\d+)( \(.*\))?", re.DOTALL)


@dataclass(frozen=True)
class Obstacle:
    """Why a file would not be loaded at once.

    :param switch: the Variable to be switched on; empty where it is something else.
    """

    text: str
    switch: str = ""


@dataclass(frozen=True)
class Shown:
    """What a person sees of an upload before it is loaded.

    :param seller: what it would do to one of the seller's tables; None for a statement.
    :param statement: what it would do to the statements; None for another file.
    :param replaces: whether another file of its name lies in the inbox.
    """

    upload: Upload
    stem: str
    seller: Preview | None
    statement: StatementPreview | None
    replaces: bool
    obstacles: list[Obstacle]

    @property
    def can_load(self) -> bool:
        """Whether anything would come of it, now or once a person has let it through."""
        if self.statement is not None:
            return not self.statement.problem
        return self.seller is not None and not self.seller.is_known and self.seller.state.status != "refused"

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The first rows that cannot be used: the number of each, and why."""
        kept = self.seller.reading.kept if self.seller else {}
        numbered = [(_ROW.fullmatch(name), reason) for name, (_, reason) in kept.items()]
        found = sorted((int(row[1]), reason) for row, reason in numbered if row)
        return [(f"{number:,}", reason) for number, reason in found[:MOST_PROBLEMS]]

    @property
    def columns(self) -> list[str]:
        """The columns that the first rows have something in."""
        if self.statement:
            return list(self.statement.first_lines[0]) if self.statement.first_lines else []
        rows = self.seller.reading.first_rows if self.seller else []
        return [name for name in (rows[0][1] if rows else ()) if any(values[name] is not None for _, values in rows)]


def editable_stems(user: BaseUser, account: str) -> frozenset[str]:
    """Return the concerns whose files a person may give: those whose DAG they may edit."""
    return frozenset(stem for stem in STEMS if access.may_work_off(user, stem, account))


def require_edit(user: BaseUser, account: str, stem: str) -> None:
    """Refuse who may not give files to a concern, nor see what stands in them.

    :raises HTTPException: 403.
    """
    if stem not in editable_stems(user, account):
        raise HTTPException(403, f"You may not do this: it needs the right to edit {dag_id_of(stem, account)}.")


def inbox_problems(session: Session, account: str, stems: Iterable[str]) -> list[str]:
    """Return why files cannot be given to these concerns, for a person."""
    problems = []
    for stem in sorted(stems):
        try:
            open_inbox(session, account, stem)
        except (InboxError, VariableError) as error:
            problems.append(str(error))
    return problems


def open_inbox(session: Session, account: str, stem: str) -> ObjectStoragePath:
    """Return the inbox of a concern.

    :raises InboxError: where it is not there, as seen from the API server.
    :raises VariableError: where its Variable cannot be understood.
    """
    if stem == SELLER_FILES.stem:
        url, folder, field = variables.load(session, account, SellerFilesSettings).seller_inbox, SELLER, "seller_inbox"
    else:
        url, folder, field = (
            variables.load(session, account, SettlementSettings).settlement_inbox, STATEMENTS, "settlement_inbox"
        )  # fmt: skip
    return find_inbox(url, folder, variable=variables.key_of(session, account, field))


def take(
    session: Session, user: BaseUser, account: str, content: IO[bytes], given_name: str, chosen: str
) -> tuple[str, Upload]:
    """Keep an upload until its preview is decided upon; return the concern that it is for, and the upload.

    :param given_name: what the browser calls it.
    :param chosen: the table that a person has chosen, or the statements; empty: the file says it.
    :raises HTTPException: 400 where it is not taken, 403 where the person may not.
    """
    try:
        stem, name = purpose_of(content, uploads.safe_name(given_name), chosen)
        require_edit(user, account, stem)
        inbox = open_inbox(session, account, stem)
        # A file that fills a table is replaced by a corrected one; statements of one name are many.
        may_replace = stem == SELLER_FILES.stem
        return stem, uploads.keep(inbox, name, content, now=datetime.now(UTC), may_replace=may_replace)
    except (UploadRefusedError, InboxError, VariableError) as error:
        raise HTTPException(400, f"{error} Nothing was stored.") from None
    except OSError as error:
        raise HTTPException(400, f"The storage does not take the file ({type(error).__name__}).") from None


def find(session: Session, account: str, stem: str, sha256: str) -> Upload:
    """Return an upload that waits for a decision.

    :raises HTTPException: 404 where there is none any more.
    """
    try:
        found = uploads.find(open_inbox(session, account, stem), sha256) if stem in STEMS else None
    except (InboxError, VariableError, OSError):
        found = None
    if found is None:
        raise HTTPException(404, "This upload is not there any more: it was loaded, discarded, or a day has passed.")
    return found


def show(session: Session, user: BaseUser, place: Place, stem: str, upload: Upload, log: logging.Logger) -> Shown:
    """Read an upload as the DAG would, and take back all that it did.

    :raises HTTPException: 400 where it cannot be read now, 404 where it is gone.
    """
    target = target_of(upload.name) if stem == SELLER_FILES.stem else None
    try:
        file = upload.file
        with place.write() as database:
            connection: Connection = database.connection
            connection.row_factory = tuple_row
            connection.execute(f"set local statement_timeout to '{_PREVIEW_SECONDS}s'")
            seller = statement = None
            if target:
                rules = rules_of(variables.load(session, place.account, SellerFilesSettings), may_drop_all=False)
                seller = SellerFileLoading(connection, place.account, rules, log, "").preview(file, target)
            else:
                statement = preview_statement(connection, place.account, file)
        replaces = upload.place.is_file()
    except FileNotFoundError:
        raise HTTPException(404, "This upload is not there any more: it was loaded, discarded, or removed.") from None
    except VariableError as error:
        raise HTTPException(400, str(error)) from None
    except OSError as error:
        raise HTTPException(400, f"The storage does not give the file ({type(error).__name__}).") from None
    return Shown(upload, stem, seller, statement, replaces, _obstacles(session, user, place.account, stem))


def load(session: Session, user: BaseUser, account: str, stem: str, upload: Upload) -> Notice:
    """Put an upload where its DAG reads it, and start a run.

    :raises HTTPException: 400 where the storage does not do so.
    """
    try:
        upload.move_in()
    except OSError as error:
        raise HTTPException(400, f"The storage does not move the file ({type(error).__name__}).") from None
    _log(session, user, account, f"{upload.name} for {stem}: into the inbox")
    started = start_run(session, user, dag_id_of(stem, account))
    return Notice(f"{upload.name} is in the inbox. {started.text}", started.path)


def discard(upload: Upload) -> Notice:
    """Let an upload be gone."""
    upload.discard()
    return Notice(f"{upload.name} was discarded. Nothing was changed.")


def statement_files(place: Place) -> list[Row]:
    """Return the statement files that were read last."""
    with place.read() as database:
        return database.rows("select_statement_files", most=_MOST_STATEMENTS)


def rejected_rows(place: Place, path: str) -> Download:
    """Return the rows of a file that cannot be used, each with its number and reason.

    :raises HTTPException: 404 where quarantine has none.
    """
    with place.read() as database:
        rows = database.rows("select_rejected_rows", entity=f"{ENTITY} {path}")
    if not rows:
        raise HTTPException(
            404, "No rows of this file are kept: all could be used, the file has left the inbox, or they were purged."
        )
    documents: list[Mapping[str, Any]] = [row["document"] for row in rows]
    known = [name for target in TARGETS.values() for name in target.columns]
    names = dict.fromkeys(name for name in (*known, *documents[0]) if any(row.get(name) for row in documents))
    numbers = [int(found[1]) if (found := _ROW.fullmatch(row["key"])) else row["key"] for row in rows]
    return Download(
        "rejected_rows",
        [Heading(name) for name in ("row", *names, "reason")],
        [
            [number, *(document.get(name) for name in names), row["reason"]]
            for number, document, row in zip(numbers, documents, rows, strict=True)
        ],
    )


def too_large(session: Session, account: str) -> str:
    """Say that a file is too large for the page, and where to put it instead."""
    try:
        where = str(open_inbox(session, account, SELLER_FILES.stem))
    except (InboxError, VariableError):
        where = "backmarket_seller_inbox"
    return f"Files of up to {MOST_BYTES // 1024 // 1024} MB are taken here: put a larger one into the inbox, {where}."


def _obstacles(session: Session, user: BaseUser, account: str, stem: str) -> list[Obstacle]:
    states = variables.read_all(session, account)
    toggle = SELLER_FILES.switches[0].toggle if stem == SELLER_FILES.stem else SETTLEMENTS.switches[0].toggle
    needed = [states[field] for field in (*MainSettings.model_fields, toggle)]
    found = [
        Obstacle(f"{state.key} is off: nothing is loaded until it is on.", state.key)
        for state in needed
        if state.value is not True
    ]
    if text := why_not_started(session, user, dag_id_of(stem, account)):
        found.append(Obstacle(text))
    return found


def _log(session: Session, user: BaseUser, account: str, what: str) -> None:
    """Note in Airflow's audit log who did what."""
    from airflow.models.log import Log

    session.add(Log(event="backmarket_page_upload", owner=user.get_name(), extra=f"{account}: {what}"[:1000]))
