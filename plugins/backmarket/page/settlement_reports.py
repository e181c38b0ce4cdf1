"""Serves settlement reports: those that runs have stored, and one of any period on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from fastapi import HTTPException
from fastapi.responses import Response
from markupsafe import Markup

from backmarket.concerns import SETTLEMENTS
from backmarket.page.downloads import table
from backmarket.seller_account import dag_id_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from backmarket.page.downloads import Download
    from backmarket.page.place import Place
    from backmarket.warehouse.snapshot import Row

# A settlement report brings its own style and nothing else, and may be saved and opened without a network.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}
_LONGEST = timedelta(days=3 * 366)
_MOST_LISTED = 100
_DAYS = {
    "day": "Day",
    "currency": "Currency",
    "sales": "Sales",
    "fees": "Fees",
    "refunds": "Refunds",
    "adjustments": "Adjustments",
    "net": "Net",
    "paid_out": "Paid out",
}
_FINDINGS = {
    "kind": "Kind",
    "order_id": "Order",
    "invoice_ref": "Statement",
    "day": "Day",
    "expected": "Expected",
    "expected_currency": "Currency expected",
    "actual": "Found",
    "currency": "Currency",
    "at_stake": "At stake",
    "detail": "Details",
}
_FEES = {"invoice_key": "Fee", "category": "Category", "currency": "Currency", "lines": "Rows", "amount": "Amount"}
# The second as reports of an earlier release were.
_CONTENTS = (re.compile(r"<main>(.*)</main>", re.DOTALL), re.compile(r"<body>(.*)</body>", re.DOTALL))


@dataclass(frozen=True)
class Report:
    """A settlement report.

    :param name: of its file, without an ending.
    :param html: the file.
    """

    name: str
    html: str
    first_day: date
    last_day: date

    @property
    def content(self) -> Markup:
        """What stands in the file, to be shown within the page, whose style it shares."""
        found = next((found for pattern in _CONTENTS if (found := pattern.search(self.html))), None)
        return Markup(found[1] if found else "")  # noqa: S704 - a template of ours has made and escaped it

    def as_file(self) -> Response:
        """Answer with the file, to be saved."""
        disposition = f'attachment; filename="{self.name}.html"'
        return Response(self.html, media_type="text/html", headers={**_HEADERS, "Content-Disposition": disposition})


@dataclass(frozen=True)
class Entry:
    """A line of the list: the report of one run, or those of a backfill, by their days.

    :param is_backfill: whether it is a backfill's, which may have but one.
    """

    reports: list[Row]
    is_backfill: bool

    @property
    def made_at(self) -> datetime:
        """When the newest of them was made."""
        made_at: datetime = max(report["created_at"] for report in self.reports)
        return made_at

    @property
    def first_day(self) -> date:
        """The first day that they are about."""
        first_day: date = min(report["first_day"] for report in self.reports)
        return first_day

    @property
    def last_day(self) -> date:
        """The last day that they are about."""
        last_day: date = max(report["last_day"] for report in self.reports)
        return last_day


@dataclass(frozen=True)
class ReportList:
    """The stored settlement reports, newest first, and the days a new one would be about.

    :param first_day: of the newest ninety that statements speak of; None where nothing is loaded.
    """

    entries: list[Entry]
    first_day: date | None
    last_day: date | None


def list_reports(session: Session, place: Place) -> ReportList:
    """Return what settlement reports there are."""
    with place.read() as database:
        span = next(iter(database.rows("select_settlement_span")), {"first_day": None, "last_day": None})
        reports = database.rows("select_settlement_reports")
    entries = gather(reports, _backfills(session, dag_id_of(SETTLEMENTS.stem, place.account)))
    return ReportList(entries[:_MOST_LISTED], span["first_day"], span["last_day"])


def gather(reports: list[Row], backfills: dict[str, int]) -> list[Entry]:
    """Put the reports of a backfill together, those of one whose runs are forgotten too; the newest entry first.

    :param backfills: which backfill a run belongs to, by its run_id.
    """
    entries: list[Entry] = []
    of_backfills: dict[int | None, list[Row]] = {}
    for report in reports:
        run_id = report["run_id"]
        if run_id in backfills or run_id.startswith("backfill__"):
            of_backfills.setdefault(backfills.get(run_id), []).append(report)
        else:
            entries.append(Entry([report], is_backfill=False))
    entries += [
        Entry(sorted(gathered, key=lambda report: report["first_day"]), is_backfill=True)
        for gathered in of_backfills.values()
    ]
    return sorted(entries, key=lambda entry: entry.made_at, reverse=True)


def _backfills(session: Session, dag_id: str) -> dict[str, int]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    runs = select(DagRun.run_id, DagRun.backfill_id).where(DagRun.dag_id == dag_id, DagRun.backfill_id.is_not(None))
    return {run_id: backfill_id for run_id, backfill_id in session.execute(runs) if backfill_id is not None}


def stored_report(place: Place, run_id: str) -> Report:
    """Return the settlement report that a run has stored.

    :raises HTTPException: 404 where that run has stored none.
    """
    with place.read() as database:
        found = database.rows("select_settlement_report", run_id=run_id)
    if not found:
        raise HTTPException(404, "This run has no settlement report: it stored none, or it was deleted as too old.")
    first_day, last_day = found[0]["first_day"], found[0]["last_day"]
    return Report(_name(place.account, first_day, last_day), found[0]["html"], first_day, last_day)


def report_of(place: Place, first_day: date, last_day: date) -> Report:
    """Draw the settlement report of a period, both days included, from what is stored now.

    :raises HTTPException: 400 where the period is none or longer than three years, 404 before the first load.
    """
    from backmarket.configuration import order_url
    from backmarket.reports.settlement_report import render
    from backmarket.warehouse.settlements.reports import read_figures

    check_period(first_day, last_day)
    with place.read() as database:
        if not database.rows("select_settlement_span"):
            raise HTTPException(
                404, f"No statement has been loaded yet: run {dag_id_of(SETTLEMENTS.stem, place.account)}."
            )
        figures = read_figures(database.connection, place.account, first_day, last_day)
    html = render(figures, account=place.account, order_url=partial(order_url, place.account))
    return Report(_name(place.account, first_day, last_day), html, first_day, last_day)


def tables_of(place: Place, first_day: date, last_day: date) -> dict[str, Download]:
    """Return the tables of a period, both days included, besides that of its orders, to be saved.

    :raises HTTPException: 400 where the period is none or too long.
    """
    from backmarket.warehouse.settlements.reports import read_figures

    check_period(first_day, last_day)
    with place.read() as database:
        findings = database.rows("select_findings_of_period", first_day=first_day, last_day=last_day)
        figures = read_figures(database.connection, place.account, first_day, last_day)
    return {
        "days": table("settlement-by-day", _DAYS, figures.daily),
        "findings": table("settlement-differences", _FINDINGS, findings),
        "fees": table("settlement-fees", _FEES, figures.costs),
    }


def check_period(first_day: date, last_day: date) -> None:
    """Refuse what is no period, or a longer one than a report is about.

    :raises HTTPException: 400.
    """
    if not timedelta(0) <= last_day - first_day <= _LONGEST:
        raise HTTPException(400, "The last day must not lie before the first, nor more than three years after it.")


def _name(account: str, first_day: date, last_day: date) -> str:
    return f"settlement_report_{account}_{first_day}_{last_day}"
