"""The search field finds what is written on a parcel, a device, a shelf or an invoice, or on a part of it."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.given import add_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


@pytest.mark.parametrize(
    ("wanted", "story"),
    [
        ("987", "orders/987"),
        ("TRK000000987FR", "orders/987"),
        ("0000987fr", "orders/987"),
        ("353000000000987", "orders/987"),
        ("0000000987", "orders/987"),
        ("SER-00000988", "orders/988"),
        ("ser-00000988", "orders/988"),
        (" sku-499 ", "skus/SKU-499"),
        ("a/1 B", "skus/A%2F1%20b"),
    ],
)
def test_one_hit_leads_to_its_story(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], wanted: str, story: str
) -> None:
    """By an order's number, tracking number, IMEI, serial number or SKU, whole or a part, in any case of letters."""
    add_orders(warehouse, 1000)
    warehouse.execute("update backmarket.order_lines set imei = null where orderline_id <> 1000987")
    warehouse.execute("update backmarket.orders set tracking_number = null where order_id <> 987")
    warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values ('A/1 b', 1, now())")
    answer = signed_in("viewer").get("/backmarket/search", params={"q": wanted})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/backmarket/{story}"


def test_several_hits_are_a_list(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Each with where it was found; first what is the whole of it; the list is filtered and taken as any other."""
    add_orders(warehouse, 1000)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/search?q=77").text
    found = re.findall(r'<th scope="row">\s*<a [^>]*>([^<]*)</a>', page)
    orders = {str(n) for n in range(1, 1001) if "77" in str(n)}
    assert found[0] == "77"
    assert set(found) == orders | {f"SKU-{n}" for n in range(500) if "77" in str(n)}
    assert "tracking number TRK000000077FR" in page
    assert 'name="q" value="77"' in page
    filtered = viewer.get("/backmarket/search?q=77&text=sku&format=csv")
    rows = list(csv.DictReader(io.StringIO(filtered.content.decode("utf-8-sig"))))
    assert {row["What"] for row in rows} == {f"SKU-{n}" for n in range(500) if "77" in str(n)}


def test_the_whole_of_a_name_comes_first_whatever_it_is_a_part_of(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """An order and a SKU that hundreds of others have in their names."""
    add_orders(warehouse, 9000)
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at) "
        "select sku, 1, now() from (select 'Z' || n as sku from generate_series(1, 300) as n union select 'z') as skus"
    )
    viewer = signed_in("viewer")
    for wanted, story in (("77", "orders/77"), ("Z", "skus/z")):
        page = viewer.get(f"/backmarket/search?q={wanted}").text
        assert re.search(r'<th scope="row">\s*<a href="([^"]*)"', page).group(1) == f"/backmarket/{story}"  # type: ignore[union-attr]
        assert "Of each kind the first 200 are listed" in page


def test_nothing_found_says_what_was_searched(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """With the words that were typed, and where they were looked for; no name, no address, no wildcard."""
    add_orders(warehouse, 10)
    warehouse.execute(
        "insert into backmarket.order_addresses (account, order_id, kind, last_name, email) "
        "values ('default', 5, 'shipping', 'Doe', 'jane@example.com')"
    )
    viewer = signed_in("viewer")
    for wanted in ("Doe", "jane@example.com", "%", "S_U", "<b>"):
        page = viewer.get("/backmarket/search", params={"q": wanted})
        assert page.status_code == 200
        assert (
            "Nothing stored here has \N{LEFT DOUBLE QUOTATION MARK}" + wanted.replace("<b>", "&lt;b&gt;") in page.text
        )


def test_a_search_stays_with_its_account(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Another account's orders are not found, and its own lead to its own stories."""
    add_orders(warehouse, 10)
    warehouse.execute(
        "insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at) "
        "values ('us', 4711, 9, '{}', now(), now())"
    )
    viewer = signed_in("viewer")
    assert "Nothing stored here" in viewer.get("/backmarket/search?q=4711").text
    answer = viewer.get("/backmarket/search?q=4711&account=us")
    assert answer.headers["location"] == "/backmarket/orders/4711?account=us"


def test_the_old_address_of_a_search_goes_on(signed_in: SignIn, warehouse_uri: str) -> None:
    """Bookmarks of /orders?q= lead to the search; an empty one to the page; a database without tables finds nothing."""
    viewer = signed_in("viewer")
    assert viewer.get("/backmarket/orders?q=12").headers["location"] == "/backmarket/search?q=12"
    assert viewer.get("/backmarket/search?q= ").headers["location"] == "/backmarket/"
    assert "Nothing stored here" in viewer.get("/backmarket/search", params={"q": "1\0"}).text
