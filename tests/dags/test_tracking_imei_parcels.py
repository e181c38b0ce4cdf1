"""Rows of ``seller.shipments`` ship their orders, once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.client import BackMarketClient
from backmarket.api.errors import BackMarketError, ForbiddenError, NotFoundError, RefusedError, ServerError
from backmarket.services.order_changes import OrderWriting
from sandbox.dice import luhn_digit

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

PHONE, TABLET = "IP13-128-MID-C", "IPAD9-64-SIL-C"


@pytest.fixture
def ship(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_tracking_imei`` with tracking alone switched on, and no alarm for what is late."""
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    return lambda: run_dag("backmarket_tracking_imei")


def _imei(number: int) -> str:
    body = f"35{number:012d}"
    return f"{body}{luhn_digit(body)}"


def _order(sandbox: Sandbox, *lines: tuple[str, int, int], **wish: Any) -> int:
    """Make an order of lines (SKU, quantity, state)."""
    wishes = [{"sku": sku, "quantity": quantity, "state": state} for sku, quantity, state in lines]
    return int(sandbox.create_order(lines=wishes, force=True, **wish)["order_id"])


def _row(database: psycopg.Connection[Any], order_id: int, number: str | None = "6X1234", **more: Any) -> None:
    row = {"order_id": order_id, "tracking_number": number, **more}
    query = f"insert into seller.shipments ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})"
    database.execute(query.encode(), list(row.values()))


def _device(database: psycopg.Connection[Any], order_id: int, **more: Any) -> None:
    row = {"order_id": order_id, **more}
    query = f"insert into seller.devices ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})"
    database.execute(query.encode(), list(row.values()))


def _states(sandbox: Sandbox, order_id: int) -> list[int]:
    return [line["state"] for line in sandbox.order(order_id)["orderlines"]]


def _shipped(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The bodies of all writes that were applied."""
    return [entry["body"] for entry in sandbox.journal("POST") if entry["applied"]]


def _ledger(database: psycopg.Connection[Any], order_id: int) -> list[tuple[Any, ...]]:
    query = b"select status, reason from backmarket.changes where kind = 'tracking' and subject = %s order by change_id"
    return database.execute(query, [str(order_id)]).fetchall()


def test_an_accepted_order_is_shipped_once_with_all_it_needs(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """State 3 with number, URL, date and Back Market's name of the carrier, also where downloads are off."""
    order_id = _order(connected, (PHONE, 1, 2), (TABLET, 2, 2), ("GONE", 1, 4))
    url = "https://track.example/6X1234"
    _row(
        database,
        order_id,
        " 6X 12\u00a034. ",
        shipper="DHL_EXPRESS",
        tracking_url=url,
        shipped_at="2026-01-02T03:04:05Z",
    )
    run = ship()
    assert run.state == "success"
    assert run.tasks["imei_update"] == "skipped"
    assert _states(connected, order_id) == [3, 3, 4]
    (body,) = _shipped(connected)
    assert body == {
        "order_id": order_id,
        "new_state": 3,
        "tracking_number": "6X1234",
        "tracking_url": url,
        "date_shipping": "2026-01-02T03:04:05Z",
        "shipper": "DHL Express",
    }
    stored = database.execute(
        b"select tracking_number, shipper from backmarket.orders where order_id = %s", [order_id]
    ).fetchall()
    assert stored == [("6X1234", "DHL Express")]
    assert _ledger(database, order_id) == [("confirmed", None)]
    connected.clear_journal()
    assert ship().xcoms["tracking_upload"]["wanted"] == 0
    assert connected.journal("POST") == []


def test_what_cannot_be_read_lets_no_shipment_out(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Back Market may ship the order itself, or it went out already: the row waits, and a person is told why.

    So it is where the form turned odd only after planning; once it can be read, the shipment goes out.
    """
    backship = _order(connected, (PHONE, 1, 2))
    connected.patch_order(backship, is_backship="maybe")
    shipped = _order(connected, (PHONE, 1, 2), (TABLET, 1, 3))
    connected.patch_order(shipped, tracking_number={"number": "6X9"})
    _row(database, backship)
    _row(database, shipped, "6X2")
    for _ in range(2):
        assert ship().state == "success"
        assert _shipped(connected) == []
    ((status, reason),) = _ledger(database, backship)
    assert status == "refused"
    assert "is_backship is in no form known" in reason
    ((_, reason),) = _ledger(database, shipped)
    assert "a second shipment" in reason
    connected.patch_order(backship, is_backship=False)
    connected.advance_clock(60)
    ship()
    assert _states(connected, backship) == [2]
    database.execute(
        b"update backmarket.orders set is_backship = false, document = document || '{\"is_backship\": false}'"
    )
    connected.patch_order(backship, is_backship=[])
    ship()
    assert _states(connected, backship) == [2]


def test_a_carrier_is_tied_by_the_sellers_own_table_or_goes_as_other(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """An unknown name does not hold a parcel up; the ledger says what it was."""
    tied, unknown = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2))
    database.execute(b"insert into seller.shipper_aliases (alias, shipper) values ('Brown vans', 'ups ground')")
    _row(database, tied, shipper="BROWN-VANS")
    _row(database, unknown, shipper="Pigeon & Sons")
    ship()
    assert connected.order(tied)["shipper"] == "UPS Ground"
    assert connected.order(unknown)["shipper"] == "Other"
    ((status, reason),) = _ledger(database, unknown)
    assert status == "confirmed"
    assert "Pigeon & Sons" in reason


def test_what_cannot_be_shipped_says_why_and_goes_when_that_changes(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """No number, two shipments, not accepted, unknown, Back Market's own shipping, cancelled."""
    no_number = _order(connected, (PHONE, 1, 2))
    twice = _order(connected, (PHONE, 1, 2))
    paid = _order(connected, (PHONE, 1, 1), (TABLET, 1, 2))
    backship = _order(connected, (PHONE, 1, 2), is_backship=True)
    cancelled = _order(connected, (PHONE, 1, 4))
    unknown = 999
    _row(database, no_number, "  ")
    _row(database, twice, "6XA111")
    _row(database, twice, "6XB222")
    for order_id in (paid, backship, cancelled, unknown):
        _row(database, order_id)
    run = ship()
    assert run.state == "success"
    assert _shipped(connected) == []
    reasons = {
        order_id: _ledger(database, order_id) for order_id in (no_number, twice, paid, backship, cancelled, unknown)
    }
    for order_id, words in {
        no_number: "tracking number is missing",
        twice: "2 different shipments",
        paid: "waits: not all lines are accepted",
        backship: "Back Market ships this order itself",
        cancelled: "cancelled or refunded",
        unknown: "not known here",
    }.items():
        ((status, reason),) = reasons[order_id]
        assert status == "refused"
        assert words in reason
    ship()
    assert {order_id: _ledger(database, order_id) for order_id in reasons} == reasons

    database.execute(b"update seller.shipments set tracking_number = '6XN333' where order_id = %s", [no_number])
    database.execute(b"delete from seller.shipments where tracking_number = '6XB222'")
    connected.patch_order(paid, orderlines=[{**line, "state": 2} for line in connected.order(paid)["orderlines"]])
    ship()
    assert {body["order_id"]: body["tracking_number"] for body in _shipped(connected)} == {
        no_number: "6XN333",
        twice: "6XA111",
        paid: "6X1234",
    }


def test_a_second_number_for_a_shipped_order_is_refused(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """What is shipped stays as it is."""
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id, "6XA111")
    ship()
    database.execute(b"update seller.shipments set tracking_number = '6XB222'")
    ship()
    assert connected.order(order_id)["tracking_number"] == "6XA111"
    (first, second) = _ledger(database, order_id)
    assert first == ("confirmed", None)
    assert "second shipment" in second[1]


def test_a_single_unit_takes_its_identifier_along(
    ship: Callable[..., Run], connected: Sandbox, switch_on: Callable[..., None], database: psycopg.Connection[Any]
) -> None:
    """One write for both, where identifiers are switched on; an invalid one stays here and the parcel goes."""
    switch_on("tracking_upload", "imei_update")
    fine, invalid = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2))
    for order_id in (fine, invalid):
        _row(database, order_id)
    _device(database, fine, imei=_imei(1))
    _device(database, invalid, imei=_imei(2)[:-1])
    run = ship()
    assert run.state == "success"
    assert {body["order_id"]: body.get("imei") for body in _shipped(connected)} == {fine: _imei(1), invalid: None}
    assert connected.order(fine)["orderlines"][0]["imei"] == _imei(1)
    assert connected.order(invalid)["orderlines"][0]["imei"] == ""
    ship()
    assert connected.journal("PATCH") == []
    query = b"select status, reason from backmarket.changes where kind = 'imei'"
    ((status, reason),) = database.execute(query).fetchall()
    assert status == "refused"
    assert "14 digits" in reason


def test_an_identifier_that_back_market_refuses_does_not_hold_the_parcel_up(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The order is shipped without it, by one write, and the ledger says why."""
    switch_on("tracking_upload", "imei_update")
    order_id = _parcel_with_a_phone(connected, database)
    update = BackMarketClient.update_order

    def refuse_imeis(self: BackMarketClient, *args: Any, **fields: Any) -> Any:
        if fields.get("imei"):
            raise RefusedError(api_message="this IMEI is blocked")
        return update(self, *args, **fields)

    monkeypatch.setattr(BackMarketClient, "update_order", refuse_imeis)
    assert ship().state == "success"
    assert _states(connected, order_id) == [3]
    assert len(_shipped(connected)) == 1
    ((status, reason),) = _ledger(database, order_id)
    assert status == "confirmed"
    assert "this IMEI is blocked" in reason


def test_a_refusal_that_names_the_customer_is_kept_without_the_name(
    ship: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Back Market's words end up in logs and in the ledger; what the order's addresses hold does not."""
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id)
    name = connected.order(order_id)["shipping_address"]["last_name"]

    def refuse(*_: Any, **__: Any) -> None:
        raise RefusedError(api_message=f"cannot deliver to {name.upper()}")

    monkeypatch.setattr(BackMarketClient, "update_order", refuse)
    ship()
    assert _ledger(database, order_id) == [("refused", "cannot deliver to (personal)")]
    assert name.lower() not in caplog.text.lower()


def test_required_imeis_hold_phones_back_and_nothing_else(
    ship: Callable[..., Run], connected: Sandbox, switch_on: Callable[..., None], database: psycopg.Connection[Any]
) -> None:
    """With ``backmarket_require_imei`` a phone ships once its IMEI is there; a tablet ships anyway."""
    switch_on("tracking_upload", "imei_update", require_imei=True)
    phone, tablet = _order(connected, (PHONE, 1, 2)), _order(connected, (TABLET, 1, 2))
    pair = _order(connected, (PHONE, 1, 2), (TABLET, 1, 2))
    for order_id in (phone, tablet, pair):
        _row(database, order_id)
    ship()
    assert [body["order_id"] for body in _shipped(connected)] == [tablet]
    assert "backmarket_require_imei" in _ledger(database, phone)[0][1]
    _device(database, phone, imei=_imei(5))
    _device(database, pair, sku=PHONE, imei=_imei(6))
    ship()
    ship()
    assert _states(connected, phone) == [3]
    assert _states(connected, pair) == [3, 3]
    assert connected.order(pair)["orderlines"][0]["imei"] == _imei(6)


@pytest.mark.parametrize(("on", "off"), [("tracking_upload", "imei_update"), ("imei_update", "tracking_upload")])
def test_the_toggles_work_separately(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    on: str,
    off: str,
) -> None:
    """With one off, the other does all of its work and none of the other's."""
    switch_on(on, ship_by_alert_hours=-1_000_000)
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id)
    _device(database, order_id, imei=_imei(7))
    run = run_dag("backmarket_tracking_imei")
    assert run.state == "success"
    assert run.tasks[off] == "skipped"
    (line,) = connected.order(order_id)["orderlines"]
    assert (line["state"], line["imei"]) == ((3, "") if on == "tracking_upload" else (2, _imei(7)))


def test_everything_off_touches_nothing(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """All tasks are skipped, no request is made."""
    switch_on()
    run = run_dag("backmarket_tracking_imei")
    assert set(run.tasks.values()) == {"skipped"}
    assert connected.journal() == []


def test_a_dry_run_sends_nothing(
    ship: Callable[..., Run], connected: Sandbox, switch_on: Callable[..., None], database: psycopg.Connection[Any]
) -> None:
    """The ledger holds what would be sent."""
    switch_on("tracking_upload", "imei_update", dry_run=True)
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id)
    _device(database, order_id, imei=_imei(8))
    ship()
    assert connected.journal("POST") + connected.journal("PATCH") == []
    assert _ledger(database, order_id) == [("dry_run", None)]


def test_late_orders_are_named_and_turn_no_run_red(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """A late order waits for a person: the run that shipped all it could is green, so that a new failure shows."""
    switch_on("tracking_upload")
    shipped, waiting = _order(connected, (PHONE, 1, 2)), _order(connected, (PHONE, 1, 2))
    unpaid = _order(connected, (PHONE, 1, 8))
    for order_id in (shipped, waiting, unpaid):
        connected.patch_order(order_id, expected_dispatch_date="2026-01-01T00:00:00Z")
        _row(database, order_id, None if order_id == waiting else "6X1234")
    run = run_dag("backmarket_tracking_imei")
    assert run.state == "success", run.tasks
    assert run.xcoms["ship_by_alert"]["late"] == 1
    assert _states(connected, shipped) == [3]
    rows = database.execute(
        b"select order_id, waits_for, hours_left < 0 from backmarket.order_desk order by 1"
    ).fetchall()
    assert rows == [(shipped, "carrier", None), (waiting, "tracking", True), (unpaid, "payment", True)]
    database.execute(b"update seller.shipments set tracking_number = '6X1235' where order_id = %s", [waiting])
    assert run_dag("backmarket_tracking_imei").xcoms["ship_by_alert"]["late"] == 0


def test_blanks_in_a_number_and_in_its_link_stay_here(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Number and link go out as one clean number; the next run sees that it is done."""
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id, "QA 1234 5678 9GB", tracking_url="https://track.example/QA 1234 5678 9GB")
    ship()
    (body,) = _shipped(connected)
    assert body["tracking_number"] == "QA123456789GB"
    assert body["tracking_url"] == "https://track.example/QA123456789GB"
    connected.clear_journal()
    assert ship().xcoms["tracking_upload"]["wanted"] == 0
    assert connected.journal("POST") == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("https://track.example/AB12", "belongs into tracking_url"),
        ("YOUR_TRACKING_NUMBER", "placeholder"),
        ("6.11E+12", "spreadsheet"),
        ("6X123, 6X124", "more than one"),
        ("{order_id}", "own number"),
        ("{imei}", "IMEI of the order's own device"),
    ],
)
def test_what_is_no_tracking_number_stays_here(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], number: str, words: str
) -> None:
    """Nothing is sent, and the ledger says why; with the number put right it goes."""
    order_id = _order(connected, (PHONE, 1, 2))
    _device(database, order_id, imei=_imei(1))
    _row(database, order_id, number.format(order_id=order_id, imei=_imei(1)))
    assert ship().state == "success"
    assert _shipped(connected) == []
    ((status, reason),) = _ledger(database, order_id)
    assert status == "refused"
    assert words in reason
    database.execute(b"update seller.shipments set tracking_number = '6X12345'")
    ship()
    assert [body["tracking_number"] for body in _shipped(connected)] == ["6X12345"]


def test_a_lines_id_in_the_place_of_its_orders_is_told(
    ship: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The reason names the order that was meant."""
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id)
    ship()
    line_id = connected.order(order_id)["orderlines"][0]["id"]
    _row(database, line_id)
    connected.clear_journal()
    ship()
    ((status, reason),) = _ledger(database, line_id)
    assert status == "refused"
    assert f"{line_id} is the id of a line of order {order_id}" in reason
    assert _shipped(connected) == []


@pytest.mark.parametrize("device", ["imei", "serial_number"])
def test_what_a_shipment_carries_is_judged_alike(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    device: str,
) -> None:
    """A device that two open orders name goes with neither parcel; one that came back goes, with the earlier order."""
    switch_on("tracking_upload", "imei_update")
    sku, number = (PHONE, _imei(1)) if device == "imei" else (TABLET, "DMQK20R1GHK9")
    first, second = _order(connected, (sku, 1, 2)), _order(connected, (sku, 1, 2))
    again = _order(connected, (sku, 1, 2))
    for order_id in (first, second):
        _row(database, order_id)
        _device(database, order_id, **{device: number})
    ship()
    assert {body["order_id"]: body.get(device) for body in _shipped(connected)} == {first: None, second: None}

    database.execute(b"delete from seller.devices where order_id = %s", [second])
    ship()
    assert connected.order(first)["orderlines"][0][device] == number
    database.execute(b"update backmarket.order_lines set state = 6 where order_id = %s", [first])
    database.execute(b"delete from seller.devices")
    database.execute(b"delete from seller.shipments")
    _row(database, again)
    _device(database, again, **{device: number})
    ship()
    assert connected.order(again)["orderlines"][0][device] == number
    ((status, reason),) = _ledger(database, again)
    assert status == "confirmed"
    assert f"the device was sold before, with order {first}" in reason


def _parcel_with_a_phone(sandbox: Sandbox, database: psycopg.Connection[Any]) -> int:
    """Make an accepted order of one phone that is packed, and whose IMEI is known."""
    order_id = _order(sandbox, (PHONE, 1, 2))
    _row(database, order_id)
    _device(database, order_id, imei=_imei(3))
    return order_id


def _fail_with_imei(monkeypatch: pytest.MonkeyPatch, error: BackMarketError | None, *, applied: bool = False) -> None:
    """Let each write with an IMEI fail; None: it is answered as done and changes nothing."""
    update = BackMarketClient.update_order

    def fail(self: BackMarketClient, order_id: int, *args: Any, **fields: Any) -> Any:
        if not fields.get("imei"):
            return update(self, order_id, *args, **fields)
        if applied:
            update(self, order_id, *args, **fields)
        if error:
            raise error
        return None

    monkeypatch.setattr(BackMarketClient, "update_order", fail)


@pytest.mark.parametrize(
    "error",
    [ServerError(status=500), ForbiddenError(status=403), NotFoundError(status=404), None],
    ids=["500", "403", "404", "answered as done"],
)
def test_a_shipment_that_fails_with_its_identifier_goes_without(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    error: BackMarketError | None,
) -> None:
    """Once it surely was not applied: the parcel is shipped by one write, and the identifier follows by itself."""
    switch_on("tracking_upload", "imei_update", ship_by_alert_hours=-1_000_000)
    order_id = _parcel_with_a_phone(connected, database)
    _fail_with_imei(monkeypatch, error)
    for _ in range(2):
        assert ship().state == "success"
    assert _states(connected, order_id) == [3]
    assert len(_shipped(connected)) == 1
    assert connected.order(order_id)["orderlines"][0]["imei"] == _imei(3)
    assert [entry["applied"] for entry in connected.journal("PATCH")] == [True]
    assert _ledger(database, order_id)[-1][0] == "confirmed"


def test_what_failed_with_its_identifier_goes_without_also_after_a_try_of_which_nothing_left(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second try cannot read the order: the third still knows that the first one failed."""
    switch_on("tracking_upload", "imei_update", ship_by_alert_hours=-1_000_000)
    order_id = _parcel_with_a_phone(connected, database)
    _fail_with_imei(monkeypatch, ServerError(status=500))
    update, settle, sent, tries = BackMarketClient.update_order, OrderWriting.settle_unsettled, [], []

    def note(self: BackMarketClient, order_id: int, *args: Any, **fields: Any) -> Any:
        sent.append(fields.get("imei"))
        return update(self, order_id, *args, **fields)

    def settle_then_lose_the_order(self: OrderWriting) -> None:
        connected.clear_faults()
        settle(self)
        if self.ledger.kind == "tracking":
            tries.append(len(sent))
        if len(tries) == 2:
            connected.fault("500", method="GET", path_prefix=f"/ws/orders/{order_id}", times=None)

    monkeypatch.setattr(BackMarketClient, "update_order", note)
    monkeypatch.setattr(OrderWriting, "settle_unsettled", settle_then_lose_the_order)
    ship()
    assert tries == [0, 1, 1]
    assert sent == [_imei(3), None]


def test_a_shipment_that_failed_after_it_was_applied_is_not_sent_again(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The order shows both; only what is settled as not applied goes again."""
    switch_on("tracking_upload", "imei_update", ship_by_alert_hours=-1_000_000)
    order_id = _parcel_with_a_phone(connected, database)
    _fail_with_imei(monkeypatch, ServerError(status=500), applied=True)
    assert ship().state == "success"
    assert len(connected.journal("POST")) == 1
    assert connected.journal("PATCH") == []
    assert connected.order(order_id)["orderlines"][0]["imei"] == _imei(3)


def test_a_required_imei_keeps_the_shipment_that_fails_with_it(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With ``backmarket_require_imei`` it waits, and the run is red."""
    switch_on("tracking_upload", "imei_update", require_imei=True, ship_by_alert_hours=-1_000_000)
    order_id = _parcel_with_a_phone(connected, database)
    _fail_with_imei(monkeypatch, ServerError(status=500))
    for _ in range(2):
        assert ship().state == "failed"
    assert _states(connected, order_id) == [2]
    assert _shipped(connected) == []


@pytest.mark.parametrize("left_out", [False, True])
def test_no_parcel_carries_a_device_that_another_row_names(
    ship: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    left_out: bool,
) -> None:
    """Whether that row is of an order nobody knows, or cannot be read: the parcel goes, the device waits."""
    switch_on("tracking_upload", "imei_update", ship_by_alert_hours=-1_000_000)
    order_id = _order(connected, (PHONE, 1, 2))
    database.execute(b"alter table seller.devices alter column order_id type text")
    _row(database, order_id)
    _device(database, order_id, imei=_imei(1))
    database.execute(
        b"insert into seller.devices (order_id, imei) values (%s, %s)",
        ["BM-77" if left_out else "77777777", _imei(1)],
    )
    ship()
    assert [(body["order_id"], body.get("imei")) for body in _shipped(connected)] == [(order_id, None)]
    assert connected.journal("PATCH") == []


@pytest.mark.parametrize(
    "shipper",
    ["marie@example.com", "Marie Curie, 12 rue Pierre et Marie Curie, 75005 Paris", "+33 6 12 34 56 78", "0612345678"],
)
def test_what_may_be_personal_in_the_place_of_a_carrier_is_shown_nowhere(
    ship: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    capfd: pytest.CaptureFixture[str],
    shipper: str,
) -> None:
    """The parcel goes as Other; neither the log nor the ledger repeats the text."""
    order_id = _order(connected, (PHONE, 1, 2))
    _row(database, order_id, shipper=shipper)
    ship()
    assert connected.order(order_id)["shipper"] == "Other"
    ((_, reason),) = _ledger(database, order_id)
    assert "went as Other: Back Market knows no carrier 'a text that is not shown here'" in reason
    query = b"select payload::text || coalesce(reason, '') from backmarket.changes"
    told = "".join(capfd.readouterr()) + "".join(text for (text,) in database.execute(query))
    assert "arie" not in told
    assert shipper not in told
