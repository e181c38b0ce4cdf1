"""The page on the seller's tables tells the truth: its examples are read, or left out, as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.rules.catalog import Attribute, LeafCategory, MarketRules, reasons_against
from backmarket.rules.sku_map import SkuMap
from backmarket.warehouse import inventory_prices, profit, refunds, sku_map, tracking_imei
from backmarket.warehouse.listings import Catalog
from backmarket.warehouse.prices import price_rows
from backmarket.warehouse.seller_rows import (
    CATALOG,
    COSTS,
    DEVICE_COSTS,
    DEVICES,
    FORMS,
    FX_RATES,
    PRICES,
    REFUNDS,
    SHIPMENTS,
    SKU_MAP,
    STOCK,
    VAT_RATES,
    UnreadableError,
    amount,
    cost,
    currency_code,
    day,
    id_number,
    json_value,
    moment,
    percentage,
    rate,
    text,
    units,
    whole_number,
)

if TYPE_CHECKING:
    import psycopg

    from backmarket.warehouse.seller_rows import SellerRows

PAGE = (Path(__file__).resolve().parents[2] / "docs/operations/seller-tables.md").read_text(encoding="utf-8")
TABLES = (
    STOCK,
    PRICES,
    SHIPMENTS,
    DEVICES,
    CATALOG,
    SKU_MAP,
    REFUNDS,
    COSTS,
    DEVICE_COSTS,
    FX_RATES,
    VAT_RATES,
)
READERS = {
    "whole number": whole_number,
    "whole number from 1": units,
    "number of an order, line or category": id_number,
    "amount": amount,
    "cost": cost,
    "rate": rate,
    "percentage": percentage,
    "currency": currency_code,
    "day": day,
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
    read_so = {name for form in TABLES for name, column in form.columns.items() if column.read is READERS[kind]}
    assert read_so == set(columns)


def test_the_examples_run_and_their_rows_are_read_well(warehouse: psycopg.Connection[Any]) -> None:
    """Every block of SQL, against the tables as the project creates them; each table has one."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)
    for block in blocks:
        warehouse.execute(block.encode())
    assert {table for block in blocks for table in re.findall(r"insert into (seller\.\w+)", block)} == {
        form.table for form in FORMS
    }
    catalog = Catalog(warehouse, "default").read()[1]
    offers = price_rows(warehouse, "default", ["fr-fr", "en-gb"], SkuMap())[0]
    feeds: list[SellerRows[Any]] = [
        inventory_prices.stock_rows(warehouse, "default"),
        offers,
        tracking_imei.shipments(warehouse, "default"),
        tracking_imei.devices(warehouse, "default"),
        catalog,
        sku_map.read(warehouse, "default").feed,
        refunds.refund_rows(warehouse, "default"),
        tracking_imei.shipper_aliases(warehouse, "default"),
        profit.cost_rows(warehouse, "default"),
        profit.device_cost_rows(warehouse, "default"),
        profit.fx_rate_rows(warehouse, "default"),
        profit.vat_rate_rows(warehouse, "default"),
    ]
    assert {feed.table: (len(feed.rows), feed.left_out) for feed in feeds} == {
        "seller.stock": (4, []),
        "seller.prices": (2, []),
        "seller.shipments": (1, []),
        "seller.devices": (2, []),
        "seller.catalog": (2, []),
        "seller.sku_map": (3, []),
        "seller.refunds": (3, []),
        "seller.shipper_aliases": (1, []),
        "seller.costs": (2, []),
        "seller.device_costs": (1, []),
        "seller.fx_rates": (1, []),
        "seller.vat_rates": (1, []),
    }
    phones = LeafCategory(1001, 1, "Phones", (Attribute("color"),))
    euros = MarketRules("EUR", 2, {1001: phones})
    article, product = sorted(catalog.rows, key=lambda row: row.sku)
    assert reasons_against(article, "listing", euros, twin_skus=set()) == []
    assert reasons_against(product, "product", euros, twin_skus=set()) == []


def test_every_column_is_told() -> None:
    """Of each table, under its name."""
    for form in TABLES:
        (part,) = re.findall(rf"^\*\*`{form.table}`\*\*(.*?)```sql", PAGE, flags=re.DOTALL | re.MULTILINE)
        assert set(re.findall(r"`([a-z_]+)`", part)) >= set(form.columns), form.table


def test_the_sentence_of_the_page_is_what_is_said() -> None:
    """Word by word; and texts stay as they are."""
    with pytest.raises(UnreadableError) as error:
        whole_number("quantity", "5 pcs")
    assert f"`{error.value}`" in PAGE
    assert text("title", " a ") == " a "
