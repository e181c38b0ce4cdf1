"""The page itself, all accounts in one, and the Variables that are set there."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from backmarket.page import access, downloads
from backmarket.page.dependencies import Airflow, Readable, User, Where, account_query
from backmarket.page.rendering import render

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from sqlalchemy.orm import Session

    from backmarket.page.place import Place

routes = APIRouter(default_response_class=HTMLResponse)
_MOST_ACCOUNTS_IN_A_LINE = 12


class TypedValue(NamedTuple):
    """A value that a person has typed and that cannot be used.

    :param problem: why not, and what can be.
    """

    key: str
    text: str
    problem: str


@routes.get("/")
def show_overview(request: Request, user: User, session: Airflow, where: Where, readable: Readable) -> HTMLResponse:
    """The page itself."""
    return _overview(request, user, session, where, readable)


def _overview(
    request: Request,
    user: BaseUser,
    session: Session,
    where: Place,
    readable: frozenset[str],
    typed: TypedValue | None = None,
) -> HTMLResponse:
    """Answer the page, with what is wrong about a value that was typed beside its field."""
    from backmarket.page.overview import REQUESTS_LIMIT, SKU_LINES_LIMIT, gather, log_path

    overview = gather(session, where, readable)
    editable = access.may_edit(user, [state.key for state in overview.variables.values()])
    return render(
        request,
        "overview.html",
        status=503 if overview.problem else 400 if typed else 200,
        page=overview,
        typed=typed,
        switch_to=_accounts_to_switch_to(
            user, {*request.state.accounts, *(row["account"] for row in overview.accounts)}
        ),
        log_path=partial(log_path, where.account),
        may_edit={field: state.key in editable for field, state in overview.variables.items()},
        csrf=access.form_token(user),
        requests_limit=REQUESTS_LIMIT,
        sku_lines_limit=SKU_LINES_LIMIT,
    )


def _accounts_to_switch_to(user: BaseUser, accounts: set[str]) -> list[str]:
    """Return the accounts that the user may see; none where there are too many for a line."""
    if len(accounts) > _MOST_ACCOUNTS_IN_A_LINE:
        return []
    return [account for account in sorted(accounts) if access.readable_stems(user, account)]


@routes.get("/accounts")
def show_accounts(request: Request, user: User, session: Airflow, where: Where) -> Response:
    """All accounts, a row each."""
    from backmarket.page.all_accounts import download_of, gather_accounts

    rows = gather_accounts(session, partial(access.readable_stems, user))
    access.require_any(frozenset().union(*(row.stems for row in rows)), where.account)
    request.state.readable = access.readable_stems(user, where.account)
    if file := downloads.answer_if_asked(request, {"accounts": download_of(rows)}, "all"):
        return file
    return render(request, "accounts.html", rows=rows, now=datetime.now(UTC))


@routes.post("/variables/{key}")
def change_variable(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    key: str,
    value: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Set a Variable from a switch or a field, then show the page again; ask first where much hangs on it."""
    from backmarket.page import variables

    access.check_form_token(user, csrf)
    if not access.may_edit(user, [key]):
        raise HTTPException(403, f"You may not change {key}: that needs the right to edit Airflow's Variables.")
    if not confirmed and (question := variables.question_about(where.account, key, value)):
        return render(request, "confirm.html", question=question, key=key, value=value, csrf=csrf)
    try:
        variables.write(session, user, where.account, key, value)
    except variables.WrongValueError as error:
        return _overview(request, user, session, where, readable, TypedValue(key, value, str(error)))
    # Before the answer, after which the page is read again.
    session.commit()
    return RedirectResponse(f"{request.scope['root_path']}/{account_query(request, where)}#{key}", status_code=303)
