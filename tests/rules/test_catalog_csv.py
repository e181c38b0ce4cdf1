"""The CSV arrives at the other side as it was meant, whatever the texts hold."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.catalog import CatalogRow
from backmarket.rules.catalog_csv import columns_of, write_catalog
from sandbox.catalog.csv_batch import read_catalog

# What PostgreSQL can hold: no NUL, no lone surrogates.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1) | st.sampled_from(
    ['"', '""', ",", ";", "\n", "\r\n", "\r", "📱", '"a";"b",\n"c"', "=1+1", "é\u2028x"]
)
ROWS = st.lists(
    st.fixed_dictionaries({"sku": TEXTS, "title": TEXTS}, optional={"comment": TEXTS, "color": TEXTS}), min_size=1
)


@given(ROWS)
def test_every_text_survives_the_journey(rows: list[dict[str, str]]) -> None:
    """Through JSON and UTF-8, read by Python's csv and by the sandbox: the same rows, missing columns empty."""
    body = json.dumps({"catalog": write_catalog(rows)}).encode()
    text = json.loads(body)["catalog"]
    header = sorted({name for row in rows for name in row})
    expected = [{name: row.get(name, "") for name in header} for row in rows]
    assert [
        dict(sorted(row.items())) for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
    ] == expected
    assert [dict(sorted(row.items())) for row in read_catalog(text, ";", '"')] == expected


def test_a_listing_sends_no_product_column() -> None:
    """What describes a product goes out only where one is proposed; amounts never take an exponent."""
    row = CatalogRow(
        sku="A",
        ean="4006381333931",
        quantity=0,
        price=Decimal("1E+2"),
        currency="eur",
        grade="good",
        warranty_delay=12,
        category_id=101,
        title="T",
        weight=Decimal("180.0"),
        images=["https://x.example/1", "https://x.example/2"],
        attributes={"color": "blue", "price": "1"},
    )
    listing = columns_of(row, "listing")
    assert listing == {
        "sku": "A",
        "ean": "4006381333931",
        "quantity": "0",
        "price": "100",
        "currency": "EUR",
        "grade": "GOOD",
        "warranty_delay": "12",
    }
    product = columns_of(row, "product")
    assert product == listing | {
        "category_id": "101",
        "title": "T",
        "weight": "180",
        "image1": "https://x.example/1",
        "image2": "https://x.example/2",
        "color": "blue",
    }


def test_the_header_begins_with_the_known_columns() -> None:
    """Every field is quoted, the header too."""
    text = write_catalog([{"zoom": "1", "sku": "A"}, {"sku": "B", "price": "2"}])
    assert text == '"sku";"price";"zoom"\n"A";"";"1"\n"B";"2";""\n'


def test_amounts_and_attributes_are_written_as_people_write_them() -> None:
    """Cents stay, also of a price without other digits; a yes is true, as in JSON; nothing is an empty field."""
    row = CatalogRow(
        sku="A",
        price=Decimal("199.90"),
        price_new=Decimal("0.05"),
        category_id=101,
        attributes={"dual_sim": True, "esim": False, "inches": Decimal("6.10"), "size": None},
    )
    columns = columns_of(row, "product")
    assert (columns["price"], columns["price_new"]) == ("199.90", "0.05")
    assert (columns["dual_sim"], columns["esim"], columns["inches"]) == ("true", "false", "6.10")
    assert "size" not in columns
