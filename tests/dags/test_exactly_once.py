"""Killed anywhere, or faced with an API at its worst, every order is accepted, shipped and identified exactly once."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.api.throttle import Throttle
from backmarket.api.transport import Transport
from backmarket.hooks.backmarket import BackMarketHook
from backmarket.operators.orders import BackMarketOrderAcceptanceOperator, BackMarketPaidOrderRefreshOperator
from backmarket.operators.tracking_imei import (
    BackMarketImeiUpdateOperator,
    BackMarketShipmentOrderRefreshOperator,
    BackMarketTrackingUploadOperator,
)
from backmarket.services.order_changes import ChangesWaitingError
from sandbox.config import SandboxConfig
from sandbox.dice import luhn_digit
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import BaseOperator

    from sandbox.remote import Sandbox

PHONE, SECOND = "TEST-PHONE", "TEST-SECOND"
ENDS = {
    (PHONE, SECOND): [
        True,
        [(3, True), (3, False)],
        [(3, True), (3, False)],
        [("accept", "confirmed", 2), ("imei", "confirmed", 1), ("tracking", "confirmed", 1)],
    ],
    (PHONE,): [True, [(3, True)], [(3, True)], [("accept", "confirmed", 1), ("tracking", "confirmed", 1)]],
}
"""How an order ends, by the SKUs of its lines: whether its number is on Back Market, its lines there and here (state,
whether identified), and its changes."""
STEPS: tuple[type[BaseOperator], ...] = (
    BackMarketPaidOrderRefreshOperator,
    BackMarketOrderAcceptanceOperator,
    BackMarketShipmentOrderRefreshOperator,
    BackMarketTrackingUploadOperator,
    BackMarketImeiUpdateOperator,
)
CONTEXT: Any = {"run_id": "test", "params": {}}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it; the connection's transaction is lost."""


class Failpoint:
    """Counts every statement and every request of all threads, and kills right before one of them.

    That is also right after the one before it, when its effect stands and its answer is lost. No thread gets further
    then than to the end of what it is at: a request that is on its way arrives.

    :param at: which call; None kills never.
    """

    def __init__(self, at: int | None) -> None:
        self.at, self.calls = at, 0
        self._lock = Lock()

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function in this point."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self.calls += 1
                if self.at is not None and self.calls >= self.at:
                    raise Killed
            return function(*args, **kwargs)

        return wrapped


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Back Market that lets any number of requests in, and takes long enough over each for two to meet."""
    with running_sandbox(SandboxConfig(orders=20, listings=10, latency_ms=2, rate_limit=False)) as running:
        yield running


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rate limit between this test and its own sandbox."""
    monkeypatch.setattr(BackMarketHook, "_throttle", lambda _: _Unlimited())


class _Unlimited(Throttle):
    def __init__(self) -> None:
        pass

    def acquire(self, *_: object) -> None:
        """Let everything go."""

    def pause(self, *_: object) -> None:
        """Do not wait."""


def _imei(number: int) -> str:
    body = f"35{number:012d}"
    return f"{body}{luhn_digit(body)}"


def _run(steps: tuple[type[BaseOperator], ...] = STEPS) -> None:
    for step in steps:
        step(task_id="task").execute(CONTEXT)


def _fill(sandbox: Sandbox, database: psycopg.Connection[Any], orders: list[tuple[str, ...]]) -> list[int]:
    """Orders of lines of these SKUs that people have paid, with their parcels and devices at hand."""
    order_ids = []
    for table in ("seller.stock", "seller.shipments", "seller.devices"):
        database.execute(f"truncate {table}".encode())
    for sku in (PHONE, SECOND):
        database.execute(b"insert into seller.stock (sku, quantity, counted_at) values (%s, 100, now())", [sku])
    for skus in orders:
        lines = [{"sku": sku, "state": 1} for sku in skus]
        order_id = int(sandbox.create_order(lines=lines, force=True)["order_id"])
        database.execute(
            b"insert into seller.shipments (order_id, tracking_number, shipper) values (%s, %s, 'ups')",
            [order_id, f"6X{order_id}"],
        )
        database.execute(
            b"insert into seller.devices (order_id, sku, imei) values (%s, %s, %s)", [order_id, PHONE, _imei(order_id)]
        )
        order_ids.append(order_id)
    # The sandbox dates a payment up to a second after the order.
    sandbox.advance_clock(1)
    return order_ids


@pytest.fixture
def ready(connected: Sandbox, database: psycopg.Connection[Any], switch_on: Callable[..., None], fast: None) -> Sandbox:
    """A Back Market with all of orders out switched on; seeded paid orders have no stock."""
    switch_on("order_acceptance", "tracking_upload", "imei_update")
    return connected


def _effects(sandbox: Sandbox, order_id: int) -> Counter[str]:
    """What took effect on an order, by kind."""
    own = [f"/ws/orders/{order_id}", f"/ws/orderlines/{order_id * 10 + 1}"]
    applied = [entry for entry in sandbox.journal() if entry["applied"] and entry["path"] in own]
    return Counter(
        f"{entry['method']} {entry['body'].get('new_state', 'imei')} {entry['body'].get('sku', '')}"
        for entry in applied
    )


def _end_state(sandbox: Sandbox, database: psycopg.Connection[Any], order_id: int) -> list[Any]:
    """What must be the same of an order however often a run was killed: Back Market, our tables, the ledger."""
    order = sandbox.order(order_id)
    lines = [(line["state"], line["imei"] == _imei(order_id)) for line in order["orderlines"]]
    stored = database.execute(
        b"select state, imei is not null from backmarket.order_lines where order_id = %s order by orderline_id",
        [order_id],
    ).fetchall()
    query = b"""
        select kind, status, count(*) from backmarket.changes
        where payload ->> 'order_id' = %s and status not in ('refused', 'superseded') group by 1, 2 order by 1
    """
    ledger = database.execute(query, [str(order_id)]).fetchall()
    return [order["tracking_number"] == f"6X{order_id}", lines, stored, ledger, _effects(sandbox, order_id)]


def _meet(sandbox: Sandbox, order_ids: list[int]) -> bool:
    """Tell whether a request about one of two orders was under way while one about the other was."""
    one, other = (sandbox.journal(path_prefix=f"/ws/orders/{order_id}") for order_id in order_ids)
    return any(mine["at"] < its["over_at"] and its["at"] < mine["over_at"] for mine in one for its in other)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("orders", "stride"), [([(PHONE, SECOND)], 1), ([(PHONE, SECOND), (PHONE,)], 3)])
def test_killed_between_any_two_steps_it_ends_the_same(
    ready: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    orders: list[tuple[str, ...]],
    stride: int,
) -> None:
    """Before every statement and every request of all five tasks: the next run ends the same, nothing acts twice.

    So with one order; with two side by side, whose steps fall otherwise each time, before every third.
    """
    points = Failpoint(None)
    execute, exchange = psycopg.Connection.execute, Transport._exchange

    def arm(failpoint: Failpoint) -> None:
        monkeypatch.setattr(psycopg.Connection, "execute", failpoint.before(execute))
        monkeypatch.setattr(Transport, "_exchange", failpoint.before(exchange))

    def disarm() -> None:
        monkeypatch.setattr(psycopg.Connection, "execute", execute)
        monkeypatch.setattr(Transport, "_exchange", exchange)

    order_ids = _fill(ready, database, orders)
    arm(points)
    _run()
    disarm()
    expected = [_end_state(ready, database, order_id) for order_id in order_ids]
    assert [state[:4] for state in expected] == [ENDS[skus] for skus in orders]
    assert all(set(state[4].values()) == {1} for state in expected)
    assert len(orders) == 1 or _meet(ready, order_ids)
    assert points.calls > 60

    for at in range(1, points.calls + 1, stride):
        ready.clear_journal()
        order_ids = _fill(ready, database, orders)
        arm(Failpoint(at))
        with pytest.raises(Killed):
            _run()
        disarm()
        _run()
        assert [_end_state(ready, database, order_id) for order_id in order_ids] == expected, f"killed before call {at}"


@pytest.mark.timeout(600)
def test_five_hundred_orders_go_from_paid_to_shipped_through_every_fault(
    ready: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Each is accepted once, shipped once and rightly identified; none is invented, none lost."""
    orders = ready.call("POST", "orders", {"count": 500, "sku": PHONE, "state": 1, "force": True})["orders"]
    ready.advance_clock(1)
    database.execute(b"insert into seller.stock (sku, quantity, counted_at) values (%s, 500, now())", [PHONE])
    with database.cursor() as cursor:
        cursor.executemany(
            "insert into seller.shipments (order_id, tracking_number, shipper) values (%s, %s, 'DHL_EXPRESS')",
            [(order["order_id"], f"T{order['order_id']}") for order in orders],
        )
        cursor.executemany(
            "insert into seller.devices (order_id, sku, imei) values (%s, %s, %s)",
            [(order["order_id"], PHONE, _imei(order["order_id"])) for order in orders],
        )
    for kind in ("reset_after", "reset_before", "cut_json", "empty_body", "html_200", "500"):
        ready.fault(kind, method="POST", path_prefix="/ws/orders", times=None, probability=0.03)
    ready.fault("502_html", method="POST", path_prefix="/ws/orders", times=None, probability=0.03, applied=True)
    ready.fault("429_retry_after", path_prefix="/ws/orders", times=20, probability=0.01, retry_after=0)
    ready.clear_journal()
    for step in STEPS:
        # Threads meet the faults in another order each time; a run leaves about one change in thirty.
        for _ in range(6):
            try:
                step(task_id="task").execute(CONTEXT)
            except ChangesWaitingError:
                continue
            break

    ids = {order["order_id"] for order in orders}
    for order in ready.orders():
        if order["order_id"] in ids:
            (line,) = order["orderlines"]
            assert (order["tracking_number"], order["shipper"]) == (f"T{order['order_id']}", "DHL Express")
            assert (line["state"], line["imei"]) == (3, _imei(order["order_id"]))
    writes = Counter((entry["path"], entry["body"].get("new_state")) for entry in ready.journal() if entry["applied"])
    alone = {path: state for path, state in writes if path.startswith("/ws/orderlines/")}
    orders_written = {(f"/ws/orders/{order_id}", state): 1 for order_id in ids for state in (2, 3)}
    assert writes == orders_written | dict.fromkeys(alone.items(), 1)
    ended = database.execute(
        b"select kind, status, count(*) from backmarket.changes where status <> 'refused' group by 1, 2 order by 1"
    ).fetchall()
    # A shipment that failed once goes without its identifier, which follows by itself.
    by_itself = [("imei", "confirmed", len(alone))] if alone else []
    assert ended == [("accept", "confirmed", 500), *by_itself, ("tracking", "confirmed", 500)]
    assert len(alone) < 250
    assert sum(fault["fired"] for fault in ready.faults()) > 100
