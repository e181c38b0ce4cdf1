"""Refunds of lines, in full and in parts, through both endpoints; and invoices."""

from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.remote import Json, Sandbox
from sandbox.server import running_sandbox

PHONE, LAPTOP = "IP11-64-BLK-C", "MBA13-M1-256-C"


def line_in(sandbox: Sandbox, state: int, price: str = "100.00", **wish: Any) -> Json:
    """Give the line of a new order, brought to a state."""
    wished = {"market": "fr-fr", "lines": [{"sku": PHONE, "state": state, "price": price}], **wish}
    order = sandbox.create_order(force=True, **wished)
    order["orderlines"][0]["shipping_price"] = "0.00"
    return {**sandbox.patch_order(order["order_id"], orderlines=order["orderlines"])["orderlines"][0], "order": order}


def refund(client: httpx.Client, line: Json, refund_type: int, **fields: object) -> httpx.Response:
    """Ask for a refund."""
    body = {"orderline_pk": line["id"], "refund_type": refund_type, **fields}
    return client.post("/ws/sav/refund", json=body)


def state_of(sandbox: Sandbox, line: Json) -> int:
    """Give the true state of a line."""
    return int(sandbox.order(line["order"]["order_id"])["orderlines"][0]["state"])


@pytest.mark.parametrize("line_state", range(10))
def test_each_type_needs_its_state(sandbox: Sandbox, client: httpx.Client, line_state: int) -> None:
    """4 a paid line, 5 an accepted one, 6 a shipped one; whole refunds move the line to the type's number."""
    for refund_type, source in ((4, 1), (5, 2), (6, 3)):
        line = line_in(sandbox, line_state)
        answer = refund(client, line, refund_type)
        if line_state != source:
            assert answer.status_code == 400
            assert state_of(sandbox, line) == line_state
            continue
        assert (answer.status_code, answer.text) == (201, f"100.00€ refunded on the sku {PHONE}")
        assert answer.headers["content-type"].startswith("text/plain")
        assert state_of(sandbox, line) == refund_type
        assert sandbox.order(line["order"]["order_id"])["state"] == 9
        assert refund(client, line, refund_type).status_code == 400


def test_parts_leave_the_line_shipped_until_they_are_the_whole(sandbox: Sandbox, client: httpx.Client) -> None:
    """No part may exceed what is left; the last one moves the line and the order's date."""
    line = line_in(sandbox, 3)
    before = sandbox.order(line["order"]["order_id"])["date_modification"]
    sandbox.advance_clock(60)
    assert refund(client, line, 6, amount=30).text == f"30.00€ refunded on the sku {PHONE}"
    assert sandbox.order(line["order"]["order_id"])["date_modification"] != before
    assert refund(client, line, 6, amount=70.01).status_code == 400
    assert refund(client, line, 6, amount=20.5).status_code == 201
    assert state_of(sandbox, line) == 3
    assert refund(client, line, 6).text == f"49.50€ refunded on the sku {PHONE}"
    assert state_of(sandbox, line) == 6
    record = [each for each in sandbox.refunds() if each["orderline_id"] == line["id"]]
    assert [(each["type"], each["amount"], each["currency"], each["endpoint"]) for each in record] == [
        (6, "30.00", "EUR", "/ws/sav/refund"),
        (6, "20.50", "EUR", "/ws/sav/refund"),
        (6, "49.50", "EUR", "/ws/sav/refund"),
    ]
    assert record[0]["order_id"] == line["order"]["order_id"]
    assert sandbox.order(line["order"]["order_id"])["date_modification"] > before


def test_what_was_paid_counts_units_and_shipping(sandbox: Sandbox, client: httpx.Client) -> None:
    """Price and shipping of each unit."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3, "quantity": 2, "price": "50.00"}], force=True)
    (line,) = order["orderlines"]
    line["shipping_price"] = "4.99"
    sandbox.patch_order(order["order_id"], orderlines=[line])
    assert refund(client, line, 6, amount=109.99).status_code == 400
    assert refund(client, line, 6).status_code == 201
    assert sandbox.refunds()[-1]["amount"] == "109.98"


@pytest.mark.parametrize("amount", ["0", "-1", "10.001", '"10.00"', "true", "null", "NaN", "100.01", "[]"])
def test_amounts_that_are_refused(sandbox: Sandbox, client: httpx.Client, amount: str) -> None:
    """A number above nothing, of the currency's decimals, and no more than was paid."""
    line = line_in(sandbox, 3)
    text = f'{{"orderline_pk": {line["id"]}, "refund_type": 6, "amount": {amount}}}'
    assert client.post("/ws/sav/refund", content=text).status_code == 400
    assert sandbox.refunds() == []
    assert state_of(sandbox, line) == 3


def test_a_currency_without_decimals_takes_none() -> None:
    """Half a yen cannot be given back."""
    with running_sandbox(SandboxConfig(orders=1, platform="AP", rate_limit=False)) as sandbox:
        order = sandbox.create_order(
            market="ja-jp", lines=[{"sku": PHONE, "state": 3, "price": "9000"}], force=True, overrides={}
        )
        (line,) = order["orderlines"]
        with httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client:
            assert refund(client, line, 6, amount=10.5).status_code == 400
            assert refund(client, line, 6, amount=10).text == f"10¥ refunded on the sku {PHONE}"


def test_requests_that_are_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """An amount belongs to type 6 alone; unknown types, texts for numbers and other bodies; an unknown line is 404."""
    paid, accepted = line_in(sandbox, 1), line_in(sandbox, 2)
    assert refund(client, paid, 4, amount=100).status_code == 400
    assert refund(client, accepted, 5, amount=100).status_code == 400
    for kind in (1, 3, 7, "4", True, None):
        body = {"orderline_pk": paid["id"], "refund_type": kind}
        assert client.post("/ws/sav/refund", json=body).status_code == 400
    body = {"orderline_pk": str(paid["id"]), "refund_type": 4}
    assert client.post("/ws/sav/refund", json=body).status_code == 400
    assert client.post("/ws/sav/refund", json=[]).status_code == 400
    assert client.post("/ws/sav/refund", content="x").status_code == 400
    assert refund(client, {"id": 5}, 6).status_code == 404
    assert sandbox.refunds() == []


@pytest.mark.parametrize(("new_state", "source"), [(4, 1), (5, 2), (6, 3)])
def test_an_orders_own_endpoint_refunds_too(
    sandbox: Sandbox, client: httpx.Client, new_state: int, source: int
) -> None:
    """With the SKU and what is left; reason and message stay on the line."""
    line = line_in(sandbox, source)
    url = f"/ws/orders/{line['order']['order_id']}"
    if new_state == 6:
        refund(client, line, 6, amount=40)
    assert client.post(url, json={"new_state": new_state}).status_code == 400
    body = {"new_state": new_state, "sku": PHONE, "return_reason": 21, "return_message": "Sorry"}
    assert client.post(url, json={**body, "return_message": "x" * 501}).status_code == 400
    assert client.post(url, json={**body, "return_reason": 2}).status_code == 400
    assert client.post(url, json=body).status_code == 200
    kept = sandbox.order(line["order"]["order_id"])["orderlines"][0]
    assert (kept["state"], kept["return_reason"], kept["return_message"]) == (new_state, 21, "Sorry")
    last = sandbox.refunds()[-1]
    assert (last["type"], last["endpoint"]) == (new_state, "/ws/orders")
    assert Decimal(last["amount"]) == (60 if new_state == 6 else 100)


@pytest.mark.parametrize("kind", ["reset_after", "empty_body", "500"])
def test_a_refund_can_be_applied_while_its_answer_is_lost(sandbox: Sandbox, client: httpx.Client, kind: str) -> None:
    """The money is gone, whatever the seller hears; asked again, it goes once more."""
    line = line_in(sandbox, 3)
    sandbox.fault(kind, path_prefix="/ws/sav/refund", applied=True)
    try:
        refund(client, line, 6, amount=10)
    except httpx.TransportError:
        assert kind == "reset_after"
    assert [each["amount"] for each in sandbox.refunds()] == ["10.00"]
    assert sandbox.journal("POST")[-1]["applied"]
    assert refund(client, line, 6, amount=10).status_code == 201
    assert [each["amount"] for each in sandbox.refunds()] == ["10.00", "10.00"]


def test_invoices_are_pdf_files_and_the_sandbox_keeps_what_came(sandbox: Sandbox, client: httpx.Client) -> None:
    """Several at once are fine; what is no PDF is refused, and what is above 10 MB is too large."""
    order = sandbox.create_order(sku=PHONE, force=True)
    url = f"/ws/orders/{order['order_id']}/invoice"
    content = b"%PDF-1.7 one"
    assert client.post(url, files={"invoice": ("i.pdf", b"PDF")}).status_code == 400
    assert client.post(url, files=[("invoice", ("a.pdf", content)), ("invoice", ("b", b"x"))]).status_code == 400
    assert client.post(url, files={"invoice": ("i.pdf", b"%PDF-" + bytes(10 * 1024 * 1024))}).status_code == 413
    assert sandbox.invoices() == []
    assert client.post(url, files=[("invoice", ("a.pdf", content)), ("invoice", ("b", b"%PDF-"))]).status_code == 200
    first, second = sandbox.invoices()
    assert (first["order_id"], first["size"], first["sha256"]) == (
        order["order_id"], len(content), sha256(content).hexdigest(),
    )  # fmt: skip
    assert (second["filename"], second["size"]) == ("b", 5)


def test_a_restart_forgets_nothing_after_the_sale(tmp_path: Path) -> None:
    """Folders, returns, deliveries, refunds and invoices are there again; a part still counts."""
    config = SandboxConfig(orders=60, state_file=tmp_path / "state.sqlite", rate_limit=False)

    def kept(sandbox: Sandbox, client: httpx.Client) -> list[object]:
        listed = [sandbox.care_folders(), sandbox.returns(), sandbox.refunds(), sandbox.invoices()]
        return [*listed, client.get("/ws/shipping/v1/deliveries").json()]

    with (
        running_sandbox(config) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        line = line_in(sandbox, 3, is_backship=True)
        sandbox.open_care_folder(line["id"], return_label="ALIVE")
        sandbox.create_return(line["id"])
        assert refund(client, line, 6, amount=60).status_code == 201
        files = {"invoice": ("i.pdf", b"%PDF-1")}
        assert client.post(f"/ws/orders/{line['order']['order_id']}/invoice", files=files).status_code == 200
        before = kept(sandbox, client)
        assert all(before)
    with (
        running_sandbox(config) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        assert kept(sandbox, client) == before
        assert refund(client, line, 6, amount=40.01).status_code == 400
        assert refund(client, line, 6, amount=40).status_code == 201
        assert state_of(sandbox, line) == 6
