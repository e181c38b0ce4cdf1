"""Draws charts as SVG to stand in a page: without a script, in colours that the page's own style sheet names."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from decimal import Decimal

Series = tuple[str, tuple["Decimal | int | None", ...]]
_MOST_STEPS = 5
_THOUSANDS_FROM = 10_000


class Point(NamedTuple):
    """One place of a line.

    :param value: None: the line breaks off here.
    """

    at: datetime
    value: Decimal | int | None


Line = tuple[str, tuple[Point, ...]]


def draw_bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    most_labels: int | None = None,
    value_words: Callable[[Decimal | int], str] = "{:,.0f}".format,
    **options: Any,
) -> str:
    """Return the SVG: stacked bars of ``color-0``, ``color-1`` and so on, each with words that a pointer shows over it.

    Bars stand over their labels, and what the axis says is as far apart as it is drawn.

    :param title: what the picture shows, also for readers who cannot see it.
    :param labels: of the places on the axis, in order.
    :param series: name and values in one unit; a value for each label, None for no bar.
    :param most_labels: how many there is room for, the first and the last among them; None for all.
    :param value_words: writes a value for the words of its bar.
    :param options: of pygal, such as width and height.
    """
    import pygal
    from pygal.style import Style

    columns = [values for _, values in series]
    are_counts = all(value is None or isinstance(value, int) for values in columns for value in values)
    ticks = even_ticks(*_extent(columns), least_step=1 if are_counts else 0)
    chart = pygal.StackedBar(
        css=[],
        js=[],
        disable_xml_declaration=True,
        explicit_size=False,
        show_legend=False,
        style=Style(label_font_size=12, major_label_font_size=12),
        spacing=4,
        truncate_label=-1,
        show_minor_x_labels=False,
        include_x_axis=True,
        range=(ticks[0], ticks[-1]),
        value_formatter=_words_on_axis(ticks),
        **options,
    )
    chart.x_labels = list(labels)
    chart.x_labels_major = _spread(labels, most_labels or len(labels))
    chart.y_labels = chart.y_labels_major = ticks
    for name, values in series:
        chart.add(name, [None if value is None else _bar(value, value_words) for value in values])
    tree = _bare(chart.render_tree(), title, "overlay")
    for number, (name, _) in enumerate(series):
        _name_bars(tree, number, name)
    return tostring(tree, encoding="unicode")


def draw_lines(
    title: str,
    lines: Sequence[Line],
    moments: Sequence[datetime],
    *,
    are_steps: bool = False,
    extent: tuple[int, int] | None = None,
    moment_words: Callable[[datetime], str] = "{:%-d %b}".format,
    value_words: Callable[[Decimal | int], str] = "{:,.2f}".format,
    **options: Any,
) -> str:
    """Return the SVG: lines of ``color-0``, ``color-1`` and so on, each point with words that a pointer shows over it.

    :param title: as for :func:`draw_bars`.
    :param lines: name and points of each, by time, in one unit.
    :param moments: those named below the axis of time, which begins with the first and ends with the last, a later one.
    :param are_steps: whether a value holds until the next, instead of changing evenly towards it.
    :param extent: between what the axis of values reaches at least; None: as far as the values do.
    :param moment_words: writes the moment of a point for its words.
    :param value_words: writes a value for the words of its point.
    :param options: of pygal, such as width and height.
    """
    import pygal
    from pygal.style import Style

    values = [float(point.value) for _, points in lines for point in points if point.value is not None]
    ticks = even_ticks(*_room_for([*values, *(extent or ())]))
    places = {(moment - moments[0]).total_seconds(): f"{moment:%-d %b}" for moment in moments}
    chart = pygal.XY(
        css=[],
        js=[],
        disable_xml_declaration=True,
        explicit_size=False,
        show_legend=False,
        style=Style(label_font_size=12, major_label_font_size=12),
        allow_interruptions=True,
        truncate_label=-1,
        dots_size=2.5,
        range=(ticks[0], ticks[-1]),
        xrange=(min(places), max(places)),
        value_formatter=_words_on_axis(ticks),
        x_value_formatter=places.get,
        **options,
    )
    chart.x_labels = chart.x_labels_major = list(places)
    chart.y_labels = chart.y_labels_major = ticks
    for name, points in lines:
        drawn: list[dict[str, Any] | None] = []
        before: Decimal | int | None = None
        for at, value in points:
            place = (at - moments[0]).total_seconds()
            if are_steps and before is not None:
                drawn.append(_point(place, before, ""))
            if value is None:
                drawn.append(None)
            else:
                drawn.append(_point(place, value, f"{moment_words(at)} · {name}: {value_words(value)}"))
            before = value
        chart.add(name, drawn)
    tree = _bare(chart.render_tree(), title, "text-overlay", "tooltip-overlay")
    _name_points(tree)
    return tostring(tree, encoding="unicode")


def even_ticks(lowest: float, highest: float, *, least_step: float = 0) -> list[float]:
    """Return what the axis says, from at or below the lowest value to at or above the highest.

    The steps are alike: 1, 2 or 5, or ten times that, and so on; at most six numbers.
    """
    highest = highest if highest > lowest else 1.0
    smallest = 10.0 ** floor(log10((highest - lowest) / _MOST_STEPS))
    steps = (max(smallest * factor, least_step) for factor in (1, 2, 5, 10, 20))
    step = next(step for step in steps if ceil(highest / step) - floor(lowest / step) <= _MOST_STEPS)
    return [round(number * step, 9) for number in range(floor(lowest / step), ceil(highest / step) + 1)]


def _bare(tree: Any, title: str, *unwanted: str) -> Any:
    """Leave a drawing what a page may hold, and give it the title.

    Styles and scripts of its own go, and hover texts that need them; so do the ``unwanted`` layers.
    """
    layers = [g for g in tree.iter("g") if any(name in g.get("class", "") for name in unwanted)]
    for part in [*tree.iter("defs"), *layers]:
        parent = next(node for node in tree.iter() if part in list(node))
        parent.remove(part)
    # Who drew it and when: the same numbers make the same picture.
    for comment in [node for node in tree if not isinstance(node.tag, str)]:
        tree.remove(comment)
    tree.attrib.pop("id")
    tree.set("role", "img")
    tree.set("aria-label", title)
    for heading in tree.findall("title"):
        heading.text = title
    return tree


def _spread(labels: Sequence[str], most: int) -> list[str]:
    """Keep so many labels as far apart as each other, from the first to the last."""
    last = len(labels) - 1
    steps = min(most - 1, last)
    return [labels[round(step * last / steps)] for step in range(steps + 1)] if steps > 0 else list(labels)


def _extent(columns: Sequence[Sequence[Decimal | int | None]]) -> tuple[float, float]:
    """Return how far the stacks reach below zero and above it."""
    places = list(zip(*columns, strict=True))
    low = min((sum(value for value in place if value and value < 0) for place in places), default=0)
    high = max((sum(value for value in place if value and value > 0) for place in places), default=0)
    return float(low), float(high)


def _room_for(values: Sequence[float]) -> tuple[float, float]:
    """Return between what lines run, with room around one that is flat."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    room = 0.0 if low < high else max(1.0, abs(low) / 20)
    return low - room, high + room


def _words_on_axis(ticks: Sequence[float]) -> Callable[[float], str]:
    if max(abs(tick) for tick in ticks) >= _THOUSANDS_FROM:
        return lambda tick: f"{tick / 1000:,.4g}k" if tick else "0"
    decimals = 0 if all(tick == round(tick) for tick in ticks) else 2
    return lambda tick: f"{tick:,.{decimals}f}"


def _bar(value: Decimal | int, value_words: Callable[[Decimal | int], str]) -> dict[str, Any]:
    """Return what pygal draws: the height of a bar may be a float, the amount that is read over it never is one."""
    return {"value": float(value), "formatter": lambda _height: value_words(value)}


def _point(place: float, value: Decimal | int, words: str) -> dict[str, Any]:
    """Return what pygal draws at a place of the axis of time, in seconds; without words it is only passed through."""
    return {"value": (place, float(value)), "formatter": lambda _place: words}


def _name_points(tree: Element) -> None:
    """Give each point the words a pointer shows over it; where a line only bends, there is no point."""
    for series in tree.iterfind(".//g[@class='dots']/.."):
        for dot in series.findall("g[@class='dots']"):
            words = next((desc.text for desc in dot.findall("desc") if desc.get("class") == "value"), "")
            if not words:
                series.remove(dot)
                continue
            for desc in dot.findall("desc"):
                dot.remove(desc)
            SubElement(dot, "title").text = words


def _name_bars(tree: Element, number: int, series: str) -> None:
    """Give each bar of a series the words a pointer shows over it, in place of what only a script would use.

    Where there is no value, a stack has a bar of no size: it goes.
    """
    for parent in tree.iterfind(f".//g[@class='series serie-{number} color-{number}']/g"):
        for bar in parent.findall("g[@class='bar']"):
            if any(float(rect.get(side, 0)) == 0 for rect in bar.iter("rect") for side in ("width", "height")):
                parent.remove(bar)
                continue
            told = {desc.get("class"): desc.text for desc in bar.findall("desc")}
            for desc in bar.findall("desc"):
                bar.remove(desc)
            title = SubElement(bar, "title")
            title.text = f"{told.get('x_label')} · {series}: {told.get('value')}"
