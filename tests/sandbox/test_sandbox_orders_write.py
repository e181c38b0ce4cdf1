"""Changing orders: every transition, every refusal, and identifiers that can be set once."""

from typing import Any

import httpx
import pytest

from sandbox.remote import Sandbox

IMEI, OTHER_IMEI = "490154203237518", "352099001761481"
PHONE, LAPTOP = "IP11-64-BLK-C", "MBA13-M1-256-C"


def post(client: httpx.Client, order: dict[str, Any], **body: Any) -> httpx.Response:
    """Change an order as a seller does."""
    return client.post(f"/ws/orders/{order['order_id']}", json={"order_id": order["order_id"], **body})


def line_states(sandbox: Sandbox, order: dict[str, Any]) -> list[int]:
    """Give the true states of an order's lines."""
    return [line["state"] for line in sandbox.order(order["order_id"])["orderlines"]]


def test_an_order_goes_from_paid_to_delivered(sandbox: Sandbox, client: httpx.Client) -> None:
    """Accepting makes 3 of 1, shipping keeps 3 until the carrier confirms, then it is 9."""
    order = sandbox.create_order(sku=PHONE, force=True)
    accepted = post(client, order, new_state=2, sku=PHONE)
    assert (accepted.status_code, accepted.json()["state"]) == (200, 3)
    shipped = post(client, order, new_state=3, tracking_number="T1", shipper="UPS", imei=IMEI).json()
    assert (shipped["state"], shipped["tracking_number"], shipped["shipper"]) == (3, "T1", "UPS")
    assert shipped["date_shipping"]
    assert shipped["expected_dispatch_date"] is None
    assert shipped["orderlines"][0]["imei"] == IMEI
    assert sandbox.advance_order(order["order_id"], "confirm")["state"] == 9


@pytest.mark.parametrize("state", [0, 1, 7, 9, "2", None, True])
def test_a_state_outside_two_to_six_is_refused(sandbox: Sandbox, client: httpx.Client, state: object) -> None:
    """The refusal names the state and those allowed."""
    order = sandbox.create_order(sku=PHONE, force=True)
    answer = post(client, order, new_state=state)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == f"new_state {state} must be in 2,3,4,5,6"


def test_accepting_needs_the_right_sku(sandbox: Sandbox, client: httpx.Client) -> None:
    """Without a SKU, or with one the order does not have, nothing is accepted."""
    order = sandbox.create_order(sku=PHONE, force=True)
    for sku in (None, "OTHER", PHONE.lower()):
        answer = post(client, order, new_state=2, sku=sku)
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "sku not found")
    assert line_states(sandbox, order) == [1]


@pytest.mark.parametrize("line_state", range(10))
def test_only_documented_transitions_are_possible(sandbox: Sandbox, client: httpx.Client, line_state: int) -> None:
    """From each line state only the documented next states are reached; repeating one is refused."""
    possible = {1: {2, 4}, 2: {3, 5}, 3: {6}}.get(line_state, set())
    for new_state in range(2, 7):
        order = sandbox.create_order(lines=[{"sku": PHONE, "state": line_state}], force=True)
        answer = post(client, order, new_state=new_state, sku=PHONE, tracking_number="T")
        assert answer.status_code == (200 if new_state in possible else 400), new_state
        assert line_states(sandbox, order) == [new_state if new_state in possible else line_state]
        assert post(client, order, new_state=new_state, sku=PHONE, tracking_number="T").status_code == 400


def test_two_skus_need_two_acceptances_and_ship_together(sandbox: Sandbox, client: httpx.Client) -> None:
    """One call accepts one SKU; shipping moves every accepted line at once and takes no IMEI."""
    order = sandbox.create_order(lines=[{"sku": PHONE}, {"sku": LAPTOP}], force=True)
    post(client, order, new_state=2, sku=PHONE)
    assert (line_states(sandbox, order), sandbox.order(order["order_id"])["state"]) == ([2, 1], 1)
    post(client, order, new_state=2, sku=LAPTOP)
    assert post(client, order, new_state=3, tracking_number="T", imei=IMEI).status_code == 400
    assert line_states(sandbox, order) == [2, 2]
    assert post(client, order, new_state=3, tracking_number="T").status_code == 200
    assert line_states(sandbox, order) == [3, 3]


def test_shipping_refuses_bad_details_and_changes_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """No tracking number, an unknown shipper, a wrong IMEI or date: refused as a whole."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 2}], force=True)
    before = sandbox.order(order["order_id"])
    for body in (
        {},
        {"tracking_number": "T", "shipper": "Pigeon"},
        {"tracking_number": "T", "imei": "490154203237519"},
        {"tracking_number": "T", "date_shipping": "yesterday"},
        {"tracking_number": "T" * 201},
    ):
        assert post(client, order, new_state=3, **body).status_code in {400, 422}
    assert sandbox.order(order["order_id"]) == before


def test_a_change_moves_the_modification_date_in_its_own_style(sandbox: Sandbox, client: httpx.Client) -> None:
    """After a change the order is found by a filter that did not find it before."""
    order = next(o for o in sandbox.orders() if o["orderlines"][0]["state"] == 1 and o["date_modification"][-1] == "Z")
    sandbox.advance_clock(3600)
    bound = {"date_modification": f"{order['date_modification'][:19]}.999999Z"}

    def found() -> bool:
        pages = [client.get("/ws/orders", params={**bound, "page": n, "page-size": 50}).json() for n in range(1, 7)]
        return order["order_id"] in [each["order_id"] for page in pages for each in page.get("results", [])]

    assert not found()
    assert post(client, order, new_state=2, sku=order["orderlines"][0]["listing"]).status_code == 200
    assert sandbox.order(order["order_id"])["date_modification"][-1] == "Z"
    assert found()


def patch(client: httpx.Client, order: dict[str, Any], place: int = 0, **body: Any) -> httpx.Response:
    """Register identifiers on one line."""
    return client.patch(f"/ws/orderlines/{order['orderlines'][place]['id']}", json=body)


def test_an_imei_is_registered_once(sandbox: Sandbox, client: httpx.Client) -> None:
    """The same value again is fine, a different one is refused for ever."""
    order = sandbox.create_order(sku=PHONE, force=True)
    assert patch(client, order, imei=IMEI).json() == {"imei": IMEI}
    assert patch(client, order, imei=IMEI).status_code == 200
    assert patch(client, order, imei=OTHER_IMEI).status_code == 422
    assert sandbox.order(order["order_id"])["orderlines"][0]["imei"] == IMEI


def test_an_imei_for_a_laptop_is_answered_and_dropped(sandbox: Sandbox, client: httpx.Client) -> None:
    """The answer is 200 and repeats the IMEI, the order does not have it; a serial number it keeps."""
    order = sandbox.create_order(sku=LAPTOP, force=True)
    answer = patch(client, order, imei=IMEI, serial_number="SN1")
    assert (answer.status_code, answer.json()) == (200, {"imei": IMEI, "serial_number": "SN1"})
    line = sandbox.order(order["order_id"])["orderlines"][0]
    assert (line["imei"], line["serial_number"]) == ("", "SN1")


def test_identifiers_need_a_quantity_of_one(sandbox: Sandbox, client: httpx.Client) -> None:
    """A line of two units takes no identifier; neither does an empty request or an unknown line."""
    order = sandbox.create_order(sku=PHONE, quantity=2, force=True)
    assert patch(client, order, imei=IMEI).status_code == 400
    assert patch(client, order).status_code == 400
    assert client.patch("/ws/orderlines/5", json={"imei": IMEI}).status_code == 404


def test_an_invoice_is_a_file(sandbox: Sandbox, client: httpx.Client) -> None:
    """The multipart field `invoice` is needed; afterwards the order says when it was provided."""
    order = sandbox.create_order(sku=PHONE, force=True)
    url = f"/ws/orders/{order['order_id']}/invoice"
    assert client.post(url, json={}).status_code == 400
    assert client.post(url, files={"invoice": ("i.pdf", b"%PDF-1.7")}).status_code == 200
    assert sandbox.order(order["order_id"])["date_bill_provided"]


def test_a_new_order_takes_stock_and_an_unpaid_one_gives_it_back(sandbox: Sandbox) -> None:
    """The quantity falls while the order is still in state 0, and rises again when it stays unpaid."""
    sandbox.patch_listing(PHONE, quantity=2)

    def quantity() -> int:
        return int(next(x["quantity"] for x in sandbox.listings() if x["sku"] == PHONE))

    order = sandbox.create_order(sku=PHONE, state=0)
    assert quantity() == 1
    assert sandbox.advance_order(order["order_id"], "unpaid")["state"] == 8
    assert quantity() == 2


def test_an_order_turns_up_once_it_is_paid(sandbox: Sandbox, client: httpx.Client) -> None:
    """An order in state 0 is not listed; after payment it is, though older orders were read before."""
    order = sandbox.create_order(sku=PHONE, state=0, force=True)

    def listed() -> bool:
        return order["order_id"] in [o["order_id"] for o in client.get("/ws/orders").json()["results"]]

    assert not listed()
    sandbox.advance_order(order["order_id"], "pay")
    assert listed()
