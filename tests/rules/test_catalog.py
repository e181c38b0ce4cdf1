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
from backmarket.rules.catalog_csv import columns_of

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
        ({"images": ["x.example/1"]}, "image 1 is 'x.example/1': an http or https URL is needed"),
        ({"images": {"1": "https://x.example/1"}}, "not a list"),
        ({"attributes": {**PRODUCT.attributes, "color": " "}}, "attribute color is missing"),
        ({"attributes": {**PRODUCT.attributes, "storage": "64 GB"}}, "not a whole number"),
        ({"attributes": {**PRODUCT.attributes, "lock": "none"}}, "is none of GSM, CDMA"),
        ({"attributes": {**PRODUCT.attributes, "inches": "six"}}, "not a number"),
        ({"attributes": {**PRODUCT.attributes, "color": ["blue", "red"]}}, "attribute color is a list or an object"),
        ({"attributes": {**PRODUCT.attributes, "color": {"fr": "bleu"}}}, "attribute color is a list or an object"),
        ({"attributes": {**PRODUCT.attributes, "inches": []}}, "attribute inches is a list or an object"),
        ({"attributes": {**PRODUCT.attributes, "width": [7, "cm"]}}, "attribute width is a list or an object"),
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


MISSING = "is missing: a new product needs"


@pytest.mark.parametrize(
    ("row", "changes", "reason"),
    [
        (LISTING, {"sku": ""}, "sku is empty"),
        (LISTING, {"sku": "A "}, "sku begins or ends with a blank"),
        (LISTING, {"sku": "A" * 256}, "sku is longer than 255 characters (256)"),
        (LISTING, {"product_id": None}, "product_id and ean are both missing: one of them has to name the product"),
        (LISTING, {"quantity": None}, "quantity is missing"),
        (LISTING, {"price": None}, "price is missing"),
        (LISTING, {"currency": None}, "currency is missing and is not EUR, the market's"),
        (LISTING, {"currency": "GBP"}, "currency GBP is not EUR, the market's"),
        (LISTING, {"grade": " "}, "grade is missing: Back Market would take the article for GOOD"),
        (PRODUCT, {"ean": None}, f"ean {MISSING} one"),
        (PRODUCT, {"price_new": None}, f"price_new {MISSING} it"),
        (LISTING, {"warranty_delay": None}, "warranty_delay is missing"),
        (LISTING, {"grade": "MINT"}, "grade MINT is none of EXCELLENT, VERY_GOOD, GOOD, FAIR, STALLONE, PREMIUM"),
        (PRODUCT, {"price_new": Decimal("300.555")}, "price_new 300.555 has more than 2 digits after the point"),
        (PRODUCT, {"price_new": Decimal(0)}, "price_new 0 is not above 0"),
        (PRODUCT, {"weight": None}, f"weight {MISSING} it"),
        (PRODUCT, {"images": "a.jpg"}, "images is not a list of URLs"),
        (PRODUCT, {"images": None}, "images is empty: a new product needs at least one"),
        (PRODUCT, {"attributes": ["blue"]}, "attributes is not a JSON object"),
        (PRODUCT, {"category_id": 999}, "category_id 999 is no leaf category"),
        (
            PRODUCT,
            {"attributes": {"color": "blue", "storage": 64, "lock": "GSM", "size": 1}},
            "attribute size is unknown to category 101; it knows color, storage, lock, inches",
        ),
        (
            PRODUCT,
            {"attributes": {"color": None, "storage": 64, "lock": "GSM"}},
            "attribute color is missing: category 101 (Smartphones) asks for it",
        ),
    ],
)
def test_a_person_reads_what_is_wrong_with_a_row(row: CatalogRow, changes: dict[str, Any], reason: str) -> None:
    """The whole sentence: which column, what is wrong, and what is asked for."""
    told = _against(row, **changes)
    assert reason in told
    assert len(told) == 1 or changes == {"attributes": ["blue"]}


def test_a_product_waits_for_the_categories_of_its_market() -> None:
    """Unchecked, it would be refused by Back Market, or stand in a wrong category; a listing needs none."""
    (told,) = reasons_against(PRODUCT, "product", MarketRules("EUR", 2), twin_skus=set())
    assert told == "the categories of its market could not be read yet: the next run asks for them again"
    assert reasons_against(LISTING, "listing", MarketRules("EUR", 2), twin_skus=set()) == []


def test_a_category_without_attributes_says_so() -> None:
    """There is none to choose from."""
    market = MarketRules("EUR", 2, {5: LeafCategory(5, 6, "Cables")})
    row = replace(PRODUCT, category_id=5, attributes={"size": 1})
    told = reasons_against(row, "product", market, twin_skus=set())
    assert told == ["attribute size is unknown to category 5; it knows none"]


@pytest.mark.parametrize(
    "changes",
    [
        {"price": Decimal("0.50"), "price_new": Decimal("0.50")},
        {"price": Decimal("0.55"), "price_new": Decimal("300.55")},
        {"images": ["https://images.example.com/1.jpg"] * 6},
        {"images": ["https://images.example.com/".ljust(1000, "x")]},
        {"attributes": {"color": "x" * 200, "storage": 64, "lock": "GSM"}},
    ],
)
def test_a_product_at_a_limit_keeps_it(changes: dict[str, Any]) -> None:
    """A price below one, as many digits as the market has, the most images, the longest URL and attribute."""
    assert _against(PRODUCT, **changes) == []


def test_a_column_that_cannot_be_read_is_told_once() -> None:
    """Its own reason stands for it; what follows from it, as a missing category, is not told besides."""
    for column in ("category_id", "attributes", "images", "price_new", "weight"):
        faults: dict[str, Any] = {column: None, "unreadable": {column: f"{column} cannot be read"}}
        row = replace(PRODUCT, **faults)
        assert kind_of(row, products_on=True) == "product"
        assert _against(row) == [f"{column} cannot be read"]


def _france_with(leaf: LeafCategory) -> MarketRules:
    """France with this category alone."""
    return MarketRules("EUR", 2, {leaf.category_id: leaf})


def test_what_is_checked_of_an_attribute_is_what_is_sent() -> None:
    """JSON's true goes out as true, so that is what the category has to know; Python would call it True."""
    for choices, is_right in ((("true", "false"), True), (("True", "False"), False)):
        leaf = replace(LEAF, attributes=(Attribute("esim", 3, choices, required=True),))
        row = replace(PRODUCT, attributes={"esim": True})
        told = reasons_against(row, "product", _france_with(leaf), twin_skus=set())
        assert columns_of(row, "product")["esim"] == "true"
        assert (told == []) == is_right
