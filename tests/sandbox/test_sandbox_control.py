"""The control API, the state file, and orders that keep arriving."""

import time
from pathlib import Path

import httpx
import pytest

from sandbox.command_line import as_arguments, read_arguments
from sandbox.config import SandboxConfig
from sandbox.remote import ControlError, Sandbox
from sandbox.server import running_sandbox


def test_an_order_can_be_broken_on_purpose(sandbox: Sandbox, client: httpx.Client) -> None:
    """Any field can be set as it is, and a raw text is served in the document's place, also in the list."""
    order = sandbox.create_order(sku="IP11-64-BLK-C", force=True)
    sandbox.patch_order(order["order_id"], price=None, date_modification="soon")
    served = client.get(f"/ws/orders/{order['order_id']}").json()
    assert (served["price"], served["date_modification"]) == (None, "soon")
    sandbox.patch_order(order["order_id"], raw='{"order_id": "broken"}')
    assert client.get("/ws/orders").json()["results"][0] == {"order_id": "broken"}


def test_an_order_is_made_as_wished(sandbox: Sandbox) -> None:
    """Market, lines, quantities, prices and any other field can be chosen."""
    lines = [{"sku": "A", "price": "10.50", "quantity": 2}, {"sku": "B", "price": "1.00", "state": 9}]
    order = sandbox.create_order(market="sv-se", lines=lines, overrides={"payment_method": "NEW_ONE"})
    assert (order["currency"], order["price"], order["state"]) == ("SEK", "22.00", 1)
    assert [line["state"] for line in order["orderlines"]] == [1, 9]
    assert order["payment_method"] == "NEW_ONE"


def test_what_cannot_happen_is_refused(sandbox: Sandbox) -> None:
    """Selling what is not in stock, paying twice and delivering the unshipped are refused."""
    sandbox.patch_listing("IP11-64-BLK-C", quantity=0)
    with pytest.raises(ControlError, match="0 left"):
        sandbox.create_order(sku="IP11-64-BLK-C")
    sandbox.patch_listing("IP11-64-BLK-C", quantity=1)
    with pytest.raises(ControlError, match="1 left"):
        sandbox.create_order(lines=[{"sku": "IP11-64-BLK-C"}, {"sku": "IP11-64-BLK-C"}])
    order = sandbox.create_order(sku="IP11-64-BLK-C", force=True)
    for step in ("pay", "unpaid", "release", "confirm"):
        with pytest.raises(ControlError, match="409"):
            sandbox.advance_order(order["order_id"], step)


def test_reset_goes_back_to_the_start(sandbox: Sandbox) -> None:
    """Orders, listings, faults and the journal are those of a new sandbox."""
    before = len(sandbox.orders())
    sandbox.create_order(sku="IP11-64-BLK-C", force=True)
    sandbox.fault("500")
    sandbox.reset()
    assert (len(sandbox.orders()), sandbox.faults(), sandbox.journal()) == (before, [], [])


@pytest.mark.parametrize("isolated", [False, True])
def test_a_restart_goes_on_from_the_state_file(tmp_path: Path, *, isolated: bool) -> None:
    """New and changed orders, listings and tasks are there after a restart, seeded again they are not."""
    config = SandboxConfig(orders=30, state_file=tmp_path / "state.sqlite", batch_seconds=30)
    with running_sandbox(config, isolated=isolated) as sandbox:
        order = sandbox.create_order(sku="IP11-64-BLK-C", force=True)
        sandbox.patch_listing("IP12-128-BLU-C", quantity=41)
        body = {"catalog": "sku\nX", "quotechar": '"', "delimiter": ",", "encoding": "utf-8"}
        task = httpx.post(f"{sandbox.base_url}/ws/listings", json=body, headers=sandbox.headers).json()["bodymessage"]
        kept = sandbox.orders()
    with running_sandbox(config, isolated=isolated) as sandbox:
        assert sandbox.orders() == kept
        assert sandbox.order(order["order_id"]) == order
        assert next(x["quantity"] for x in sandbox.listings() if x["sku"] == "IP12-128-BLU-C") == 41
        answer = httpx.get(f"{sandbox.base_url}/ws/tasks/{task}", headers=sandbox.headers).json()
        assert (answer["action_status"], answer["last_action_error"]) == (8, "Task has been interrupted.")


def test_orders_keep_arriving() -> None:
    """With arrivals there are more orders a moment later."""
    with running_sandbox(SandboxConfig(orders=5, arrivals_per_minute=300)) as sandbox:
        deadline = time.monotonic() + 5
        while len(sandbox.orders()) == 5 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(sandbox.orders()) > 5


def test_the_command_line_gives_every_option_back(tmp_path: Path) -> None:
    """What is written as arguments is read as the same configuration."""
    arguments = [
        "--port=1",
        "--seed=3",
        "--platform=NA",
        "--no-rate-limit",
        "--latency-ms=5",
        "--stock=4",
        "--care-folders=3",
    ]
    config = read_arguments([*arguments, f"--state={tmp_path}/s", "--now=2026-09-15T12:00:00+00:00"])
    assert (config.rate_limit, config.platform, config.stock, config.care_folders) == (False, "NA", 4, 3)
    assert read_arguments(as_arguments(config)) == config
