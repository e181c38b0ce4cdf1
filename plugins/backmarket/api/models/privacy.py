"""Separates what may be stored as a plain document from what is personal."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_PERSONAL = re.compile(
    r"address|email|phone|mobile|customer(?!issue$)|recipient|buyer|street|postal|zipcode|birth"
    r"|(first|last|full|family|given|user)name"
)


_DEEPEST = 100
"""So deep no document of Back Market's is nested; Python's own bound depends on who calls."""


def without_personal_data(value: Any, depth: int = 0) -> Any:
    """Copy a JSON value, leaving out every field, at any depth, whose name says that it is about a person.

    Addresses have a model and a table of their own; other personal fields are undocumented, so they are known by
    their names in either spelling (``phone_number``, ``phoneNumber``).

    :param depth: how deep in its document the value stands.
    :raises RecursionError: for a document that is nested a hundred deep.
    """
    if depth > _DEEPEST:
        raise RecursionError("nested too deep")
    if isinstance(value, list):
        return [without_personal_data(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    kept = value.copy()
    for name in _personal_among(tuple(value)):
        del kept[name]
    for name, item in kept.items():
        if isinstance(item, (dict, list)):
            kept[name] = without_personal_data(item, depth + 1)
    return kept


@lru_cache(maxsize=1024)
def _personal_among(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if is_personal(name))


@lru_cache(maxsize=1024)
def is_personal(name: str) -> bool:
    """Tell whether a field of this name holds personal data."""
    return _PERSONAL.search(name.replace("_", "").replace("-", "").lower()) is not None
