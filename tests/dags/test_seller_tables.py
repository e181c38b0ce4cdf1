"""The seller's tables may be views, and their rows may be wrong: one bad row never stops the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def _view(database: psycopg.Connection[Any], name: str, query: str) -> None:
    """Put a view in a table's place."""
    database.execute(f"drop table seller.{name}".encode())
    database.execute(f"create view seller.{name} as {query}".encode())


def test_bad_rows_of_stock_and_prices_leave_the_others_alone(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Views without the optional column, counts as sums, empty cells: the good SKU is changed, the rest named."""
    good, bad, *_ = [
        listing["sku"] for listing in connected.listings() if (listing["offers"].get("fr-fr") or {}).get("price")
    ]
    before = {listing["sku"]: listing for listing in connected.listings()}
    _view(
        database,
        "stock",
        f"""select 'default'::text as account, sku, quantity, now()::timestamp as counted_at,
            null::numeric as safety_qty, null::numeric as max_qty
        from (values ('{good}', 7.0), ('{bad}', null), (null, 3), ('HALF', 2.5)) as shelf (sku, quantity)""",
    )
    price = before[good]["offers"]["fr-fr"]["price"]
    _view(
        database,
        "prices",
        f"""select 'default'::text as account, sku, 'fr-fr'::text as market, price, currency,
            'NaN'::numeric as min_price
        from (values ('{good}', {price} + 0.01, 'EUR'), ('{bad}', null, null), (null, 3, 'EUR'))
        as wanted (sku, price, currency)""",
    )
    switch_on("inventory_upload", "prices_upload")
    with caplog.at_level(logging.WARNING):
        run = run_dag("backmarket_inventory_prices")
    assert run.state == "success", run.tasks
    after = {listing["sku"]: listing for listing in connected.listings()}
    assert after[good]["quantity"] == 7
    assert after[bad] == before[bad]
    reasons = database.execute("select subject, reason from backmarket.changes where status = 'refused'").fetchall()
    assert run.xcoms["prices_plan"]["unmatched"] == 1
    assert "A row of seller.stock cannot be used and is left out: sku HALF: quantity" in caplog.text
    assert dict(reasons) == {bad: "price is missing", good: "min_price NaN is not a number"}
    missing = database.execute("select sku from backmarket.inventory_findings where kind = 'stock_missing'").fetchall()
    assert (bad,) in missing


def test_rows_without_an_order_are_left_out(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """A row that names no order ships nothing and asks Back Market for nothing; the others go, ids as text or not."""
    wish = {"sku": connected.listings()[0]["sku"], "quantity": 1, "state": 2}
    order_id = int(connected.create_order(lines=[wish], force=True)["order_id"])
    _view(
        database,
        "shipments",
        f"""select 'default'::text as account, order_id::text, '6X1234'::text as tracking_number,
            null::text as tracking_url, null::text as shipper, null::timestamptz as shipped_at
        from (values ('{order_id}'), (null)) as parcel (order_id)""",
    )
    _view(
        database,
        "devices",
        """select 'default'::text as account, null::bigint as order_id, null::bigint as orderline_id, 'X'::text as sku,
            '356938035643809'::text as imei, null::text as serial_number""",
    )
    switch_on("tracking_upload", "imei_update", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert run.state == "success", run.tasks
    assert connected.order(order_id)["orderlines"][0]["state"] == 3
    assert [entry for entry in connected.journal() if "None" in entry["path"]] == []


@pytest.mark.parametrize("path", ["/ws/orders", "/ws/orders/"], ids=["every request", "single orders"])
def test_a_revoked_token_fails_the_run(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    path: str,
) -> None:
    """Nothing was shipped: the run says so, although the alert that comes last had nothing to complain of."""
    database.execute("insert into seller.shipments (order_id, tracking_number) values (1, '6X1234')")
    connected.fault("401", path_prefix=path, times=None)
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert run.tasks["ship_by_alert"] == "success"
    assert run.state == "failed"
