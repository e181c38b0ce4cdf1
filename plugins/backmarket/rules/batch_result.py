"""Reads the result of a finished batch, which has no fixed form, and compares what was created with what was sent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Whole names, so that a SKU with "error" in it does not count as one.
_ERROR_NAME = re.compile(r"([a-z]+_)*(errors?|failures?|failed|rejected|refused)", re.IGNORECASE)
_NAMES = ("sku", "ean", "key", "id")
LONGEST_REASON = 500
_NONE = "none"


def errors_by_key(result: Any) -> dict[str, str]:
    """Return the error texts by SKU or EAN, in lower case, wherever in a result they stand.

    Seen: ``{product_success: {key: ...}, product_errors: {key: ...}}``. Also understood: lists of objects that name
    their ``sku`` or ``ean``, objects by SKU that hold an ``error``, such objects by the number of their line, and all
    of it as a text of JSON. A result of no known form has no errors.
    """
    if isinstance(result, str):
        result = _parsed(result)
    found: dict[str, list[str]] = {}
    for key, text in _errors(result):
        texts = found.setdefault(key.strip().lower(), [])
        if text not in texts:
            texts.append(text)
    return {key: "; ".join(texts)[:LONGEST_REASON] for key, texts in found.items()}


def told(value: Any) -> str:
    """Flatten an error of any form into one line for a person; ``no reason given`` for an empty one."""
    if isinstance(value, dict):
        text = "; ".join(f"{name}: {told(inner)}" for name, inner in value.items())
    elif isinstance(value, list):
        text = "; ".join(told(inner) for inner in value)
    else:
        text = "" if value is None else str(value)
    return " ".join(text.split()) or "no reason given"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _errors(result: Any) -> Iterator[tuple[str, str]]:
    if isinstance(result, list):
        for item in result:
            yield from _errors_of_item(None, item)
    elif isinstance(result, dict):
        for name, value in result.items():
            if _is_error_name(name):
                yield from _error_entries(value)
            elif isinstance(value, dict):
                yield from _errors_of_item(name, value)
            elif isinstance(value, list):
                yield from _errors(value)


def _error_entries(entries: Any) -> Iterator[tuple[str, str]]:
    """Read a container that holds nothing but errors."""
    if isinstance(entries, dict):
        for key, value in entries.items():
            yield str(key), told(value)
            # The key may be a number of a line, and the SKU stand inside.
            yield from _error_entries([each for each in _as_list(value) if _names_a_sku(each)])
    elif isinstance(entries, list):
        for item in entries:
            key = _key_of(item)
            if key is not None:
                yield key, told({name: value for name, value in item.items() if name not in _NAMES} or item)
            else:
                yield from _errors_of_item(None, item)


def _errors_of_item(key: str | None, item: Any) -> Iterator[tuple[str, str]]:
    """Read an object that may be about one SKU, or hold others."""
    if not isinstance(item, dict):
        return
    faults = [value for name, value in item.items() if _is_error_name(name) and value]
    name = _key_of(item) or key
    if faults and name is not None:
        yield name, told(faults)
        return
    for fault in faults:
        yield from _error_entries(fault)
    for inner, value in item.items():
        yield from _errors_of_item(str(inner), value)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names_a_sku(item: Any) -> bool:
    return isinstance(item, dict) and "sku" in item


def _key_of(item: Any) -> str | None:
    if isinstance(item, dict):
        for name in _NAMES:
            value = item.get(name)
            if value and isinstance(value, int | str) and not isinstance(value, bool):
                return str(value)
    return None


def _is_error_name(name: object) -> bool:
    return _ERROR_NAME.fullmatch(str(name)) is not None


@dataclass(frozen=True)
class CreatedListing:
    """A listing as it was read back, under the names of the CSV's columns."""

    product_id: str | None
    backmarket_id: int | None
    price: Decimal | None
    currency: str | None
    quantity: int
    grade: str | None


def differences(columns: Mapping[str, str], created: CreatedListing) -> list[str]:
    """Name what differs between what was sent and what was created.

    Where only the EAN was sent, the product cannot be compared: listings do not show their EAN.
    """
    found = []
    wanted = columns.get("product_id", "")
    has = {str(created.product_id).lower(), str(created.backmarket_id)}
    if wanted and wanted.lower() not in has:
        found.append(f"product is {created.product_id or _NONE} instead of {wanted}")
    if created.price is None or created.price != Decimal(columns["price"]):
        found.append(f"price is {_NONE if created.price is None else created.price} instead of {columns['price']}")
    if created.currency is not None and created.currency.upper() != columns["currency"]:
        found.append(f"currency is {created.currency} instead of {columns['currency']}")
    if created.quantity != int(columns["quantity"]):
        found.append(f"quantity is {created.quantity} instead of {columns['quantity']}")
    if (created.grade or "").upper() != columns["grade"]:
        found.append(f"grade is {created.grade or _NONE} instead of {columns['grade']}")
    return found
