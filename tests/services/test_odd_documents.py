"""One odd document goes to quarantine and costs no other: whatever is odd about it, and however it is read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.models import Listing, Order
from backmarket.api.models.document import LONGEST_KEY, read_each
from backmarket.services.order_reading import OrderReading, refresh_paid_orders
from tests.api.hostile_server import HostileServer, Reply, Seen, order

if TYPE_CHECKING:
    import psycopg

_log = logging.getLogger("backmarket.tests")
LINE = {"id": 70, "state": 1, "quantity": 1, "listing": "A-1"}
LONG = "x" * (LONGEST_KEY + 1)
# Digits without a pattern: others the database would compress until an index holds them.
DIGITS = "".join(str(int.from_bytes(sha256(bytes([number])).digest())) for number in range(70))[:5_000]


def _nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(depth):
        document = {"deeper": document}
    return document


ODD = {
    "an id of 5,000 characters": (order(DIGITS), "order_id"),  # type: ignore[arg-type]
    "a long SKU": (order(7, orderlines=[{**LINE, "listing": LONG}]), "orderlines.0.listing: more than 500 characters"),
    "a long IMEI": (order(7, orderlines=[{**LINE, "imei": LONG}]), "orderlines.0.imei: more than 500"),
    "a long serial number": (order(7, orderlines=[{**LINE, "serial_number": LONG}]), "orderlines.0.serial_number"),
    "a long tracking number": (order(7, tracking_number=LONG), "tracking_number: more than 500"),
    "a field nested deep": (order(7, extra=_nested(600)), "nested too deep"),
    "a field nested deep with a NUL in it": (order(7, extra=_nested(490), more="a\0b"), "nested too deep"),
    "a line nested deep": (order(7, orderlines=[{**LINE, "extra": _nested(600)}]), "nested too deep"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 48, 59])
def test_an_odd_order_in_a_list_costs_no_other(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any], odd: str, place: int
) -> None:
    """Also where two pages share it: sixty orders are stored, and it is kept with the field named."""
    document, reason = ODD[odd]
    rows = [order(number) for number in range(100, 160)]
    rows[place:place] = [document]

    def play(request: Seen) -> Reply:
        size = int(request.query["page-size"])
        start = (request.page - 1) * size
        following = "https://elsewhere.invalid" if start + size < len(rows) else None
        return Reply({"count": len(rows), "next": following, "results": rows[start : start + size]})

    server.play = play
    assert refresh_paid_orders(reading)["quarantined"] == 1
    assert warehouse.execute("select count(*) from backmarket.orders").fetchall() == [(60,)]
    ((kept,),) = warehouse.execute("select reason from backmarket.quarantine").fetchall()
    assert reason in kept


@pytest.mark.parametrize("odd", [name for name, (document, _) in ODD.items() if document["order_id"] == 7])
def test_an_odd_order_read_by_id_is_kept(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any], odd: str
) -> None:
    """Under its id."""
    document, reason = ODD[odd]
    server.answer(Reply(document))
    assert reading.read_by_ids([7]) == []
    reading.store(None)
    ((key, kept),) = warehouse.execute("select key, reason from backmarket.quarantine").fetchall()
    assert key == "7"
    assert reason in kept


def test_a_long_country_is_read_as_none(
    server: HostileServer, reading: OrderReading, warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """No index could hold it: the order is stored without, as are all others."""
    server.answer(Reply({"count": 2, "next": None, "results": [order(7, country_code=DIGITS * 2), order(8)]}))
    refresh_paid_orders(reading)
    stored = warehouse.execute("select order_id, country_code from backmarket.orders order by 1").fetchall()
    assert stored == [(7, None), (8, None)]
    assert "country_code" in caplog.text
    assert DIGITS not in caplog.text


def test_long_keys_are_told_apart(reading: OrderReading, warehouse: psycopg.Connection[Any]) -> None:
    """Two ids that begin alike are two documents."""
    for last in "12":
        _, (unreadable,) = read_each(Listing, [{"id": DIGITS + last}], key="id", context={})
        reading.unreadable[unreadable.key or ""] = unreadable
    reading.store(None)
    assert warehouse.execute("select count(*) from backmarket.quarantine").fetchall() == [(2,)]


def test_the_longest_keys_are_stored(reading: OrderReading, warehouse: psycopg.Connection[Any]) -> None:
    """Whatever their script, and whatever the database makes of them for its indexes."""
    longest = "".join(chr(0x20000 + (number * 7919) % 40_000) for number in range(LONGEST_KEY))
    server_time = datetime(2026, 9, 1, tzinfo=UTC)
    line = {**LINE, "listing": longest, "imei": longest, "serial_number": longest}
    read, _ = read_each(
        Order,
        [order(7, orderlines=[line], tracking_number=longest)],
        key="order_id",
        context={"server_time": server_time},
    )
    reading.staging.add(read, read_at=server_time)
    reading.store(None)
    assert warehouse.execute("select imei from backmarket.order_lines").fetchall() == [(longest,)]


def test_a_listing_with_a_long_sku_is_unreadable() -> None:
    """No index of SKUs could hold it."""
    document = {"id": "7a97a1b6-547e-4718-bc72-5b84aca91b09", "quantity": 1, "sku": LONG}
    read, (unreadable,) = read_each(Listing, [document], key="id", context={})
    assert read == []
    assert unreadable.reason == "sku: more than 500 characters"
