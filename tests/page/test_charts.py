"""The pictures: bars and lines where there are numbers, in the style sheet's colours, and nothing that is loaded."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from backmarket.page.charts import per_day, per_week, prices, shares_per_day
from backmarket.reports.charts import Point, draw_bars, draw_lines, even_ticks
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
        (281.5, 289.99, 0, [280, 282, 284, 286, 288, 290]),
        (1999, 2000, 0, [1999, 1999.2, 1999.4, 1999.6, 1999.8, 2000]),
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


NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
MONTH = [datetime(2026, 9, day, tzinfo=UTC) for day in (1, 8, 15, 22, 30)]


def lines(svg: str) -> tuple[dict[str, list[list[tuple[float, float]]]], dict[str, dict[str, tuple[float, float]]]]:
    """By colour the places that each line runs through, part by part, and where the points are, by their words."""
    assert not re.search(r"<(script|style|defs|desc)\b|style=|href=|url\(|<!--", svg)
    tree = ET.fromstring(svg.replace(" xmlns=", " of="))  # noqa: S314 - our own
    assert (tree.tag, tree.get("role")) == ("svg", "img")
    drawn: dict[str, list[list[tuple[float, float]]]] = {}
    points: dict[str, dict[str, tuple[float, float]]] = {}
    for group in tree.iter("g"):
        if not (colour := re.search(r"\bcolor-\d", group.get("class", ""))):
            continue
        for path in group.iterfind("path"):
            numbers = [float(number) for number in re.findall(r"[\d.]+", path.get("d", ""))]
            drawn.setdefault(colour[0], []).append(list(zip(numbers[::2], numbers[1::2], strict=True)))
        for dot in group.iterfind("g[@class='dots']"):
            (circle,) = dot.findall("circle")
            place = float(circle.get("cx", 0)), float(circle.get("cy", 0))
            points.setdefault(colour[0], {})[str(dot.findtext("title"))] = place
    return drawn, points


def test_a_line_runs_through_its_points_and_breaks_off_where_there_is_none() -> None:
    """Each point has its words, stands at its own time and height, and the picture has a title."""
    points = (Point(NOON, 10), Point(NOON + timedelta(days=7), 30), Point(NOON + timedelta(days=8), None))
    later = (Point(NOON + timedelta(days=14), 20), Point(NOON + timedelta(days=21), 20))
    svg = draw_lines("Won <b>", [("fr & co", points + later)], MONTH, extent=(0, 100), value_words="{} %".format)
    drawn, told = lines(svg)
    assert list(told["color-0"]) == [
        f"{day} Sep · fr & co: {value} %" for day, value in ((1, 10), (8, 30), (15, 20), (22, 20))
    ]
    places = list(told["color-0"].values())
    assert [[(round(x, 3), round(y, 3)) for x, y in part] for part in drawn["color-0"]] == [
        [(round(x, 3), round(y, 3)) for x, y in places[:2]],
        [(round(x, 3), round(y, 3)) for x, y in places[2:]],
    ]
    gaps = [round(other[0] - one[0], 3) for one, other in pairwise(places)]
    assert len(set(gaps)) == 1, "a week is as wide as another"
    assert places[0][1] > places[2][1] > places[1][1], "what is more stands higher"
    assert 'aria-label="Won &lt;b&gt;"' in svg
    axis = re.findall(r">([^<>]+)</text>", svg)
    assert axis == ["0", "20", "40", "60", "80", "100", "1 Sep", "8 Sep", "15 Sep", "22 Sep", "30 Sep"]


def test_a_price_holds_until_the_next() -> None:
    """Steps run level and straight up or down; where a line only bends there is no point to read."""
    points = (Point(NOON, Decimal("289.00")), Point(NOON + timedelta(days=3), Decimal("280.10")))
    svg = draw_lines("Price", [("our price", points)], MONTH, are_steps=True)
    drawn, told = lines(svg)
    ((first, bend, last),) = drawn["color-0"]
    assert (first[1], bend[0]) == (bend[1], last[0])
    assert list(told["color-0"]) == ["1 Sep · our price: 289.00", "4 Sep · our price: 280.10"]
    assert svg == draw_lines("Price", [("our price", points)], MONTH, are_steps=True), (
        "the same numbers, the same picture"
    )


@pytest.mark.parametrize(
    "value", [Decimal(0), Decimal("0.5"), Decimal(289), Decimal(54800), Decimal("90071992547409930.07")]
)
def test_a_flat_line_has_room_and_its_exact_amount(value: Decimal) -> None:
    """One reading, or a price that never moved; an amount that a double cannot hold is read to the cent."""
    svg = draw_lines("Price", [("our price", (Point(NOON, value),))], MONTH)
    _, told = lines(svg)
    assert list(told["color-0"]) == [f"1 Sep · our price: {value:,.2f}"]


def test_shares_are_those_of_the_markets_in_which_most_competes() -> None:
    """Six lines by name, the others as one: their share is of all that competes there, not a mean of shares."""
    rows = [{"series": f"m{number}", "bucket": TODAY, "competing": 100 - number, "won": 50} for number in range(6)]
    rows += [
        {"series": "small", "bucket": TODAY, "competing": 1, "won": 1},
        {"series": "smaller", "bucket": TODAY, "competing": 3, "won": 0},
        {"series": "smaller", "bucket": TODAY - timedelta(days=1), "competing": 3, "won": 3},
    ]
    chart = shares_per_day("Won", "", rows, TODAY)
    assert chart.legend[0] == ("m0", "50 %")
    assert chart.legend[-1] == ("others", "25 %")
    _, told = lines(str(chart.svg))
    assert list(told["color-6"]) == ["13 Sep · others: 100 %", "14 Sep · others: 25 %"]
    assert shares_per_day("Won", "", [], TODAY).svg is None


def test_a_chart_of_prices_needs_one() -> None:
    """Where no price was ever read there is nothing to draw; where only ours was, there is one line."""
    row: dict[str, Any] = {"at": NOON, "price": None, "winner_price": None, "takes_part": True}
    assert prices("Price", "", [row], NOON).svg is None
    assert prices("Price", "", [], NOON).svg is None
    chart = prices("Price", "", [{**row, "price": Decimal(5)}], NOON)
    assert chart.legend == (("our price", "5"),)
    ended = [{**row, "price": Decimal(5)}, {**row, "at": NOON + timedelta(hours=1), "takes_part": False}]
    assert prices("Price", "", ended, NOON).legend == (("our price", "—"),)
