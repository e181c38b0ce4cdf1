"""Settlement reports."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - FastAPI reads the annotations at run time

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from backmarket.concerns import SETTLEMENTS
from backmarket.page import downloads, lists, settlement_reports
from backmarket.page.dependencies import Airflow, Readable, Where, require
from backmarket.page.list_answers import show_list
from backmarket.page.rendering import render

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/reports")
def show_reports(request: Request, session: Airflow, where: Where, readable: Readable) -> HTMLResponse:
    """The settlement reports there are, and a form for one of any period."""
    require(readable, SETTLEMENTS.stem, where)
    return render(request, "settlement_reports.html", page=settlement_reports.list_reports(session, where))


@routes.get("/reports/period")
def show_report_of_period(
    request: Request, first_day: date, last_day: date, where: Where, readable: Readable, *, download: bool = False
) -> Response:
    """A settlement report of any period, both days included."""
    require(readable, SETTLEMENTS.stem, where)
    return _show_report(request, settlement_reports.report_of(where, first_day, last_day), download=download)


@routes.get("/reports/orders")
def show_settled_orders(
    request: Request, first_day: date, last_day: date, where: Where, readable: Readable
) -> Response:
    """What the statements of a period paid for each order."""
    require(readable, SETTLEMENTS.stem, where)
    settlement_reports.check_period(first_day, last_day)
    list_of = lists.list_of_settled_orders(first_day, last_day)
    kept = {"first_day": str(first_day), "last_day": str(last_day)}
    return show_list(request, "list.html", list_of, where, readable, kept=kept)


@routes.get("/reports/tables")
def send_table(request: Request, first_day: date, last_day: date, where: Where, readable: Readable) -> Response:
    """The days, differences or fees of a period, as a file."""
    require(readable, SETTLEMENTS.stem, where)
    tables = settlement_reports.tables_of(where, first_day, last_day)
    if file := downloads.answer_if_asked(request, tables, where.account):
        return file
    raise HTTPException(404, "There is no such table.")


@routes.get("/reports/runs/{run_id:path}")
def show_report_of_run(
    request: Request, run_id: str, where: Where, readable: Readable, *, download: bool = False
) -> Response:
    """The settlement report that a run has stored; its task links here."""
    require(readable, SETTLEMENTS.stem, where)
    return _show_report(request, settlement_reports.stored_report(where, run_id), download=download)


def _show_report(request: Request, report: settlement_reports.Report, *, download: bool) -> Response:
    if download:
        return report.as_file()
    address = request.url.include_query_params(download="true")
    return render(request, "settlement_report.html", report=report, file=f"?{address.query}")
