"""Reads the figures of a settlement report, and stores its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from datetime import date

    from backmarket.warehouse.connection import Connection

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Figures:
    """What a settlement report shows of a period, both days included; amounts signed as on statements.

    :param daily: day, currency, sales, fees, refunds, adjustments, net, paid_out.
    :param costs: currency, category, invoice_key, amount, lines.
    :param findings: kind, currency, findings, amount at stake.
    :param orders: order_id, currency, kinds, amount at stake, net: the ten worst.
    """

    first_day: date
    last_day: date
    daily: Rows
    costs: Rows
    findings: Rows
    orders: Rows


def newest_days(connection: Connection, account: str) -> tuple[date, date] | None:
    """Return the first and the last of the newest ninety days that statements speak of; None where none is loaded."""
    row = connection.execute(sql.statement("page/select_settlement_span"), {"account": account}).fetchone()
    return (row[0], row[1]) if row else None


def read_figures(connection: Connection, account: str, first_day: date, last_day: date) -> Figures:
    """Read what a settlement report shows."""
    span = {"account": account, "first_day": first_day, "last_day": last_day}

    def rows(name: str) -> Rows:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql.statement(f"settlements/{name}"), span).fetchall()

    return Figures(
        first_day,
        last_day,
        daily=rows("select_daily_totals"),
        costs=rows("select_costs_by_key"),
        findings=rows("select_findings_by_kind"),
        orders=rows("select_worst_orders"),
    )


def store_report(connection: Connection, account: str, run_id: str, figures: Figures, html: str) -> None:
    """Store a run's settlement report; a repeated run replaces its own."""
    connection.execute(
        sql.statement("settlements/insert_report"),
        {
            "account": account,
            "run_id": run_id,
            "first_day": figures.first_day,
            "last_day": figures.last_day,
            "html": html,
        },
    )
