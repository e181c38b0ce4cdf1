"""The page on the seller's tables tells the truth: its examples are read, or left out, as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backmarket.warehouse.seller_rows import (
    CATALOG,
    DEVICES,
    PRICES,
    SHIPMENTS,
    STOCK,
    UnreadableError,
    amount,
    id_number,
    json_value,
    moment,
    text,
    whole_number,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs/operations/seller-tables.md").read_text(encoding="utf-8")
READERS = {
    "whole number": whole_number,
    "number of an order, line or category": id_number,
    "amount": amount,
    "time": moment,
    "JSON": json_value,
}


def _row(kind: str) -> list[list[str]]:
    """Return the examples of a row of the table: columns, what is read, what is left out."""
    (line,) = re.findall(rf"^\| {kind} \|(.*)\|$", PAGE, flags=re.MULTILINE)
    return [re.findall(r"`([^`]*)`", cell) for cell in line.split("|")]


@pytest.mark.parametrize("kind", READERS)
def test_examples_are_read_or_left_out_as_the_page_says(kind: str) -> None:
    """Of every kind, and for exactly the columns that are read so."""
    columns, good, bad = _row(kind)
    for example in good:
        READERS[kind]("column", example)
        if kind != "JSON":
            assert READERS[kind]("column", f" {example} ") == READERS[kind]("column", example)
    for example in [*bad, ""]:
        with pytest.raises(UnreadableError):
            READERS[kind]("column", example)
    forms = (STOCK, PRICES, SHIPMENTS, DEVICES, CATALOG)
    read_so = {name for form in forms for name, column in form.columns.items() if column.read is READERS[kind]}
    assert read_so == set(columns)


def test_the_sentence_of_the_page_is_what_is_said() -> None:
    """Word by word; and texts stay as they are."""
    with pytest.raises(UnreadableError) as error:
        whole_number("quantity", "5 pcs")
    assert f"`{error.value}`" in PAGE
    assert text("title", " a ") == " a "
