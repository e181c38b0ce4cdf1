"""Each fault does what it is called after, to the requests it is meant for, as often as asked."""

import json
import time
from contextlib import suppress

import httpx
import pytest

from sandbox.faults.switches import INSIDE, KINDS
from sandbox.remote import ControlError, Sandbox

STATUS = {
    "429_html": 429, "429_retry_after": 429, "503_cf_ray": 503, "500": 500, "502_html": 502, "firewall_403": 403,
    "bot_challenge_403": 403, "ignored_200": 200, "html_200": 200, "html_201": 201, "redirect": 302,
    "401": 401, "403": 403, "404": 404,
}  # fmt: skip


@pytest.mark.parametrize("kind", STATUS)
def test_a_fault_answers_once_in_place_of_the_order_list(sandbox: Sandbox, client: httpx.Client, kind: str) -> None:
    """The next request meets the fault, the one after it does not."""
    sandbox.fault(kind)
    assert client.get("/ws/orders").status_code == STATUS[kind]
    assert client.get("/ws/orders").status_code == 200
    assert sandbox.faults()[0]["fired"] == 1


def test_what_the_faults_look_like(sandbox: Sandbox, client: httpx.Client) -> None:
    """HTML pages, a Retry-After where it is asked for, a challenge in JSON, a redirect to another host."""
    for kind in ("429_html", "429_retry_after", "html_200", "bot_challenge_403", "redirect"):
        sandbox.fault(kind, retry_after=7)
    plain, timed, page, challenge, redirect = (client.get("/ws/orders") for _ in range(5))
    assert "html" in plain.headers["content-type"]
    assert "retry-after" not in plain.headers
    assert timed.headers["retry-after"] == "7"
    assert page.text.startswith("<!DOCTYPE html>")
    assert challenge.json()["errors"][0]["code"] == "bot-need-challenge"
    assert redirect.headers["location"].startswith("https://accounts.backmarket.invalid/")


@pytest.mark.parametrize(("kind", "applied"), [("reset_before", False), ("reset_after", True)])
def test_a_reset_leaves_the_caller_in_doubt(
    sandbox: Sandbox, client: httpx.Client, kind: str, *, applied: bool
) -> None:
    """The connection closes without an answer; whether the write took effect only the journal tells."""
    order = sandbox.create_order(sku="IP11-64-BLK-C", force=True)
    sandbox.fault(kind, method="POST")
    with pytest.raises(httpx.TransportError):
        client.post(f"/ws/orders/{order['order_id']}", json={"new_state": 2, "sku": "IP11-64-BLK-C"})
    (entry,) = sandbox.journal("POST")
    assert (entry["status"], entry["applied"], entry["fault"]) == (None, applied, kind)
    assert entry["body"]["new_state"] == 2
    assert sandbox.order(order["order_id"])["orderlines"][0]["state"] == (2 if applied else 1)


def test_a_gateway_error_may_follow_an_applied_write(sandbox: Sandbox, client: httpx.Client) -> None:
    """With `applied` a fault that answers in Back Market's place strikes after the write took effect."""
    order = sandbox.create_order(sku="IP11-64-BLK-C", force=True)
    sandbox.fault("502_html", applied=True)
    answer = client.post(f"/ws/orders/{order['order_id']}", json={"new_state": 2, "sku": "IP11-64-BLK-C"})
    assert answer.status_code == 502
    assert sandbox.order(order["order_id"])["state"] == 3


@pytest.mark.parametrize("kind", ["500", "html_201", "reset_before"])
def test_a_write_may_take_effect_after_its_answer(sandbox: Sandbox, client: httpx.Client, kind: str) -> None:
    """With `applied_late` so many seconds pass in between."""
    order = sandbox.create_order(sku="IP11-64-BLK-C", force=True)
    sandbox.fault(kind, method="POST", applied=True, applied_late=True, seconds=0.5)
    with suppress(httpx.TransportError):
        client.post(f"/ws/orders/{order['order_id']}", json={"new_state": 2, "sku": "IP11-64-BLK-C"})
    assert sandbox.order(order["order_id"])["state"] == 1
    deadline = time.monotonic() + 10
    while sandbox.order(order["order_id"])["state"] == 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sandbox.order(order["order_id"])["state"] == 3
    (entry,) = sandbox.journal("POST")
    assert entry["applied"]
    assert entry["applied_at"] >= entry["at"] + 500_000


def test_what_takes_effect_late_has_to_take_effect(sandbox: Sandbox) -> None:
    """A fault that is told otherwise is a slip of whoever asks for it."""
    with pytest.raises(ControlError):
        sandbox.fault("500", applied_late=True)


def test_spoiled_bodies(sandbox: Sandbox, client: httpx.Client) -> None:
    """A cut body is no JSON, an empty one is empty, a short page lacks rows but counts them."""
    sandbox.fault("cut_json")
    with pytest.raises(json.JSONDecodeError):
        client.get("/ws/orders").json()
    sandbox.fault("empty_body")
    assert client.get("/ws/orders").content == b""
    sandbox.fault("short_page", rows=3)
    page = client.get("/ws/orders").json()
    assert len(page["results"]) == 7
    assert page == {**client.get("/ws/orders").json(), "results": page["results"]}


def test_slow_answers_come_late(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that waits for less gives up, though the request was served."""
    sandbox.fault("slow", seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/ws/orders", timeout=0.1)
    assert client.get("/ws/orders", timeout=0.4).status_code == 200


def test_the_last_page_can_vanish(sandbox: Sandbox, client: httpx.Client) -> None:
    """Only the last page answers 404."""
    sandbox.fault("404_last_page", times=None)
    assert client.get("/ws/orders", params={"page": 1}).status_code == 200
    last = -(-client.get("/ws/orders").json()["count"] // 50)
    assert client.get("/ws/orders", params={"page": last, "page-size": 50}).status_code == 404


def test_orders_arrive_while_paging(sandbox: Sandbox, client: httpx.Client) -> None:
    """Every page request finds more orders than the one before; rows move on to the next page."""
    sandbox.fault("orders_arrive_while_paging", orders=2, times=None)
    first, second = (client.get("/ws/orders", params={"page": n}).json() for n in (1, 2))
    assert second["count"] == first["count"] + 2
    assert first["results"][-1]["order_id"] in [o["order_id"] for o in second["results"]]


def test_a_fault_waits_and_chooses(sandbox: Sandbox, client: httpx.Client) -> None:
    """`after` lets requests pass first, `path_prefix` and `method` choose, `probability` 0 never strikes."""
    sandbox.fault("500", after=1, path_prefix="/ws/listings", method="get")
    sandbox.fault("401", probability=0.0, times=None)
    paths = ("/ws/orders", "/ws/listings", "/ws/listings", "/ws/listings")
    assert [client.get(path).status_code for path in paths] == [200, 200, 500, 200]


def test_faults_can_be_cleared_and_must_be_known(sandbox: Sandbox, client: httpx.Client) -> None:
    """Clearing ends a fault that would go on for ever; an unknown kind or field is refused."""
    sandbox.fault("500", times=None)
    sandbox.clear_faults()
    assert client.get("/ws/orders").status_code == 200
    with pytest.raises(ControlError, match="is none of"):
        sandbox.fault("earthquake")
    with pytest.raises(ControlError, match="colour"):
        sandbox.fault("500", colour="red")


def test_every_kind_is_tested_here_or_with_its_endpoint() -> None:
    """No fault kind is left without a test."""
    elsewhere = INSIDE | {
        "reset_before",
        "reset_after",
        "cut_json",
        "empty_body",
        "short_page",
        "slow",
        "404_last_page",
        "late",
        "odd_document",
    }
    assert set(STATUS) | elsewhere == KINDS
