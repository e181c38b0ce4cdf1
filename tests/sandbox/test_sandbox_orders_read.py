"""Reading orders: paging, filters, and what the documents look like."""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.remote import Sandbox
from sandbox.server import running_sandbox


def read_all(client: httpx.Client, **filters: Any) -> list[dict[str, Any]]:
    """Read every page by number."""
    orders, number = [], 1
    while True:
        page = client.get("/ws/orders", params={**filters, "page": number, "page-size": 50}).json()
        orders += page["results"]
        if page["next"] is None:
            assert len(orders) == page["count"]
            return orders
        number += 1


def test_pages_hold_every_visible_order_once_newest_first(sandbox: Sandbox, client: httpx.Client) -> None:
    """Paging by number gives all orders but those in state 0 and 8, newest created first, each once."""
    listed = [order["order_id"] for order in read_all(client)]
    truth = [order["order_id"] for order in sandbox.orders() if order["state"] not in {0, 8}]
    assert listed == truth[::-1]
    assert {0, 8} <= {order["state"] for order in sandbox.orders()}


def test_page_size_is_ten_by_default_and_fifty_at_most(client: httpx.Client) -> None:
    """Without `page-size` there are 10 rows; 51 is refused; an underscore is not understood."""
    assert len(client.get("/ws/orders").json()["results"]) == 10
    assert len(client.get("/ws/orders", params={"page_size": 20}).json()["results"]) == 10
    assert client.get("/ws/orders", params={"page-size": 51}).status_code == 400
    assert client.get("/ws/orders", params={"page": 0}).status_code == 400


def test_next_links_are_absolute_and_never_ours(sandbox: Sandbox, client: httpx.Client) -> None:
    """`next` names a foreign host, on some pages with an unrelated path; following it would leak the token."""
    links = [client.get("/ws/orders", params={"page": n}).json()["next"] for n in (1, 2)]
    assert all(link.startswith("https://") and sandbox.base_url not in link for link in links)
    assert links[1].startswith("https://gateway.backmarket.invalid/bm/merchants/users")


def test_a_page_beyond_the_last_does_not_exist(client: httpx.Client) -> None:
    """The page after the last one answers 404, an empty first page 200."""
    assert client.get("/ws/orders", params={"page": 999}).status_code == 404
    empty = client.get("/ws/orders", params={"date_creation": "2999-01-01T00:00:00Z"}).json()
    assert empty == {"count": 0, "next": None, "previous": None, "results": []}


def test_date_filters_are_inclusive_lower_bounds(sandbox: Sandbox, client: httpx.Client) -> None:
    """Both date filters keep what happened at or after the given moment."""
    visible = [order for order in sandbox.orders() if order["state"] not in {0, 8}]
    for name in ("date_creation", "date_modification"):
        moments = {order["order_id"]: moment_of(order[name]) for order in visible}
        bound = sorted(moments.values())[-40].replace(microsecond=0)
        expected = {order_id for order_id, moment in moments.items() if moment >= bound}
        listed = read_all(client, **{name: bound.isoformat().replace("+00:00", "Z")})
        assert {order["order_id"] for order in listed} == expected


def moment_of(text: str) -> datetime:
    """Read any of the date styles; one without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def test_a_date_in_the_wrong_format_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """Only one format is understood at a time; which one depends on the environment."""
    rfc3339, spaced = "2026-01-01T00:00:00Z", "2026-01-01 00:00:00"

    def answer(text: str) -> httpx.Response:
        return client.get("/ws/orders", params={"date_modification": text})

    assert [answer(rfc3339).status_code, answer(spaced).status_code] == [200, 422]
    sandbox.fault("wrong_date_format", times=None)
    assert [answer(rfc3339).status_code, answer(spaced).status_code] == [422, 200]
    assert answer(rfc3339).json()["error"]["code"] == "Ws.OrderList.WrongDateFormat"


def test_state_and_country_filters(client: httpx.Client) -> None:
    """`state` and `country_code` select, together with each other; unknown values are refused."""
    found = read_all(client, state=9, country_code="de-de")
    assert found
    assert {(order["state"], order["country_code"]) for order in found} == {(9, "de-de")}
    assert client.get("/ws/orders", params={"state": 2}).status_code == 400
    assert client.get("/ws/orders", params={"country_code": "xx-xx"}).status_code == 400


def test_one_order_is_served_by_id_even_while_hidden(sandbox: Sandbox, client: httpx.Client) -> None:
    """An order in state 0 is not listed but can be read by its id; an unknown id answers 404."""
    hidden = next(order for order in sandbox.orders() if order["state"] == 0)
    assert client.get(f"/ws/orders/{hidden['order_id']}").json() == hidden
    assert client.get("/ws/orders/12").status_code == 404


def test_seeded_orders_cover_what_production_shows(sandbox: Sandbox) -> None:
    """Every order and line state, three currencies, both address spellings, all date styles and odd names occur."""
    orders = sandbox.orders()
    assert {order["state"] for order in orders} == {0, 1, 3, 8, 9, 10}
    assert {line["state"] for order in orders for line in order["orderlines"]} == set(range(10))
    assert {order["currency"] for order in orders} == {"EUR", "GBP", "SEK"}
    addresses = [order["shipping_address"] for order in orders]
    assert {"first_name" in address for address in addresses} == {True, False}
    dates = [order["date_creation"] for order in orders]
    assert {date[-6:] == "+01:00" for date in dates} == {date[-1] == "Z" for date in dates} == {True, False}
    assert any(date[-1] != "Z" and "+" not in date for date in dates)
    names = "".join(a.get("last_name", "") + a.get("first_name", "") + a["street2"] for a in addresses)
    assert all(odd in names for odd in ("'", "🎉", "明", "\n", "\t", "\\N", "\\s"))


def test_amounts_add_up(sandbox: Sandbox) -> None:
    """An order's price is the sum of unit price times quantity of its lines, all of them strings."""
    orders = sandbox.orders()
    for order in orders:
        total = sum(Decimal(line["price"]) * line["quantity"] for line in order["orderlines"])
        assert Decimal(order["price"]) == total
    assert any(line["quantity"] == 2 for order in orders for line in order["orderlines"])


def test_empty_values_are_those_of_production(sandbox: Sandbox) -> None:
    """An unshipped order has '' for what is text and null for date_shipping; a shipped one no dispatch date."""
    for order in sandbox.orders():
        shipped = any(line["state"] in {3, 6} for line in order["orderlines"])
        assert (order["date_shipping"] is not None) is shipped
        assert (order["expected_dispatch_date"] is None) is shipped
        if not shipped:
            assert (order["tracking_number"], order["tracking_url"]) == ("", "")
            assert {(line["imei"], line["serial_number"]) for line in order["orderlines"]} == {("", "")}


@pytest.mark.parametrize("platform", ["EU", "NA", "AP"])
def test_same_seed_and_clock_give_the_same_bytes(platform: str) -> None:
    """Two sandboxes with equal seed and clock serve identical pages, another seed does not."""
    now = datetime(2026, 9, 15, 12, tzinfo=UTC)

    def first_page(seed: int) -> bytes:
        config = SandboxConfig(seed=seed, orders=60, now=now, platform=platform)
        with running_sandbox(config) as sandbox:
            return httpx.get(f"{sandbox.base_url}/ws/orders", headers=sandbox.headers).content

    assert first_page(7) == first_page(7) != first_page(8)


def test_no_moment_lies_in_the_future(sandbox: Sandbox, client: httpx.Client) -> None:
    """No creation, payment, shipping or modification is later than the Date header."""
    limit = parsedate_to_datetime(client.get("/ws/orders").headers["date"])
    for order in sandbox.orders():
        for name in ("date_creation", "date_payment", "date_shipping", "date_modification"):
            assert order[name] is None or moment_of(order[name]) <= limit


def test_an_order_made_now_is_shipped_now(sandbox: Sandbox) -> None:
    """Not in a moment to come: what is done to it next would lie before that."""
    for number in range(20):
        order = sandbox.create_order(sku="IP11-64-BLK-C", lines=[{"sku": "IP11-64-BLK-C", "state": 3}], force=True)
        moments = {order[f"date_{name}"] for name in ("creation", "payment", "shipping", "modification")}
        assert len(moments) == 1, f"order {number}: {moments}"
