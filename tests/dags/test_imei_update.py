"""Rows of ``seller.devices`` are registered once each; whatever is in doubt never reaches Back Market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.dice import luhn_digit

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

PHONE, OTHER_PHONE, TABLET = "IP13-128-MID-C", "SGS22-128-BLK-C", "IPAD9-64-SIL-C"


@pytest.fixture
def register(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_tracking_imei`` with identifiers alone switched on, and no alarm for what is late."""
    switch_on("imei_update", ship_by_alert_hours=-1_000_000)
    return lambda: run_dag("backmarket_tracking_imei")


def _imei(number: int) -> str:
    body = f"35{number:012d}"
    return f"{body}{luhn_digit(body)}"


def _order(sandbox: Sandbox, *lines: tuple[str, int, int]) -> dict[str, Any]:
    wishes = [{"sku": sku, "quantity": quantity, "state": state} for sku, quantity, state in lines]
    return sandbox.create_order(lines=wishes, force=True)


def _device(database: psycopg.Connection[Any], order: dict[str, Any], **more: Any) -> None:
    row = {"order_id": order["order_id"], **more}
    query = f"insert into seller.devices ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})"
    database.execute(query.encode(), list(row.values()))


def _identifiers(sandbox: Sandbox, order: dict[str, Any]) -> list[tuple[str, str]]:
    return [(line["imei"], line["serial_number"]) for line in sandbox.order(order["order_id"])["orderlines"]]


def _reason(database: psycopg.Connection[Any], order: dict[str, Any], line: int = 0) -> tuple[str, str]:
    """How the newest change of a line, or of the row that found none, ended."""
    query = b"""
        select status, reason from backmarket.changes
        where kind = 'imei' and (subject = %s or subject like %s) order by change_id desc limit 1
    """
    subject = str(order["orderlines"][line]["id"])
    row = database.execute(query, [subject, f"{order['order_id']}/%"]).fetchone()
    assert row is not None
    return row[0], row[1]


def test_lines_are_identified_once(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """By line or by a SKU that is unique in the order, cleaned of separators; a second run sends nothing."""
    pair = _order(connected, (PHONE, 1, 2), (TABLET, 1, 2))
    twins = _order(connected, (PHONE, 1, 2), (PHONE, 1, 2))
    _device(database, pair, sku=PHONE.lower(), imei=f" {_imei(1)[:2]}-{_imei(1)[2:8]}-{_imei(1)[8:]} ")
    _device(database, pair, sku=TABLET, serial_number=" SN 1 ")
    _device(database, twins, orderline_id=twins["orderlines"][1]["id"], imei=_imei(2), serial_number="SN2")
    run = register()
    assert run.state == "success"
    assert _identifiers(connected, pair) == [(_imei(1), ""), ("", "SN 1")]
    assert _identifiers(connected, twins)[1] == (_imei(2), "SN2")
    rows = database.execute(b"select imei from backmarket.order_lines where imei is not null order by 1").fetchall()
    assert rows == [(_imei(1),), (_imei(2),)]
    assert len(connected.journal("PATCH")) == 3
    register()
    assert len(connected.journal("PATCH")) == 3


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"imei": _imei(1)[:-1]}, "14 digits"),
        ({"imei": "0" * 15}, "all zeros"),
        ({"imei": _imei(1)[:-1] + str((int(_imei(1)[-1]) + 1) % 10)}, "check digit is wrong"),
        ({"imei": "35ABC0000000001"}, "other than digits"),
        ({"serial_number": "x" * 51}, "more than 50"),
        ({"serial_number": "a\nb"}, "cannot be printed"),
        ({"imei": " ", "serial_number": ""}, "neither IMEI nor serial"),
        ({"imei": _imei(1), "sku": "no such"}, "no line with this SKU"),
    ],
)
def test_what_is_in_doubt_stays_here(
    register: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    device: dict[str, Any],
    words: str,
) -> None:
    """Nothing is sent, and the ledger says why."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, **device)
    assert register().state == "success"
    status, reason = _reason(database, order)
    assert status == "refused"
    assert words in reason
    assert connected.journal("PATCH") == []


def test_a_device_goes_to_one_line_only(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Two lines with one IMEI, two rows for one line, an ambiguous SKU, two units in a line: none is sent."""
    first, second = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2))
    torn, twins = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2), (PHONE, 1, 2))
    double = _order(connected, (PHONE, 2, 2))
    _device(database, first, imei=_imei(1))
    _device(database, second, imei=_imei(1))
    _device(database, torn, imei=_imei(2))
    _device(database, torn, imei=_imei(3))
    _device(database, twins, sku=PHONE, imei=_imei(4))
    _device(database, double, imei=_imei(5))
    register()
    assert connected.journal("PATCH") == []
    assert "also belongs to order line" in _reason(database, first)[1]
    assert "also belongs to order line" in _reason(database, second)[1]
    assert "different identifiers" in _reason(database, torn)[1]
    assert "2 lines fit" in _reason(database, twins)[1]
    assert "quantity of 2" in _reason(database, double)[1]


def test_a_registered_identifier_is_never_overwritten(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Another value is refused before it reaches Back Market; so is an IMEI that a live line has already."""
    order, other = _order(connected, (PHONE, 1, 2)), _order(connected, (OTHER_PHONE, 1, 2))
    lines = [{**order["orderlines"][0], "imei": _imei(1)}]
    connected.patch_order(order["order_id"], orderlines=lines)
    _device(database, order, imei=_imei(2))
    register()
    assert "another IMEI is registered already" in _reason(database, order)[1]
    database.execute(b"delete from seller.devices")
    _device(database, other, imei=_imei(1))
    register()
    assert "also belongs to order line" in _reason(database, other)[1]
    assert connected.journal("PATCH") == []


def test_200_but_not_stored_is_reported_and_not_repeated(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Back Market drops the IMEI of what is no smartphone without a word; reading back finds out."""
    order = _order(connected, (TABLET, 1, 2))
    _device(database, order, imei=_imei(1))
    assert register().state == "success"
    assert _reason(database, order) == ("refused", "Back Market answered 200 but did not store it")
    register()
    assert len(connected.journal("PATCH")) == 1


@pytest.mark.parametrize(
    ("kind", "applied"), [("reset_after", False), ("500", False), ("500", True), ("cut_json", False)]
)
def test_a_lost_answer_is_read_back(
    register: Callable[..., Run], connected: Sandbox, kind: str, applied: bool, database: psycopg.Connection[Any]
) -> None:
    """One write takes effect, whatever the answer was."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))
    connected.fault(kind, method="PATCH", times=1, applied=applied)
    assert register().state == "success"
    assert _identifiers(connected, order) == [(_imei(1), "")]
    assert sum(entry["applied"] for entry in connected.journal("PATCH")) == 1


def test_a_paid_line_waits(register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]) -> None:
    """Identifiers follow acceptance, by themselves."""
    order = _order(connected, (PHONE, 1, 1))
    _device(database, order, imei=_imei(1))
    register()
    assert "waits: the line is not accepted" in _reason(database, order)[1]
    connected.patch_order(order["order_id"], orderlines=[{**order["orderlines"][0], "state": 2}], state=3)
    register()
    assert _identifiers(connected, order) == [(_imei(1), "")]
