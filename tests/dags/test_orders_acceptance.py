"""Paid order lines are accepted once each, and only where the seller has their units."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.api.client import BackMarketClient
from backmarket.api.errors import RefusedError
from backmarket.hooks.backmarket import BackMarketHook
from backmarket.operators.orders import BackMarketOrderAcceptanceOperator
from backmarket.services.order_changes import OrderWriting
from backmarket.warehouse import sql
from backmarket.warehouse.ledger import Ledger, PlannedChange

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.services.order_changes import OrderAction
    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

# Not among the seeded listings, so that no seeded order was promised any.
SKU, OTHER_SKU, THIRD_SKU = "Phone/1 é blue", "phone-2", "TABLET 3"


@pytest.fixture
def accept(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_orders`` with acceptance alone switched on; seeded paid orders have no stock row."""
    switch_on("order_acceptance")
    return lambda: run_dag("backmarket_orders")


def _stock(database: psycopg.Connection[Any], sku: str, quantity: int, counted: str = "now()") -> None:
    query = (
        "insert into seller.stock (sku, quantity, counted_at) values (%s, %s, " + counted + ")"
        " on conflict (account, sku) do update set"
        " quantity = excluded.quantity, counted_at = excluded.counted_at"
    )
    database.execute(query.encode(), [sku, quantity])


def _order(sandbox: Sandbox, *lines: tuple[str, int, int]) -> dict[str, Any]:
    """Make an order of lines (SKU, quantity, state)."""
    wish = [{"sku": sku, "quantity": quantity, "state": state} for sku, quantity, state in lines]
    return sandbox.create_order(lines=wish, force=True)


def _states(sandbox: Sandbox, order: dict[str, Any]) -> list[int]:
    return [line["state"] for line in sandbox.order(order["order_id"])["orderlines"]]


def _writes(sandbox: Sandbox) -> list[tuple[str, int, str]]:
    """Every write that was applied: path, new state, SKU."""
    return [
        (entry["path"], entry["body"]["new_state"], entry["body"].get("sku", ""))
        for entry in sandbox.journal("POST")
        if entry["applied"]
    ]


def _ledger(database: psycopg.Connection[Any], order: dict[str, Any]) -> list[tuple[Any, ...]]:
    query = b"""
        select status, reason from backmarket.changes
        where kind = 'accept' and payload ->> 'order_id' = %s order by change_id
    """
    return database.execute(query, [str(order["order_id"])]).fetchall()


def test_lines_are_accepted_one_request_a_sku_and_never_again(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Acceptance works with downloads off; the tables and the ledger know at once; a second run sends nothing."""
    order = _order(connected, (SKU, 1, 1), (OTHER_SKU, 2, 1), (SKU, 1, 1))
    _stock(database, SKU, 5)
    _stock(database, OTHER_SKU, 2)
    run = accept()
    assert run.state == "success"
    assert run.tasks["order_download"] == "skipped"
    assert _states(connected, order) == [2, 2, 2]
    path = f"/ws/orders/{order['order_id']}"
    assert sorted(_writes(connected)) == [(path, 2, SKU), (path, 2, OTHER_SKU)]
    assert [status for status, _ in _ledger(database, order)] == ["confirmed"] * 3
    query = b"select distinct state from backmarket.order_lines where order_id = %s"
    assert database.execute(query, [order["order_id"]]).fetchall() == [(2,)]
    connected.clear_journal()
    assert accept().xcoms["order_acceptance"]["wanted"] == 0
    assert _writes(connected) == []


def test_the_stock_goes_to_the_oldest_and_the_rest_is_reported(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Two units, three orders of one each: the last is neither accepted nor cancelled, and its ship-by time told."""
    orders = [_order(connected, (SKU, 1, 1)) for _ in range(3)]
    for minute, order in enumerate(orders):
        connected.patch_order(order["order_id"], date_payment=f"2026-01-01T00:0{2 - minute}:00Z")
    _stock(database, SKU, 2)
    accept()
    assert [_states(connected, order) for order in orders] == [[1], [2], [2]]
    ((status, reason),) = _ledger(database, orders[0])
    assert status == "refused"
    assert reason.startswith("stock: 1 needed, 0 of 2 left")
    assert "ship by 20" in reason
    query = b"select waits_for from backmarket.order_desk where order_id = %s"
    assert database.execute(query, [orders[0]["order_id"]]).fetchall() == [("stock",)]
    accept()
    assert _ledger(database, orders[0]) == [(status, reason)]
    _stock(database, SKU, 1)
    accept()
    assert _states(connected, orders[0]) == [2]


@pytest.mark.parametrize("counted", [None, "now() - interval '30 hours'"])
def test_without_a_count_to_trust_nothing_is_promised(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], counted: str | None
) -> None:
    """No row, or one older than ``backmarket_stock_max_age_hours``: not accepted, reported."""
    order = _order(connected, (SKU, 1, 1))
    if counted:
        _stock(database, SKU, 9, counted)
    run = accept()
    assert run.state == "success"
    assert _states(connected, order) == [1]
    assert str(order["orderlines"][0]["id"]) in run.xcoms["order_acceptance"]["held"]
    assert _writes(connected) == []


def test_without_the_condition_every_paid_line_is_accepted_and_no_other(
    accept: Callable[..., Run], connected: Sandbox, switch_on: Callable[..., None]
) -> None:
    """On hold, pending, unpaid and finished lines stay as they are, also beside a paid one."""
    switch_on("order_acceptance", acceptance_requires_stock=False)
    mixed = _order(connected, (SKU, 1, 1), (OTHER_SKU, 1, 9), (THIRD_SKU, 1, 4))
    same_sku = _order(connected, (SKU, 1, 1), (SKU, 1, 9))
    before = {order["order_id"]: order for order in connected.orders()}
    accept()
    assert _states(connected, mixed) == [2, 9, 4]
    assert _states(connected, same_sku) == [1, 9]
    for order in connected.orders():
        for now, then in zip(order["orderlines"], before[order["order_id"]]["orderlines"], strict=True):
            untouched = then["state"] != 1 or order["order_id"] == same_sku["order_id"]
            assert now["state"] == (then["state"] if untouched else 2)


_ODD = (
    {"date_shipping": "0000-00-00T00:00:00Z"},
    {"is_backship": "maybe"},
    {"country_code": 33},
    {"expected_dispatch_date": "soon"},
    {"sales_taxes": "12,50"},
    {"shipping_address": "Rue de Rivoli"},
    {"payment_method": ["CARD"]},
    {"date_modification": "yesterday"},
    {"date_payment": 1777455600},
    {"date_creation": {"at": 1}},
)
_ODD_OF_LINES: tuple[dict[str, Any], ...] = (
    {"backcare_price": 99.99},
    {"imei": {"a": 1}},
    {"return_reason": "none"},
    {"condition": 10**30},
)


def test_orders_with_odd_fields_are_accepted(
    accept: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Fourteen forms nobody expects cost no acceptance, no order and no watermark.

    The field is null, told once per kind with the number of orders, never with its value, and the document keeps it.
    """
    switch_on("order_download", "order_acceptance", initial_lookback_days=400)
    _stock(database, SKU, 2 * len(_ODD + _ODD_OF_LINES))
    orders = {}
    for odd in _ODD + _ODD_OF_LINES:
        for _ in range(2):
            order = _order(connected, (SKU, 1, 1))
            orders[order["order_id"]] = odd
            lines = [{**line, **odd} for line in order["orderlines"]]
            connected.patch_order(order["order_id"], **({"orderlines": lines} if odd in _ODD_OF_LINES else odd))
    run = accept()
    assert run.state == "success"
    assert run.xcoms["order_download"]["quarantined"] == 0
    for order_id in orders:
        assert [line["state"] for line in connected.order(order_id)["orderlines"]] == [2]
    stored = database.execute(
        b"select order_id, to_jsonb(orders.*), document, document #> '{orderlines,0}', to_jsonb(line.*)"
        b"|| jsonb_build_object('backcare_price', backcare_price_cents) "
        b"from backmarket.orders join backmarket.order_lines as line using (account, order_id) "
        b"where order_id = any(%s)",
        [list(orders)],
    ).fetchall()
    assert len(stored) == len(orders)
    for order_id, of_order, raw_order, raw_line, of_line in stored:
        columns, raw = (of_line, raw_line) if orders[order_id] in _ODD_OF_LINES else (of_order, raw_order)
        ((name, value),) = orders[order_id].items()
        # Accepting it has given it a new date.
        if name != "date_modification":
            assert columns.get(name) is None
            assert name == "shipping_address" or str(raw[name]) == str(value)
    assert database.execute(b"select watermark from backmarket.sync_state where concern = 'orders'").fetchone()
    logged = "".join(capfd.readouterr())
    told = "Field orderlines.backcare_price has an unexpected form (no whole number) in 2 orders: stored as empty, kept"
    assert logged.count(told) == len([task for task in ("order_download", "paid_order_refresh") if run.xcoms[task]])
    assert "99.99" not in logged
    assert "Rivoli" not in logged


def test_a_dry_run_sends_nothing(
    accept: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
) -> None:
    """What would be sent stands in the ledger; switched back, it is sent."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 1)
    switch_on("order_acceptance", dry_run=True)
    accept()
    assert connected.journal("POST") == []
    assert _ledger(database, order) == [("dry_run", None)]
    switch_on("order_acceptance", dry_run=False)
    accept()
    assert _states(connected, order) == [2]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("reset_after", {}),
        ("cut_json", {}),
        ("empty_body", {}),
        ("502_html", {"applied": True}),
        ("502_html", {}),
        ("500", {}),
        ("reset_before", {}),
        ("html_200", {}),
        ("html_200", {"applied": True}),
    ],
)
def test_a_lost_answer_is_read_back(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    kind: str,
    options: dict[str, Any],
) -> None:
    """Applied or not, the line ends accepted by exactly one write within the run."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 1)
    connected.fault(kind, method="POST", path_prefix="/ws/orders", times=1, **options)
    assert accept().state == "success"
    assert _states(connected, order) == [2]
    assert len(_writes(connected)) == 1
    assert [status for status, _ in _ledger(database, order)] == ["confirmed"]


def test_what_changed_meanwhile_is_not_accepted(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line cancelled between the reading and the write is seen by the last look, and nothing is sent."""
    from backmarket.operators.orders import BackMarketPaidOrderRefreshOperator

    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 1)
    read = BackMarketPaidOrderRefreshOperator.execute

    def read_then_cancel(self: Any, context: Any) -> Any:
        counts = read(self, context)
        lines = [{**line, "state": 4} for line in order["orderlines"]]
        connected.patch_order(order["order_id"], orderlines=lines, state=9)
        return counts

    monkeypatch.setattr(BackMarketPaidOrderRefreshOperator, "execute", read_then_cancel)
    assert accept().state == "success"
    assert _writes(connected) == []
    ((status, reason),) = _ledger(database, order)
    assert status == "superseded"
    assert "cancelled" in reason


def test_a_refusal_is_recorded_and_the_others_go_on(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Back Market's words stand in the ledger; within the hour the same is not asked again."""
    refused, fine = _order(connected, (SKU, 1, 1)), _order(connected, (OTHER_SKU, 1, 1))
    _stock(database, SKU, 1)
    _stock(database, OTHER_SKU, 1)
    update, asked = BackMarketClient.update_order, []

    def refuse_one(self: BackMarketClient, order_id: int, *args: Any, **fields: Any) -> Any:
        if order_id == refused["order_id"]:
            asked.append(order_id)
            raise RefusedError(api_message="this order is being checked")
        return update(self, order_id, *args, **fields)

    monkeypatch.setattr(BackMarketClient, "update_order", refuse_one)
    for _ in range(2):
        assert accept().state == "success"
    assert _states(connected, fine) == [2]
    assert _ledger(database, refused) == [("refused", "this order is being checked")]
    assert len(asked) == 1
    query = b"select waits_for, reason from backmarket.order_desk where order_id = %s"
    assert database.execute(query, [refused["order_id"]]).fetchall() == [("acceptance", "this order is being checked")]


def test_a_token_revoked_half_way_sends_nothing_more(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The task fails at once; nothing is lost or doubled when the token works again."""
    orders = [_order(connected, (SKU, 1, 1)) for _ in range(3)]
    _stock(database, SKU, 3)
    connected.fault("401", method="POST", path_prefix="/ws/orders", times=None, after=1)
    assert accept().tasks["order_acceptance"] == "failed"
    assert len(_writes(connected)) == 1
    connected.clear_faults()
    assert accept().state == "success"
    assert [_states(connected, order) for order in orders] == [[2]] * 3
    assert len(_writes(connected)) == 3


def test_what_a_killed_run_sent_is_given_time_to_arrive(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request is still at work when the next run begins: read too early, it would be sent a second time."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 5)
    line_id = order["orderlines"][0]["id"]
    payload = {"order_id": order["order_id"], "sku": SKU, "orderline_id": line_id, "quantity": 1}
    ledger = Ledger(database, "default", "accept")
    ledger.plan([PlannedChange(str(line_id), payload)], run_id="killed")
    ledger.mark_sent(ledger.planned())
    monkeypatch.setenv("AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS", "4")
    killed = BackMarketClient(BackMarketHook(warehouse_conn_id=None).config)
    arrives = threading.Timer(1.5, killed.update_order, [order["order_id"], 2], {"sku": SKU})
    settle = OrderWriting.settle_unsettled

    def begin(self: OrderWriting) -> None:
        database.execute("update backmarket.changes set sent_at = clock_timestamp()")
        arrives.start()
        settle(self)

    monkeypatch.setattr(OrderWriting, "settle_unsettled", begin)
    run = accept()
    arrives.join()
    killed.close()
    assert run.state == "success"
    assert _writes(connected) == [(f"/ws/orders/{order['order_id']}", 2, SKU)]
    assert len(connected.journal("POST")) == 1
    assert [status for status, _ in _ledger(database, order)] == ["confirmed"]


def test_two_processes_take_turns(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    warehouse_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While one process changes orders, another of the same kind waits for it."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 5)
    other = psycopg.connect(warehouse_uri, autocommit=True)
    other.execute(sql.statement("changes/lock_kind"), {"account": "default", "kind": "accept"})
    states_at_its_end: list[list[int]] = []

    def end() -> None:
        states_at_its_end.append(_states(connected, order))
        other.close()

    ends = threading.Timer(2, end)
    load = BackMarketOrderAcceptanceOperator.load_action

    def begin(self: BackMarketOrderAcceptanceOperator) -> OrderAction:
        ends.start()
        return load(self)

    monkeypatch.setattr(BackMarketOrderAcceptanceOperator, "load_action", begin)
    assert accept().state == "success"
    ends.join()
    assert states_at_its_end == [[1]]
    assert _states(connected, order) == [2]


@pytest.mark.parametrize("kind", ["500", "502_html", "html_200"])
def test_what_may_still_be_at_work_is_not_sent_again_at_once(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], kind: str
) -> None:
    """Back Market may apply a moment later what it failed on: the next try waits, and looks before it sends."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 9)
    connected.fault(kind, method="POST")
    run = accept()
    assert (run.state, run.tries["order_acceptance"]) == ("success", 2)
    assert len(connected.journal("POST")) == 2
    assert _ledger(database, order)[-1][0] == "confirmed"


def test_an_order_that_is_not_found_once_is_asked_for_again(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A 404 before the request says nothing of the request; the next run sends it."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 9)
    connected.fault("404", method="GET", path_prefix=f"/ws/orders/{order['order_id']}")
    assert accept().state == "success"
    assert connected.journal("POST") == []
    ((status, reason),) = _ledger(database, order)
    assert (status, "asked again in the next run" in reason) == ("refused", True)
    assert accept().state == "success"
    assert _states(connected, order) == [2]
    assert _ledger(database, order)[-1][0] == "confirmed"


def test_an_order_that_is_not_found_after_its_change_is_looked_at_again(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """It was applied, and the ledger says so in the end; where the order stays away, it is over."""
    orders = [_order(connected, (SKU, 1, 1)) for _ in range(2)]
    _stock(database, SKU, 9)
    there, gone = (f"/ws/orders/{order['order_id']}" for order in orders)
    connected.fault("404", method="GET", path_prefix=there, after=1)
    connected.fault("404", method="GET", path_prefix=gone, after=1, times=None)
    run = accept()
    assert (run.state, run.tries["order_acceptance"]) == ("success", 2)
    assert [_ledger(database, order)[-1][0] for order in orders] == ["confirmed", "refused"]
    assert len(_writes(connected)) == 2


def test_what_is_answered_and_never_shown_ends_with_a_reason(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Three requests are answered 200 and change nothing: a fourth would not, either, and a person is told."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 9)
    connected.fault("ignored_200", method="POST", times=None)
    for _ in range(4):
        assert accept().state == "success"
    assert len(connected.journal("POST")) == 3
    status, reason = _ledger(database, order)[-1]
    assert status == "refused"
    assert reason == "sent 3 times: Back Market answered 200, and the order does not show it"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_never_arrived_is_not_counted_as_sent(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], method: str
) -> None:
    """Where the order could not be read, or too many requests were made: one that is not shown is the first."""
    order = _order(connected, (SKU, 1, 1))
    _stock(database, SKU, 9)
    kind = "500" if method == "GET" else "429_html"
    connected.fault(kind, method=method, path_prefix=f"/ws/orders/{order['order_id']}", times=None)
    for _ in range(2):
        assert accept().state == "failed"
    connected.clear_faults()
    connected.fault("ignored_200", method="POST")
    for expected in ("unknown", "confirmed"):
        assert accept().state == "success"
        assert _ledger(database, order)[-1][0] == expected
    assert _states(connected, order) == [2]


@pytest.mark.parametrize("known_from", ["accepted", "paid"])
def test_on_a_count_from_the_future_no_unit_is_promised_twice(
    accept: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    known_from: str,
) -> None:
    """Local time written as UTC: each run would take what the last one promised for known. With a true time it goes."""
    switch_on("order_acceptance", stock_known_from=known_from)
    orders = [_order(connected, (SKU, 1, 1)) for _ in range(2)]
    _stock(database, SKU, 1, "now() + interval '2 hours'")
    for _ in range(2):
        assert accept().state == "success"
    assert _writes(connected) == []
    assert "stock: the count, or what it knows of, lies in the future" in _ledger(database, orders[0])[0][1]
    _stock(database, SKU, 1, "now() - interval '1 minute'")
    for _ in range(2):
        accept()
    assert sorted(_states(connected, order) for order in orders) == [[1], [2]]


def test_a_write_that_is_not_found_goes_again_and_ends_after_three(
    accept: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Its order was served a moment before: it stays in the queue, is named, the run is red. An hour later it goes."""
    order, other = _order(connected, (SKU, 1, 1)), _order(connected, (OTHER_SKU, 1, 1))
    _stock(database, SKU, 9)
    _stock(database, OTHER_SKU, 9)
    connected.fault("404", method="POST", path_prefix=f"/ws/orders/{order['order_id']}", times=None)
    for sent in (1, 2):
        run = accept()
        line_id = order["orderlines"][0]["id"]
        assert run.xcoms["order_acceptance"]["not_sent"] == [f"order {order['order_id']} ({line_id})"]
        assert (run.state, run.tasks["acceptance_check"]) == ("failed", "failed")
        assert _ledger(database, order)[-1][0] == "planned"
        assert len(connected.journal("POST", f"/ws/orders/{order['order_id']}")) == sent
    assert _states(connected, other) == [2]
    for _ in range(2):
        assert accept().state == "success"
    status, reason = _ledger(database, order)[-1]
    assert status == "refused"
    assert reason.startswith("sent 3 times: Back Market serves the order, and answered the last one with 404")
    assert len(connected.journal("POST", f"/ws/orders/{order['order_id']}")) == 3
    connected.clear_faults()
    database.execute(b"update backmarket.changes set refused_until = now() where refused_until is not null")
    accept()
    assert _states(connected, order) == [2]


def test_a_line_cancelled_at_the_last_moment_counts_as_none_that_was_accepted(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two lines of one SKU go in one call, and one is cancelled before it: each is settled by its own state."""
    from backmarket.operators.orders import BackMarketPaidOrderRefreshOperator

    order = _order(connected, (SKU, 1, 1), (SKU, 1, 1))
    _stock(database, SKU, 2)
    read = BackMarketPaidOrderRefreshOperator.execute

    def read_then_cancel(self: Any, context: Any) -> Any:
        counts = read(self, context)
        kept, cancelled = order["orderlines"]
        connected.patch_order(order["order_id"], orderlines=[kept, {**cancelled, "state": 4}])
        return counts

    monkeypatch.setattr(BackMarketPaidOrderRefreshOperator, "execute", read_then_cancel)
    assert accept().state == "success"
    assert _states(connected, order) == [2, 4]
    assert _ledger(database, order) == [
        ("confirmed", None),
        ("superseded", "Back Market shows: cancelled or never paid"),
    ]


def test_a_call_that_accepts_one_of_two_lines_confirms_that_one(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A platform that accepts one line a call: the next run sends one for the other, and neither counts as dropped."""
    order = _order(connected, (SKU, 1, 1), (SKU, 1, 1))
    _stock(database, SKU, 2)
    update = BackMarketClient.update_order

    def update_one(client: BackMarketClient, order_id: int, *args: Any, **fields: Any) -> Any:
        first, second = connected.order(order_id)["orderlines"]
        answer = update(client, order_id, *args, **fields)
        if first["state"] == 1:
            connected.patch_order(order_id, orderlines=[{**first, "state": 2}, second])
        return answer

    monkeypatch.setattr(BackMarketClient, "update_order", update_one)
    assert accept().state == "success"
    assert _states(connected, order) == [2, 1]
    assert [status for status, _ in _ledger(database, order)] == ["confirmed", "unknown"]
    assert accept().state == "success"
    assert _states(connected, order) == [2, 2]
    assert [status for status, _ in _ledger(database, order)] == ["confirmed", "confirmed"]


def test_a_write_that_is_not_found_goes_once_a_run_however_often_its_task_is_tried(
    accept: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another order that fails has the task tried again: that makes no three runs of one, nor a refusal for an hour."""
    order, sick = _order(connected, (SKU, 1, 1)), _order(connected, (OTHER_SKU, 1, 1))
    _stock(database, SKU, 9)
    _stock(database, OTHER_SKU, 9)
    path = f"/ws/orders/{order['order_id']}"
    connected.fault("404", method="POST", path_prefix=path, times=None)
    connected.fault("500", method="GET", path_prefix=f"/ws/orders/{sick['order_id']}", times=None)
    run = accept()
    assert (run.state, run.tries["order_acceptance"]) == ("failed", 3)
    assert len(connected.journal("POST", path)) == 1
    assert _ledger(database, order)[-1][0] == "planned"
    waiting = [f"order {each['order_id']} ({each['orderlines'][0]['id']})" for each in (sick, order)]
    assert f"ChangesWaitingError: Changes of {', '.join(waiting)} could not be sent" in capsys.readouterr().out
    connected.clear_faults()
    assert accept().state == "success"
    assert (_states(connected, order), _states(connected, sick)) == ([2], [2])
