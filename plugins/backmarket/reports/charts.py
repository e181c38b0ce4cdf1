"""Draws bar charts as SVG to stand in a page: without a script, in colours that the page's own style sheet names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

Kind = Literal["Bar", "StackedBar", "HorizontalStackedBar"]
Series = tuple[str, tuple["Decimal | int | None", ...]]


def draw_bars(
    kind: Kind,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    shown_labels: Sequence[str] | None = None,
    value_words: Callable[[Decimal | int], str] = "{:,.0f}".format,
    **options: Any,
) -> str:
    """Return the SVG: bars of ``series-0``, ``color-0`` and so on, each with words that a pointer shows over it.

    :param title: for readers who cannot see the drawing.
    :param labels: of the places on the axis, in order.
    :param series: name and values; a value for each label, None for no bar.
    :param shown_labels: those that there is room for; None for all.
    :param value_words: writes a value for the words of its bar.
    :param options: of pygal, such as width and height.
    """
    import pygal
    from pygal.style import Style

    chart = getattr(pygal, kind)(
        css=[],
        js=[],
        disable_xml_declaration=True,
        explicit_size=False,
        show_legend=False,
        style=Style(label_font_size=12, major_label_font_size=12),
        spacing=4,
        truncate_label=-1,
        show_minor_x_labels=False,
        show_minor_y_labels=False,
        include_x_axis=True,
        **options,
    )
    chart.x_labels = list(labels)
    chart.x_labels_major = list(labels if shown_labels is None else shown_labels)
    for name, values in series:
        chart.add(name, [None if value is None else _bar(value, value_words) for value in values])
    tree = chart.render_tree()
    # Styles and scripts of its own, and hover texts that need them: the page allows neither.
    for part in [*tree.iter("defs"), *(g for g in tree.iter("g") if "overlay" in g.get("class", ""))]:
        parent = next(node for node in tree.iter() if part in list(node))
        parent.remove(part)
    for number, (name, _) in enumerate(series):
        _name_bars(tree, number, name)
    # Random, and nobody asks for it: the same numbers make the same picture.
    tree.attrib.pop("id")
    tree.set("role", "img")
    tree.set("aria-label", title)
    return tostring(tree, encoding="unicode")


def _bar(value: Decimal | int, value_words: Callable[[Decimal | int], str]) -> dict[str, Any]:
    """Return what pygal draws: the height of a bar may be a float, the amount that is read over it never is one."""
    return {"value": float(value), "formatter": lambda _height: value_words(value)}


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
