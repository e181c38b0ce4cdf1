"""The pictures: bars where there are numbers, in the style sheet's colours, and nothing that a page has to load."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from backmarket.page.charts import per_day, per_week
from backmarket.reports.charts import draw_bars, even_ticks
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


def test_the_page_stacks_counts_by_day_and_has_a_chart_for_each_currency() -> None:
    """A bar for each number, none for a day without; the legend has the sums; currencies share no axis."""
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
    amounts = [
        {"series": "GBP", "bucket": TODAY, "value": Decimal("9.00")},
        {"series": "EUR", "bucket": TODAY, "value": Decimal("-12000.50")},
    ]
    euros, pounds = per_week("Net", "", amounts, TODAY)
    assert (euros.title, euros.legend, drawn(str(euros.svg))) == (
        "Net in EUR",
        (("EUR", "-12,000.50"),),
        {"color-0": ["14 Sep · EUR: -12,000"]},
    )
    assert (pounds.title, pounds.legend) == ("Net in GBP", (("GBP", "9.00"),))
    assert per_day("Orders", "", [], TODAY).svg is None
    assert [chart.svg for chart in per_week("Net", "", [], TODAY)] == [None]


def places(svg: str) -> tuple[dict[str, float], dict[str, float]]:
    """Where the labels of days stand, and the middle of each day's bar."""
    tree = ET.fromstring(svg.replace(" xmlns=", " of="))  # noqa: S314 - our own
    labels = {text.text: float(text.get("x", 0)) for text in tree.iterfind(".//g[@class='axis x']//text")}
    bars = {
        bar.findtext("title", "").partition(" · ")[0]: float(rect.get("x", 0)) + float(rect.get("width", 0)) / 2
        for bar in tree.iterfind(".//g[@class='bar']")
        for rect in bar.iterfind("rect")
    }
    return {str(name): x for name, x in labels.items()}, bars


@pytest.mark.parametrize("days", [1, 2, 6, 30, 90, 365])
def test_a_day_s_bar_stands_over_its_own_day(days: int) -> None:
    """From the first day to the last, with the picture's own title, and an even axis."""
    labels = [f"{TODAY - timedelta(days=back):%-d %b %Y}" for back in range(days - 1, -1, -1)]
    values = tuple(Decimal(1000 + 100 * (number % 7)) for number in range(days))
    svg = draw_bars("Net per day in EUR", labels, [("earned", values)])
    named, bars = places(svg)
    assert list(bars) == labels
    assert {label: round(x, 3) for label, x in named.items()} == {label: round(bars[label], 3) for label in named}
    assert {labels[0], labels[-1]} <= set(named)
    assert re.findall(r"<title>([^<·]*)</title><g class=.graph", svg) == ["Net per day in EUR"]
    assert "ygal</title>" not in svg
    assert "<!--" not in svg
    heights = [float(y) for y in re.findall(r'<path d="M0.000000 ([\d.]+) h[\d.]+" class="[a-z ]*line"', svg)]
    assert len({round(one - other, 3) for one, other in pairwise(heights)}) == 1


@pytest.mark.parametrize(
    ("lowest", "highest", "least_step", "ticks"),
    [
        (0, 0, 1, [0, 1]),
        (0, 1, 1, [0, 1]),
        (0, 9, 1, [0, 2, 4, 6, 8, 10]),
        (0, 101, 1, [0, 50, 100, 150]),
        (-3000, 20000, 0, [-5000, 0, 5000, 10000, 15000, 20000]),
        (-0.3, 0.45, 0, [-0.4, -0.2, 0.0, 0.2, 0.4, 0.6]),
        (-7, 0, 0, [-8, -6, -4, -2, 0]),
    ],
)
def test_an_axis_has_even_steps(lowest: float, highest: float, least_step: float, ticks: list[float]) -> None:
    """Of 1, 2 or 5 times a power of ten, and whole ones where things are counted."""
    assert even_ticks(lowest, highest, least_step=least_step) == ticks


def test_the_axis_of_the_page_reads_evenly() -> None:
    """What stood there as 0, 4, 9; and the first and the last day are named, the others as far apart."""
    rows = [{"series": "fr-fr", "bucket": TODAY, "value": 9}]
    svg = str(per_day("Orders per day", "", rows, TODAY).svg)
    axis = svg.partition('class="axis y')[2].partition('class="axis x')[0]
    assert re.findall(r">([^<>]+)</text>", axis) == ["0", "2", "4", "6", "8", "10"]
    assert "<title>Orders per day</title>" in svg
    assert [*places(svg)[0]] == ["16 Aug", "23 Aug", "30 Aug", "7 Sep", "14 Sep"]


def test_a_settlement_report_draws_net_and_tells_in_words() -> None:
    """What was lost in another colour than what was earned; kinds, categories and fees in words; orders are links."""
    daily = [
        {"day": date(2026, 9, day), "currency": "EUR", "net": Decimal(net)}
        | dict.fromkeys(("sales", "fees", "refunds", "adjustments", "paid_out"), Decimal(0))
        for day, net in ((1, "10.50"), (3, "-4.25"))
    ]
    costs = [
        {"currency": "EUR", "category": category, "invoice_key": key, "amount": Decimal(amount), "lines": 1}
        for category, key, amount in (("payment_fee", "klarna_fees", "-19.90"), ("service", "<b>", "2.00"))
    ]
    findings = [{"kind": "missing_sale", "currency": "EUR", "findings": 2, "amount": Decimal("12.00")}]
    orders = [
        {
            "order_id": 7,
            "currency": "EUR",
            "kinds": ["fee_difference", "missing_sale"],
            "amount": Decimal(3),
            "net": None,
        }
    ]
    figures = Figures(date(2026, 9, 1), date(2026, 9, 3), daily, costs, findings, orders)
    html = render(figures, account="default", order_url="https://airflow/orders/{}".format)
    assert html == render(figures, account="default", order_url="https://airflow/orders/{}".format), (
        "cleared and run again, a task stores the same"
    )
    wide, narrow = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    for svg in (wide, narrow):
        assert drawn(svg) == {"color-0": ["1 Sep 2026 · earned: 10.50"], "color-1": ["3 Sep 2026 · lost: -4.25"]}
    content = html.partition("<main>")[2]
    assert "<b>" not in content
    plain = " ".join(re.sub(r"<[^>]*>", " ", content).split())
    assert "Missing sale shipped, and in no statement when due EUR 2 12.00" in plain
    assert "Klarna fees klarna_fees Payment fee EUR 1 -19.90" in plain
    assert "7 fee difference, missing sale EUR 3.00 —" in plain
    assert '<a href="https://airflow/orders/7">7</a>' in content


def test_the_amount_over_a_bar_is_no_float() -> None:
    """A height may be one; of an amount that a double cannot hold, every cent is read."""
    amount = Decimal("90071992547409930.07")
    svg = draw_bars("Net", ["1 Sep"], [("EUR", (amount,))], value_words="{:,.2f}".format)
    assert drawn(svg) == {"color-0": ["1 Sep · EUR: 90,071,992,547,409,930.07"]}
