"""The client against the sandbox, which was written without it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from backmarket.api import errors
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.api.single_pass import single_pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backmarket.api.client import BackMarketClient
    from sandbox.remote import Sandbox
    from tests.api.conftest import MakeClient

HIDDEN_STATES = {0, 8}


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    """One Back Market for all tests of this file."""
    with running_sandbox(SandboxConfig(orders=320, listings=60)) as running:
        yield running


@pytest.fixture
def market_place(shared_sandbox: Sandbox) -> Sandbox:
    """The Back Market at its seeded start, with no fault on."""
    shared_sandbox.clear_faults()
    shared_sandbox.reset()
    shared_sandbox.clear_journal()
    return shared_sandbox


@pytest.fixture
def seller(market_place: Sandbox, make_client: MakeClient) -> BackMarketClient:
    """A client with the sandbox's token."""
    return make_client(market_place.base_url, token=market_place.token)


def _ids(client: BackMarketClient) -> set[int]:
    return {order.order_id for page in single_pass(client.moving_orders()) for order in page.orders}


def _listed(sandbox: Sandbox) -> set[int]:
    return {order["order_id"] for order in sandbox.orders() if order["state"] not in HIDDEN_STATES}


def test_all_orders_are_read(seller: BackMarketClient, market_place: Sandbox) -> None:
    """Every order that Back Market lists arrives, in models that understand all of them."""
    pages = list(single_pass(seller.moving_orders()))
    assert {order.order_id for page in pages for order in page.orders} == _listed(market_place)
    assert [each.reason for page in pages for each in page.unreadable] == []
    assert all(isinstance(order.price, Decimal) for page in pages for order in page.orders)
    assert seller.count_orders() == len(_listed(market_place))


def test_orders_since_a_moment(seller: BackMarketClient) -> None:
    """The lower bound holds."""
    since = datetime.now(UTC) - timedelta(days=2)
    orders = [order for page in single_pass(seller.moving_orders(date_modification=since)) for order in page.orders]
    assert 0 < len(orders) < 320
    assert all(order.date_modification and order.date_modification >= since for order in orders)


@pytest.mark.parametrize(
    "fault",
    [
        "429_retry_after", "503_cf_ray", "500", "502_html", "html_200", "reset_before",
        "cut_json", "reset_after", "empty_body",
    ],
)  # fmt: skip
def test_one_fault_while_paging_loses_nothing(seller: BackMarketClient, market_place: Sandbox, fault: str) -> None:
    """Whatever happens to one request, every order is read."""
    market_place.fault(fault, path_prefix="/ws/orders", after=2, retry_after=1)
    assert _ids(seller) == _listed(market_place)


def test_orders_that_arrive_while_paging_lose_none(seller: BackMarketClient, market_place: Sandbox) -> None:
    """New orders push others over page borders: some come twice, none is missed."""
    before = _listed(market_place)
    market_place.fault("orders_arrive_while_paging", times=3, orders=7)
    reading = seller.moving_orders()
    assert before <= {order.order_id for page in reading.pages() for order in page.orders}
    assert reading.is_complete


def test_the_wrong_date_format(seller: BackMarketClient, market_place: Sandbox) -> None:
    """The environment that refuses RFC 3339 is served in its own format."""
    market_place.fault("wrong_date_format", times=None)
    since = datetime.now(UTC) - timedelta(days=400)
    assert {
        o.order_id for page in single_pass(seller.moving_orders(date_modification=since)) for o in page.orders
    } == _listed(market_place)


def test_a_wrong_token(market_place: Sandbox, make_client: MakeClient) -> None:
    """It is named as such, at once."""
    client = make_client(market_place.base_url, token="wrong")
    with pytest.raises(errors.AuthenticationError):
        client.count_orders()
    assert client.requests_made == 1


@pytest.mark.parametrize("fault", ["firewall_403", "bot_challenge_403"])
def test_the_firewall(seller: BackMarketClient, market_place: Sandbox, fault: str) -> None:
    """It is not hammered, and its cf-ray is there to be reported."""
    market_place.fault(fault, times=None)
    with pytest.raises(errors.FirewallError) as caught:
        seller.count_orders()
    assert caught.value.cf_ray
    assert seller.requests_made == 1


def test_an_order_is_accepted_and_shipped(seller: BackMarketClient, market_place: Sandbox) -> None:
    """The whole way of one order, as Back Market sees it."""
    listing = next(each for page in single_pass(seller.moving_listings("fr-fr", 2)) for each in page.listings)
    created = market_place.create_order(lines=[{"sku": listing.sku}])
    order_id = created["order_id"]
    if created["state"] == 0:
        market_place.advance_order(order_id, "pay")
    assert listing.sku
    seller.update_order(order_id, 2, sku=listing.sku)
    assert seller.get_order(order_id).orderlines[0].state == 2
    seller.update_order(order_id, 3, tracking_number="T1", shipper="Colissimo")
    shipped = seller.get_order(order_id)
    assert (shipped.orderlines[0].state, shipped.tracking_number) == (3, "T1")
    with pytest.raises(errors.RefusedError, match="must be in 2,3,4,5,6"):
        seller.update_order(order_id, 9)


def test_a_write_whose_answer_is_lost(seller: BackMarketClient, market_place: Sandbox) -> None:
    """It was applied, the client does not know, and it is sent once only."""
    listing = next(each for page in single_pass(seller.moving_listings("fr-fr", 2)) for each in page.listings)
    market_place.clear_journal()
    market_place.fault("reset_after", method="POST")
    with pytest.raises(errors.NetworkError) as caught:
        seller.update_listing(listing.id, "fr-fr", quantity=41)
    assert not caught.value.surely_not_applied
    assert len(market_place.journal("POST")) == 1
    assert seller.get_listing(listing.id, "fr-fr").quantity == 41


def test_listings_differ_by_market(seller: BackMarketClient) -> None:
    """Prices belong to markets; a SKU finds its listing in any case, or nothing."""
    pages = list(single_pass(seller.moving_listings("fr-fr")))
    assert [each.reason for page in pages for each in page.unreadable] == []
    assert sum(len(page.listings) for page in pages) == seller.count_listings("fr-fr") == 60
    listing = pages[0].listings[0]
    assert listing.sku
    abroad = seller.find_listing(listing.sku.lower(), "en-gb")
    assert abroad is not None
    assert (abroad.id, abroad.currency) == (listing.id, "GBP")
    assert seller.find_listing("no such sku", "fr-fr") is None


def test_a_batch_is_handed_in_and_followed(seller: BackMarketClient) -> None:
    """Accepted first, then running or done."""
    listing = next(each for page in single_pass(seller.moving_listings("fr-fr", 2)) for each in page.listings)
    batch = seller.get_task(seller.submit_batch(f"sku,quantity\n{listing.sku},5\n", "fr-fr"))
    assert batch.is_running or batch.is_done


def test_the_category_tree(seller: BackMarketClient) -> None:
    """It has leaves with attributes."""
    categories = list(seller.category_tree("fr-fr"))
    while not categories[0].is_leaf:
        categories = list(categories[0].children)
    assert categories[0].attributes
