"""A table of the seller that cannot be used as a whole is the first thing that the page says."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backmarket.concerns import STEMS
from backmarket.services.alerts import attention_message
from backmarket.warehouse import feeds, inventory_prices
from backmarket.warehouse.needs import need_of, read_needs, stem_of_item
from backmarket.warehouse.seller_rows import ALIASES, FORMS, LeftOut, SellerRows
from backmarket.warehouse.snapshot import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    import pytest
    from starlette.testclient import TestClient


def test_an_unusable_stock_is_told_first(
    signed_in: Callable[[str], TestClient],
    warehouse: psycopg.Connection[Any],
    dags_of: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the page, among all accounts and by the alerts: which table, how many rows, and the first reasons."""
    dags_of("default")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "true")
    warehouse.execute("insert into backmarket.accounts (account, host, token_fingerprint) values ('default', 'h', 'f')")
    warehouse.execute("alter table seller.stock alter column quantity type text")
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at) "
        "select 'SKU-' || n, '122 pcs', now() from generate_series(1, 122) as n"
    )
    stock = inventory_prices.stock_rows(warehouse, "default")
    feeds.judge(warehouse, "default", stock, limit_pct=Decimal(50), run_id="r")
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert '<h1 id="verdict">seller.stock cannot be used: 122 of 122 rows</h1>' in page
    assert "sku SKU-1: quantity is &#39;122 pcs&#39;: a whole number is needed" in page
    assert "Everything that is switched on works" not in page
    accounts = viewer.get("/backmarket/accounts").text
    assert '<a href="/backmarket/needs/feeds">seller.stock cannot be used: 122 of 122 rows</a>' in accounts
    with reader("default") as database:
        needs = read_needs(database, ["inventory_prices"], most=5, answer_hours=20)
    told = attention_message("default", needs, {"feeds:seller.stock"}, "https://airflow.example/backmarket/").text
    assert "- seller.stock: 122 of 122 rows · sku SKU-1: quantity is '122 pcs'" in told
    warehouse.execute("update seller.stock set quantity = '7'")
    stock = inventory_prices.stock_rows(warehouse, "default")
    feeds.judge(warehouse, "default", stock, limit_pct=Decimal(50), run_id="r")
    assert "cannot be used" not in viewer.get("/backmarket/").text


def test_every_table_of_the_seller_is_told_and_has_its_concern(warehouse: psycopg.Connection[Any]) -> None:
    """Where none of its rows can be used it stands on the page; what is in quarantine of it is no concern of orders."""
    read = [form.table for form in FORMS if form is not ALIASES]
    for table in read:
        rows: SellerRows[Any] = SellerRows(table, "sku", [], [LeftOut("A", "no row at all", {})] * 3)
        feeds.judge(warehouse, "default", rows, limit_pct=Decimal(50), run_id="r")
    with reader("default") as database:
        needs = {need.name: need for need in read_needs(database, STEMS, most=50, answer_hours=20)}
    assert {item["subject"] for item in needs["feeds"].items} == set(read)
    quarantine = need_of("quarantine")
    assert quarantine
    assert [name for name in (*read, "backbox") if stem_of_item(quarantine, {"kind": name}) == "orders"] == []
