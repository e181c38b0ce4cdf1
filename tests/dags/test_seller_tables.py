"""The seller's tables may be views, and their rows may be wrong: one bad row never stops the others."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def _view(database: psycopg.Connection[Any], name: str, query: str) -> None:
    """Put a view in a table's place."""
    database.execute(
        b"""create or replace function public.fails() returns text language plpgsql
        as $$ begin raise exception 'no answer' using errcode = 'fdw_unable_to_establish_connection'; end $$"""
    )
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
    assert run.tasks["inventory_check"] == run.tasks["prices_check"] == "failed"
    switch_on("inventory_upload", "prices_upload", seller_rows_limit_pct=100)
    assert run_dag("backmarket_inventory_prices").state == "success", "red once, when the rows became unusable"
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
    assert run.tasks["tracking_check"] == run.tasks["imei_check"] == "failed"
    assert run_dag("backmarket_tracking_imei").state == "success", "red once, when the rows were new"
    assert connected.order(order_id)["orderlines"][0]["state"] == 3
    assert [entry for entry in connected.journal() if "None" in entry["path"]] == []


def _priced(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Listings that France shows at a price."""
    return [listing for listing in sandbox.listings() if (listing["offers"].get("fr-fr") or {}).get("price")]


def _quarantined(database: psycopg.Connection[Any], table: str) -> dict[str, str]:
    query = "select key, reason from backmarket.quarantine where account = 'default' and entity = %s"
    return dict(database.execute(query, [table]).fetchall())


def _left_out(run: Run, task: str) -> tuple[int, int]:
    return run.xcoms[task]["left_out"], run.xcoms[task]["newly_left_out"]


def test_one_unreadable_price_and_one_unreadable_count_stop_nothing_else(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Views of texts: all other quantities and prices go out, and the two rows are named wherever people look."""
    good, other, no_price, no_count = (listing["sku"] for listing in _priced(connected)[:4])
    before = {listing["sku"]: listing for listing in connected.listings()}
    _view(
        database,
        "stock",
        f"""select null::text as max_qty, sku, quantity::text, counted_at::text, 'default'::text as account,
            null::text as safety_qty
        from (values ('{good}', '7', now()::text), ('{other}', '0', now()::text), ('{no_price}', '8.00', now()::text),
            ('{no_count}', '9', '')) as shelf (sku, quantity, counted_at)""",
    )
    price = Decimal(before[good]["offers"]["fr-fr"]["price"]) + Decimal("0.01")
    _view(
        database,
        "prices",
        f"""select price::text, null::text as min_price, 'EUR'::text as currency, 'fr-fr'::text as market, sku,
            'default'::text as account
        from (values ('{good}', '{price}'), ('{no_price}', 'n/a')) as wanted (sku, price)""",
    )
    switch_on("inventory_upload", "prices_upload")
    with caplog.at_level(logging.WARNING):
        run = run_dag("backmarket_inventory_prices")
    assert {run.tasks[task] for task in ("inventory_upload", "prices_upload", "upload_summary")} == {"success"}
    after = {listing["sku"]: listing for listing in connected.listings()}
    assert {sku: after[sku]["quantity"] for sku in (good, other, no_price)} == {good: 7, other: 0, no_price: 8}
    assert Decimal(after[good]["offers"]["fr-fr"]["price"]) == price
    assert after[no_count] == before[no_count]
    bad_price = "price is 'n/a': a plain number such as 199.90 is needed"
    bad_count = "counted_at is missing"
    refused = "select subject, market, reason from backmarket.changes where status = 'refused'"
    assert database.execute(refused).fetchall() == [(no_price, "fr-fr", bad_price)]
    assert _quarantined(database, "seller.prices") == {f"{no_price}/fr-fr": bad_price}
    assert _quarantined(database, "seller.stock") == {no_count: bad_count}
    assert f"A row of seller.prices cannot be used and is left out: sku {no_price}/fr-fr: {bad_price}" in caplog.text
    assert f"A row of seller.stock cannot be used and is left out: sku {no_count}: {bad_count}" in caplog.text
    assert (_left_out(run, "inventory_plan"), _left_out(run, "prices_plan")) == ((1, 1), (1, 1))
    again = run_dag("backmarket_inventory_prices")
    assert (_left_out(again, "inventory_plan"), _left_out(again, "prices_plan")) == ((1, 0), (1, 0))


def test_a_parcel_of_each_readable_order_is_told(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """Beside it stand an order number with letters, an empty one, and one whose time cannot be read."""
    wish = {"sku": connected.listings()[0]["sku"], "quantity": 1, "state": 2}
    good, doubtful = (int(connected.create_order(lines=[wish], force=True)["order_id"]) for _ in range(2))
    _view(
        database,
        "shipments",
        f"""select 'default'::text as account, order_id, number as tracking_number, null::text as tracking_url,
            null::text as shipper, at as shipped_at
        from (values ('{good}', '6X1234', null), ('BM-{good}', '6X2', null), ('', '6X3', null),
            ('{doubtful}', '6X4', null), ('{doubtful}', '6X5', 'yesterday')) as parcel (order_id, number, at)""",
    )
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert run.tasks["tracking_upload"] == "success"
    assert connected.order(good)["tracking_number"] == "6X1234"
    assert [entry["path"] for entry in connected.journal("POST") if entry["applied"]] == [f"/ws/orders/{good}"]
    bad_time = "shipped_at is 'yesterday': a time such as 2026-03-02T16:00:00Z is needed"
    assert _quarantined(database, "seller.shipments") == {
        f"BM-{good}": f"order_id is 'BM-{good}': Back Market's number is needed, digits only",
        "unnamed": "order_id is missing",
        str(doubtful): bad_time,
    }
    assert _left_out(run, "tracking_upload") == (3, 3)
    desk = "select waits_for, reason from backmarket.order_desk where order_id = %s"
    assert database.execute(desk, [doubtful]).fetchall() == [("tracking", bad_time)]


def test_a_device_with_an_unreadable_order_or_line_stops_no_other(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """The good one is registered, the others are named, and each that is repaired leaves the quarantine."""
    wish = {"sku": "IP13-128-MID-C", "quantity": 1, "state": 2}
    orders = [connected.create_order(lines=[wish], force=True) for _ in range(2)]
    good, other = (int(order["order_id"]) for order in orders)
    _view(
        database,
        "devices",
        f"""select imei, 'default'::text as account, order_id, line as orderline_id, null::text as sku,
            null::text as serial_number
        from (values ('{good}', '{orders[0]["orderlines"][0]["id"]}.0', '356938035643809'),
            ('{other}', 'line 1', '490154203237518'), ('#{other}', null, '490154203237518'))
        as phone (order_id, line, imei)""",
    )
    switch_on("imei_update", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert (run.tasks["imei_update"], run.tasks["imei_check"]) == ("success", "failed")
    assert connected.order(good)["orderlines"][0]["imei"] == "356938035643809"
    assert not connected.order(other)["orderlines"][0]["imei"]
    assert _quarantined(database, "seller.devices") == {
        f"#{other}": f"order_id is '#{other}': Back Market's number is needed, digits only",
        str(other): "orderline_id is 'line 1': Back Market's number is needed, digits only",
    }
    assert _left_out(run, "imei_update") == (2, 2)
    database.execute("drop view seller.devices")
    database.execute(
        f"""create view seller.devices as select 'default' as account, '{other}' as order_id,
        null::text as orderline_id, null::text as sku, '490154203237518' as imei,
        null::text as serial_number""".encode()
    )
    assert _left_out(run_dag("backmarket_tracking_imei"), "imei_update") == (0, 0)
    assert connected.order(other)["orderlines"][0]["imei"] == "490154203237518"
    assert _quarantined(database, "seller.devices") == {}


def test_a_catalog_row_that_cannot_be_read_is_refused_with_all_its_reasons(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The good row becomes a listing; of the other, catalog_readiness names every column."""
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
    known = connected.listings()[0]
    _view(
        database,
        "catalog",
        f"""select 'default'::text as account, sku, null::text as ean, '{known["product_id"]}'::text as product_id,
            quantity, price, 'EUR'::text as currency, 'fr-fr'::text as market, 'FAIR'::text as grade,
            '12'::text as warranty_delay, 'Teste'::text as comment, null::text as category_id, null::text as title,
            null::text as description, null::text as brand, null::text as price_new, null::text as weight,
            null::text as images, attributes
        from (values ('NEW-1', '3', '199.90', null), ('NEW-2', 'two', 'n/a', '{{"color": '), (null, '3', '5', null))
        as wish (sku, quantity, price, attributes)""",
    )
    switch_on("listing_creation")
    run = run_dag("backmarket_listings", retry_refused=False)
    assert [listing["sku"] for listing in connected.listings() if listing["sku"].startswith("NEW")] == ["NEW-1"]
    verdicts = "select sku, verdict, reasons from backmarket.catalog_readiness order by sku"
    reasons = [
        "quantity is 'two': a whole number is needed",
        "price is 'n/a': a plain number such as 199.90 is needed",
        """attributes is '{"color": ': JSON such as ["https://example.com/1.jpg"] is needed""",
    ]
    assert database.execute(verdicts).fetchall() == [("NEW-1", "ready", []), ("NEW-2", "refused", reasons)]
    assert _quarantined(database, "seller.catalog") == {"NEW-2": "; ".join(reasons), "unnamed": "sku is missing"}
    assert _left_out(run, "listing_creation_plan") == (2, 2)


@pytest.mark.parametrize(
    "broken",
    [
        "alter table seller.catalog rename column sku to article",
        """alter table seller.catalog rename to articles;
        create view seller.catalog as
            select account, (1 / (length(sku) - length(sku)))::text as sku from seller.articles""",
        "drop table seller.catalog cascade",
    ],
    ids=["without its column", "a view that fails", "not there"],
)
def test_a_catalog_that_cannot_be_read_holds_no_quantity_or_price_up(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    broken: str,
) -> None:
    """It only tells which SKUs are to be listed: what is sold out is taken off sale all the same."""
    sku, listing = next((listing["sku"], listing) for listing in _priced(connected) if listing["quantity"] > 0)
    price = Decimal(listing["offers"]["fr-fr"]["price"]) + Decimal("0.01")
    database.execute("insert into seller.catalog (sku) values ('NEW-1')")
    database.execute("insert into seller.stock (sku, quantity, counted_at) values (%s, 0, now())", [sku])
    database.execute(
        "insert into seller.prices (sku, market, price, currency) values (%s, 'fr-fr', %s, 'EUR')", [sku, price]
    )
    database.execute(broken.encode())
    switch_on("inventory_upload", "prices_upload")
    run = run_dag("backmarket_inventory_prices")
    assert run.state == "success", run.tasks
    (after,) = (listing for listing in connected.listings() if listing["sku"] == sku)
    assert (after["quantity"], Decimal(after["offers"]["fr-fr"]["price"])) == (0, price)


def test_a_stock_feed_without_one_usable_row_fails_and_moves_nothing(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """At each run, while it lasts; no quantity is raised, lowered or zeroed, and every row is named."""
    skus = [listing["sku"] for listing in _priced(connected)[:3]]
    before = connected.listings()
    rows = ", ".join(f"('{sku}')" for sku in skus)
    _view(
        database,
        "stock",
        f"""select 'default'::text as account, sku, '5 pcs'::text as quantity, now() as counted_at,
            null::int as safety_qty, null::int as max_qty from (values {rows}) as shelf (sku)""",
    )
    switch_on("inventory_upload")
    for _ in range(2):
        run = run_dag("backmarket_inventory_prices")
        assert (run.tasks["inventory_plan"], run.tasks["inventory_check"]) == ("success", "failed")
    assert connected.listings() == before
    assert sorted(_quarantined(database, "seller.stock")) == sorted(skus)
    assert database.execute("select count(*) from backmarket.changes").fetchone() == (0,)


def test_an_unusable_stock_is_told_where_it_keeps_orders_from_being_accepted(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """Also where quantities are off, so that no other task reads it; the order waits."""
    sku = connected.listings()[0]["sku"]
    order_id = int(connected.create_order(lines=[{"sku": sku, "quantity": 1, "state": 1}], force=True)["order_id"])
    _view(
        database,
        "stock",
        f"""select 'default'::text as account, '{sku}'::text as sku, '5 pcs'::text as quantity, now() as counted_at,
            null::int as safety_qty, null::int as max_qty""",
    )
    switch_on("order_acceptance")
    run = run_dag("backmarket_orders")
    assert (run.tasks["order_acceptance"], run.tasks["acceptance_check"]) == ("success", "failed")
    assert run.xcoms["order_acceptance"]["unusable_feeds"] == ["seller.stock"]
    assert connected.order(order_id)["orderlines"][0]["state"] == 1


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


WITHOUT = {
    "its server": "select 'default'::text as account, fails() as order_id",
    "its numbers": "select 'default'::text as account, 1::bigint as order_id",
    "its orders": "select 'default'::text as account, '1'::text as tracking_number, '1'::text as imei",
}
"""Views in the place of seller.devices or seller.shipments, by what they lack."""


def _accepted(sandbox: Sandbox, count: int) -> list[int]:
    wish = {"sku": sandbox.listings()[0]["sku"], "quantity": 1, "state": 2}
    return [int(sandbox.create_order(lines=[wish], force=True)["order_id"]) for _ in range(count)]


@pytest.mark.parametrize("lacking", WITHOUT)
@pytest.mark.parametrize("toggles", [("tracking_upload",), ("tracking_upload", "imei_update")])
def test_devices_that_cannot_be_read_hold_no_parcel_up(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    lacking: str,
    toggles: tuple[str, ...],
) -> None:
    """The order of a parcel is read by id, and shipped; the run is red for the table."""
    (order_id,) = _accepted(connected, 1)
    database.execute(b"insert into seller.shipments (order_id, tracking_number) values (%s, '6X1234')", [order_id])
    _view(database, "devices", WITHOUT[lacking])
    switch_on(*toggles, ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert connected.order(order_id)["tracking_number"] == "6X1234"
    assert run.tasks["shipment_order_refresh"] == run.tasks["tracking_upload"] == "success"
    assert run.tasks["tracking_check"] == "failed"
    assert run.state == "failed"


def test_where_a_phone_needs_its_imei_only_phones_wait_for_the_devices(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """A case goes out; a phone without an IMEI is held, with the reason."""
    case, phone = _accepted(connected, 2)
    for order_id, title in ((case, "Leather case"), (phone, "iPhone 13 128 GB")):
        (line,) = connected.order(order_id)["orderlines"]
        connected.patch_order(order_id, orderlines=[{**line, "product": title}])
        database.execute(
            b"insert into seller.shipments (order_id, tracking_number) values (%s, %s)", [order_id, f"6X{order_id}"]
        )
    _view(database, "devices", WITHOUT["its numbers"])
    switch_on("tracking_upload", "imei_update", require_imei="yes", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert [connected.order(each)["orderlines"][0]["state"] for each in (case, phone)] == [3, 2]
    assert run.xcoms["tracking_upload"]["held"] == [str(phone)]
    assert run.tasks["tracking_check"] == "failed"


@pytest.mark.parametrize("lacking", WITHOUT)
def test_parcels_that_cannot_be_read_hold_no_device_up(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    lacking: str,
) -> None:
    """The order of a device is read by id, and its IMEI registered; the run is red for the table."""
    (order_id,) = _accepted(connected, 1)
    database.execute(b"insert into seller.devices (order_id, imei) values (%s, '356938035643809')", [order_id])
    (line,) = connected.order(order_id)["orderlines"]
    database.execute(b"update seller.devices set sku = %s", [line["listing"]])
    _view(database, "shipments", WITHOUT[lacking])
    switch_on("imei_update", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert connected.order(order_id)["orderlines"][0]["imei"] == "356938035643809"
    assert run.tasks["shipment_order_refresh"] == "success"
    assert run.state == "failed"


def test_carriers_names_that_cannot_be_read_hold_only_parcels_that_need_them(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """One by a carrier in Back Market's own words goes out; what another name means is not guessed."""
    known, unknown, recognised = _accepted(connected, 3)
    for order_id, shipper in ((known, "UPS"), (unknown, "The brown van"), (recognised, "dpd france")):
        database.execute(
            b"insert into seller.shipments (order_id, tracking_number, shipper) values (%s, %s, %s)",
            [order_id, f"6X{order_id}", shipper],
        )
    _view(database, "shipper_aliases", "select 'default'::text as account, 'The brown van'::text as alias")
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    states = [connected.order(each)["orderlines"][0]["state"] for each in (known, unknown, recognised)]
    assert states == [3, 2, 2]
    assert run.tasks["tracking_check"] == "failed"
