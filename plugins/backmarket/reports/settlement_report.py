"""Turns the figures of a settlement report into one HTML page with its charts inside."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from backmarket.reports.charts import draw_bars
from backmarket.rules.settlements.kinds import KINDS, in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.warehouse.settlements.reports import Figures, Rows

_SUMS = ("sales", "fees", "refunds", "adjustments", "net", "paid_out")
# That of the page, so that a report looks alike alone and on the page.
_STYLE = Path(__file__).resolve().parents[1] / "page" / "static" / "page.css"
_WIDE = {"width": 900, "height": 240, "margin_right": 40}
_NARROW = {"width": 360, "height": 200, "margin": 6, "margin_right": 30}


def render(figures: Figures, *, account: str, order_url: Callable[[int], str]) -> str:
    """Return the page: self-contained, readable without a network and without scripts, by day and by night.

    What is within its ``<main>`` is shown on the page Back Market, too.

    :param order_url: where an order's story is.
    """
    environment = Environment(
        loader=PackageLoader("backmarket.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    currencies = sorted({row["currency"] for row in figures.daily})
    return environment.get_template("settlement_report.html").render(
        figures=figures,
        account=account,
        order_url=order_url,
        kinds=KINDS,
        words=in_words,
        sums=_SUMS,
        totals=[_total(figures.daily, currency) for currency in currencies],
        at_stake=_at_stake(figures.findings),
        charts=[(currency, *_net_charts(figures, currency)) for currency in currencies],
        style=Markup(_STYLE.read_text(encoding="utf-8")),  # noqa: S704 - our own
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


def _net_charts(figures: Figures, currency: str) -> tuple[Markup, Markup]:
    """Draw a bar for each day, also for a day without rows: for a wide screen, and for a phone."""
    net = {row["day"]: row["net"] for row in figures.daily if row["currency"] == currency}
    days = [figures.first_day + timedelta(days=n) for n in range((figures.last_day - figures.first_day).days + 1)]
    labels = [f"{day:%-d %b %Y}" for day in days]
    series = [
        ("earned", tuple(net[day] if net.get(day, -1) >= 0 else None for day in days)),
        ("lost", tuple(net[day] if net.get(day, 0) < 0 else None for day in days)),
    ]

    def drawn(most_labels: int, size: dict[str, int]) -> Markup:
        svg = draw_bars(
            f"Net per day in {currency}",
            labels,
            series,
            most_labels=most_labels,
            value_words="{:,.2f}".format,
            **size,
        )
        return Markup(svg)  # noqa: S704 - pygal escapes

    return drawn(7, _WIDE), drawn(3, _NARROW)
