"""What waits for a person, what is done about it there, and what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from backmarket.concerns import INVENTORY_PRICES, PRICE_APPROVAL
from backmarket.page import access, lists
from backmarket.page.dependencies import Airflow, Readable, User, Where, require
from backmarket.page.list_answers import show_list
from backmarket.seller_account import dag_id_of
from backmarket.warehouse.needs import APPROVALS, need_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/needs/approvals")
def show_approvals(request: Request, user: User, session: Airflow, where: Where, readable: Readable) -> Response:
    """The moves of prices that wait for a person, and buttons to decide about them."""
    from backmarket.page.airflow_state import open_approvals

    require(readable, INVENTORY_PRICES.stem, where)
    return show_list(
        request,
        "approvals.html",
        lists.list_of_approvals(APPROVALS, readable),
        where,
        readable,
        need=APPROVALS,
        questions=open_approvals(session, [dag_id_of(PRICE_APPROVAL.stem, where.account)]),
        may_decide=access.may_approve(user, where.account),
        csrf=access.form_token(user),
    )


@routes.get("/needs/{name}")
def show_need(request: Request, user: User, name: str, where: Where, readable: Readable) -> Response:
    """All that waits of one kind."""
    need = need_of(name)
    if need is None:
        raise HTTPException(404, "There is no such page.")
    if need.stem:
        require(readable, need.stem, where)
    can_act = need.can_be_marked and any(access.may_work_off(user, stem, where.account) for stem in readable)
    return show_list(
        request,
        "work_off.html" if can_act else "need.html",
        lists.list_of_need(need, readable),
        where,
        readable,
        need=need,
        csrf=access.form_token(user),
    )


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
    """Approve or decline moves of prices; resolve, ignore, comment or try again what else is selected on a list."""
    from backmarket.page import variables, work_off

    access.check_form_token(user, csrf)
    acting = work_off.Acting(session, user, where, readable)
    if name == APPROVALS.name:
        require(readable, INVENTORY_PRICES.stem, where)
        days = variables.value_of(session, where.account, "price_decision_days")
        notice = work_off.decide_prices(acting, item or [], action, comment, days)
    else:
        notice = work_off.work_off(acting, name, item or [], action, comment)
    return _told(request, session, notice)


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
