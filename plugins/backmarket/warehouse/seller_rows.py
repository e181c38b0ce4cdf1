"""Reads rows that the seller's systems filled: each table may be a view, so no row is taken on trust."""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_MOST_LOGGED = 20
_log = logging.getLogger(__name__)


def read_rows(table: str, row_class: type[T], rows: Iterable[tuple[Any, ...]]) -> list[T]:
    """Return the rows that can be used; the others are left out, and the task's log names each with its reason.

    A whole number may come as any type of number; nothing else is converted or guessed.

    :param table: for the log.
    :param row_class: a dataclass with the columns as its fields, in their order.
    """
    adapter = TypeAdapter(row_class)
    names = [each.name for each in fields(row_class)]  # type: ignore[arg-type]
    found, left_out = [], []
    for row in rows:
        try:
            found.append(adapter.validate_python(dict(zip(names, row, strict=True))))
        except ValidationError as error:
            left_out.append(f"{names[0]} {row[0]}: {_reasons(error)}")
    for reason in left_out[:_MOST_LOGGED]:
        _log.warning("A row of %s cannot be used and is left out: %s", table, reason)
    if len(left_out) > _MOST_LOGGED:
        _log.warning("%d rows of %s cannot be used, all in all.", len(left_out), table)
    return found


def _reasons(error: ValidationError) -> str:
    """Name the columns at fault, and not what stands in them."""
    return "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors(include_input=False))
