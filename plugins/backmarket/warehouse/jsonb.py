"""Turns what an API sent into what PostgreSQL's ``jsonb`` and ``text`` can hold."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


def dump(document: object) -> str:
    """Write a document as JSON text that ``jsonb`` takes.

    A number with a fraction becomes text, so that no amount passes through a binary float. NUL and lone
    surrogates, which PostgreSQL refuses, are replaced by U+FFFD.
    """
    try:
        text = _ENCODER.encode(document)
    except UnicodeEncodeError:
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
    """Return a value with all texts in it as :func:`clean` leaves them."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): cleaned(item) for key, item in value.items()}
    return value
