"""The page's addresses about files: what was read, the form to give one, and what it would do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from backmarket.concerns import SELLER_FILES, SETTLEMENTS
from backmarket.page import access, downloads, files, lists
from backmarket.page.dependencies import Airflow, Readable, User, Where, require
from backmarket.page.list_answers import show_list
from backmarket.page.rendering import render
from backmarket.services.file_templates import ENDINGS, template
from backmarket.services.uploads import MOST_BYTES, STATEMENT
from backmarket.warehouse.seller_files import TARGETS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

# What a form adds to the file in it.
_BESIDE_THE_FILE_BYTES = 16 * 1024


routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/files")
def show_files(request: Request, user: User, session: Airflow, where: Where, readable: Readable) -> Response:
    """The files that were read, and the form to give one."""
    if readable.isdisjoint(files.STEMS):
        require(readable, SELLER_FILES.stem, where)
    statements = files.statement_files(where) if SETTLEMENTS.stem in readable else None
    tables = {"statements": downloads.table("statements", files.STATEMENT_TITLES, statements or [])}
    if file := downloads.answer_if_asked(request, tables, where.account):
        return file
    editable = files.editable_stems(user, where.account)
    values: dict[str, Any] = {
        "statements": statements,
        "may_upload": bool(editable),
        "may_see_rows": SELLER_FILES.stem in editable,
        "inbox_problems": files.inbox_problems(session, where.account, editable),
        "tables": list(TARGETS),
        "formats": list(ENDINGS),
        "statement": STATEMENT,
        "most_bytes": MOST_BYTES,
        "csrf": access.form_token(user),
    }
    if SELLER_FILES.stem not in readable:
        return render(request, "files.html", shown=None, **values)
    return show_list(request, "files.html", lists.LIST_OF_FILES, where, readable, **values)


def _editor(user: User, where: Where, _readable: Readable) -> None:
    """Refuse who may give no files at all, before any is read.

    :raises HTTPException: 403.
    """
    if not files.editable_stems(user, where.account):
        files.require_edit(user, where.account, SELLER_FILES.stem)


async def _form(
    request: Request, session: Airflow, where: Where, _: Annotated[None, Depends(_editor)]
) -> AsyncIterator[FormData]:
    """Read a form with one file in it, unless it says that it is too large.

    :raises HTTPException: 411 where it does not say how large it is, 413 where that is too much.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "The browser did not say how large the file is.")
    if int(length) > MOST_BYTES + _BESIDE_THE_FILE_BYTES:
        # A browser shows an answer only once it has sent everything.
        async for _chunk in request.stream():
            pass
        raise HTTPException(413, files.too_large(session, where.account))
    async with request.form(max_files=1, max_fields=8) as form:
        yield form


@routes.post("/files")
def upload_file(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    form: Annotated[FormData, Depends(_form)],
) -> RedirectResponse:
    """Keep a file, and lead to what it would do."""
    access.check_form_token(user, str(form.get("csrf", "")))
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise HTTPException(400, "No file was chosen.")
    stem, upload = files.take(session, user, where.account, file.file, file.filename or "", str(form.get("fills", "")))
    query = urlencode({"stem": stem, "upload": upload.sha256, "account": where.account})
    return RedirectResponse(f"{request.url.path}/preview?{query}", status_code=303)


@routes.get("/files/preview")
def show_preview(
    request: Request, user: User, session: Airflow, where: Where, readable: Readable, stem: str, upload: str
) -> HTMLResponse:
    """What a file would do, with everything that is wrong with it."""
    require(readable, stem, where)
    files.require_edit(user, where.account, stem)
    found = files.find(session, where.account, stem, upload)
    shown = files.show(session, user, where, stem, found, log)
    return render(request, "file_preview.html", shown=shown, csrf=access.form_token(user))


@routes.post("/files/preview")
def decide(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    stem: Annotated[str, Form()],
    upload: Annotated[str, Form()],
    action: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Load a file, or discard it."""
    access.check_form_token(user, csrf)
    require(readable, stem, where)
    files.require_edit(user, where.account, stem)
    found = files.find(session, where.account, stem, upload)
    if action not in {"load", "discard"}:
        raise HTTPException(404, "There is no such page.")
    notice = files.load(session, user, where.account, stem, found) if action == "load" else files.discard(found)
    # Before the answer, after which the page is read again.
    session.commit()
    query = urlencode({"account": where.account, "notice": access.sign_notice(notice)})
    return RedirectResponse(f"{request.scope['root_path']}/files?{query}", status_code=303)


@routes.get("/files/template")
def download_template(where: Where, readable: Readable, table: str, ending: str) -> Response:
    """A blank file for one of the seller's tables."""
    require(readable, SELLER_FILES.stem, where)
    if table not in TARGETS or ending not in ENDINGS:
        raise HTTPException(404, "There is no such template.")
    disposition = f'attachment; filename="{table}.{ending}"'
    return Response(
        template(table, ending),
        media_type=downloads.FORMATS[ending],
        headers={"Content-Disposition": disposition},
    )


@routes.get("/files/rejected")
def download_rejected_rows(user: User, where: Where, readable: Readable, path: str) -> Response:
    """The rows of a file that cannot be used, as CSV: they may hold anything, so this needs the right to edit."""
    require(readable, SELLER_FILES.stem, where)
    files.require_edit(user, where.account, SELLER_FILES.stem)
    return downloads.answer(files.rejected_rows(where, path), "csv", where.account)
