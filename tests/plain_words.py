"""Judges what people read: no representations of objects, counts as people write them, the right plural."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Words that are a thing counted in the singular, though they end in s.
_SINGULAR = "address alias class business status this has is was as its less access process series"
_NOT_SINGULAR = "|".join(_SINGULAR.split())
# After a number they are no plural of what is counted, but part of the sentence.
_THINGS = (
    "account address article batch call change character day difference document file finding hour "
    "identifier item line listing market migration millisecond minute offer order parcel price product "
    "quantity refusal remark request row run second shipment SKU task thing time token unit"
).split()
_ONE = "|".join([*_THINGS, "[a-z]+ (?:" + "|".join(_THINGS) + ")"])
_FAULTS = {
    "an object": re.compile(r"\b[A-Za-z_]\w*\(\w+=|<[\w.]+ object at "),
    "a datetime": re.compile(r"\bdatetime\.|\bDateTime\(|\bTimezone\(|\btimedelta\("),
    "a Decimal": re.compile(r"\bDecimal\("),
    "a dict": re.compile(r"\{\}|\{'|\{\d+:|Counter\("),
    "a list": re.compile(r"\[\]|\['|\[\d+,|\(\)(?!\w)"),
    "a truth value": re.compile(r"\b(?:None|True|False)\b"),
    "a time as Python writes it": re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?\+00:00"),
    "a large count without separators": re.compile(
        rf"(?<![\w.,:/-])\d{{4,}} (?!of |in |to |and )(?:new |open |live )?(?:{_ONE})s?\b"
    ),
    "one of many": re.compile(
        rf"(?<![\w.,:/-])1 (?:[a-z]+ )?(?!(?:{_NOT_SINGULAR})\b)(?:{'|'.join(_THINGS)}|quantitie|batche|addresse)e?s\b"
    ),
    "many as one": re.compile(
        r"(?<![\w.,:/-])(?!1 )(?:\d{1,3}(?:,\d{3})+|\d+) (?:new |open |live )?"
        rf"(?:{'|'.join(_THINGS)})(?![\w-])"
    ),
}
_CONSOLE = re.compile(
    r"^\S+ \[(?:info|warning|error|critical)\s*\] (?P<event>.*?)\s+\[(?P<logger>[\w.]+)\] ", re.DOTALL
)


def faults(text: str) -> list[str]:
    """Return what is wrong with a line for people, each with the words that show it."""
    found = ((what, pattern.search(text)) for what, pattern in _FAULTS.items())
    return [f"{what} ({match.group()!r}): {text}" for what, match in found if match]


def is_ours(logger: str) -> bool:
    """Tell whether a logger is this project's: that of a module or of an operator."""
    return logger.startswith("backmarket.") or ".backmarket." in logger


def our_lines(console: Iterable[str]) -> Iterator[str]:
    """Yield what this project's loggers wrote, from lines as Airflow prints them."""
    for line in console:
        if (match := _CONSOLE.match(re.sub(r"\x1b\[[0-9;]*m", "", line))) and is_ours(match["logger"]):
            yield match["event"]
