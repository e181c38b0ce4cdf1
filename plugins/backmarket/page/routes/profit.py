"""What sales left: sums, charts and tables of a period, and every order and device of it."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - FastAPI reads the annotations at run time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from backmarket.concerns import SETTLEMENTS
from backmarket.page import downloads, profit
from backmarket.page.dependencies import Airflow, Readable, Where, require
from backmarket.page.list_answers import show_list
from backmarket.page.rendering import render
from backmarket.page.settlement_reports import check_period

if TYPE_CHECKING:
    from backmarket.page.lists import ListOf

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/profit")
def show_profit(
    request: Request,
    session: Airflow,
    where: Where,
    readable: Readable,
    first_day: date | None = None,
    last_day: date | None = None,
    market: str = "",
    sku: str = "",
) -> Response:
    """What sales of a period left; without one, of this month and the one before."""
    require(readable, SETTLEMENTS.stem, where)
    choice = profit.choice_of(first_day, last_day, market, sku)
    check_period(choice.first_day, choice.last_day)
    page = profit.gather(session, where, choice)
    if file := downloads.answer_if_asked(request, page.tables, where.account):
        return file
    return render(request, "profit.html", page=page)


@routes.get("/profit/devices")
def show_devices(request: Request, first_day: date, last_day: date, where: Where, readable: Readable) -> Response:
    """What every order line of a period left, a device each where it is one unit."""
    return _show(request, profit.list_of_devices(first_day, last_day), first_day, last_day, where, readable)


@routes.get("/profit/orders")
def show_orders(request: Request, first_day: date, last_day: date, where: Where, readable: Readable) -> Response:
    """What every order of a period left."""
    return _show(request, profit.list_of_orders(first_day, last_day), first_day, last_day, where, readable)


def _show(
    request: Request, list_of: ListOf, first_day: date, last_day: date, where: Where, readable: Readable
) -> Response:
    require(readable, SETTLEMENTS.stem, where)
    check_period(first_day, last_day)
    kept = {"first_day": str(first_day), "last_day": str(last_day)}
    return show_list(request, "list.html", list_of, where, readable, kept=kept)
