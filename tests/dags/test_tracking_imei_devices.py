"""Rows of ``seller.devices`` are registered once each; whatever is in doubt never reaches Back Market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.client import BackMarketClient
from backmarket.api.errors import RefusedError
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
    _device(database, pair, sku=TABLET, serial_number=" S/N: DMQK 20R1 GHK9 ")
    _device(database, twins, orderline_id=twins["orderlines"][1]["id"], imei=_imei(2), serial_number="F9FX5QJ2KXKN")
    run = register()
    assert run.state == "success"
    assert _identifiers(connected, pair) == [(_imei(1), ""), ("", "DMQK20R1GHK9")]
    assert _identifiers(connected, twins)[1] == (_imei(2), "F9FX5QJ2KXKN")
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
        ({"serial_number": "C02AB" * 10 + "Z"}, "more than 50"),
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


@pytest.mark.parametrize("late", [1, 2])
def test_what_is_shown_late_is_confirmed(
    register: Callable[..., Run],
    run_dag: Callable[..., Run],
    switch_on: Callable[..., None],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    late: int,
) -> None:
    """It counted as refused at the first look; where another device is shown, it stays refused."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))
    connected.fault("ignored_200", method="PATCH", times=1)
    register()
    assert _reason(database, order)[0] == "refused"
    # Of the same second, the reading by id would hold.
    connected.advance_clock(2)
    connected.patch_order(order["order_id"], orderlines=[{**order["orderlines"][0], "imei": _imei(late)}])
    switch_on("imei_update", "order_download")
    run_dag("backmarket_orders")
    register()
    assert len(connected.journal("PATCH")) == 1
    status, reason = _reason(database, order)
    assert (status == "confirmed") == (late == 1)
    assert "did not store it" in reason or "another IMEI" in reason


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


@pytest.mark.parametrize("state", [2, 3], ids=["open", "shipped yesterday"])
def test_a_serial_number_goes_to_one_line_only(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], state: int
) -> None:
    """In any spelling, for lines of two orders or of one: none is sent, and each reason names the other line."""
    first, second = _order(connected, (TABLET, 1, 2)), _order(connected, (TABLET, 1, 2))
    connected.patch_order(first["order_id"], orderlines=[{**first["orderlines"][0], "state": state}])
    twins = _order(connected, (TABLET, 1, 2), (TABLET, 1, 2))
    _device(database, first, serial_number="DMQK20R1GHK9")
    _device(database, second, serial_number="S/N: dmqk 20r1 ghk9")
    for line in twins["orderlines"]:
        _device(database, twins, orderline_id=line["id"], serial_number="F9FX5QJ2KXKN")
    register()
    assert connected.journal("PATCH") == []
    for order, line, other_order, other_line in (
        (first, 0, second, 0),
        (second, 0, first, 0),
        (twins, 0, twins, 1),
        (twins, 1, twins, 0),
    ):
        status, reason = _reason(database, order, line)
        assert status == "refused"
        place = f"order line {other_order['orderlines'][other_line]['id']} of order {other_order['order_id']}"
        assert f"this serial number also belongs to {place}" in reason


def _sold(
    sandbox: Sandbox, database: psycopg.Connection[Any], register: Callable[..., Run], **device: Any
) -> dict[str, Any]:
    """Make a shipped order whose device is registered."""
    order = _order(sandbox, (PHONE if "imei" in device else TABLET, 1, 2))
    _device(database, order, **device)
    register()
    database.execute(b"update backmarket.order_lines set state = 3 where order_id = %s", [order["order_id"]])
    assert len(sandbox.journal("PATCH")) == 1
    return order


def _ship_days_ago(database: psycopg.Connection[Any], order: dict[str, Any], days: int) -> None:
    query = b"update backmarket.orders set date_shipping = now() - make_interval(days => %s) where order_id = %s"
    database.execute(query, [days, order["order_id"]])


def _refund_by_statement(database: psycopg.Connection[Any], order: dict[str, Any], share: str) -> None:
    query = b"""
        insert into backmarket.settlement_lines (
            account, invoice_ref, line_id, currency, line_no, invoice_key, category, role, value_date, order_id,
            designation, amount, first_export
        )
        select
            'default', 'X', 1, 'EUR', 1, 'refunds', 'refund', 'refund', now(), order_id, '', -price * %s::numeric, now()
        from backmarket.orders
        where order_id = %s
    """
    database.execute(query, [share, order["order_id"]])


@pytest.mark.parametrize("device", [{"imei": _imei(1)}, {"serial_number": "DMQK20R1GHK9"}], ids=["imei", "serial"])
@pytest.mark.parametrize(
    ("earlier", "is_sent"),
    [("lately", False), ("gesture", False), ("returned", True), ("refunded", True), ("long ago", True)],
)
def test_a_device_is_sold_again_once_it_is_back(
    register: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    device: dict[str, Any],
    earlier: str,
    is_sent: bool,
) -> None:
    """Returned, refunded by statement, or sold long ago: the ledger names the earlier order, also once confirmed."""
    first = _sold(connected, database, register, **device)
    second = _order(connected, (PHONE if "imei" in device else TABLET, 1, 2))
    _device(database, second, **device)
    _ship_days_ago(database, first, 148 if earlier == "long ago" else 3)
    if earlier in {"gesture", "refunded"}:
        _refund_by_statement(database, first, "0.1" if earlier == "gesture" else "1")
    if earlier == "returned":
        database.execute(b"update backmarket.order_lines set state = 6 where order_id = %s", [first["order_id"]])
    register()
    status, reason = _reason(database, second)
    assert status == ("confirmed" if is_sent else "refused")
    assert f"order {first['order_id']}" in reason
    assert len(connected.journal("PATCH")) == (2 if is_sent else 1)
    if not is_sent:
        assert "backmarket_device_resale_days" in reason
        assert "if the device came back" in reason


def test_a_resale_names_the_earlier_order_while_it_is_planned(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], switch_on: Callable[..., None]
) -> None:
    """In a dry run, where a person may still stop it; and the days are the seller's to set."""
    first = _sold(connected, database, register, imei=_imei(1))
    _ship_days_ago(database, first, 20)
    second = _order(connected, (PHONE, 1, 2))
    _device(database, second, imei=_imei(1))
    switch_on("imei_update", ship_by_alert_hours=-1_000_000, dry_run=True, device_resale_days=14)
    register()
    status, reason = _reason(database, second)
    assert status == "dry_run"
    line = first["orderlines"][0]["id"]
    assert f"sold before: order {first['order_id']}, line {line} (shipped on " in reason


def test_a_cancelled_order_leaves_its_device_to_the_next(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A row that stays behind for a line that never left is in nobody's way."""
    cancelled, second = _order(connected, (PHONE, 1, 4)), _order(connected, (PHONE, 1, 2))
    for order in (cancelled, second):
        _device(database, order, imei=_imei(1))
    register()
    assert _identifiers(connected, second) == [(_imei(1), "")]
    assert "cancelled or refunded" in _reason(database, cancelled)[1]


def test_a_lines_id_in_the_place_of_its_orders_is_told(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The reason names the order, and where a line is of another order, that one."""
    known, other = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2))
    line_id, other_line_id = known["orderlines"][0]["id"], other["orderlines"][0]["id"]
    for order in (known, other):
        _device(database, order, imei=_imei(order["order_id"]))
    register()
    database.execute(b"delete from seller.devices")
    _device(database, {"order_id": line_id}, imei=_imei(1))
    _device(database, known, orderline_id=other_line_id, imei=_imei(2))
    connected.clear_journal()
    register()
    query = b"select subject, reason from backmarket.changes where kind = 'imei' and status = 'refused'"
    reasons = dict(database.execute(query).fetchall())
    assert f"{line_id} is the id of a line of order {known['order_id']}" in reasons[f"{line_id}/"]
    assert f"it is one of order {other['order_id']}" in reasons[str(other_line_id)]
    assert connected.journal("PATCH") == []


def test_the_same_row_twice_is_one(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A double of an export, or the same number in another spelling, contradicts nothing."""
    order = _order(connected, (TABLET, 1, 2))
    for serial in ("DMQK20R1GHK9", "DMQK20R1GHK9", "SN dmqk 20r1 ghk9"):
        _device(database, order, serial_number=serial)
    register()
    ((_, serial),) = _identifiers(connected, order)
    assert serial.upper() == "DMQK20R1GHK9"
    assert len(connected.journal("PATCH")) == 1


@pytest.mark.parametrize("serial", ["{order_id}", "{line_id}", "{sku}", "QA 1234-56789", "356938035643809", "N/A"])
def test_what_a_serial_number_is_not_stays_here(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], serial: str
) -> None:
    """The order's own number, its line's, its SKU, its parcel's, an IMEI, a placeholder."""
    order = _order(connected, (TABLET, 1, 2))
    database.execute(
        b"insert into seller.shipments (order_id, tracking_number) values (%s, 'QA123456789')", [order["order_id"]]
    )
    text = serial.format(order_id=order["order_id"], line_id=order["orderlines"][0]["id"], sku=TABLET)
    _device(database, order, serial_number=text)
    assert register().state == "success"
    status, reason = _reason(database, order)
    assert status == "refused"
    assert "the serial number is" in reason
    assert connected.journal("PATCH") == []


def test_an_order_that_is_not_found_for_a_while_costs_no_identifier(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Its request was lost, and its order was away in two tries: back again, it is identified, once."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))
    connected.fault("reset_before", method="PATCH")
    connected.fault("404", method="GET", path_prefix=f"/ws/orders/{order['order_id']}", after=2, times=None)
    register()
    assert len(connected.journal("PATCH")) == 1
    connected.clear_faults()
    assert register().state == "success"
    assert _identifiers(connected, order) == [(_imei(1), "")]
    assert _reason(database, order)[0] == "confirmed"


def test_an_order_that_is_not_found_once_costs_no_identifier(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """What Back Market refuses of an identifier holds for ever; that it did not find the order does not."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))
    connected.fault("404", method="GET", path_prefix=f"/ws/orders/{order['order_id']}", after=1)
    register()
    assert connected.journal("PATCH") == []
    assert _reason(database, order)[0] == "refused"
    assert register().state == "success"
    assert _identifiers(connected, order) == [(_imei(1), "")]
    assert _reason(database, order)[0] == "confirmed"


@pytest.mark.parametrize(
    ("method", "kind", "found_until"),
    [("GET", "500", 0), ("GET", "401", 0), ("PATCH", "429_html", 0), ("PATCH", "500", 4)],
)
def test_an_order_that_is_not_found_after_a_failure_costs_no_identifier(
    register: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    method: str,
    kind: str,
    found_until: int,
) -> None:
    """A request that never left, or that may have arrived, says as little of the device as the 404 after it."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))
    read = f"/ws/orders/{order['order_id']}"
    if found_until:
        # Sent, read back twice, and not found when it is to go again.
        connected.fault(kind, method=method)
        connected.fault("404", method="GET", path_prefix=read, after=found_until)
        register()
    else:
        path = read if method == "GET" else "/ws/orderlines"
        connected.fault(kind, method=method, path_prefix=path, after=int(method == "GET"), times=None)
        assert register().state == "failed"
        connected.clear_faults()
        connected.fault("404", method="GET", path_prefix=read)
        register()
    assert [fault["fired"] for fault in connected.faults()][-1] == 1
    assert _identifiers(connected, order) == [("", "")]
    assert register().state == "success"
    assert _identifiers(connected, order) == [(_imei(1), "")]
    assert _reason(database, order)[0] == "confirmed"


UNREADABLE = {"imei": "35391805798291", "serial_number": "N/A"}


@pytest.mark.parametrize("kind", ["imei", "serial_number"])
@pytest.mark.parametrize("other_row", ["half unusable", "fits two lines", "of an unknown order", "left out"])
def test_a_device_that_any_other_row_names_is_sent_for_nobody(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], other_row: str, kind: str
) -> None:
    """Either row may be the wrong one, and what is registered can never be corrected; alone, the device goes."""
    sku, number = (PHONE, _imei(1)) if kind == "imei" else (TABLET, "DMQK20R1GHK9")
    clean, other = _order(connected, (sku, 1, 2)), _order(connected, (sku, 1, 2))
    twins = _order(connected, (sku, 1, 2), (sku, 1, 2))
    database.execute(b"alter table seller.devices alter column order_id type text")
    _device(database, clean, **{kind: number})
    if other_row == "half unusable":
        _device(database, other, **(UNREADABLE | {kind: number}))
    elif other_row == "fits two lines":
        _device(database, twins, sku=sku, **{kind: number})
    else:
        _device(database, {"order_id": "BM-77" if other_row == "left out" else 77_777_777}, **{kind: number})
    register()
    assert connected.journal("PATCH") == []
    status, reason = _reason(database, clean)
    assert status == "refused"
    named = {"of an unknown order": "(order_id 77777777)", "left out": "(order_id BM-77)"}
    assert named.get(other_row, "also belongs to order line") in reason
    database.execute(b"delete from seller.devices where order_id <> %s", [str(clean["order_id"])])
    register()
    assert number in _identifiers(connected, clean)[0]


@pytest.mark.parametrize("other_row", ["of another order", "left out"])
def test_two_rows_that_contradict_each_other_about_a_line_hold_it(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], other_row: str
) -> None:
    """One names it with another order, or with one that cannot be read: neither device is sent, and both are told."""
    order, other = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2))
    line_id = order["orderlines"][0]["id"]
    database.execute(b"alter table seller.devices alter column order_id type text")
    _device(database, order, orderline_id=line_id, imei=_imei(1))
    order_id = other["order_id"] if other_row == "of another order" else "BM-77"
    _device(database, {"order_id": order_id}, orderline_id=line_id, imei=_imei(2))
    register()
    assert connected.journal("PATCH") == []
    status, reason = _reason(database, order)
    assert status == "refused"
    assert "names this line, too" in reason
    assert ("is not one of this order" in reason) == (other_row == "of another order")


def test_a_write_that_is_turned_away_unjudged_costs_no_identifier(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with 423, locked: refused, it would never be sent again, as nothing is that Back Market has judged."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))

    def locked(*_args: Any, **_fields: Any) -> None:
        raise RefusedError(status=423, api_message="locked for a moment")

    with monkeypatch.context() as patched:
        patched.setattr(BackMarketClient, "update_orderline", locked)
        run = register()
    assert (run.state, run.xcoms["imei_update"]["not_sent"]) == (
        "failed",
        [f"order {order['order_id']} ({order['orderlines'][0]['id']})"],
    )
    assert _reason(database, order) == ("planned", "goes again in the next run: locked for a moment")
    assert register().state == "success"
    assert _identifiers(connected, order) == [(_imei(1), "")]


def test_a_write_that_is_not_found_costs_no_identifier(
    register: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The line was served a moment before. It goes again; three times not found, it rests for an hour, not for ever."""
    order = _order(connected, (PHONE, 1, 2))
    _device(database, order, imei=_imei(1))
    connected.fault("404", method="PATCH", times=None)
    for expected in ("failed", "failed", "success", "success"):
        assert register().state == expected
    status, reason = _reason(database, order)
    assert (status, reason.startswith("sent 3 times")) == ("refused", True)
    assert len(connected.journal("PATCH")) == 3
    connected.clear_faults()
    database.execute(b"update backmarket.changes set refused_until = now() where refused_until is not null")
    assert register().state == "success"
    assert _identifiers(connected, order) == [(_imei(1), "")]
    assert _reason(database, order)[0] == "confirmed"
