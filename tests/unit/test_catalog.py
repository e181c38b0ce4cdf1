"""Which rows of ``seller.catalog`` may be sent, and what is told about the others."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.catalog import (
    Attribute,
    CatalogRow,
    LeafCategory,
    MarketRules,
    kind_of,
    reasons_against,
    twins,
)

LEAF = LeafCategory(
    101,
    111,
    "Smartphones",
    (
        Attribute("color", 2, required=True),
        Attribute("storage", 1, required=True),
        Attribute("lock", 3, ("GSM", "CDMA"), required=True),
        Attribute("inches", 0),
    ),
)
FRANCE = MarketRules("EUR", 2, {101: LEAF})
LISTING = CatalogRow(
    sku="A-1",
    product_id="51001",
    quantity=0,
    price=Decimal("199.90"),
    currency="eur",
    market="fr-fr",
    grade="very_good",
    warranty_delay=12,
)
PRODUCT = replace(
    LISTING,
    product_id=None,
    ean="4006381333931",
    category_id=101,
    title="T" * 200,
    description="D",
    brand="B" * 100,
    price_new=Decimal(300),
    weight=Decimal(2),
    images=["https://images.example.com/1.jpg"],
    attributes={"color": "blue", "storage": 64, "lock": "GSM", "inches": "6.1", "width": "7 cm"},
)


def _against(row: CatalogRow, **changes: Any) -> list[str]:
    row = replace(row, **changes)
    return reasons_against(row, kind_of(row, products_on=True), FRANCE, twin_skus=set())


def test_rows_that_are_right_are_ready() -> None:
    """Nothing is held against a good listing, nor against a good product at the edge of every limit."""
    assert _against(LISTING) == []
    assert _against(PRODUCT) == []
    assert _against(LISTING, product_id="1fe0c2a5-8a5b-4b5e-9a0c-0b1f5e3b0c7d") == []
    assert _against(LISTING, product_id=None, ean="190198001764") == []
    assert _against(LISTING, comment="x" * 500) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sku": ""}, "sku is empty"),
        ({"sku": " A"}, "blank"),
        ({"product_id": None}, "both missing"),
        ({"product_id": "abc"}, "neither a UUID nor a number"),
        ({"ean": "4006381333932"}, "wrong check digit"),
        ({"ean": "40063813339310"}, "not 8, 12 or 13 digits"),
        ({"quantity": None}, "quantity is missing"),
        ({"quantity": -1}, "below 0"),
        ({"price": None}, "price is missing"),
        ({"price": Decimal(0)}, "not above 0"),
        ({"price": Decimal("NaN")}, "not above 0"),
        ({"price": Decimal("9.999")}, "more than 2 digits"),
        ({"currency": "GBP"}, "not EUR"),
        ({"currency": None}, "not EUR"),
        ({"grade": None}, "grade is missing"),
        ({"grade": "MINT"}, "is none of"),
        ({"warranty_delay": 11}, "below 12 months"),
        ({"warranty_delay": None}, "warranty_delay is missing"),
        ({"comment": "x" * 501}, "comment is longer than 500"),
    ],
)
def test_each_fault_of_a_listing_is_named(changes: dict[str, Any], reason: str) -> None:
    """One fault, one reason that says which."""
    (told,) = _against(LISTING, **changes)
    assert reason in told


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ean": None}, "ean is missing"),
        ({"category_id": 999}, "category_id 999 is no leaf category"),
        ({"category_id": 111}, "marketplace_category_id 101"),
        ({"title": " "}, "title is missing"),
        ({"title": "x" * 201}, "title is longer than 200"),
        ({"description": None}, "description is missing"),
        ({"brand": "x" * 101}, "brand is longer than 100"),
        ({"price_new": None}, "price_new is missing"),
        ({"price_new": Decimal(-1)}, "price_new -1"),
        ({"weight": None}, "weight is missing"),
        ({"weight": Decimal(1)}, "above 1"),
        ({"weight": Decimal("180.5")}, "whole number of grams"),
        ({"images": None}, "images is empty"),
        ({"images": ["https://x.example/1"] * 7}, "at most 6"),
        ({"images": ["x.example/1"]}, "image 1 is not an http or https URL"),
        ({"images": {"1": "https://x.example/1"}}, "not a list"),
        ({"attributes": {**PRODUCT.attributes, "color": " "}}, "attribute color is missing"),
        ({"attributes": {**PRODUCT.attributes, "storage": "64 GB"}}, "not a whole number"),
        ({"attributes": {**PRODUCT.attributes, "lock": "none"}}, "is none of GSM, CDMA"),
        ({"attributes": {**PRODUCT.attributes, "inches": "six"}}, "not a number"),
        ({"attributes": {**PRODUCT.attributes, "colour": "blue"}}, "attribute colour is unknown"),
    ],
)
def test_each_fault_of_a_product_is_named(changes: dict[str, Any], reason: str) -> None:
    """One fault, one reason that says which."""
    (told,) = _against(PRODUCT, **changes)
    assert reason in told


def test_faults_are_told_together() -> None:
    """A person corrects a row once, not once per run."""
    told = _against(PRODUCT, ean="1", price=Decimal(0), weight=None, attributes="none")
    assert len(told) == 7


def test_a_market_of_another_platform_is_named() -> None:
    """Its currency cannot be judged, so the market alone is told."""
    row = replace(LISTING, market="en-us", currency="USD")
    assert reasons_against(row, "listing", None, twin_skus=set()) == [
        "market en-us is no market of this account's platform"
    ]


def test_skus_that_differ_by_case_are_twins() -> None:
    """Back Market would take the second row for a change of the first."""
    assert twins(["ab-1", "AB-1 ", "ab-2"]) == {"ab-1"}
    told = reasons_against(LISTING, "listing", FRANCE, twin_skus={"a-1"})
    assert told == ["sku occurs more than once: Back Market does not tell upper from lower case"]


def test_only_a_row_with_product_columns_and_without_a_product_proposes_one() -> None:
    """And only while products are switched on; else Back Market decides by the EAN."""
    assert kind_of(PRODUCT, products_on=True) == "product"
    assert kind_of(PRODUCT, products_on=False) == "listing"
    assert kind_of(replace(PRODUCT, product_id="51001"), products_on=True) == "listing"
    assert kind_of(replace(LISTING, product_id=None), products_on=True) == "listing"


@given(
    st.builds(
        CatalogRow,
        sku=st.text(),
        ean=st.none() | st.text(),
        product_id=st.none() | st.text(),
        quantity=st.none() | st.integers(),
        price=st.none() | st.decimals(),
        currency=st.none() | st.text(),
        market=st.none() | st.text(),
        grade=st.none() | st.text(),
        warranty_delay=st.none() | st.integers(),
        category_id=st.sampled_from([None, 101, 111, 5]),
        title=st.none() | st.text(),
        price_new=st.none() | st.decimals(),
        weight=st.none() | st.decimals(),
        images=st.recursive(st.none() | st.text() | st.integers(), st.lists),
        attributes=st.none() | st.text() | st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.text())),
    )
)
def test_whatever_stands_in_a_row_is_judged_and_not_stumbled_over(row: CatalogRow) -> None:
    """Tables are filled by other systems: any content leads to reasons, none to a crash."""
    for kind in ("listing", "product"):
        for market in (FRANCE, MarketRules("JPY", 0), None):
            assert reasons_against(row, kind, market, twin_skus=set())
