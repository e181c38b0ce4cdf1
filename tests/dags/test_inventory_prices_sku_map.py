"""The seller's SKUs are not Back Market's: quantities, prices, acceptance and devices go by seller.sku_map."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.dags.test_inventory_prices import all_of, offered, price, priced, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def _count(database: psycopg.Connection[Any], sku: str, quantity: int, warehouse: str = "") -> None:
    database.execute(
        "insert into seller.stock (sku, quantity, counted_at, warehouse) values (%s, %s, %s, %s)",
        [sku, quantity, datetime.now(UTC), warehouse],
    )


def test_the_sellers_skus_feed_the_listings(
    connected: Sandbox,
    database: psycopg.Connection[Any],
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
) -> None:
    """Two SKUs feed one listing, one of them two; a price goes to both; orders are accepted on what is left."""
    first, second, third = priced(connected, 3)
    for sku, listing, units in (("MINE-1", first, 2), ("MINE-2", first.lower(), None), ("MINE-2", second, 1)):
        database.execute(
            "insert into seller.sku_map (sku, listing_sku, units) values (%s, %s, %s)", [sku, listing, units]
        )
    _count(database, "mine-1", 5)
    _count(database, "MINE-2", 6)
    _count(database, third, 1)
    wanted = offered(connected, second) + 1
    price(database, "MINE-2", str(wanted))
    switch_on("inventory_upload", "prices_upload", "order_acceptance")
    run = run_dag("backmarket_inventory_prices")
    assert run.state == "success"
    fed = dict(all_of(database, "select sku, fed_by from backmarket.inventory"))
    assert [(each["sku"], each["share"]) for each in fed[first]] == [("mine-1", 5), ("MINE-2", 3)]
    assert fed[third] is None
    assert (shown(connected)[first], shown(connected)[second], shown(connected)[third]) == (5, 3, 1)
    assert offered(connected, second) == wanted
    orders = [
        connected.create_order(lines=[{"sku": sku, "quantity": quantity, "state": 1}], force=True)["order_id"]
        for sku, quantity in ((second, 4), (first, 3), (second, 1))
    ]
    for minute, order_id in enumerate(orders):
        connected.patch_order(order_id, date_payment=f"2026-01-01T00:0{minute}:00Z")
    assert run_dag("backmarket_orders").tasks["order_acceptance"] == "success"
    states = [connected.order(order_id)["orderlines"][0]["state"] for order_id in orders]
    assert states == [2, 2, 1], "whether the second had two of MINE-2 is not known: the third waits for a person"


def test_units_of_warehouses_add_up(
    connected: Sandbox,
    database: psycopg.Connection[Any],
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
) -> None:
    """Those that backmarket_warehouses names; the log says how many rows are of others."""
    first, second, _ = priced(connected, 3)
    for sku, quantity, place in (
        (first, 2, "Paris"),
        (first, 3, "Lyon"),
        (first, 9, "Returns"),
        (second, 4, "Returns"),
    ):
        _count(database, sku, quantity, place)
    switch_on("inventory_upload", warehouses='["paris", "LYON"]')
    run_dag("backmarket_inventory_prices", allow_mass_zero=True)
    assert dict(all_of(database, "select sku, stock from backmarket.inventory")) == {first: 5, second: 0}
    assert shown(connected)[second] == 0
