"""Rows as the text that PostgreSQL's ``COPY`` reads; psycopg, which adapts value by value, takes thrice the time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from backmarket.warehouse.jsonb import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

# Any other type is an error: there is none that a column has, and no amount is a float.
_WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    bool: str,
    Decimal: str,
    datetime: to_builtins,
    type(None): lambda _: "",
}


def as_copy_text(rows: Iterable[Iterable[object]]) -> str:
    """Write rows of texts, numbers, flags, aware times and None, for a COPY whose null is an empty text.

    What a ``text`` column refuses is replaced.

    :raises KeyError: for a value of another type.
    """
    return clean("".join(map(_line, rows))) or ""


def _line(row: Iterable[object]) -> str:
    texts = [_WRITERS[type(value)](value) for value in row]
    line = "\t".join(texts)
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(texts):
        line = "\t".join([text.translate(_ESCAPES) for text in texts])
    return line + "\n"
