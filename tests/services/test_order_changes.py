"""Changes of different orders go side by side, those of one order in their order, and each exactly once."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pyrate_limiter import Rate

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.errors import AuthenticationError
from backmarket.api.throttle import Throttle
from backmarket.api.transport import Transport
from backmarket.services.acceptance import Acceptance
from backmarket.services.item_failures import MOST_IN_A_ROW
from backmarket.services.order_changes import OrderWriting
from backmarket.services.order_reading import OrderReading
from backmarket.settings import AcceptanceSettings
from backmarket.warehouse.ledger import Ledger
from backmarket.warehouse.orders import MergeCounts, OrderStaging
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.remote import Json, Sandbox

SKUS = ("PHONE", "TABLET", "WATCH")
_log = logging.getLogger("backmarket.tests")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Back Market that takes a moment for each request, and lets any number in."""
    with running_sandbox(SandboxConfig(orders=0, listings=1, latency_ms=20, rate_limit=False)) as running:
        yield running


def _have_paid(sandbox: Sandbox, orders: int, *, skus: tuple[str, ...] = SKUS[:1]) -> list[int]:
    lines = [{"sku": sku, "state": 1} for sku in skus]
    made = [sandbox.create_order(lines=lines, force=True)["order_id"] for _ in range(orders)]
    # The sandbox dates a payment up to a second after the order.
    sandbox.advance_clock(1)
    return made


def _accept(sandbox: Sandbox, warehouse_uri: str, *, limit: bool = False) -> dict[str, Any]:
    """Accept all that is paid, as the task does."""
    config = ClientConfig.model_validate(
        {"base_url": sandbox.base_url, "token": sandbox.token, "user_agent": "BM-Example-Tests;tests@example.com"}
    )
    action = Acceptance(_log, AcceptanceSettings(order_acceptance=True, acceptance_requires_stock=False))
    throttle = Throttle.in_memory() if limit else Throttle.in_memory([Rate(1_000_000, 10_000)])
    with (
        psycopg.connect(warehouse_uri, autocommit=True) as connection,
        BackMarketClient(config, throttle) as client,
    ):
        reading = OrderReading(client, staging := OrderStaging(connection, "default"), _log)
        reading.read_list(state=1)
        reading.store("paid_orders")
        ledger = Ledger(connection, "default", "accept")
        writing = OrderWriting(client, ledger, staging, action, _log, in_flight=timedelta(0))
        writing.settle_unsettled()
        plan = action.plan(connection, "default", now=datetime.now(UTC))
        return writing.carry_out(plan, run_id="run", rows_limit_pct=Decimal(50))


def _by_order(sandbox: Sandbox) -> dict[str, list[Json]]:
    """The requests about each order, as they came."""
    entries = defaultdict(list)
    for entry in sandbox.journal(path_prefix="/ws/orders/"):
        entries[entry["path"]].append(entry)
    return entries


def _most_at_once(entries: list[Json]) -> int:
    moments = sorted([(entry["at"], 1) for entry in entries] + [(entry["over_at"], -1) for entry in entries])
    under_way = most = 0
    for _, step in moments:
        under_way += step
        most = max(most, under_way)
    return most


def _statuses(warehouse: psycopg.Connection[Any]) -> Counter[str]:
    rows = warehouse.execute(b"select status, count(*) from backmarket.changes group by 1")
    return Counter(dict(rows.fetchall()))


def _applied(sandbox: Sandbox) -> Counter[str]:
    return Counter(entry["path"] for entry in sandbox.journal("POST") if entry["applied"])


def test_orders_go_side_by_side_and_the_changes_of_one_in_their_order(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str
) -> None:
    """By the sandbox's own record: five orders at a time, none with two requests at a time."""
    _have_paid(sandbox, 10, skus=SKUS)
    assert _accept(sandbox, warehouse_uri)["confirmed"] == 30
    by_order = _by_order(sandbox)
    assert 1 < _most_at_once([entry for entries in by_order.values() for entry in entries]) <= MOST_IN_A_ROW
    for entries in by_order.values():
        assert all(after["at"] >= before["over_at"] for before, after in pairwise(entries))
    planned = warehouse.execute(
        b"select '/ws/orders/' || (payload ->> 'order_id'), array_agg(payload ->> 'sku' order by change_id) "
        b"from backmarket.changes group by 1"
    ).fetchall()
    written = {
        path: [entry["body"]["sku"] for entry in entries if entry["method"] == "POST"]
        for path, entries in by_order.items()
    }
    assert written == dict(planned)


def test_every_change_is_written_down_before_its_request_leaves(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while another thread is in the middle of storing an order: another session sees it as sent."""
    _have_paid(sandbox, 12)
    exchange, merge = Transport._exchange, OrderStaging.merge
    seen = []

    def look(self: Transport, request: Any) -> Any:
        if request.method == "POST":
            order_id = request.url.path.rpartition("/")[2]
            query = b"select status from backmarket.changes where payload ->> 'order_id' = %s"
            seen.extend(warehouse.execute(query, [order_id]).fetchall())
        return exchange(self, request)

    def take_long(self: OrderStaging) -> MergeCounts:
        time.sleep(0.03)
        return merge(self)

    monkeypatch.setattr(Transport, "_exchange", look)
    monkeypatch.setattr(OrderStaging, "merge", take_long)
    assert _accept(sandbox, warehouse_uri)["confirmed"] == 12
    assert seen == [("sent",)] * 12


def test_a_token_refused_to_one_stops_all_and_leaves_nothing_open(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str
) -> None:
    """The others of that moment are settled, no further order is asked for, and the next run does the rest."""
    orders = _have_paid(sandbox, 20)
    sandbox.fault("401", method="POST", order_id=orders[2], times=None)
    with pytest.raises(AuthenticationError):
        _accept(sandbox, warehouse_uri)
    assert len(_by_order(sandbox)) < 15
    statuses = _statuses(warehouse)
    assert statuses == {"confirmed": _applied(sandbox).total(), "planned": 20 - statuses["confirmed"]}
    sandbox.clear_faults()
    _accept(sandbox, warehouse_uri)
    assert _applied(sandbox) == {f"/ws/orders/{order_id}": 1 for order_id in orders}


def test_a_lost_connection_costs_what_was_under_way_until_the_next_run(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it the lock is lost: nothing more is sent; the next run finds out what became of those few."""
    orders = _have_paid(sandbox, 20)
    exchange, lock, posts = Transport._exchange, Lock(), 0

    def lose(self: Transport, request: Any) -> Any:
        nonlocal posts
        with lock:
            posts += request.method == "POST"
            if posts == 4 and request.method == "POST":
                warehouse.execute(
                    b"select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1"
                )
        return exchange(self, request)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_exchange", lose)
        with pytest.raises(psycopg.OperationalError):
            _accept(sandbox, warehouse_uri)
    assert 1 <= _statuses(warehouse)["sent"] <= MOST_IN_A_ROW
    assert _applied(sandbox).total() < 4 + MOST_IN_A_ROW
    _accept(sandbox, warehouse_uri)
    assert _statuses(warehouse) == {"confirmed": 20}
    assert _applied(sandbox) == {f"/ws/orders/{order_id}": 1 for order_id in orders}


def test_nothing_is_written_once_the_lock_is_lost(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is read, which may take minutes; the connection that is gone by then lets no write go."""
    (order_id,) = _have_paid(sandbox, 1)
    exchange = Transport._exchange

    def lose(self: Transport, request: Any) -> Any:
        if request.url.path.endswith(f"/{order_id}"):
            warehouse.execute(
                b"select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1"
            )
        return exchange(self, request)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_exchange", lose)
        with pytest.raises(psycopg.OperationalError):
            _accept(sandbox, warehouse_uri)
    assert sandbox.journal("POST") == []
    _accept(sandbox, warehouse_uri)
    assert _applied(sandbox) == {f"/ws/orders/{order_id}": 1}


def test_a_change_counts_as_sent_from_when_its_write_begins(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from before its order was read: the next run waits until the write has arrived for sure."""
    (order_id,) = _have_paid(sandbox, 1)
    exchange = Transport._exchange
    sent_at: dict[str, datetime] = {}

    def look(self: Transport, request: Any) -> Any:
        if request.url.path.endswith(f"/{order_id}"):
            row = warehouse.execute(b"select sent_at from backmarket.changes where status = 'sent'").fetchone()
            if row:
                sent_at.setdefault(request.method, row[0])
        return exchange(self, request)

    monkeypatch.setattr(Transport, "_exchange", look)
    assert _accept(sandbox, warehouse_uri)["confirmed"] == 1
    # The sandbox takes 20 ms over each request.
    assert sent_at["POST"] - sent_at["GET"] > timedelta(milliseconds=15)


def test_what_was_settled_while_its_order_was_read_is_not_written(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever did that: the lines of one request go together or not at all, and the other one waits."""
    (order_id,) = _have_paid(sandbox, 1, skus=(SKUS[0], SKUS[0]))
    exchange = Transport._exchange

    def settle(self: Transport, request: Any) -> Any:
        if request.url.path.endswith(f"/{order_id}"):
            warehouse.execute(
                b"update backmarket.changes set status = 'superseded' where change_id = "
                b"(select min(change_id) from backmarket.changes where status = 'sent')"
            )
        return exchange(self, request)

    monkeypatch.setattr(Transport, "_exchange", settle)
    _accept(sandbox, warehouse_uri)
    assert sandbox.journal("POST") == []
    assert _statuses(warehouse) == {"superseded": 1, "planned": 1}


def test_side_by_side_the_limit_is_kept(warehouse: psycopg.Connection[Any], warehouse_uri: str) -> None:
    """More requests than Back Market takes in ten seconds: by the sandbox's own record none comes above the limit."""
    with running_sandbox(SandboxConfig(orders=0, listings=1)) as sandbox:
        _have_paid(sandbox, 70)
        assert _accept(sandbox, warehouse_uri, limit=True)["confirmed"] == 70
        entries = sandbox.journal()
    assert len(entries) > 200
    assert not any(entry["over_limit"] for entry in entries)
