"""Turns what an API sent into what PostgreSQL's ``jsonb`` and ``text`` can hold."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
# Only what is set aside is nested deeper than a hundred; about a thousand are more than can be written.
_MOST_LEVELS = 500


def dump(document: object) -> str:
    """Write a document as JSON text that ``jsonb`` takes.

    A number with a fraction becomes text, so that no amount passes through a binary float. NUL and lone
    surrogates, which PostgreSQL refuses, are replaced by U+FFFD. What is nested too deep to be written is left out.
    """
    try:
        text = _ENCODER.encode(document)
    except (UnicodeEncodeError, RecursionError):
        text = None
    if text is None or b"\\u0000" in text:
        text = _ENCODER.encode(cleaned(document))
    return text.decode()


def clean(text: str | None) -> str | None:
    """Replace what a ``text`` column refuses (NUL, lone surrogates) by U+FFFD."""
    if text is None:
        return None
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cleaned(value: Any) -> Any:
    """Return a value with all texts in it as :func:`clean` leaves them, and ``…`` for what lies too deep in it."""
    if isinstance(value, str):
        return clean(value)
    whole = [value]
    # Each place is filled with a copy, whose own places wait for their turn: deep documents would end a recursion.
    places: list[tuple[Any, Any, int]] = [(whole, 0, 0)]
    while places:
        holder, place, level = places.pop()
        found = holder[place]
        if isinstance(found, str):
            holder[place] = clean(found)
        elif isinstance(found, list | dict) and level == _MOST_LEVELS:
            holder[place] = "…"
        elif isinstance(found, list):
            holder[place] = items = list(found)
            places.extend((items, number, level + 1) for number in range(len(items)))
        elif isinstance(found, dict):
            holder[place] = named = {clean(key): item for key, item in found.items()}
            places.extend((named, key, level + 1) for key in named)
    return whole[0]
