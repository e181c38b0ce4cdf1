"""Writes rows of ``seller.catalog`` as the CSV that Back Market asks for: quotes, semicolons, line feeds (spec)."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backmarket.rules.catalog import CatalogRow, Kind

_LISTING_COLUMNS = ("sku", "ean", "product_id", "quantity", "price", "currency", "grade", "warranty_delay", "comment")
_PRODUCT_COLUMNS = ("category_id", "title", "description", "brand", "price_new", "weight")


def columns_of(row: CatalogRow, kind: Kind) -> dict[str, str]:
    """Return what is sent of a row that is ready, as text by column; empty columns are left out.

    Product columns go out only where a product is proposed.
    """
    columns = {name: written(getattr(row, name)) for name in _LISTING_COLUMNS}
    columns["currency"] = columns["currency"].upper()
    columns["grade"] = columns["grade"].upper()
    if kind == "product":
        columns |= {name: written(getattr(row, name)) for name in _PRODUCT_COLUMNS}
        columns |= {f"image{number}": image for number, image in enumerate(row.images or (), start=1)}
        # An attribute never takes the place of a column that all rows have.
        columns = {**{name: written(value) for name, value in (row.attributes or {}).items()}, **columns}
    return {name: value for name, value in columns.items() if value}


def write_catalog(rows: Iterable[Mapping[str, str]]) -> str:
    """Write rows under one header that holds every column of any of them, the known ones first."""
    rows = list(rows)
    known = (*_LISTING_COLUMNS, *_PRODUCT_COLUMNS)
    used = {name for row in rows for name in row}
    header = [*(name for name in known if name in used), *sorted(used.difference(known))]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, fieldnames=header, restval="", delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def can_be_written(value: object) -> bool:
    """Tell whether a value of JSON fits a column: a text, a number, true or false, or nothing."""
    return value is None or isinstance(value, str | int | float | Decimal)


def written(value: object) -> str:
    """Write a value without an exponent or a blank around it; texts keep everything inside."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value.to_integral_value() if value == value.to_integral_value() else value, "f")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()
