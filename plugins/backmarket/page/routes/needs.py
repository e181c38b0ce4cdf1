"""What waits for a person, what is done about it there, and what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from backmarket.page import access, lists
from backmarket.page.dependencies import Airflow, Readable, User, Where, require
from backmarket.page.list_answers import show_list
from backmarket.seller_account import dag_id_of
from backmarket.warehouse.needs import need_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from backmarket.page.place import Place
    from backmarket.warehouse.needs import Need

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/needs/{name}")
def show_need(request: Request, user: User, session: Airflow, name: str, where: Where, readable: Readable) -> Response:
    """All that waits of one kind, with buttons to decide about it or to work it off."""
    from backmarket.page import variables
    from backmarket.page.airflow_state import open_approvals

    need = _need(name, readable, where)
    hours = variables.value_of(session, where.account, "care_answer_hours")
    list_of = lists.list_of_need(need, readable, hours)
    csrf = access.form_token(user)
    if need.answers:
        asking = [dag_id_of(need.decided_by, where.account)] if need.is_asked_in_airflow else []
        return show_list(
            request,
            "decisions.html",
            list_of,
            where,
            readable,
            need=need,
            questions=open_approvals(session, asking),
            may_decide=access.may_approve(user, need.decided_by, where.account),
            csrf=csrf,
        )
    can_act = need.can_be_marked and any(access.may_work_off(user, stem, where.account) for stem in readable)
    template = "work_off.html" if can_act else "need.html"
    return show_list(request, template, list_of, where, readable, need=need, csrf=csrf)


def _need(name: str, readable: frozenset[str], where: Place) -> Need:
    """Return a kind of thing that waits.

    :raises HTTPException: 404 where there is no such kind, 403 for who may not see it.
    """
    need = need_of(name)
    if need is None:
        raise HTTPException(404, "There is no such page.")
    if need.stem:
        require(readable, need.stem, where)
    return need


@routes.post("/needs/{name}", response_class=RedirectResponse)
def act(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    name: str,
    item: Annotated[list[str] | None, Form()] = None,
    action: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Decide what waits for a decision; resolve, ignore, comment or try again what else is selected on a list."""
    from backmarket.page import work_off

    access.check_form_token(user, csrf)
    acting = work_off.Acting(session, user, where, readable)
    need = _need(name, readable, where)
    do = work_off.decide if need.answers else work_off.work_off
    return _told(request, session, do(acting, need, item or [], action, comment))


@routes.get("/worked-off")
def show_worked_off(request: Request, user: User, where: Where, readable: Readable) -> Response:
    """What people did about things, who and when, and what became of it."""
    return show_list(
        request,
        "worked_off.html",
        lists.list_of_worked_off(readable),
        where,
        readable,
        need_of=need_of,
        csrf=access.form_token(user),
    )


@routes.post("/worked-off", response_class=RedirectResponse)
def take_back(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    mark: Annotated[list[int] | None, Form()] = None,
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Let what was resolved or ignored be listed again."""
    from backmarket.page import work_off

    access.check_form_token(user, csrf)
    notice = work_off.take_back(work_off.Acting(session, user, where, readable), mark or [])
    return _told(request, session, notice)


def _told(request: Request, session: Session, notice: access.Notice) -> RedirectResponse:
    """Lead back to where the form stood, and say there what was done."""
    # Before the answer, after which the page is read again.
    session.commit()
    query = urlencode({**request.query_params, "notice": access.sign_notice(notice)})
    return RedirectResponse(f"{request.url.path}?{query}", status_code=303)
