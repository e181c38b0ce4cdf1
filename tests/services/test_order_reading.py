"""Lists of orders that Back Market refuses: each costs itself alone, and what was read is stored."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api import errors
from backmarket.api.models import Order
from backmarket.services.order_reading import (
    OrderReading,
    read_orders_of_statements,
    refresh_open_orders,
    refresh_paid_orders,
    refresh_shipment_orders,
    why_open_orders_can_wait,
)
from backmarket.warehouse import orders, sync_state
from tests.api.hostile_server import HostileServer, Reply, Seen, order

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

_log = logging.getLogger("backmarket.tests")
OPEN_STATES = ("10", "1", "3")
ACCESS_DENIED = Reply({"error": {"code": "forbidden", "message": "not for you"}}, 403)
REFUSALS = [
    pytest.param(Reply({"error": {"code": "bad_request", "message": "no such state"}}, 400), errors.RefusedError),
    pytest.param(ACCESS_DENIED, errors.ForbiddenError),
    pytest.param(Reply({"error": {"code": "not_found", "message": "no such list"}}, 404), errors.NotFoundError),
]


def _know(reading: OrderReading, order_id: int, state: int = 1) -> None:
    """Let an order be open here, of which a line is paid, or in another state."""
    line = {"id": 10 * order_id, "listing": "A", "state": state, "quantity": 1, "price": "9.00", "currency": "EUR"}
    reading.staging.add(
        [Order.model_validate(order(order_id, orderlines=[line]))], read_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    reading.staging.merge()
    reading.staging.clear()


def _stored(warehouse: psycopg.Connection[Any]) -> list[int]:
    return [row[0] for row in warehouse.execute("select order_id from backmarket.orders order by 1").fetchall()]


def _lists(refused: Callable[[Seen], Reply | None]) -> Callable[[Seen], Reply]:
    """Serve one page of two orders for each state, and each order by id, but for what is refused."""

    def play(request: Seen) -> Reply:
        if reply := refused(request):
            return reply
        if state := request.query.get("state"):
            numbers = [int(state) * 100 + place for place in range(2)]
            results = [order(number, state=int(state)) for number in numbers]
            return Reply({"count": len(results), "next": None, "results": results})
        return Reply(order(int(request.path.rpartition("/")[2])))

    return play


@pytest.mark.parametrize(("reply", "error_class"), REFUSALS)
@pytest.mark.parametrize("state", OPEN_STATES)
def test_an_open_list_that_is_refused_costs_no_other(
    server: HostileServer,
    reading: OrderReading,
    warehouse: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
    state: str,
    reply: Reply,
    error_class: type[Exception],
) -> None:
    """The other states are read, then the orders that are open here by id; all is stored, and the task fails."""
    _know(reading, 7)
    server.play = _lists(lambda request: reply if request.query.get("state") == state else None)
    with pytest.raises(error_class):
        refresh_open_orders(reading)
    others = [int(each) * 100 for each in OPEN_STATES if each != state]
    assert _stored(warehouse) == sorted([7, *others, *(number + 1 for number in others)])
    assert server.seen[-1].path == "/ws/orders/7"
    assert f"The list of orders of state {state} could not be read whole" in caplog.text


@pytest.mark.parametrize(("reply", "error_class"), REFUSALS[:2])
def test_a_page_that_is_refused_leaves_the_pages_before_it_stored(
    server: HostileServer,
    reading: OrderReading,
    warehouse: psycopg.Connection[Any],
    reply: Reply,
    error_class: type[Exception],
) -> None:
    """A later page of the paid orders is refused: those before it are stored, and the list is told as short."""

    def play(request: Seen) -> Reply:
        if request.page > 1:
            return reply
        return Reply({"count": 120, "next": "https://elsewhere.invalid", "results": [order(n) for n in range(1, 51)]})

    server.play = play
    assert refresh_paid_orders(reading)["lists_short"] == ["paid orders"]
    assert _stored(warehouse) == list(range(1, 51))
    assert isinstance(reading.failure, error_class)


def test_a_token_that_is_refused_stops_all_reading_and_what_was_read_is_stored(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any]
) -> None:
    """After the first state: no further list and no order is asked for."""
    _know(reading, 7)
    server.play = _lists(lambda request: Reply({}, 401) if request.query.get("state") != "10" else None)
    with pytest.raises(errors.AuthenticationError):
        refresh_open_orders(reading)
    assert _stored(warehouse) == [7, 1000, 1001]
    assert len(server.seen) == 2


def test_a_token_that_is_refused_fails_the_list_of_paid_orders(server: HostileServer, reading: OrderReading) -> None:
    """It is no list that came out short: acceptance would meet the same."""
    server.answer(Reply({}, 401))
    with pytest.raises(errors.AuthenticationError):
        refresh_paid_orders(reading)


def test_open_orders_are_due_where_the_first_download_failed_on_its_way(
    reading: OrderReading, warehouse: psycopg.Connection[Any]
) -> None:
    """Nothing has read them all; where it brought none, there are none, and a run about the past reads none."""
    now = datetime.now(UTC)

    def why(*, is_about_past: bool = False) -> str | None:
        return why_open_orders_can_wait(warehouse, "default", now=now, is_about_past=is_about_past)

    assert why() == "No open order is known here yet."
    _know(reading, 7)
    assert why() is None
    assert "the past" in (why(is_about_past=True) or "")
    sync_state.record_success(warehouse, "default", "orders", {}, watermark=now)
    assert "just read everything" in (why() or "")
    assert "due a day later" in (why() or "")


@pytest.mark.parametrize("status", [400, 422])
def test_ids_that_are_refused_starve_no_other(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any], status: int
) -> None:
    """Eight wrong ids around one that is right: it is stored, they are named, and not asked for again at once."""
    wrong = [1, 2, 901, 902, 903, 904, 905, 906]
    for order_id in [*wrong, 500]:
        warehouse.execute("insert into seller.shipments (order_id, tracking_number) values (%s, 'T1')", [order_id])
    message = {"error": {"code": "bad_request", "message": "not an order id"}}
    server.play = lambda request: Reply(order(500)) if request.path.endswith("/500") else Reply(message, status)
    now = datetime.now(UTC)
    counts = refresh_shipment_orders(reading, now=now)
    assert _stored(warehouse) == [500]
    assert sorted(map(int, counts["unread"])) == wrong
    assert sorted(orders.asked_orders(warehouse, "default")) == wrong
    reading.staging.clear()
    asked = len(server.seen)
    refresh_shipment_orders(reading, now=now)
    assert {request.path for request in server.seen[asked:]} <= {"/ws/orders/500"}


NOT_FOUND = Reply({"error": {"code": "not_found", "message": "no such thing"}}, 404)


def _gone(warehouse: psycopg.Connection[Any]) -> list[int]:
    rows = warehouse.execute("select order_id from backmarket.orders where gone_at is not null order by 1")
    return [row[0] for row in rows.fetchall()]


@pytest.mark.parametrize("is_served", [True, False])
def test_no_order_is_gone_where_not_even_lists_come(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any], *, is_served: bool
) -> None:
    """Its units would be for sale again; beside lists that came, it is."""
    _know(reading, 7)
    server.play = _lists(lambda request: None if is_served and "state" in request.query else NOT_FOUND)
    if is_served:
        refresh_open_orders(reading)
    else:
        with pytest.raises(errors.NotFoundError):
            refresh_open_orders(reading)
    assert _gone(warehouse) == ([7] if is_served else [])


def test_an_accepted_order_that_was_gone_is_asked_for_where_a_parcel_names_it(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any]
) -> None:
    """While it stays away, that is noted, so that its row says so; once it is back, its parcel waits no longer."""
    _know(reading, 7, state=2)
    orders.mark_gone(warehouse, "default", [7])
    warehouse.execute("insert into seller.shipments (order_id, tracking_number) values (7, 'T1')")
    now = datetime.now(UTC)
    none = Reply({"count": 0, "next": None, "results": []})
    server.play = lambda request: NOT_FOUND if request.path.endswith("/7") else none
    refresh_shipment_orders(reading, now=now)
    assert sorted(orders.asked_orders(warehouse, "default")) == [7]
    server.answer(Reply(order(7, orderlines=[{"id": 70, "listing": "A", "state": 2, "quantity": 1}])))
    refresh_shipment_orders(reading, now=now + timedelta(days=1))
    assert _gone(warehouse) == []


@pytest.mark.parametrize(
    ("of_list", "is_known_to_be_absent"),
    [
        pytest.param(NOT_FOUND, False, id="404"),
        pytest.param(Reply({}, 401), False, id="a refused token"),
        pytest.param(Reply(reset=True), False, id="no answer"),
        pytest.param(Reply({"count": 0, "next": None, "results": []}), True, id="a list"),
        pytest.param(Reply("", 500), True, id="a list that fails"),
    ],
)
def test_no_order_is_absent_where_there_is_no_list(
    server: HostileServer,
    reading: OrderReading,
    warehouse: psycopg.Connection[Any],
    of_list: Reply,
    is_known_to_be_absent: bool,
) -> None:
    """Of orders that parcels name: 404 says something of one only where Back Market serves orders at all."""
    _know(reading, 7)
    warehouse.execute("insert into seller.shipments (order_id, tracking_number) values (7, 'T1'), (8, 'T2')")
    server.play = lambda request: of_list if request.path == "/ws/orders" else NOT_FOUND
    if is_known_to_be_absent:
        assert refresh_shipment_orders(reading, now=datetime.now(UTC))["unknown"] == 2
    else:
        with pytest.raises(errors.BackMarketError):
            refresh_shipment_orders(reading, now=datetime.now(UTC))
    assert _gone(warehouse) == ([7] if is_known_to_be_absent else [])
    assert sorted(orders.asked_orders(warehouse, "default")) == ([7, 8] if is_known_to_be_absent else [])


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_a_statement_names_and_is_no_order_is_asked_for_once(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any], status: int
) -> None:
    """Nobody can correct a statement: the number is remembered as unknown, whether it is refused or not found."""
    nothing = Reply({"count": 0, "next": None, "results": []})
    refusal = Reply({"error": {"code": "bad", "message": "no"}}, status)
    server.play = lambda request: nothing if request.path == "/ws/orders" else refusal
    read_orders_of_statements(reading, [41, 42])
    found = warehouse.execute("select number from backmarket.settlement_unknown_orders order by 1").fetchall()
    assert found == [(41,), (42,)]
