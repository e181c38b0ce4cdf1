"""Turns the figures of a settlement report into one HTML page with its charts inside."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from backmarket.rules.settlements.kinds import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from backmarket.warehouse.settlements.reports import Figures, Rows

_MOST_BARS = 15
_SUMS = ("sales", "fees", "refunds", "adjustments", "net", "paid_out")
# Stand-ins that the drawing library takes for colours; the style sheet, which knows day and night, says which they are.
_COLOURS = {"#010101": "var(--text)", "#020202": "var(--line)", "#030303": "var(--good)", "#040404": "var(--bad)"}
_TEXT, _LINE, _GOOD, _BAD = _COLOURS


def render(figures: Figures, *, account: str) -> str:
    """Return the page: self-contained, readable without a network and without scripts, by day and by night."""
    environment = Environment(
        loader=PackageLoader("backmarket.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    currencies = sorted({row["currency"] for row in figures.daily})
    return environment.get_template("settlement_page.html").render(
        figures=figures,
        account=account,
        kinds=KINDS,
        totals=[_total(figures.daily, currency) for currency in currencies],
        at_stake=_at_stake(figures.findings),
        charts=[(currency, _net_chart(figures, currency)) for currency in currencies],
        costs=[(currency, chart) for currency in currencies if (chart := _cost_chart(figures.costs, currency))],
    )


def _total(daily: Rows, currency: str) -> dict[str, Any]:
    sums = {name: sum(row[name] for row in daily if row["currency"] == currency) for name in _SUMS}
    return {"currency": currency, **sums}


def _at_stake(findings: Rows) -> list[tuple[str, int, Any]]:
    """Return the number of findings and what is at stake, by currency."""
    currencies = sorted({row["currency"] for row in findings})
    return [
        (
            currency,
            sum(row["findings"] for row in findings if row["currency"] == currency),
            sum(row["amount"] for row in findings if row["currency"] == currency),
        )
        for currency in currencies
    ]


def _net_chart(figures: Figures, currency: str) -> str:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    rows = [row for row in figures.daily if row["currency"] == currency]
    figure, axes = _figure(height=2.4)
    colours = [_GOOD if row["net"] >= 0 else _BAD for row in rows]
    # Pixels, not money: a chart's bars may be floats.
    axes.bar([row["day"] for row in rows], [float(row["net"]) for row in rows], color=colours, width=0.8)
    one = timedelta(days=1)
    first, last = date2num([figures.first_day - one, figures.last_day + one])  # type: ignore[no-untyped-call]
    axes.set_xlim(first, last)
    locator = AutoDateLocator(maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    )
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    return _svg(figure, f"Net per day in {currency}")


def _cost_chart(costs: Rows, currency: str) -> str:
    rows = [row for row in costs if row["currency"] == currency][:_MOST_BARS]
    if not rows:
        return ""
    figure, axes = _figure(height=0.4 + 0.3 * len(rows))
    colours = [_BAD if row["amount"] < 0 else _GOOD for row in rows]
    bars = axes.barh(
        [row["invoice_key"] for row in rows], [abs(float(row["amount"])) for row in rows], color=colours, height=0.65
    )
    axes.bar_label(bars, [f"{row['amount']:,.2f}" for row in rows], padding=4, color=_TEXT)
    axes.margins(x=0.14)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.invert_yaxis()
    return _svg(figure, f"Fees by kind in {currency}")


def _figure(*, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)
    axes.tick_params(color=_LINE, labelcolor=_TEXT, labelsize=9, length=0)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    """Draw as SVG to stand in a page, without the XML declaration that only a file has."""
    from matplotlib import rc_context

    target = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    text = target.getvalue()
    text = text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    return text
