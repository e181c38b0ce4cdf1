"""Turns the figures of a settlement report into one HTML page with its charts inside."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from backmarket.warehouse.settlement_reports import Figures, Rows

_MOST_BARS = 15


def render(figures: Figures) -> str:
    """Return the page: self-contained, readable without a network and without scripts."""
    environment = Environment(
        loader=PackageLoader("backmarket.operators", "."),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    currencies = sorted({row["currency"] for row in figures.daily})
    charts = [(currency, _net_chart(figures.daily, currency)) for currency in currencies]
    costs = [(currency, _cost_chart(figures.costs, currency)) for currency in currencies]
    totals = [
        {"currency": currency}
        | {
            name: sum(row[name] for row in figures.daily if row["currency"] == currency)
            for name in ("sales", "fees", "refunds", "adjustments", "net", "paid_out")
        }
        for currency in currencies
    ]
    page = environment.get_template("settlement_page.html")
    return page.render(figures=figures, charts=charts, costs=costs, totals=totals)


def _net_chart(daily: Rows, currency: str) -> str:
    rows = [row for row in daily if row["currency"] == currency]
    figure, axes = _figure(height=2.6)
    colours = ["#2f6f4f" if row["net"] >= 0 else "#a33b3b" for row in rows]
    axes.bar([row["day"] for row in rows], [float(row["net"]) for row in rows], color=colours)
    axes.set_ylabel(currency)
    figure.autofmt_xdate()
    return _svg(figure)


def _cost_chart(costs: Rows, currency: str) -> str:
    rows = [row for row in costs if row["currency"] == currency][:_MOST_BARS]
    if not rows:
        return ""
    figure, axes = _figure(height=0.6 + 0.3 * len(rows))
    axes.barh([row["invoice_key"] for row in rows], [float(row["amount"]) for row in rows], color="#8a6d3b")
    axes.invert_yaxis()
    axes.set_xlabel(currency)
    return _svg(figure)


def _figure(*, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="#888888", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    """Draw as SVG to stand in a page, without the XML declaration that only a file has."""
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]
