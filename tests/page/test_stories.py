"""The story of an order and of a SKU, and the ways to them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.seller_rows import LeftOut, keep_left_out
from tests.page.given import add_orders, add_settlement_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


def test_an_order_tells_its_story(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """What Back Market said, what was sent and how that ended, by time, without a word about the customer."""
    add_orders(warehouse, 1000)
    warehouse.execute(
        "insert into backmarket.order_addresses (account, order_id, kind, first_name, email) "
        "values ('default', 500, 'shipping', 'Jane', 'jane@example.com')"
    )
    story = signed_in("viewer").get("/backmarket/orders/500")
    assert story.status_code == 200
    assert "to ship" in story.text
    assert "accept confirmed" in story.text
    assert "199.90 EUR" in story.text
    assert "Jane" not in story.text
    assert "jane@" not in story.text


def test_everything_about_an_order_is_told_by_time(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Documents, also one that was not understood, what the seller shipped, changes, statements and differences."""
    add_orders(warehouse, 10)
    add_settlement_lines(warehouse, 10)
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason, last_seen_at) "
        "values ('default', 'order', '7', '{}', 'price: not a number', now() + interval '1 hour')"
    )
    warehouse.execute(
        "insert into seller.shipments (order_id, tracking_number, shipper, shipped_at) "
        "values (7, 'T-1', 'dhl', now() + interval '2 hours')"
    )
    tracking = Ledger(warehouse, "default", "tracking")
    tracking.plan([PlannedChange("7", {"order_id": 7}, status="refused", reason="unknown carrier")], run_id="run")
    warehouse.execute("update backmarket.changes set planned_at = now() + interval '3 hours' where kind = 'tracking'")
    warehouse.execute(
        """
        insert into backmarket.settlement_findings (
            account, kind, subject, order_id, day, currency, detail, documents, status, opened_at
        ) values (
            'default', 'fee_difference', 'order 7', 7, current_date, 'EUR', 'ten less', '[]', 'open',
            now() + interval '4 hours'
        )
        """
    )
    story = signed_in("viewer").get("/backmarket/orders/7").text
    told = ["ten less", "unknown carrier", "T-1", "price: not a number", "first downloaded", "sale of an iPhone"]
    assert sorted(told, key=story.index) == told
    assert f"{datetime.now(UTC) - timedelta(days=7):%Y-%m-%d}</time></td>" in story


def test_settlements_are_told_only_to_who_may_see_them(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads orders alone sees no money of statements."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    add_orders(warehouse, 10)
    add_settlement_lines(warehouse, 10)
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_orders"
    )
    story = signed_in("viewer").get("/backmarket/orders/7")
    assert story.status_code == 200
    assert "sale of an iPhone" not in story.text


def test_a_sku_tells_its_story(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Stock, the plan's arithmetic, prices, what was sent and what was sold, in whatever case of letters."""
    add_orders(warehouse, 1000)
    listing = "00000000-0000-0000-0000-000000000007"
    warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values ('sku-7', 41, now())")
    warehouse.execute("insert into seller.prices values ('default', 'SKU-7', 'fr-fr', 180, 'EUR', 150)")
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title, title_market, quantity, first_seen_at, read_at) "
        "values ('default', %s, 'SKU-7', 'an iPhone', 'fr-fr', 30, now(), now())",
        [listing],
    )
    warehouse.execute(
        "insert into backmarket.listing_offers (account, id, market, price, currency, publication_state, document, "
        "first_seen_at, read_at) values ('default', %s, 'fr-fr', 199, 'EUR', 2, '{}', now(), now())",
        [listing],
    )
    warehouse.execute(
        "insert into backmarket.inventory values "
        "('default', 'SKU-7', %s, 41, 3, 1, 2, 30, 37, 29, 30, 'waits for a fresh count', now())",
        [listing],
    )
    quantities = Ledger(warehouse, "default", "quantity")
    quantities.plan([PlannedChange("SKU-7", {"quantity": 39})], run_id="run")
    (change,) = quantities.planned()
    quantities.mark_sent([change])
    quantities.settle([change.change_id], "confirmed")
    viewer = signed_in("viewer")
    story = viewer.get("/backmarket/skus/SKU-7").text
    words = re.sub(r"<[^>]*>", " ", story)
    plain = " ".join(words.split())
    arithmetic = "41 on the shelf - 3 reserved by orders - 1 held = 37 sellable - 2 safety ≤ 30 maximum 30 wanted"
    assert arithmetic in plain.replace("\N{MINUS SIGN}", "-")
    assert "waits for a fresh count" in plain
    assert "Last sent 39" in plain
    assert "Sold in 30 days 1" in plain
    assert "fr-fr an iPhone online 30 199 EUR 180 EUR 150 EUR" in plain
    assert "1 sold" in plain
    assert 'href="/backmarket/orders/7"' in story
    assert "39 units" in plain
    assert "41 on the shelf" in " ".join(re.sub(r"<[^>]*>", " ", viewer.get("/backmarket/skus/sku-7").text).split())


def test_stories_show_both_names(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Of a listing, which of the seller's SKUs its units come from; of a SKU, what it feeds; of an order, both."""
    add_orders(warehouse, 50)
    warehouse.execute("insert into seller.sku_map (sku, listing_sku, units) values ('OWN', 'sku-50', 2)")
    warehouse.execute("insert into seller.prices values ('default', 'OWN', 'fr-fr', 180, 'EUR', 150)")
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at, warehouse) "
        "values ('own', 3, now(), 'Paris'), ('own', 4, now(), 'Lyon')"
    )
    warehouse.execute(
        "insert into backmarket.inventory (account, sku, id, stock, reserved, held, safety_qty, sellable, shown, "
        "wanted, planned_at, fed_by) values ('default', 'SKU-50', gen_random_uuid(), 3, 0, 0, 0, 3, 3, 3, now(), "
        """'[{"sku": "own", "quantity": 7, "units": 2, "share": 6, "is_former": false}]')"""
    )
    viewer = signed_in("viewer")
    listing = viewer.get("/backmarket/skus/SKU-50").text
    plain = " ".join(re.sub(r"<[^>]*>", " ", listing).split())
    assert "On the shelf for it: 6 of 7 own , 2 a unit." in plain
    assert "Your SKUs of it OWN 2 a unit" in plain
    assert 'href="/backmarket/skus/own"' in listing
    assert "6 of 7 own (2 a unit)" in viewer.get("/backmarket/inventory").text
    own = viewer.get("/backmarket/skus/own").text
    plain = " ".join(re.sub(r"<[^>]*>", " ", own).split())
    assert "Listings that it feeds sku-50 2 a unit" in plain
    assert "Counted 7" in plain
    assert "(Lyon 4, Paris 3)" in plain
    assert "yours: OWN" in viewer.get("/backmarket/orders/50").text
    found = viewer.get("/backmarket/search", params={"q": "own"})
    assert found.headers["location"] == "/backmarket/skus/OWN"


def test_a_map_without_one_of_its_names_costs_no_story(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A view of the seller's over all articles has no listing for most of them."""
    warehouse.execute("drop table seller.sku_map cascade")
    warehouse.execute(
        "create view seller.sku_map as select 'default' as account, names.* "
        "from (values ('A', null, 1), (null, 'B', 1), ('A', 'C', 2)) as names (sku, listing_sku, units)"
    )
    viewer = signed_in("viewer")
    story = " ".join(re.sub(r"<[^>]*>", " ", viewer.get("/backmarket/skus/A").text).split())
    assert "Listings that it feeds C 2 a unit" in story
    assert viewer.get("/backmarket/skus/B").status_code != 500


def _as_texts(warehouse: psycopg.Connection[Any], table: str, query: str) -> None:
    warehouse.execute(f"drop table seller.{table}".encode())
    warehouse.execute(f"create view seller.{table} as {query}".encode())


def test_an_order_tells_its_story_whatever_the_sellers_views_hold(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """The parcel with a time that can be read is told, the row without one by its reason; the desk is there."""
    add_orders(warehouse, 50)
    _as_texts(
        warehouse,
        "shipments",
        """select 'default' as account, id as order_id, number as tracking_number, null::text as tracking_url,
            'dhl' as shipper, at as shipped_at
        from (values (' 50.0', 'T-1', '2026-03-02 12:00:00'), ('50', 'T-2', 'yesterday'), ('BM-50', 'T-3', ''),
            ('', 'T-4', null)) as given (id, number, at)""",
    )
    keep_left_out(
        warehouse, "default", "seller.shipments", [LeftOut("50", "shipped_at is 'yesterday': no", {})], run_id="1"
    )
    viewer = signed_in("viewer")
    story = viewer.get("/backmarket/orders/50")
    assert story.status_code == 200
    assert "T-1" in story.text
    assert "seller.shipments · shipped_at is &#39;yesterday&#39;: no" in story.text
    assert "T-2" not in story.text
    desk = viewer.get("/backmarket/")
    assert desk.status_code == 200
    assert "shipped_at is &#39;yesterday&#39;: no" in desk.text


def test_a_sku_tells_its_story_whatever_the_sellers_views_hold(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """The newest count that can be read, or what is wrong with the row; prices as the seller wrote them."""
    given = "(values ('A', '41', '2026-03-02'), ('A', '42', '2026-03-03'), ('A', '9', 'n/a'), ('B', '5 pcs', ''))"
    _as_texts(
        warehouse,
        "stock",
        f"""select 'default' as account, sku, quantity, counted_at, null::text as safety_qty, null::text as max_qty
        from {given} as given (sku, quantity, counted_at)""",
    )
    _as_texts(
        warehouse,
        "prices",
        """select 'default' as account, 'A' as sku, 'fr-fr' as market, 'n/a' as price, 'EUR' as currency,
            '150' as min_price""",
    )
    viewer = signed_in("viewer")
    plain = " ".join(re.sub(r"<[^>]*>", " ", viewer.get("/backmarket/skus/A").text).split())
    assert "Counted 42" in plain
    assert "n/a EUR 150" in plain
    broken = viewer.get("/backmarket/skus/B").text
    assert "the row of seller.stock cannot be used: quantity is &#39;5 pcs&#39;: a whole number is needed" in broken


@pytest.mark.parametrize("wanted", ["999999999999999999999999999", "-1", "1e3", "abc", "%00"])
def test_an_address_that_leads_nowhere_is_a_page(signed_in: SignIn, warehouse_uri: str, wanted: str) -> None:
    """Whatever is typed as an order's number."""
    answer = signed_in("viewer").get(f"/backmarket/orders/{wanted}")
    assert answer.status_code == 404
    assert "<h1" in answer.text
