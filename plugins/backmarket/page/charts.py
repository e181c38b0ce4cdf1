"""Puts numbers by day or week into the page's charts, each with its legend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from backmarket.reports.charts import draw_bars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from backmarket.reports.charts import Series
    from backmarket.warehouse.snapshot import Row

_MOST_SERIES = 6
OTHERS = "others"


@dataclass(frozen=True)
class Chart:
    """A chart, or the reason why there is none.

    :param svg: the drawing; None while there is nothing to draw.
    :param legend: the series, in the order of their colours, each with its sum as text.
    """

    title: str
    note: str
    svg: Markup | None
    legend: tuple[tuple[str, str], ...]


def per_day(title: str, note: str, rows: Sequence[Row], today: date, *, days: int = 30) -> Chart:
    """Draw counts by day, stacked by series."""
    buckets = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    return _draw(title, note, rows, buckets)


def per_week(title: str, note: str, rows: Sequence[Row], today: date, *, weeks: int = 16) -> list[Chart]:
    """Draw amounts by week, a chart for each currency, the largest first: currencies do not add up."""
    monday = today - timedelta(days=today.weekday())
    buckets = [monday - timedelta(weeks=back) for back in range(weeks - 1, -1, -1)]
    currencies = [name for name, _ in _ranked(_by_series(rows))]
    if not currencies:
        return [Chart(title, note, None, ())]
    return [
        _draw(f"{title} in {currency}", note, [row for row in rows if row["series"] == currency], buckets)
        for currency in currencies
    ]


def _draw(title: str, note: str, rows: Sequence[Row], buckets: Sequence[date]) -> Chart:
    values = _by_series(rows)
    if not values:
        return Chart(title, note, None, ())
    largest = _largest(values)
    legend = tuple((name, _sum_of(by_bucket)) for name, by_bucket in largest)
    series = tuple((name, tuple(map(by_bucket.get, buckets))) for name, by_bucket in largest)
    return Chart(title, note, Markup(_svg(title, series, tuple(buckets))), legend)  # noqa: S704 - pygal escapes


@lru_cache(maxsize=64)
def _svg(title: str, series: tuple[Series, ...], buckets: tuple[date, ...]) -> str:
    """Draw; kept, as the same numbers are asked for again and again and drawing takes longer than all queries."""
    labels = [f"{bucket:%-d %b}" for bucket in buckets]
    return draw_bars(
        title,
        labels,
        series,
        most_labels=5,
        width=360,
        height=170,
        margin=6,
        margin_right=24,
    )


def _by_series(rows: Sequence[Row]) -> dict[str, dict[date, Any]]:
    values: dict[str, dict[date, Any]] = {}
    for row in rows:
        values.setdefault(row["series"], {})[row["bucket"]] = row["value"]
    return values


def _ranked(values: dict[str, dict[date, Any]]) -> list[tuple[str, dict[date, Any]]]:
    return sorted(values.items(), key=lambda item: -sum(abs(value) for value in item[1].values()))


def _largest(values: dict[str, dict[date, Any]]) -> list[tuple[str, dict[date, Any]]]:
    """Keep the largest series by name and put the rest together, so that colours stay apart."""
    ranked = _ranked(values)
    kept, rest = ranked[:_MOST_SERIES], ranked[_MOST_SERIES:]
    if rest:
        together: dict[date, Any] = {}
        for _, by_bucket in rest:
            for bucket, value in by_bucket.items():
                together[bucket] = together.get(bucket, 0) + value
        kept.append((OTHERS, together))
    return kept


def _sum_of(by_bucket: dict[date, int | Decimal]) -> str:
    total = sum(by_bucket.values())
    return f"{total:,}" if isinstance(total, int) else f"{total:,.2f}"
