"""Puts numbers by day or week, and prices by time, into the page's charts, each with its legend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from backmarket.reports.charts import Point, draw_bars, draw_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from backmarket.reports.charts import Line, Series
    from backmarket.warehouse.snapshot import Row

_MOST_SERIES = 6
OTHERS = "others"
_SIZE: dict[str, Any] = {"width": 360, "height": 170, "margin": 6, "margin_right": 24}


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


def shares_per_day(title: str, note: str, rows: Sequence[Row], today: date, *, days: int = 30) -> Chart:
    """Draw by day and market how much of what competes is won, in per cent.

    The markets in which most competes have a line each, the others one together, so that colours stay apart.

    :param rows: each with ``bucket``, ``series``, ``competing`` and ``won``.
    """
    largest: dict[str, int] = {}
    for row in rows:
        largest[row["series"]] = max(largest.get(row["series"], 0), row["competing"])
    named = sorted(largest, key=lambda name: (-largest[name], name))[:_MOST_SERIES]
    if not named:
        return Chart(title, note, None, ())
    counts: dict[str, dict[date, tuple[int, int]]] = {name: {} for name in named}
    for row in rows:
        by_day = counts.setdefault(row["series"] if row["series"] in named else OTHERS, {})
        competing, won = by_day.get(row["bucket"], (0, 0))
        by_day[row["bucket"]] = competing + row["competing"], won + row["won"]
    buckets = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    lines = tuple((name, tuple(_shares(by_day, buckets))) for name, by_day in counts.items())
    legend = tuple((name, "—" if (value := points[-1].value) is None else f"{value} %") for name, points in lines)
    svg = _svg_of_lines(title, lines, _spread(_midnight(buckets[0]), _midnight(buckets[-1])), are_shares=True)
    return Chart(title, note, Markup(svg), legend)  # noqa: S704 - pygal escapes


def prices(title: str, note: str, rows: Sequence[Row], now: datetime, *, days: int = 30) -> Chart:
    """Draw our price and the winner's as they were read, each of which holds until the next.

    :param rows: by time, each with ``at``, ``price``, ``winner_price`` and ``takes_part``; lines break off where it
        takes no part. The last says until when the one before it held.
    """
    lines = tuple(
        (name, tuple(_turns((row["at"], row[column] if row["takes_part"] else None) for row in rows)))
        for name, column in (("our price", "price"), ("the winner's", "winner_price"))
    )
    lines = tuple((name, points) for name, points in lines if any(point.value is not None for point in points))
    if not lines:
        return Chart(title, note, None, ())
    legend = tuple((name, "—" if (value := points[-1].value) is None else f"{value:,f}") for name, points in lines)
    # By the day, so that a chart is drawn anew only when its numbers change.
    last = _midnight(now.astimezone(UTC).date() + timedelta(days=1))
    svg = _svg_of_lines(title, lines, _spread(last - timedelta(days=days + 1), last), are_shares=False)
    return Chart(title, note, Markup(svg), legend)  # noqa: S704 - pygal escapes


def _shares(by_day: dict[date, tuple[int, int]], buckets: Iterable[date]) -> Iterable[Point]:
    for bucket in buckets:
        competing, won = by_day.get(bucket, (0, 0))
        yield Point(_midnight(bucket), round(100 * won / competing) if competing else None)


def _turns(readings: Iterable[tuple[datetime, Decimal | None]]) -> Iterable[Point]:
    """Keep of a line's points those at which it changes, and the last."""
    before: Decimal | None = None
    at = held_since = None
    for at, value in readings:
        if value != before:
            held_since = at
            yield Point(at, value)
        before = value
    if at is not None and at != held_since and before is not None:
        yield Point(at, before)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _spread(first: datetime, last: datetime) -> tuple[datetime, ...]:
    """Return five days, as far apart as whole days can be."""
    days = (last - first).days
    return tuple(first + timedelta(days=round(days * step / 4)) for step in range(5))


@lru_cache(maxsize=64)
def _svg_of_lines(title: str, lines: tuple[Line, ...], moments: tuple[datetime, ...], *, are_shares: bool) -> str:
    """Draw; kept as bars are."""
    if are_shares:
        return draw_lines(title, lines, moments, extent=(0, 100), value_words="{} %".format, **_SIZE)
    words = "{:%-d %b %H:%M} UTC".format
    return draw_lines(title, lines, moments, are_steps=True, moment_words=words, value_words="{:,f}".format, **_SIZE)


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
        **_SIZE,
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
