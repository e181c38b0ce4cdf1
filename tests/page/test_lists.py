"""Every list is sorted, filtered, read in pages and taken as a CSV file, by its address alone."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.page.back_office import BackOffice
from backmarket.page.lists import LIST_OF_LISTINGS, LIST_OF_ORDERS, LISTS_OF_BACKBOX, list_of_need, wanted_of
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.needs import NAMES, need_of
from tests.page.given import add_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


def _refuse(warehouse: psycopg.Connection[Any], count: int) -> None:
    """Refuse prices of SKUs that are numbered from 0, in two markets in turn, a day older each and a euro dearer."""
    prices = Ledger(warehouse, "default", "price")
    prices.plan(
        [
            PlannedChange(
                f"SKU-{n:04}",
                {"price": str(100 + n), "currency": "EUR"},
                ("fr-fr", "de-de")[n % 2],
                "refused",
                "too dear" if n % 3 else "=no price",
            )
            for n in range(count)
        ],
        run_id="r",
    )
    warehouse.execute(
        "update backmarket.changes set planned_at = now() - (right(subject, 4)::int % 13) * interval '1 day'"
    )


def _subjects(page: str) -> list[str]:
    return re.findall(r'<th scope="row">\s*<a [^>]*>([^<]*)</a>', page)


def _csv(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_a_list_is_filtered_by_what_its_rows_are(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """By market, amount, age and a part of the text, all at once; what was asked stands in the form again."""
    _refuse(warehouse, 40)
    viewer = signed_in("viewer")
    page = viewer.get(
        "/backmarket/needs/refused?market=fr-fr&amount=120,5&days=3&text=TOO DEAR&sort=subject",
    ).text
    wanted = [n for n in range(40) if n % 2 == 0 and n % 3 and n > 20 and n % 13 >= 3]
    assert _subjects(page) == [f"SKU-{n:04}" for n in wanted]
    assert f"1 to {len(wanted)} of {len(wanted)} that fit the filter" in page
    assert '<option value="fr-fr" selected>' in page
    assert 'value="120,5"' in page
    assert '<a href="/backmarket/needs/refused?sort=subject">Clear</a>' in page


def test_every_column_sorts_both_ways(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A heading leads to its order, and from there to the other way round; the filter stays."""
    _refuse(warehouse, 12)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/needs/refused?market=fr-fr").text
    assert 'aria-sort="descending"><a href="/backmarket/needs/refused?market=fr-fr&amp;sort=since">Since</a>' in page
    page = viewer.get("/backmarket/needs/refused?market=fr-fr&sort=amount").text
    assert _subjects(page) == [f"SKU-{n:04}" for n in range(0, 12, 2)]
    assert '<a href="/backmarket/needs/refused?market=fr-fr&amp;sort=-amount">Amount</a>' in page
    page = viewer.get("/backmarket/needs/refused?market=fr-fr&sort=-amount").text
    assert _subjects(page) == [f"SKU-{n:04}" for n in range(10, -1, -2)]
    for column in ("subject", "kind", "market", "why", "since"):
        assert len(_subjects(viewer.get(f"/backmarket/needs/refused?sort=-{column}").text)) == 12


def test_a_list_is_read_in_pages(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A hundred rows each, every row on one page; links keep filter and order; beyond the last is the first."""
    _refuse(warehouse, 650)
    viewer = signed_in("viewer")
    address, seen = "/backmarket/needs/refused?days=0&sort=subject", []
    for _ in range(7):
        page = viewer.get(address).text
        seen += _subjects(page)
        found = re.search(r'<a rel="next" href="([^"]*)"', page)
        address = found.group(1).replace("&amp;", "&") if found else ""
    assert not address
    assert seen == [f"SKU-{n:04}" for n in range(650)]
    assert "601 to 650 of 650" in page
    assert '<a rel="prev" href="/backmarket/needs/refused?days=0&amp;sort=subject&amp;page=6">' in page
    beyond = viewer.get("/backmarket/needs/refused?sort=subject&page=99").text
    assert _subjects(beyond)[0] == "SKU-0000"


def test_a_list_is_a_csv_file_of_all_that_fits(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Every page in one, with the same filter and order; no cell is a formula to a spreadsheet."""
    _refuse(warehouse, 650)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/needs/refused?market=fr-fr&sort=-amount").text
    link = re.search(r'<a href="([^"]*)">CSV</a>', page)
    assert link
    answer = viewer.get(link.group(1).replace("&amp;", "&"))
    rows = _csv(answer)
    assert [row["What"] for row in rows] == [f"SKU-{n:04}" for n in range(648, -1, -2)]
    assert list(rows[0]) == ["What", "Kind", "Market", "Why", "Amount", "Since", "Currency"]
    assert rows[0]["Amount"] == "748"
    assert {row["Why"] for row in rows} == {"too dear", "'=no price"}
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="backmarket-default-refused-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"]
    )


@pytest.mark.parametrize(
    "path",
    [
        "orders",
        "listings",
        "inventory",
        *(f"backbox/{group}" for group in LISTS_OF_BACKBOX),
        "care-folders",
        "returns",
        "refunds",
        "changes",
        "worked-off",
        *(f"needs/{name}" for name in NAMES),
    ],
)
def test_every_list_answers_each_filter_and_order(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], path: str
) -> None:
    """Whatever it lists, also where nothing fits."""
    add_orders(warehouse, 50)
    viewer = signed_in("viewer")
    page = viewer.get(f"/backmarket/{path}").text
    sorts = {
        column.name for column in LIST_OF_LISTINGS.columns + LIST_OF_ORDERS.columns if f"sort={column.name}" in page
    }
    for sort in sorts | {"since", "-since"}:
        query = f"sort={sort}&market=fr-fr&kind=order&amount=1&days=1&text=x&page=2"
        assert viewer.get(f"/backmarket/{path}?{query}").status_code == 200
        assert _csv(viewer.get(f"/backmarket/{path}?{query}&format=csv")) == []


def test_a_filter_that_cannot_be_used_is_answered_beside_its_field(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """The list is shown without it; a CSV file, which nobody would notice it in, is not made."""
    _refuse(warehouse, 3)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/needs/refused?amount=a lot")
    assert page.status_code == 400
    assert 'value="a lot"' in page.text
    assert "A number such as 120 or 99.50 is needed." in page.text
    assert len(_subjects(page.text)) == 3
    assert viewer.get("/backmarket/needs/refused?amount=a lot&format=csv").status_code == 400


@pytest.mark.parametrize(
    "query", ["sort=document", "sort=since;drop table x", 'sort="since"', "sort=-", "page=0", "page=-1", "page=9e9"]
)
def test_an_address_cannot_ask_for_what_a_list_has_not(query: str) -> None:
    """An order comes from the list's own columns, and is its own where there is no such."""
    need = need_of("refused")
    assert need
    name, _, value = query.partition("=")
    wanted = wanted_of(list_of_need(need, (), 20), {name: value})
    assert wanted.order == need.order
    assert wanted.page == 1


def _list_a_sku(warehouse: psycopg.Connection[Any], sku: str, stock: str, shown: int) -> None:
    """List a SKU in two markets, and count it."""
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title, title_market, quantity, first_seen_at, read_at) "
        "values ('default', md5(%s)::uuid, %s, 'an iPhone', 'fr-fr', %s, now(), now())",
        [sku, sku, shown],
    )
    warehouse.execute(
        "insert into backmarket.listing_offers (account, id, market, price, currency, publication_state, document, "
        "first_seen_at, read_at) select 'default', md5(%s)::uuid, market, price, 'EUR', 2, '{}', now(), now() "
        "from (values ('fr-fr', 199.90), ('de-de', 189)) as offer (market, price)",
        [sku],
    )
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at) values (%s, %s, now())", [sku.lower(), stock]
    )


def _plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_open_orders_are_listed_by_their_deadline(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """The desk: what each order waits for, the most overdue first; what is done is not there."""
    add_orders(warehouse, 200)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert '<a href="/backmarket/orders">Orders</a>' in page
    page = viewer.get("/backmarket/orders").text
    assert _subjects(page) == ["150", "100", "200", "50"]
    assert '<span class="bad"><time' in page
    assert "carrier" in _plain(page)
    assert _subjects(viewer.get("/backmarket/orders?market=fr-fr").text) == ["150"]
    rows = _csv(viewer.get("/backmarket/orders?format=csv"))
    assert list(rows[0]) == [
        "Order",
        "Market",
        "Ship by",
        "Waits for",
        "Why",
        "SKUs",
        "Units",
        "Price",
        "Paid",
        "Currency",
    ]
    assert {row["SKUs"] for row in rows} == {"SKU-50", "SKU-100", "SKU-150", "SKU-200"}


def test_listings_show_what_is_there_shown_and_sold(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Stock, units shown, sold in 30 days, how long it lasts, and each market's price, whatever the case of a SKU."""
    add_orders(warehouse, 5000)
    _list_a_sku(warehouse, "SKU-7", "41", 30)
    _list_a_sku(warehouse, "Z-1", "5", 2)
    viewer = signed_in("viewer")
    assert '<a href="/backmarket/listings">Listings</a>' in viewer.get("/backmarket/").text
    page = viewer.get("/backmarket/listings").text
    rows = _csv(viewer.get("/backmarket/listings?format=csv"))
    sold = int(rows[0]["Sold in 30 days"])
    assert 0 < sold <= 10
    assert {
        name: rows[0][name] for name in ("SKU", "Stock", "Shown", "Days of cover", "Price by market", "Markets")
    } == {
        "SKU": "SKU-7",
        "Stock": "41",
        "Shown": "30",
        "Days of cover": str(round(41 * 30 / sold)),
        "Price by market": "de-de 189 EUR · fr-fr 199.90 EUR",
        "Markets": "de-de fr-fr",
    }
    assert (rows[1]["Sold in 30 days"], rows[1]["Days of cover"]) == ("0", "")
    assert "de-de 189 EUR · fr-fr 199.90 EUR" in _plain(page)
    assert _subjects(viewer.get("/backmarket/listings?market=de-de&sort=-stock").text) == ["SKU-7", "Z-1"]
    assert _subjects(viewer.get("/backmarket/listings?sort=stock").text) == ["Z-1", "SKU-7"]
    assert "Nothing fits the filter." in viewer.get("/backmarket/listings?text=nokia").text


def test_lists_show_the_sellers_names_too(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Of a listing's SKUs and of an order's, which the text of a filter finds; the stock of all that feeds is one."""
    add_orders(warehouse, 50)
    _list_a_sku(warehouse, "SKU-50", "41", 30)
    warehouse.execute(
        "insert into seller.sku_map (sku, listing_sku, units) values ('own', 'sku-50', 2), ('b', 'SKU-50', 1)"
    )
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at, warehouse) "
        "values ('OWN', 3, now(), 'Paris'), ('OWN', 4, now(), 'Lyon'), ('B', 1, now(), '')"
    )
    viewer = signed_in("viewer")
    (listing,) = _csv(viewer.get("/backmarket/listings?format=csv&text=own"))
    assert (listing["Listing"], listing["Stock"]) == ("an iPhone · yours: b, own", "45")
    (order,) = _csv(viewer.get("/backmarket/orders?format=csv&text=own"))
    assert order["SKUs"] == "SKU-50 · yours: b, own"


def test_stock_that_is_no_number_is_none(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A view of texts may hold anything; the list is there all the same, and reckons with what is shown."""
    warehouse.execute("drop table seller.stock")
    warehouse.execute(
        "create view seller.stock as select 'default' as account, sku, quantity, '2026-03-02' as counted_at "
        "from (values ('A', '5 pcs'), ('B', ' 7.0 ')) as given (sku, quantity)"
    )
    for sku in ("A", "B"):
        warehouse.execute(
            "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
            "values ('default', md5(%s)::uuid, %s, 'fr-fr', 2, now(), now())",
            [sku, sku],
        )
    rows = _csv(signed_in("viewer").get("/backmarket/listings?format=csv"))
    assert [row["Stock"] for row in rows] == ["", "7"]


def test_a_list_shows_only_what_its_reader_may_see(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads listings alone sees no sales and no stock, neither as a column nor by its order, and no orders."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    add_orders(warehouse, 100)
    _list_a_sku(warehouse, "SKU-7", "41", 30)
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_listings"
    )
    viewer = signed_in("viewer")
    (row,) = _csv(viewer.get("/backmarket/listings?sort=cover&format=csv"))
    assert {"Stock", "Sold in 30 days", "Days of cover"}.isdisjoint(row)
    page = viewer.get("/backmarket/listings?sort=cover").text
    assert "Days of cover" not in page
    assert "/backmarket/orders" not in page
    assert viewer.get("/backmarket/orders").status_code == 403
    assert viewer.get("/backmarket/needs/late").status_code == 403
    assert "Nothing stored here" in viewer.get("/backmarket/search?q=SKU-7").text


@pytest.mark.parametrize(
    ("host", "order", "listing"),
    [
        (
            "www.backmarket.fr",
            "https://www.backmarket.fr/bo-seller/orders/all?orderId=7",
            "https://www.backmarket.fr/bo-seller/listings/active?sku=A%2F1%20%26b",
        ),
        (
            "www.backmarket.de",
            "https://www.backmarket.fr/bo-seller/orders/all?orderId=7",
            "https://www.backmarket.fr/bo-seller/listings/active?sku=A%2F1%20%26b",
        ),
        (
            "preprod.backmarket.co.jp",
            "https://preprod.backmarket.co.jp/bo-seller/orders/all?orderId=7",
            "https://preprod.backmarket.co.jp/bo-seller/listings/active?sku=A%2F1%20%26b",
        ),
        ("127.0.0.1:8080", "", ""),
        ("", "", ""),
    ],
)
def test_the_back_office_is_that_of_the_platform(host: str, order: str, listing: str) -> None:
    """A sandbox has none, nor has an account before its first run."""
    assert BackOffice(host).order(7) == order
    assert BackOffice(host).listing("A/1 &b") == listing


def test_orders_and_listings_lead_into_the_back_office(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """From lists and stories, in a tab of its own, which learns nothing of this page."""
    add_orders(warehouse, 50)
    _list_a_sku(warehouse, "SKU-50", "1", 1)
    viewer = signed_in("viewer")
    order = (
        '<a class="outside" href="https://www.backmarket.com/bo-seller/orders/all?orderId=50" target="_blank" '
        'rel="noopener noreferrer">'
    )
    listing = 'href="https://www.backmarket.com/bo-seller/listings/active?sku=SKU-50" target="_blank"'
    assert "bo-seller" not in viewer.get("/backmarket/orders/50").text
    warehouse.execute(
        "insert into backmarket.accounts (account, host, token_fingerprint) "
        "values ('default', 'www.backmarket.com', 'f')"
    )
    for path in ("orders", "orders/50"):
        assert order in viewer.get(f"/backmarket/{path}").text
    for path in ("listings", "skus/SKU-50"):
        assert listing in viewer.get(f"/backmarket/{path}").text
