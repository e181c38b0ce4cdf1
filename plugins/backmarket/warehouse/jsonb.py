"""Turns what an API sent into what PostgreSQL's ``jsonb`` and ``text`` can hold."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def dump(document: object) -> str:
    """Write a document as JSON text that ``jsonb`` takes.

    A number with a fraction becomes text, so that no amount passes through a binary float. NUL and lone
    surrogates, which PostgreSQL refuses, are replaced by U+FFFD.
    """
    text = json.dumps(document, default=_text_of, ensure_ascii=False)
    if "\\u0000" in text or not _is_encodable(text):
        text = json.dumps(_cleaned(document), default=_text_of, ensure_ascii=False)
    return text


def clean(text: str | None) -> str | None:
    """Replace what a ``text`` column refuses (NUL, lone surrogates) by U+FFFD."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text_of(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not occur in a JSON document")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return value
