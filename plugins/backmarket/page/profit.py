"""Gathers what sales left: sums by month, market and SKU, the worst of them, and what is not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from backmarket.api.markets import MARKETS, decimals_of
from backmarket.page import variables
from backmarket.page.charts import Chart
from backmarket.page.downloads import Download, Heading, table
from backmarket.page.lists import Column, ListOf
from backmarket.reports.charts import draw_bars
from backmarket.seller_account import seller_account
from backmarket.settings import SaleCostSettings, VariableError
from backmarket.warehouse import profit
from backmarket.warehouse.lists import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from backmarket.page.place import Place
    from backmarket.warehouse.profit import Cell, Sums

_MOST_DIFFERENCES = 50
_MOST_SKUS_DRAWN = 8
_MOST_SKUS_SHOWN = 50
_MOST_SKUS_NAMED = 20
_LONGEST_LABEL = 14
_HUNDRED = Decimal(100)

_OF_SALES = (
    Column("units", "Units", "number"),
    Column("revenue", "Revenue", "number"),
    Column("commission", "Commission", "number"),
    Column("fees", "Fees", "number"),
    Column("logistics", "Logistics", "number"),
    Column("refunds", "Refunds", "number"),
    Column("vat", "VAT", "number"),
    Column("cost", "Cost", "number"),
    Column("amount", "Margin", "money"),
    Column("kind", "State"),
    Column("why", "Why not known", "why"),
    Column("since", "Sold", "day"),
)
_SUMS = ("revenue", "commission", "fees", "logistics", "refunds", "vat", "cost", "margin")


@dataclass(frozen=True)
class Choice:
    """Which sales are looked at.

    :param first_day: of sale, in UTC; ``last_day`` is included.
    :param market: a market's code; empty for all.
    :param sku: a part of the SKU, in any case of letters; empty for all.
    """

    first_day: date
    last_day: date
    market: str = ""
    sku: str = ""

    def takes(self, cell: Cell) -> bool:
        """Tell whether sales are among them."""
        is_of_market = not self.market or cell["market"] == self.market
        return is_of_market and self.sku.casefold() in (cell["sku"] or "").casefold()


@dataclass(frozen=True)
class Line:
    """One line of a table of sums.

    :param name: of the month, market or SKU.
    """

    name: str
    sums: Sums


@dataclass(frozen=True)
class Page:
    """What the page shows.

    :param own_currency: the one in which all is added up, by ``own_currency_from``; None where that is not known.
    :param totals: of all chosen sales, by currency.
    :param own_margin: all that can be converted, in the seller's own currency.
    :param missing: why costs are not known, how many lines, and the first of their SKUs.
    :param estimates: by currency, what fees would take that neither orders nor statements tell, at ``fees_pct``.
    :param difference_count: how many orders were paid otherwise than expected; ``differences`` are the first.
    :param problem: why a Variable could not be used.
    """

    choice: Choice
    markets: list[str]
    own_currency: str | None
    own_currency_from: str
    totals: list[Sums]
    own_margin: Decimal
    not_converted: int
    missing: list[tuple[str, int, list[str]]]
    estimates: dict[str, Decimal]
    fees_pct: Decimal
    charts: list[Chart]
    months: list[Line]
    by_market: list[Line]
    worst: list[Line]
    differences: list[dict[str, Any]]
    difference_count: int
    tables: Mapping[str, Download]
    problem: str = ""

    @property
    def query(self) -> dict[str, str]:
        """What an address of the same period has to say."""
        return {"first_day": str(self.choice.first_day), "last_day": str(self.choice.last_day)}

    @property
    def without_cost(self) -> int:
        """Of how many lines the cost is not known."""
        return sum(count for _, count, _ in self.missing)


def choice_of(first_day: date | None, last_day: date | None, market: str, sku: str) -> Choice:
    """Return what an address asks for; without days, this month and the one before."""
    last = last_day or datetime.now(UTC).date()
    month_before = last.replace(day=1) - timedelta(days=1)
    return Choice(
        first_day or month_before.replace(day=1), last, market.strip()[:20].lower(), sku.replace("\0", "").strip()[:100]
    )


def list_of_devices(first_day: date, last_day: date) -> ListOf:
    """Return the list of what every order line of these days left, both included."""
    return ListOf(
        "profit-by-device",
        f"Profit by device, {first_day} to {last_day}",
        "/profit/devices",
        "list_profit",
        (
            Column("subject", "Order", "story"),
            Column("sku", "SKU"),
            Column("device", "IMEI or serial number"),
            Column("market", "Market"),
            *_OF_SALES,
        ),
        Order("amount"),
        {"first_day": first_day, "last_day": last_day},
    )


def list_of_orders(first_day: date, last_day: date) -> ListOf:
    """Return the list of what every order of these days left, both included."""
    return ListOf(
        "profit-by-order",
        f"Profit by order, {first_day} to {last_day}",
        "/profit/orders",
        "list_profit_orders",
        (Column("subject", "Order", "story"), Column("skus", "SKUs"), Column("market", "Market"), *_OF_SALES),
        Order("amount"),
        {"first_day": first_day, "last_day": last_day},
    )


def gather(session: Session, place: Place, choice: Choice) -> Page:
    """Read and add up what the page shows."""
    problem = ""
    try:
        settings = variables.load(session, place.account, SaleCostSettings)
    except VariableError as error:
        settings, problem = SaleCostSettings(), str(error)
    own = settings.own_currency or _home_currency(place.account)
    days = (choice.first_day, choice.last_day)
    cells: list[Cell] = []
    differences: list[dict[str, Any]] = []
    with place.read() as database:
        if database.can_read("list_profit"):
            cells = profit.sales_between(database.connection, place.account, *days, own)
            differences = profit.differences_between(database.connection, place.account, *days, most=_MOST_DIFFERENCES)
    markets = sorted({cell["market"] for cell in cells if cell["market"]})
    cells = list(filter(choice.takes, cells))
    totals = list(profit.by(cells, lambda _: "").values())
    months = _lines(cells, lambda cell: f"{cell['sold_on']:%Y-%m}")
    by_market = _lines(cells, lambda cell: cell["market"] or "unknown")
    by_sku = sorted(_lines(cells, lambda cell: cell["sku"] or "none"), key=_margin_of)
    known = [line for line in by_sku if line.sums.lines > line.sums.without_cost]
    return Page(
        choice=choice,
        markets=markets,
        own_currency=own,
        own_currency_from="backmarket_own_currency" if settings.own_currency else "your home market",
        totals=totals,
        own_margin=sum((sums.own_margin for sums in totals), Decimal(0)),
        not_converted=sum(sums.not_converted for sums in totals),
        missing=[(why, count, skus[:_MOST_SKUS_NAMED]) for why, count, skus in profit.missing_costs(cells)],
        estimates={
            sums.currency: round(sums.without_fees * settings.fees_pct / _HUNDRED, decimals_of(sums.currency))
            for sums in totals
            if sums.without_fees
        },
        fees_pct=settings.fees_pct,
        charts=_charts(cells, known, own),
        months=months,
        by_market=by_market,
        worst=known[:_MOST_SKUS_SHOWN],
        differences=differences,
        difference_count=differences[0]["total"] if differences else 0,
        tables={
            "months": _table("profit-by-month", "Month", months),
            "markets": _table("profit-by-market", "Market", by_market),
            "skus": _table("profit-by-sku", "SKU", by_sku),
            "differences": _differences(differences),
        },
        problem=problem,
    )


def _home_currency(account: str) -> str | None:
    """Return the currency of the market of an account's connection; None where there is none that can be used."""
    from airflow.sdk.exceptions import AirflowRuntimeError

    from backmarket.environment import NoConnectionError
    from backmarket.hooks.backmarket import BackMarketHook, ConnectionFormError

    try:
        config = BackMarketHook(seller_account(account).backmarket_conn_id).config
    except (AirflowRuntimeError, ConnectionFormError, NoConnectionError):
        return None
    market = MARKETS.get(config.market)
    return market.currency if market else None


def _lines(cells: Sequence[Cell], key: Callable[[Cell], str]) -> list[Line]:
    return [Line(name, sums) for (name, _), sums in profit.by(cells, key).items()]


def _margin_of(line: Line) -> Decimal:
    return line.sums.margin


def _table(name: str, first: str, lines: Sequence[Line]) -> Download:
    titles = (
        first,
        "Currency",
        "Lines",
        "Settled",
        "Units",
        *(each.capitalize() if each != "vat" else "VAT" for each in _SUMS),
        "Margin in %",
        "Margin in your own currency",
        "Lines not converted",
        "Lines without cost",
        "Revenue without cost",
        "Revenue without fees",
        "Refunds not yet in a statement",
    )
    return Download(name, [Heading(title) for title in titles], map(_cells_of, lines))


def _cells_of(line: Line) -> list[Any]:
    sums = line.sums
    return [
        line.name,
        sums.currency,
        sums.lines,
        sums.settled,
        sums.units,
        *(sums.amounts[name] for name in _SUMS),
        sums.margin_pct,
        sums.own_margin,
        sums.not_converted,
        sums.without_cost,
        sums.revenue_without_cost,
        sums.without_fees,
        sums.refunds_due,
    ]


def _differences(rows: Sequence[dict[str, Any]]) -> Download:
    titles = {
        "order_id": "Order",
        "currency": "Currency",
        "expected": "Expected",
        "actual": "Paid",
        "difference": "Difference",
        "kinds": "Open findings",
    }
    return table("profit-differences", titles, rows)


def _charts(cells: Sequence[Cell], skus: Sequence[Line], own: str | None) -> list[Chart]:
    charts = []
    if own:
        months = sorted({f"{cell['sold_on']:%Y-%m}" for cell in cells})
        sums = {cell["market"] or "unknown": dict.fromkeys(months, Decimal(0)) for cell in cells}
        for cell in cells:
            sums[cell["market"] or "unknown"][f"{cell['sold_on']:%Y-%m}"] += cell["own_margin"] or Decimal(0)
        ranked = sorted(sums.items(), key=lambda item: -sum(map(abs, item[1].values())))
        series = [(name, tuple(values.values())) for name, values in ranked if any(values.values())]
        charts.append(_chart(f"Margin by month in {own}", "by market; what can be converted", months, _few(series)))
    worst = skus[:_MOST_SKUS_DRAWN]
    for currency in sorted({line.sums.currency for line in worst}):
        lines = [line for line in worst if line.sums.currency == currency]
        labels = [_short(line.name) for line in lines]
        values = tuple(line.sums.margin for line in lines)
        charts.append(_chart(f"Worst SKUs in {currency}", "margin of the period", labels, [("margin", values)]))
    return charts


def _few(series: list[tuple[str, tuple[Decimal, ...]]], most: int = 6) -> list[tuple[str, tuple[Decimal, ...]]]:
    """Keep the largest series and put the rest together, so that colours stay apart."""
    if len(series) <= most:
        return series
    rest = tuple(sum(column, Decimal(0)) for column in zip(*(values for _, values in series[most:]), strict=True))
    return [*series[:most], ("others", rest)]


def _chart(title: str, note: str, labels: list[str], series: list[tuple[str, tuple[Decimal, ...]]]) -> Chart:
    if not labels or not series:
        return Chart(title, note, None, ())
    svg = draw_bars(
        title,
        labels,
        series,
        most_labels=4,
        value_words="{:,.2f}".format,
        width=360,
        height=170,
        margin=6,
        margin_right=24,
    )
    legend = tuple((name, f"{sum(values):,.2f}") for name, values in series)
    return Chart(title, note, Markup(svg), legend)  # noqa: S704 - pygal escapes


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
