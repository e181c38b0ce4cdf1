"""The pictures: bars where there are numbers, in the style sheet's colours, and nothing that a page has to load."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

from backmarket.page.charts import per_day, per_week
from backmarket.reports.charts import draw_bars
from backmarket.reports.settlement_report import render
from backmarket.warehouse.settlements.reports import Figures

TODAY = date(2026, 9, 14)


def drawn(svg: str) -> dict[str, list[str]]:
    """The words over the bars of each colour, after a look at what must not be in a picture."""
    assert not re.search(r"<(script|style|defs|desc)\b|style=|href=|url\(", svg)
    tree = ET.fromstring(svg.replace(" xmlns=", " of="))  # noqa: S314 - our own
    assert (tree.tag, tree.get("role")) == ("svg", "img")
    found: dict[str, list[str]] = {}
    for group in tree.iter("g"):
        if colour := re.search(r"\bcolor-\d", group.get("class", "")):
            bars = group.iterfind(".//g[@class='bar']")
            found.setdefault(colour[0], []).extend(str(bar.findtext("title")) for bar in bars)
    return found


def test_the_page_stacks_counts_by_day_and_sets_currencies_side_by_side() -> None:
    """A bar for each number, none for a day without; the legend has the sums."""
    counts = [
        {"series": "fr-fr", "bucket": TODAY, "value": 3},
        {"series": "de-de", "bucket": TODAY, "value": 1},
        {"series": "fr-fr", "bucket": date(2026, 9, 1), "value": 2},
        {"series": "fr-fr", "bucket": date(2020, 1, 1), "value": 9},
    ]
    chart = per_day("Orders", "", counts, TODAY)
    assert chart.legend == (("fr-fr", "14"), ("de-de", "1"))
    bars = {"color-0": ["1 Sep · fr-fr: 2", "14 Sep · fr-fr: 3"], "color-1": ["14 Sep · de-de: 1"]}
    assert drawn(str(chart.svg)) == bars
    amounts = [{"series": "EUR", "bucket": TODAY, "value": Decimal("-12000.50")}]
    chart = per_week("Net", "", amounts, TODAY)
    assert (chart.legend, drawn(str(chart.svg))) == (
        (("EUR", "-12,000.50"),),
        {"color-0": ["14 Sep · EUR: -12,000"]},
    )
    assert per_day("Orders", "", [], TODAY).svg is None


def test_a_settlement_report_draws_net_and_fees() -> None:
    """What was lost in another colour than what was earned; fees from the largest down, each with its amount."""
    daily = [
        {"day": date(2026, 9, day), "currency": "EUR", "net": Decimal(net)}
        | dict.fromkeys(("sales", "fees", "refunds", "adjustments", "paid_out"), Decimal(0))
        for day, net in ((1, "10.50"), (3, "-4.25"))
    ]
    costs = [
        {"currency": "EUR", "category": "commission", "invoice_key": key, "amount": Decimal(amount), "lines": 1}
        for key, amount in (("sales_fees", "-19.90"), ("<b>", "2.00"))
    ]
    figures = Figures(date(2026, 9, 1), date(2026, 9, 3), daily, costs, [], [])
    html = render(figures, account="default")
    assert html == render(figures, account="default"), "cleared and run again, a task stores the same"
    net, fees = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert drawn(net) == {"color-0": ["1 Sep 2026 · earned: 10.50"], "color-1": ["3 Sep 2026 · lost: -4.25"]}
    assert drawn(fees) == {
        "color-0": ["<b>  2.00 · given back: 2.00"],
        "color-1": ["sales_fees  -19.90 · taken: 19.90"],
    }
    assert "<b>" not in fees


def test_the_amount_over_a_bar_is_no_float() -> None:
    """A height may be one; of an amount that a double cannot hold, every cent is read."""
    amount = Decimal("90071992547409930.07")
    svg = draw_bars("Bar", "Net", ["1 Sep"], [("EUR", (amount,))], value_words="{:,.2f}".format)
    assert drawn(svg) == {"color-0": ["1 Sep · EUR: 90,071,992,547,409,930.07"]}
