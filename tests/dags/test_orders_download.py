"""``backmarket_orders`` inside Airflow, against a running Back Market and a real PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dags.conftest import needs_retry_policy, without_readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.remote import Sandbox
    from tests.dags.conftest import OtherWarehouse, Run

SERVED = ("0", "8")


@pytest.fixture
def database(warehouse_uri: str) -> Iterator[psycopg.Connection[Any]]:
    """A look into the operational database."""
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def orders(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_orders`` with its toggles on, all of the sandbox's past in reach."""
    switch_on("order_download", initial_lookback_days=400)
    return lambda **conf: run_dag("backmarket_orders", **conf)


def _all(database: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return database.execute(query.encode()).fetchall()


def _listed(sandbox: Sandbox) -> dict[int, dict[str, Any]]:
    """The orders that Back Market lists: all but states 0 and 8."""
    return {order["order_id"]: order for order in sandbox.orders() if order["state"] not in {0, 8}}


def _snapshot(database: psycopg.Connection[Any]) -> list[Any]:
    return [
        _all(database, "select order_id, state, document, read_at from backmarket.orders order by 1"),
        _all(database, "select orderline_id, state, price, quantity from backmarket.order_lines order by 1"),
        _all(database, "select * from backmarket.order_addresses order by order_id, kind"),
    ]


def test_all_orders_arrive_and_a_second_run_changes_nothing(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """What Back Market lists is stored, each order once; running again leaves the tables as they are."""
    run = orders()
    expected = _listed(connected)
    assert run.state == "success"
    assert run.xcoms["order_download"]["new"] == len(expected) > 50
    stored = dict(_all(database, "select order_id, state from backmarket.orders"))
    assert stored == {order_id: order["state"] for order_id, order in expected.items()}
    lines = dict(_all(database, "select orderline_id, sku from backmarket.order_lines"))
    assert lines == {line["id"]: line["listing"] for order in expected.values() for line in order["orderlines"]}
    before = _snapshot(database)

    again = orders()
    assert again.state == "success"
    assert (again.xcoms["order_download"]["new"], again.xcoms["order_download"]["changed"]) == (0, 0)
    assert again.tasks["announce_orders"] == "skipped"
    assert _snapshot(database) == before


def test_after_a_week_of_pause_the_orders_are_those_of_daily_runs(
    orders: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    other_warehouse: OtherWarehouse,
) -> None:
    """Two databases, one Back Market: seven runs, a day apart, leave the first as one run leaves the second."""
    paused = other_warehouse
    # When it was read, and what was seen of it before, is all that differs.
    differing = ("read_at", "first_seen_at", "first_seen_state", "accepted_seen_at")
    tables = {"orders": "order_id", "order_lines": "orderline_id", "order_addresses": "order_id, kind"}

    def stored(of: psycopg.Connection[Any]) -> list[Any]:
        return without_readings(of, tables, differing)

    assert [orders().state, paused.run(orders).state] == ["success"] * 2
    at_first = stored(paused.database)
    assert at_first == stored(database)
    moving = [connected.create_order(state=1)["order_id"] for _ in range(7)]
    for day in range(7):
        connected.advance_clock(86_400)
        now = connected.create_order(state=1)["date_modification"]
        for order_id, state in ((moving[day], 3), (moving[day - 1], 9)):
            connected.patch_order(order_id, state=state, date_modification=now)
        assert orders().state == "success"
    assert stored(paused.database) == at_first
    assert paused.run(orders).state == "success"
    assert stored(paused.database) == stored(database) != at_first


def test_money_and_texts_arrive_to_the_letter(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Amounts keep their cents and names their emoji, apostrophes, tabs and backslashes."""
    orders()
    expected = _listed(connected)
    for order_id, price in _all(database, "select order_id, price::text from backmarket.orders"):
        assert float(price) == pytest.approx(float(expected[order_id]["price"]), abs=0)
    rows = _all(database, "select order_id, last_name from backmarket.order_addresses where kind = 'shipping'")
    assert rows
    for order_id, last_name in rows:
        address = expected[order_id]["shipping_address"]
        assert last_name == (address.get("last_name") or address.get("lastName"))


def test_personal_data_is_in_the_address_table_alone(
    orders: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither the stored documents, nor a log, nor an XCom holds a name, an e-mail, a phone number or the token."""
    run = orders()
    logged = caplog.text + "".join(capfd.readouterr()) + json.dumps(run.xcoms, default=str)
    documents = json.dumps([row[0] for row in _all(database, "select document from backmarket.orders")])
    secrets = {connected.token}
    for order in _listed(connected).values():
        address = order["shipping_address"]
        secrets |= {str(address[name]) for name in ("email", "phone", "phoneNumber", "street") if address.get(name)}
    assert len(secrets) > 10
    assert [secret for secret in secrets if secret in logged or json.dumps(secret) in documents] == []


def test_only_changes_are_read_and_the_asset_tells_them(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A later run asks for what was modified since; a paid order changes one row and updates the asset."""
    orders()
    watermark = _all(database, "select watermark from backmarket.sync_state where concern = 'orders'")[0][0]
    order = connected.create_order(state=1)
    connected.clear_journal()
    run = orders()
    (first, *_) = connected.journal("GET", "/ws/orders")
    since = datetime.fromisoformat(first["query"]["date_modification"])
    assert watermark - timedelta(minutes=10, seconds=1) <= since <= watermark - timedelta(minutes=9)
    assert run.xcoms["announce_orders"]["new"] == 1
    assert _all(database, f"select state from backmarket.orders where order_id = {order['order_id']}") == [(1,)]


def test_the_watermark_never_passes_back_markets_clock(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A document from the future does not carry the watermark there: what comes before it would be missed."""
    order = connected.create_order(state=1)
    future = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    connected.patch_order(order["order_id"], date_modification=future)
    orders()
    watermark = _all(database, "select watermark from backmarket.sync_state where concern = 'orders'")[0][0]
    assert watermark <= datetime.now(UTC) + timedelta(seconds=2)


def test_nothing_is_missed_while_orders_arrive_between_pages(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """New orders push others onto pages already read; after one more run every order is there, once."""
    connected.fault("orders_arrive_while_paging", orders=3, times=6)
    assert orders().state == "success"
    assert orders().state == "success"
    stored = {order_id for (order_id,) in _all(database, "select order_id from backmarket.orders")}
    assert stored == set(_listed(connected))


def test_a_short_page_is_read_again(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Rows that a page lacks once are fetched by reading the list again."""
    connected.fault("short_page", rows=5, times=1, after=1)
    assert orders().state == "success"
    assert _all(database, "select count(*) from backmarket.orders") == [(len(_listed(connected)),)]


def test_a_list_that_stays_short_fails_but_keeps_what_it_has(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """What was read is stored, the watermark does not move, and the next run gets the rest."""
    connected.fault("short_page", rows=5, times=None)
    assert orders().state == "failed"
    assert _all(database, "select count(*) from backmarket.orders")[0][0] > 50
    assert _all(database, "select * from backmarket.sync_state where concern = 'orders'") == []
    connected.clear_faults()
    assert orders().state == "success"
    assert _all(database, "select count(*) from backmarket.orders") == [(len(_listed(connected)),)]


@pytest.mark.parametrize(
    "kind", ["500", "502_html", "html_200", "cut_json", "reset_before", "empty_body", "429_retry_after"]
)
def test_passing_troubles_pass(orders: Callable[..., Run], connected: Sandbox, kind: str) -> None:
    """A request that fails once is repeated within the task."""
    connected.fault(kind, times=1, after=1, retry_after=1)
    run = orders()
    assert run.state == "success"
    assert run.xcoms["order_download"]["new"] == len(_listed(connected))


def test_one_absurd_number_costs_no_other_order(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A number that no column can hold puts its document into quarantine; the others are stored."""
    order = connected.create_order(state=1)
    connected.patch_order(order["order_id"], orderlines=[{**order["orderlines"][0], "quantity": 10**12}])
    assert orders().tasks["quarantine_check"] == "failed"
    assert _all(database, "select count(*) from backmarket.orders") == [(len(_listed(connected)) - 1,)]
    assert _all(database, "select count(*) from backmarket.quarantine") == [(1,)]


def test_a_document_nobody_understands_is_kept_and_noticed(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """It goes to quarantine whole, the run fails visibly, all others are stored; repaired, it leaves quarantine."""
    order = connected.create_order(state=1)
    connected.patch_order(order["order_id"], orderlines="none of your business")
    run = orders()
    assert run.state == "failed"
    assert run.tasks["order_download"] == "success"
    assert run.tasks["quarantine_check"] == "failed"
    assert run.tasks["announce_orders"] == "success"
    ((entity, key, document, reason),) = _all(
        database, "select entity, key, document, reason from backmarket.quarantine"
    )
    assert (entity, key) == ("order", str(order["order_id"]))
    assert document["orderlines"] == "none of your business"
    assert "orderlines" in reason
    assert _all(database, "select count(*) from backmarket.orders") == [(len(_listed(connected)) - 1,)]

    connected.patch_order(order["order_id"], orderlines=order["orderlines"])
    assert orders().state == "success"
    assert _all(database, "select * from backmarket.quarantine") == []


def test_a_span_of_the_past_loads_what_was_created_in_it(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """With ``from`` and ``to`` exactly the orders created in between are stored, and no watermark moves."""
    created = sorted(_created(order) for order in _listed(connected).values())
    begin, end = created[len(created) // 3], created[2 * len(created) // 3]
    run = orders(**{"from": begin.isoformat(), "to": end.isoformat()})
    assert run.state == "success"
    stored = {order_id for (order_id,) in _all(database, "select order_id from backmarket.orders")}
    within = {order_id for order_id, order in _listed(connected).items() if begin <= _created(order) < end}
    assert stored == within
    assert within
    assert _all(database, "select * from backmarket.sync_state where concern = 'orders'") == []


def _created(order: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(order["date_creation"])
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(("enabled", "toggle"), [(False, True), (True, False), (False, False)])
def test_switched_off_nothing_is_read_and_the_reason_is_told(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    enabled: bool,
    toggle: bool,
) -> None:
    """Either switch stops the concern: every task is skipped, no request is made, the gate says which is off."""
    switch_on(enabled=enabled, order_download=toggle)
    run = run_dag("backmarket_orders")
    assert set(run.tasks.values()) == {"skipped"}
    assert connected.journal() == []
    reason = run.reasons["order_download_gate"]
    assert ("backmarket_enabled" in reason) is not enabled
    assert ("backmarket_order_download" in reason) is not toggle
    # Where the environment holds it, Admin → Variables would change nothing.
    assert ("(AIRFLOW_VAR_BACKMARKET_ENABLED)" in reason) is not enabled
    assert "Admin" not in reason


def test_a_variable_that_cannot_be_read_fails_the_run(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], capfd: pytest.CaptureFixture[str]
) -> None:
    """The message names the Variable, its value and what is accepted; nothing is requested."""
    switch_on(order_download="perhaps")
    run = run_dag("backmarket_orders")
    assert run.tasks["order_download_gate"] == "failed"
    assert connected.journal() == []


@needs_retry_policy
def test_a_revoked_token_fails_at_once(orders: Callable[..., Run], connected: Sandbox) -> None:
    """One request, no retry: waiting does not bring a token back."""
    connected.fault("401", times=None)
    run = orders()
    assert run.tasks["order_download"] == "failed"
    assert len(connected.journal()) == 1


def test_open_orders_are_read_again_once_a_day(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A change that the modification date misses is found: by state, else by id; an order gone is marked."""
    order = connected.create_order(state=1)
    doomed = connected.create_order(state=1)
    assert orders().tasks["open_order_refresh"] == "skipped"
    database.execute("update backmarket.sync_state set succeeded_at = now() - interval '25 hours'")
    silent = connected.order(order["order_id"])["date_modification"]
    connected.advance_clock(3600)
    connected.patch_order(order["order_id"], state=9, date_modification=silent)
    connected.fault("404_last_page", path_prefix=f"/ws/orders/{doomed['order_id']}", times=None)
    connected.patch_order(doomed["order_id"], state=8, date_modification=silent)
    run = orders()
    assert run.state == "success"
    assert run.tasks["open_order_refresh"] == "success"
    assert _all(database, f"select state from backmarket.orders where order_id = {order['order_id']}") == [(9,)]


def test_old_addresses_are_forgotten_where_asked(
    orders: Callable[..., Run], switch_on: Callable[..., None], database: psycopg.Connection[Any]
) -> None:
    """Off by default; with a retention, addresses of closed orders older than it are deleted, open ones stay."""
    assert orders().tasks["purge_personal_data"] == "skipped"
    before = _all(database, "select count(*) from backmarket.order_addresses")[0][0]
    switch_on(pii_retention_days=0)
    assert orders().tasks["purge_personal_data"] == "success"
    left = _all(
        database,
        "select distinct o.state from backmarket.order_addresses join backmarket.orders o using (account, order_id)",
    )
    assert before > 0
    assert {state for (state,) in left} <= {1, 3, 10}
    assert left


def test_a_crash_at_the_last_moment_loses_and_repeats_nothing(
    orders: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Failing between the merge and the watermark stores neither; the next run stores both."""
    from backmarket.warehouse import sync_state

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(sync_state, "record_success", crash)
        assert orders().state == "failed"
    assert _all(database, "select count(*) from backmarket.orders") == [(0,)]
    run = orders()
    assert run.state == "success"
    assert run.xcoms["order_download"]["new"] == len(_listed(connected))


def test_a_newer_document_never_gives_way_to_an_older_one(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A stale answer, as caches give them, changes nothing; a blank address wipes none that is known."""
    order = connected.create_order(state=1)
    order_id = order["order_id"]
    orders()
    query = f"select state, date_modification from backmarket.orders where order_id = {order_id}"
    before = _all(database, query)
    addresses = f"select * from backmarket.order_addresses where order_id = {order_id} order by kind"
    known = _all(database, addresses)
    assert known
    older = (before[0][1] - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    connected.patch_order(order_id, state=9, date_modification=older)
    assert orders().state == "success"
    assert _all(database, query) == before
    newer = (before[0][1] + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    connected.patch_order(order_id, state=3, date_modification=newer, shipping_address=None, billing_address={})
    assert orders().state == "success"
    assert _all(database, query)[0][0] == 3
    assert _all(database, addresses) == known
