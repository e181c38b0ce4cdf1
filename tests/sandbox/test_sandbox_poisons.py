"""Faults that are for one order, one listing, one market or one SKU alone, for ever."""

import time

import httpx
import pytest

from sandbox.remote import ControlError, Json, Sandbox

SKU = "IP11-64-BLK-C"


def _accept(client: httpx.Client, order_id: int) -> httpx.Response:
    return client.post(f"/ws/orders/{order_id}", json={"new_state": 2, "sku": SKU})


def test_one_order_cannot_be_read(sandbox: Sandbox, client: httpx.Client) -> None:
    """Each reading of this order fails, and none of one whose id goes on after the same digits, nor of the list."""
    order_id = sandbox.create_order(sku=SKU, force=True)["order_id"]
    longer = sandbox.create_order(sku=SKU, force=True, overrides={"order_id": order_id * 10 + 3})["order_id"]
    sandbox.fault("500", method="GET", order_id=order_id, times=None)
    for _ in range(3):
        assert client.get(f"/ws/orders/{order_id}").status_code == 500
    assert client.get(f"/ws/orders/{longer}").status_code == 200
    assert client.get("/ws/orders").status_code == 200
    assert _accept(client, order_id).status_code == 200


def test_one_order_cannot_be_written(sandbox: Sandbox, client: httpx.Client) -> None:
    """Neither it nor a line of it takes a change; it can be read, and others take theirs."""
    poisoned, healthy = (sandbox.create_order(sku=SKU, force=True) for _ in range(2))
    sandbox.fault("500", method="WRITE", order_id=poisoned["order_id"], times=None)
    for _ in range(2):
        assert _accept(client, poisoned["order_id"]).status_code == 500
        line = poisoned["orderlines"][0]["id"]
        assert client.patch(f"/ws/orderlines/{line}", json={"serial_number": "S"}).status_code == 500
    assert client.get(f"/ws/orders/{poisoned['order_id']}").json()["state"] == 1
    assert _accept(client, healthy["order_id"]).status_code == 200
    line = healthy["orderlines"][0]["id"]
    assert client.patch(f"/ws/orderlines/{line}", json={"serial_number": "S"}).status_code == 200


@pytest.mark.parametrize(
    "odd",
    [
        {"fields": {"state": "shipped"}},
        {"fields": {"orderlines": "none"}},
        {"fields": {"date_shipping": "0000-00-00T00:00:00Z", "backcare_price": 99.99}},
        {"without": ["order_id"]},
    ],
)
def test_one_order_reads_oddly_wherever_it_is_shown(sandbox: Sandbox, client: httpx.Client, odd: Json) -> None:
    """Alone, in the list and in the answer to a write; its neighbours and what is true of it stay as they are."""
    order_id = sandbox.create_order(sku=SKU, force=True)["order_id"]
    before = client.get("/ws/orders").json()["results"]
    truth = sandbox.order(order_id)
    sandbox.fault("odd_document", order_id=order_id, times=None, **odd)

    def expected(document: Json) -> Json:
        document = {**document, **odd.get("fields", {})}
        return {name: value for name, value in document.items() if name not in odd.get("without", [])}

    assert client.get(f"/ws/orders/{order_id}").json() == expected(truth)
    assert client.get("/ws/orders").json()["results"] == [expected(truth), *before[1:]]
    answer = _accept(client, order_id).json()
    assert answer == expected(sandbox.order(order_id))
    assert sandbox.order(order_id)["state"] == 3
    assert sandbox.faults()[0]["fired"] == 3


def test_one_listing_cannot_be_read_or_written(sandbox: Sandbox, client: httpx.Client) -> None:
    """By its UUID, one method or all; the list and all other listings answer."""
    poisoned, healthy = (listing["id"] for listing in sandbox.listings()[:2])
    fault = sandbox.fault("500", method="POST", listing=poisoned.upper(), times=None)
    for _ in range(2):
        assert client.post(f"/ws/listings/{poisoned}", json={"quantity": 1}).status_code == 500
    assert client.get(f"/ws/listings/{poisoned}").status_code == 200
    sandbox.remove_fault(fault["id"])
    sandbox.fault("500", listing=poisoned, times=None)
    assert client.get(f"/ws/listings/{poisoned}").status_code == 500
    assert client.get(f"/ws/listings/{healthy}").status_code == 200
    assert client.post(f"/ws/listings/{healthy}", json={"quantity": 1}).status_code == 200
    assert client.get("/ws/listings").status_code == 200


def test_one_listing_reads_oddly_wherever_it_is_shown(sandbox: Sandbox, client: httpx.Client) -> None:
    """Alone and in the list, in one market or in all; others stay as they are."""
    first, second = client.get("/ws/listings").json()["results"][:2]
    sandbox.fault("odd_document", listing=first["id"], times=None, market="fr-fr", fields={"quantity": "many"})
    assert client.get(f"/ws/listings/{first['id']}").json()["quantity"] == "many"
    assert client.get("/ws/listings").json()["results"][:2] == [{**first, "quantity": "many"}, second]
    german = client.get("/ws/listings", headers={"Accept-Language": "de-de"}).json()["results"][0]
    assert german["quantity"] == first["quantity"]


@pytest.mark.parametrize("kind", ["403", "firewall_403"])
def test_one_market_is_closed(sandbox: Sandbox, client: httpx.Client, kind: str) -> None:
    """Whatever is asked in it answers 403; other markets answer."""
    sandbox.fault(kind, market="de-de", times=None)
    for path in ("/ws/orders", "/ws/listings"):
        assert client.get(path, headers={"Accept-Language": "de-DE"}).status_code == 403
        assert client.get(path, headers={"Accept-Language": "es-es"}).status_code == 200


def test_one_sku_has_its_batch_refused_whole(sandbox: Sandbox, client: httpx.Client) -> None:
    """A batch that holds the SKU, in whatever case, is no batch at all; one without it is carried out."""
    sandbox.fault("batch_refused", sku="poison-1", times=None)

    def post(*skus: str) -> httpx.Response:
        catalog = "\n".join(["sku", *skus])
        body = {"catalog": catalog, "quotechar": '"', "delimiter": ",", "encoding": "utf-8"}
        return client.post("/ws/listings", json=body)

    for _ in range(2):
        refused = post("A", "Poison-1", "B")
        assert refused.status_code == 400
        assert isinstance(refused.json(), str)
    assert post("A", "B", "POISON-11").status_code == 200
    assert [entry["applied"] for entry in sandbox.journal("POST")] == [False, False, True]


def test_now_and_then_the_firewall_refuses(sandbox: Sandbox, client: httpx.Client) -> None:
    """One page with a cf-ray in the middle of good answers, by chance."""
    sandbox.fault("firewall_403", times=1, probability=0.3)
    answers = [client.get("/ws/orders") for _ in range(40)]
    (refused,) = [answer for answer in answers if answer.status_code != 200]
    assert refused.status_code == 403
    assert "cf-ray" in refused.headers


def test_a_request_can_take_effect_late(sandbox: Sandbox, client: httpx.Client) -> None:
    """The caller gives up and sees the old state; a moment later the change is there."""
    order_id = sandbox.create_order(sku=SKU, force=True)["order_id"]
    sandbox.fault("late", method="POST", seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        client.post(f"/ws/orders/{order_id}", json={"new_state": 2, "sku": SKU}, timeout=0.1)
    assert client.get(f"/ws/orders/{order_id}").json()["state"] == 1
    deadline = time.monotonic() + 5
    while client.get(f"/ws/orders/{order_id}").json()["state"] == 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sandbox.order(order_id)["state"] == 3
    assert [entry["applied"] for entry in sandbox.journal("POST")] == [True]


def test_a_poison_must_say_whose_it_is(sandbox: Sandbox) -> None:
    """An odd document without an id, and a refused batch without a SKU, are mistakes; so is removing nothing."""
    with pytest.raises(ControlError, match="needs an order_id or a listing"):
        sandbox.fault("odd_document", fields={"state": 1})
    with pytest.raises(ControlError, match="needs a sku"):
        sandbox.fault("batch_refused")
    with pytest.raises(ControlError, match="404"):
        sandbox.remove_fault(99)


def test_what_was_taken_from_the_journal_is_not_there_again(sandbox: Sandbox, client: httpx.Client) -> None:
    """Each request that is over is given once; one that is still served comes with the next taking."""
    client.get("/ws/orders")
    sandbox.fault("late", seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/ws/orders/1", timeout=0.1)
    assert [entry["path"] for entry in sandbox.take_journal()] == ["/ws/orders"]
    taken: list[str] = []
    deadline = time.monotonic() + 5
    while not taken and time.monotonic() < deadline:
        taken += [entry["path"] for entry in sandbox.take_journal()]
        time.sleep(0.02)
    assert taken == ["/ws/orders/1"]
    assert sandbox.take_journal() == []


def test_one_field_of_a_listing_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """Whatever is changed together with it; all other changes are taken."""
    listing = sandbox.listings()[0]
    sandbox.fault("field_refused", fields={"price": None}, times=None)
    path = f"/ws/listings/{listing['id']}"
    assert client.post(path, json={"price": "9.99", "currency": "EUR", "quantity": 1}).status_code == 400
    assert client.post(path, json={"quantity": listing["quantity"] + 1}).status_code == 200
