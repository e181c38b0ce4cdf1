"""The competition for the BackBox, and the listings in it."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from backmarket.concerns import BACKBOX
from backmarket.page import downloads, lists
from backmarket.page.dependencies import Airflow, Readable, Where, require
from backmarket.page.list_answers import show_list
from backmarket.page.rendering import render

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/backbox")
def show_backbox(request: Request, session: Airflow, where: Where, readable: Readable) -> Response:
    """How much is won, and what could be."""
    from backmarket.page.backbox import competition

    require(readable, BACKBOX.stem, where)
    kept = {} if where.account == request.state.home else {"account": where.account}
    page = competition(session, where, kept, datetime.now(UTC))
    if file := downloads.answer_if_asked(request, page.tables, where.account):
        return file
    return render(request, "backbox.html", page=page)


@routes.get("/backbox/{group}")
def show_listings_of_backbox(request: Request, group: str, where: Where, readable: Readable) -> Response:
    """The listings that would win, that cannot, that nobody can decide about, or all."""
    require(readable, BACKBOX.stem, where)
    if group not in lists.LISTS_OF_BACKBOX:
        raise HTTPException(404, "There is no such list.")
    return show_list(request, "list.html", lists.LISTS_OF_BACKBOX[group], where, readable)
