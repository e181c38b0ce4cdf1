"""Turns the figures of a settlement report into one HTML page with its charts inside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from backmarket.reports.charts import draw_bars
from backmarket.rules.settlements.kinds import KINDS

if TYPE_CHECKING:
    from backmarket.warehouse.settlements.reports import Figures, Rows

_MOST_BARS = 15
_SUMS = ("sales", "fees", "refunds", "adjustments", "net", "paid_out")


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
    return environment.get_template("settlement_report.html").render(
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
    """Draw a bar for each day, also for a day without rows."""
    net = {row["day"]: row["net"] for row in figures.daily if row["currency"] == currency}
    days = [figures.first_day + timedelta(days=n) for n in range((figures.last_day - figures.first_day).days + 1)]
    labels = [f"{day:%-d %b %Y}" for day in days]
    return draw_bars(
        "StackedBar",
        f"Net per day in {currency}",
        labels,
        [
            ("earned", tuple(net[day] if net.get(day, -1) >= 0 else None for day in days)),
            ("lost", tuple(net[day] if net.get(day, 0) < 0 else None for day in days)),
        ],
        shown_labels=labels[:: max(1, len(days) // 6)],
        value_words="{:,.2f}".format,
        value_formatter="{:,.0f}".format,
        width=900,
        height=240,
        margin_right=40,
        min_scale=3,
        max_scale=6,
        y_labels_major_every=1,
    )


def _cost_chart(costs: Rows, currency: str) -> str:
    """Draw a bar for each kind of fee, the largest first; its amount stands beside its name."""
    rows = [row for row in costs if row["currency"] == currency][:_MOST_BARS]
    if not rows:
        return ""
    # Drawn from the bottom up.
    amounts = [row["amount"] for row in reversed(rows)]
    return draw_bars(
        "HorizontalStackedBar",
        f"Fees by kind in {currency}",
        [f"{row['invoice_key']}  {row['amount']:,.2f}" for row in reversed(rows)],
        [
            ("given back", tuple(amount if amount >= 0 else None for amount in amounts)),
            ("taken", tuple(-amount if amount < 0 else None for amount in amounts)),
        ],
        value_words="{:,.2f}".format,
        width=900,
        height=40 + 30 * len(rows),
        show_x_labels=False,
    )
