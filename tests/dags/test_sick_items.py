"""One order, listing, market or batch that Back Market fails on for ever: all others are dealt with in that run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.config import ClientConfig
from backmarket.services.item_failures import MOST_IN_A_ROW
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.conftest import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def _ids(orders: list[dict[str, Any]]) -> list[int]:
    return [order["order_id"] for order in orders]


def _make_orders(sandbox: Sandbox, count: int, *, state: int) -> list[int]:
    """Make orders of one line each, of one SKU that no other order has."""
    lines = [{"sku": "SICK-TEST", "state": state}]
    return [sandbox.create_order(lines=lines, force=True)["order_id"] for _ in range(count)]


def _stock(database: psycopg.Connection[Any], quantities: dict[str, int]) -> None:
    for sku, quantity in quantities.items():
        database.execute(
            b"insert into seller.stock (sku, quantity, counted_at) values (%s, %s, %s)",
            [sku, quantity, datetime.now(UTC)],
        )


def _ship(database: psycopg.Connection[Any], order_ids: list[int]) -> None:
    for order_id in order_ids:
        database.execute(
            b"insert into seller.shipments (order_id, tracking_number) values (%s, %s)", [order_id, f"6X{order_id}"]
        )


def _line_state(sandbox: Sandbox, order_id: int) -> int:
    state: int = sandbox.order(order_id)["orderlines"][0]["state"]
    return state


@pytest.mark.parametrize("method", ["GET", "WRITE"])
def test_a_sick_order_keeps_no_other_from_being_accepted(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    capsys: pytest.CaptureFixture[str],
    method: str,
) -> None:
    """The oldest of four orders cannot be read, or not be written: it stays in the queue, is named, the run is red."""
    sick, *healthy = _make_orders(connected, 4, state=1)
    _stock(database, {"SICK-TEST": 100})
    connected.fault("500", method=method, order_id=sick, times=None)
    switch_on("order_acceptance")
    run = run_dag("backmarket_orders")
    assert [_line_state(connected, order_id) for order_id in healthy] == [2, 2, 2]
    assert _line_state(connected, sick) == 1
    assert run.state == "failed"
    assert f"Order {sick} (" in capsys.readouterr().out
    waiting = b"select payload ->> 'order_id' from backmarket.changes where status in ('planned', 'unknown')"
    assert database.execute(waiting).fetchall() == [(str(sick),)]
    connected.clear_faults()
    assert run_dag("backmarket_orders").tasks["order_acceptance"] == "success"
    assert _line_state(connected, sick) == 2


@pytest.mark.parametrize("method", ["GET", "WRITE"])
def test_a_sick_order_keeps_no_other_from_being_shipped(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    method: str,
) -> None:
    """Orders that are unknown here are read by id first: the sick one neither blocks that nor the parcels."""
    sick, *healthy = _make_orders(connected, 4, state=2)
    _ship(database, [sick, *healthy])
    connected.fault("500", method=method, order_id=sick, times=None)
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert [_line_state(connected, order_id) for order_id in healthy] == [3, 3, 3]
    assert _line_state(connected, sick) == 2
    assert run.state == "failed"
    assert run.tasks["shipment_order_refresh"] == "success"


def test_sick_orders_at_the_head_of_the_queue_are_no_outage(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """More of them in a row than an outage needs: the healthy ones behind them go in the same run."""
    orders = _make_orders(connected, MOST_IN_A_ROW + 5, state=1)
    sick, healthy = orders[: MOST_IN_A_ROW + 2], orders[MOST_IN_A_ROW + 2 :]
    _stock(database, {"SICK-TEST": 100})
    for order_id in sick:
        connected.fault("500", method="GET", order_id=order_id, times=None)
    switch_on("order_acceptance")
    run = run_dag("backmarket_orders")
    assert [_line_state(connected, order_id) for order_id in healthy] == [2] * len(healthy)
    assert run.tasks["order_acceptance"] == "failed"


def test_sick_orders_whose_end_is_unknown_keep_no_other_waiting(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """More of them in a row than an outage needs, left by an earlier run: what is planned after them goes out."""
    sick = _make_orders(connected, MOST_IN_A_ROW + 2, state=1)
    _stock(database, {"SICK-TEST": 100})
    for order_id in sick:
        connected.fault("500", method="WRITE", order_id=order_id, times=None)
    switch_on("order_acceptance")
    run_dag("backmarket_orders")
    database.execute(b"update backmarket.changes set status = 'sent' where status = 'planned'")
    database.execute(b"update backmarket.changes set status = 'unknown' where status = 'sent'")
    connected.clear_faults()
    for order_id in sick:
        connected.fault("500", method="GET", order_id=order_id, times=None)
    healthy = _make_orders(connected, 2, state=1)
    run = run_dag("backmarket_orders")
    assert [_line_state(connected, order_id) for order_id in healthy] == [2, 2]
    assert run.tasks["order_acceptance"] == "failed"


def test_a_line_that_waits_is_named_though_another_of_its_order_went(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Back Market fails while the first line is written and is well for the second: the run is red, and says which."""
    wishes = [{"sku": f"LINE-{number}", "state": 2} for number in range(2)]
    order = connected.create_order(lines=wishes, force=True)
    switch_on("order_download")
    run_dag("backmarket_orders")
    for number in range(2):
        database.execute(
            b"insert into seller.devices (order_id, sku, serial_number) values (%s, %s, %s)",
            [order["order_id"], f"LINE-{number}", f"C39Z1{number}QXQ9"],
        )
    connected.fault(
        "500", method="GET", order_id=order["order_id"], times=ClientConfig.model_fields["attempts"].default
    )
    switch_on("imei_update", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei", alter=lambda dag: setattr(dag.get_task("imei_update"), "retries", 0))
    registered = [line["serial_number"] for line in connected.order(order["order_id"])["orderlines"]]
    assert sum(map(bool, registered)) == 1
    waiting = next(line for line in connected.order(order["order_id"])["orderlines"] if not line["serial_number"])
    assert run.tasks["imei_update"] == "failed"
    assert f"Order {order['order_id']} ({waiting['id']}) waits" in capsys.readouterr().out


def test_orders_that_cannot_be_read_by_id_hold_no_parcel_up(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """More in a row than an outage needs, and one at each end of them: a parcel of a known order goes in that run."""
    (known,) = _make_orders(connected, 1, state=2)
    switch_on("order_download")
    run_dag("backmarket_orders")
    sick = _make_orders(connected, MOST_IN_A_ROW + 2, state=2)
    _ship(database, [known, *sick])
    for order_id in sick:
        connected.fault("500", order_id=order_id, times=None)
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    run = run_dag("backmarket_tracking_imei")
    assert _line_state(connected, known) == 3
    assert run.state == "failed"


def test_an_outage_is_not_hammered(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """Every order answers 500: the task asks for a handful of forty and stops; nothing was accepted."""
    _make_orders(connected, 40, state=1)
    _stock(database, {"SICK-TEST": 100})
    connected.fault("500", method="GET", path_prefix="/ws/orders/", times=None)
    switch_on("order_acceptance")
    run = run_dag("backmarket_orders")
    assert run.tasks["order_acceptance"] == "failed"
    asked = {entry["path"] for entry in connected.journal("GET", "/ws/orders/")}
    assert len(asked) <= (MOST_IN_A_ROW + 1) * run.tries["order_acceptance"]
    assert connected.journal("POST", "/ws/orders/") == []


def test_an_open_order_that_cannot_be_read_keeps_no_other_from_being_stored(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """The daily re-read meets one that answers 500: the others are stored, it is named, the run is red."""
    orders = _make_orders(connected, 3, state=2)
    switch_on("order_download")
    assert run_dag("backmarket_orders").state == "success"
    for order_id in orders:
        # Served to no list any more, and changed without a new date_modification.
        connected.patch_order(order_id, state=8, tracking_number=f"T{order_id}")
    sick, *healthy = orders
    connected.fault("500", order_id=sick, times=None)
    database.execute(b"update backmarket.sync_state set succeeded_at = now() - interval '2 days'")
    run = run_dag("backmarket_orders")
    stored = b"select order_id from backmarket.orders where tracking_number like 'T%%' and order_id = any(%s)"
    assert sorted(row[0] for row in database.execute(stored, [orders]).fetchall()) == sorted(healthy)
    assert run.tasks["open_order_refresh"] == "success"
    assert run.tasks["quarantine_check"] == "failed"


def test_orders_that_do_not_exist_keep_nobodys_turn(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """520 unknown ids, all newer than a real one: it is shipped by the second run; they are not asked for again."""
    (real,) = _make_orders(connected, 1, state=2)
    unknown = list(range(real + 1000, real + 1520))
    _ship(database, [real, *unknown])
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    run_dag("backmarket_tracking_imei")
    connected.clear_journal()
    run_dag("backmarket_tracking_imei")
    assert _line_state(connected, real) == 3
    assert len(connected.journal("GET", "/ws/orders/")) < 60
    connected.clear_journal()
    run_dag("backmarket_tracking_imei")
    assert connected.journal("GET", "/ws/orders/") == []


def test_an_order_that_never_appears_is_named_as_such(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """After a few askings it is asked for no more, and the refusal says since when, and what to do."""
    _ship(database, [77_777_777])
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    for _ in range(6):
        run_dag("backmarket_tracking_imei")
        database.execute(b"update backmarket.orders_not_found set asked_at = asked_at - interval '2 days'")
    assert len(connected.journal("GET", "/ws/orders/77777777")) == 5
    newest = b"select status, reason from backmarket.changes order by change_id desc limit 1"
    status, reason = database.execute(newest).fetchone() or ("", "")
    assert status == "refused"
    assert "asked 5 times" in reason
    assert "Correct the order id" in reason


@pytest.mark.parametrize("sickness", ["GET", "POST", "not found", "unreadable"])
def test_a_sick_listing_keeps_no_quantity_back(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    sickness: str,
) -> None:
    """The sick one is first in the queue, for its stock is 0: all others show their stock after the same run."""
    listings = connected.listings()
    sick, *healthy = [listing for listing in listings if listing["quantity"] > 0]
    _stock(database, {sick["sku"]: 0, **{listing["sku"]: listing["quantity"] + 1 for listing in healthy}})
    if sickness == "unreadable":
        connected.fault("odd_document", listing=sick["id"], fields={"quantity": "many"}, times=None)
    elif sickness == "not found":
        connected.fault("404", method="POST", listing=sick["id"], times=None)
    else:
        connected.fault("500", method=sickness, listing=sick["id"], times=None)
    switch_on("inventory_upload")
    run = run_dag("backmarket_inventory_prices")
    after = {listing["sku"]: listing["quantity"] for listing in connected.listings()}
    assert {listing["sku"]: after[listing["sku"]] for listing in healthy} == {
        listing["sku"]: listing["quantity"] + 1 for listing in healthy
    }
    assert run.state == "failed"
    assert run.tasks["inventory_check"] == "failed"


def test_a_page_of_listings_that_cannot_be_read_keeps_no_quantity_back(
    warehouse_uri: str,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second of two pages answers 500: what stands on the first goes out, and the short list is named."""
    with running_sandbox(SandboxConfig(orders=0, listings=80)) as sandbox:
        connect(sandbox, monkeypatch)
        _stock(database, {listing["sku"]: listing["quantity"] + 1 for listing in sandbox.listings()})
        sandbox.fault("500", method="GET", path_prefix="/ws/listings", after=1, times=5)
        switch_on("inventory_upload")
        run = run_dag("backmarket_inventory_prices")
    assert run.xcoms["listing_refresh"]["lists_short"] == ["fr-fr"]
    assert run.xcoms["inventory_upload"]["confirmed"] >= 50
    failed = {task for task, state in run.tasks.items() if state in {"failed", "upstream_failed"}}
    assert failed == {"inventory_check"}


def test_a_market_that_refuses_leaves_the_others_and_all_quantities(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """de-de answers 403: prices of fr-fr and all quantities go, and de-de is named by a red last task."""
    priced = [
        listing
        for listing in connected.listings()
        if all((listing["offers"].get(market) or {}).get("price") for market in ("fr-fr", "de-de"))
    ][:3]
    assert priced
    for listing in priced:
        for market in ("de-de", "fr-fr"):
            database.execute(
                b"insert into seller.prices (sku, market, price, currency) values (%s, %s, %s, 'EUR')",
                [listing["sku"], market, Decimal(listing["offers"][market]["price"]) - Decimal("0.01")],
            )
    _stock(database, {listing["sku"]: 7 for listing in priced})
    connected.fault("403", market="de-de", times=None)
    switch_on("inventory_upload", "prices_upload", markets='["de-de", "fr-fr"]')
    run = run_dag("backmarket_inventory_prices")
    after = {listing["sku"]: listing for listing in connected.listings()}
    for listing in priced:
        shown = after[listing["sku"]]
        assert shown["quantity"] == 7
        assert Decimal(shown["offers"]["fr-fr"]["price"]) < Decimal(listing["offers"]["fr-fr"]["price"])
        assert shown["offers"]["de-de"]["price"] == listing["offers"]["de-de"]["price"]
    assert run.tasks["prices_check"] == "failed"
    assert run.tasks["inventory_check"] == "success"
    assert "Market de-de is left as it was" in capsys.readouterr().out


def test_markets_that_there_is_no_time_for_hold_no_quantity_up(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """de-de is left and named, and nothing is tried again; a quantity and its home price go in one request as ever."""
    from backmarket.services import listing_reading

    monkeypatch.setattr(listing_reading, "time_for_all", lambda _listings: timedelta(0))
    listing = next(each for each in connected.listings() if (each["offers"].get("fr-fr") or {}).get("price"))
    wanted = Decimal(listing["offers"]["fr-fr"]["price"]) - Decimal("0.01")
    database.execute(
        b"insert into seller.prices (sku, market, price, currency) values (%s, 'fr-fr', %s, 'EUR')",
        [listing["sku"], wanted],
    )
    _stock(database, {listing["sku"]: listing["quantity"] + 1})
    switch_on("inventory_upload", "prices_upload", markets='["de-de", "fr-fr"]')
    run = run_dag("backmarket_inventory_prices")
    (write,) = connected.journal("POST", "/ws/listings/")
    assert (write["body"]["quantity"], Decimal(write["body"]["price"])) == (listing["quantity"] + 1, wanted)
    assert run.xcoms["offer_refresh"]["markets_left"] == ["de-de"]
    assert run.tries["offer_refresh"] == 1
    assert {task for task, state in run.tasks.items() if state == "failed"} == {"prices_check"}


def _catalog(database: psycopg.Connection[Any], product_id: str, rows: dict[str, str]) -> None:
    for sku, market in rows.items():
        database.execute(
            b"""insert into seller.catalog (sku, product_id, quantity, price, currency, market, grade, warranty_delay,
            comment) values (%s, %s, 3, 199.90, 'EUR', %s, 'FAIR', 12, 'Bon')""",
            [sku, product_id, market],
        )


def _creation_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for option, seconds in (("POLL", "0.2"), ("WAIT", "6"), ("DEADLINE", "4")):
        monkeypatch.setenv(f"AIRFLOW__BACKMARKET__BATCH_{option}_SECONDS", seconds)


def test_a_batch_that_is_refused_whole_ends_after_its_tries(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch of one market is refused: the other one's goes in the same run; the third try is its last."""
    _creation_waits(monkeypatch)
    product_id = connected.listings()[0]["product_id"]
    _catalog(database, product_id, {"BAD-1": "de-de", "GOOD-1": "fr-fr"})
    connected.fault("batch_refused", sku="BAD-1", times=None)
    switch_on("listing_creation")
    run = run_dag("backmarket_listings", retry_refused=False)
    assert "GOOD-1" in {listing["sku"] for listing in connected.listings()}
    assert run.tasks["listing_creation_check"] == "failed"
    for _ in range(3):
        run = run_dag("backmarket_listings", retry_refused=False)
    sent = [e for e in connected.journal("POST") if e["path"] == "/ws/listings" and "BAD-1" in e["body"]["catalog"]]
    assert len(sent) == 3
    row = database.execute(b"select status, reason from backmarket.changes where subject = 'BAD-1'").fetchone()
    assert row is not None
    assert row[0] == "refused"
    assert "the batch was refused" in row[1]
    assert "sent 3 times" in row[1]


def test_one_line_that_a_batch_is_refused_for_keeps_no_other_away(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch is sent in halves until the line is found: the other seven articles are listed by the same run."""
    _creation_waits(monkeypatch)
    product_id = connected.listings()[0]["product_id"]
    good = [f"GOOD-{number}" for number in range(7)]
    _catalog(database, product_id, dict.fromkeys([*good[:3], "BAD-1", *good[3:]], "fr-fr"))
    connected.fault("batch_refused", sku="BAD-1", times=None)
    switch_on("listing_creation")
    run = run_dag("backmarket_listings", retry_refused=False)
    assert set(good) <= {listing["sku"] for listing in connected.listings()}
    assert run.xcoms["listing_creation"]["not_sent"] == ["BAD-1"]
    attempts = b"select subject, attempts from backmarket.changes where kind = 'listing'"
    assert dict(database.execute(attempts).fetchall()) == dict.fromkeys([*good, "BAD-1"], 1)


@pytest.mark.parametrize("refusal", ["403", "500", "firewall_403"])
def test_a_market_without_categories_keeps_no_other_products_from_being_created(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    refusal: str,
) -> None:
    """The tree of de-de is refused: it is named by a red last task, its product waits, that of fr-fr is created."""
    _creation_waits(monkeypatch)
    for sku, market, ean in (("BAD-1", "de-de", "4006381333931"), ("GOOD-1", "fr-fr", "4006381333948")):
        database.execute(
            b"""insert into seller.catalog (sku, ean, quantity, price, currency, market, grade, warranty_delay, comment,
            category_id, title, description, brand, price_new, weight, images, attributes) values (%s, %s, 3, 199.90,
            'EUR', %s, 'FAIR', 12, 'Bon', 101, 'Phone', 'A phone', 'Brand', 399, 180,
            '["https://images.example.com/1.jpg"]',
            '{"color": "Bleu", "storage": 64, "unlocked": "Unlocked GSM"}')""",
            [sku, ean, market],
        )
    connected.fault(refusal, path_prefix="/ws/category", market="de-de", times=None)
    switch_on("product_creation")
    run = run_dag("backmarket_listings", retry_refused=False)
    assert run.xcoms["category_download"]["markets_left"] == ["de-de"]
    assert run.tasks["product_creation_rows_check"] == "failed"
    skus = {listing["sku"] for listing in connected.listings()}
    assert "GOOD-1" in skus
    assert "BAD-1" not in skus
    reasons = database.execute(b"select reasons from backmarket.catalog_readiness where sku = 'BAD-1'").fetchone()
    assert "could not be read yet" in str(reasons)


def test_a_market_behind_the_firewall_leaves_the_others(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """It answers one market and refuses another: the prices of the first are read, and the second is named."""
    connected.fault("firewall_403", market="de-de", times=None)
    switch_on("prices_upload", markets='["de-de", "fr-fr"]')
    run = run_dag("backmarket_inventory_prices")
    assert run.tasks["prices_plan"] == "success"
    assert run.xcoms["offer_refresh"]["markets_left"] == ["de-de"]
    connected.fault("firewall_403", times=None)
    assert run_dag("backmarket_inventory_prices").tasks["offer_refresh"] == "failed"


def test_a_sku_that_cannot_be_looked_up_keeps_no_other_from_being_listed(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether a market has the SKU is not known, so it is not sent there: sending could overwrite a listing."""
    _creation_waits(monkeypatch)
    product_id = connected.listings()[0]["product_id"]
    _catalog(database, product_id, {"BAD-1": "de-de", "GOOD-1": "fr-fr"})
    connected.fault("500", method="GET", market="de-de", times=None)
    switch_on("listing_creation")
    run = run_dag("backmarket_listings", retry_refused=False)
    skus = {listing["sku"] for listing in connected.listings()}
    assert "GOOD-1" in skus
    assert "BAD-1" not in skus
    assert run.tasks["listing_creation_check"] == "failed"


def test_a_request_that_arrives_after_its_client_gave_up_is_not_sent_again(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The order does not show it yet; the retry waits until it must have arrived, and finds it done."""
    from backmarket.hooks import backmarket as hooks

    checked = hooks._checked
    short = {"read_timeout": timedelta(seconds=0.5)}
    monkeypatch.setattr(hooks, "_checked", lambda *args: checked(*args).model_copy(update=short))
    monkeypatch.setenv("AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS", "5")
    (order_id,) = _make_orders(connected, 1, state=1)
    _stock(database, {"SICK-TEST": 100})
    connected.fault("late", method="WRITE", order_id=order_id, seconds=2.0)
    switch_on("order_acceptance")
    run = run_dag("backmarket_orders")
    assert _line_state(connected, order_id) == 2
    assert run.tasks["order_acceptance"] == "success"
    assert run.tries["order_acceptance"] == 2
    assert len(connected.journal("POST", "/ws/orders/")) == 1


def test_a_sick_order_on_a_statement_keeps_no_other_from_being_compared(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    tmp_path: Path,
) -> None:
    """A statement names two orders that are not stored here: one is read, one is named; everything is compared."""
    sick, healthy = _make_orders(connected, 2, state=3)
    rows = "".join(f"sales,2026-09-08,S,{order_id},Phone,10.00,EUR\n" for order_id in (sick, healthy))
    header = "invoice_key,value_date,sku,order_id,designation,amount,currency\n"
    (tmp_path / "20260914-EU-H-1.csv").write_text(header + rows)
    connected.fault("500", method="GET", order_id=sick, times=None)
    switch_on("settlement_download", settlement_inbox=tmp_path.as_uri())
    run = run_dag("backmarket_settlements")
    assert database.execute(b"select order_id from backmarket.orders").fetchall() == [(healthy,)]
    assert run.tasks["reconciliation"] == "success"
    assert run.tasks["quarantine_check"] == "failed"
    assert run.xcoms["settlement_order_read"]["unread"] == [str(sick)]
