"""Looks for what no log may hold: the token, and what customers are called, where they live and how to reach them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from chaos.evidence import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Json = dict[str, Any]

_PERSONAL = (
    "first_name", "last_name", "firstName", "lastName", "street", "street2", "phone", "phoneNumber", "email",
    "first_name_pronunciation", "last_name_pronunciation",
)  # fmt: skip
# Words that stand in every log: the sandbox has customers of these names on purpose.
_COMMON_WORDS = frozenset({"NULL", "Tables", "\\N"})
_SHORTEST = 2


def find_leaks(logs: Iterable[Path], orders: Iterable[Json], token: str) -> Iterator[Loss]:
    """Search files for the token and for whole values of addresses; a value counts once a file."""
    values = personal_values(orders)
    pattern = re.compile("|".join(sorted((_as_pattern(value) for value in values), key=len, reverse=True)) or r"(?!)")
    for log in logs:
        text = log.read_text(errors="replace")
        if token in text:
            yield Loss("secret in a log", log.name, "the token")
        for found in sorted(set(pattern.findall(text))):
            yield Loss("secret in a log", log.name, f"of a customer: {found}")


def personal_values(orders: Iterable[Json]) -> set[str]:
    """Give every value of an address that tells who somebody is, as documents have it."""
    found = set()
    for order in orders:
        for address in (order["shipping_address"], order["billing_address"]):
            values = (str(address.get(name) or "").strip() for name in _PERSONAL)
            found |= {value for value in values if len(value) >= _SHORTEST and value not in _COMMON_WORDS}
    return found


def _as_pattern(value: str) -> str:
    """Match a value as it is or as Python and JSON write it, not within a longer word."""
    spellings = {value, ascii(value)[1:-1], repr(value)[1:-1], json.dumps(value)[1:-1]}
    return "|".join(rf"(?<!\w){re.escape(spelling)}(?!\w)" for spelling in sorted(spellings))
