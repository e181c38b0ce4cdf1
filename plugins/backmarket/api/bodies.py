"""Writes the JSON of requests, in which no amount ever is a binary float."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITH_NUMBERS = msgspec.json.Encoder(decimal_format="number")


def json_body(fields: Mapping[str, object], *, amounts_as_numbers: bool = False) -> bytes:
    """Write an object: amounts, which are Decimal, with every digit and no exponent.

    :param amounts_as_numbers: instead of as texts, which the spec mostly prefers.
    """
    if not amounts_as_numbers:
        return json.dumps(fields, default=_plain, ensure_ascii=False).encode()
    written = {name: Decimal(_plain(value)) if isinstance(value, Decimal) else value for name, value in fields.items()}
    return _WITH_NUMBERS.encode(written)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} cannot be sent")
