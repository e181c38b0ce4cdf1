"""Serves settlement reports: those that runs have stored, and one of any period on demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from fastapi import HTTPException

from backmarket.concerns import SETTLEMENTS
from backmarket.seller_account import dag_id_of

if TYPE_CHECKING:
    from backmarket.page.place import Place
    from backmarket.warehouse.snapshot import Row

# A settlement report brings its own style and nothing else, and may be saved and opened without a network.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}
_LONGEST = timedelta(days=3 * 366)


@dataclass(frozen=True)
class ReportList:
    """The stored settlement reports, newest first, and the days a new one would be about.

    :param first_day: of the newest ninety that statements speak of; None where nothing is loaded.
    """

    reports: list[Row]
    first_day: date | None
    last_day: date | None


def list_reports(place: Place) -> ReportList:
    """Return what settlement reports there are."""
    with place.read() as database:
        span = next(iter(database.rows("select_settlement_span")), {"first_day": None, "last_day": None})
        return ReportList(database.rows("select_settlement_reports"), span["first_day"], span["last_day"])


def stored_report(place: Place, run_id: str) -> str:
    """Return the settlement report that a run has stored.

    :raises HTTPException: 404 where that run has stored none.
    """
    with place.read() as database:
        found = database.rows("select_settlement_report", run_id=run_id)
    if not found:
        raise HTTPException(404, "This run has no settlement report: it stored none, or it was deleted as too old.")
    html: str = found[0]["html"]
    return html


def report_of(place: Place, first_day: date, last_day: date) -> str:
    """Draw the settlement report of a period, both days included, from what is stored now.

    :raises HTTPException: 400 where the period is none or longer than three years, 404 before the first load.
    """
    from backmarket.reports.settlement_report import render
    from backmarket.warehouse.settlements.reports import read_figures

    if not timedelta(0) <= last_day - first_day <= _LONGEST:
        raise HTTPException(400, "The last day must not lie before the first, nor more than three years after it.")
    with place.read() as database:
        if not database.rows("select_settlement_span"):
            raise HTTPException(
                404, f"No statement has been loaded yet: run {dag_id_of(SETTLEMENTS.stem, place.account)}."
            )
        figures = read_figures(database.connection, place.account, first_day, last_day)
    return render(figures, account=place.account)
