"""Listings per market, real-time changes, batches and categories."""

import time
from typing import Any

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.remote import Sandbox
from sandbox.server import running_sandbox

SKU = "IP12-128-BLU-C"
GB = {"Accept-Language": "en-gb"}


def detail(client: httpx.Client, sku: str = SKU, market: str = "fr-fr") -> dict[str, Any]:
    """Read one listing as one market sees it."""
    answer = client.get("/ws/listings/detail", params={"sku": sku}, headers={"Accept-Language": market})
    document: dict[str, Any] = answer.json()
    return document


def send_catalog(client: httpx.Client, catalog: str, market: str = "fr-fr") -> dict[str, Any]:
    """Send a CSV and wait for its task to end."""
    body = {"catalog": catalog, "quotechar": '"', "delimiter": ",", "encoding": "utf-8"}
    task = client.post("/ws/listings", json=body, headers={"Accept-Language": market}).json()["bodymessage"]
    for _ in range(100):
        answer: dict[str, Any] = client.get(f"/ws/tasks/{task}").json()
        if answer["action_status"] in {8, 9}:
            return answer
        time.sleep(0.02)
    raise AssertionError(answer)


def test_quantity_is_global_and_the_price_is_not(client: httpx.Client) -> None:
    """Two markets show the same id, quantity and grade, but their own price and currency."""
    home, abroad = detail(client), detail(client, market="en-gb")
    assert [home[k] == abroad[k] for k in ("id", "quantity", "grade", "price", "currency")] == [True] * 3 + [False] * 2


def test_all_pages_hold_all_listings(sandbox: Sandbox, client: httpx.Client) -> None:
    """Paging gives each listing once, and every publication state occurs."""
    pages = [client.get("/ws/listings", params={"page": n, "page-size": 50}).json() for n in (1, 2, 3)]
    rows = [row for page in pages for row in page["results"]]
    assert [row["listing_id"] for row in rows] == [x["listing_id"] for x in sandbox.listings()]
    assert pages[2]["next"] is None
    assert {row["publication_state"] for row in rows} == {0, 1, 2, 3, 4}


def test_listing_filters(client: httpx.Client) -> None:
    """Publication state and quantity bounds select; anything but whole numbers is refused."""
    params = {"publication_state": 2, "min_quantity": 2, "max_quantity": 5, "page-size": 50}
    rows = client.get("/ws/listings", params=params).json()["results"]
    assert rows
    assert all(row["publication_state"] == 2 and 2 <= row["quantity"] <= 5 for row in rows)
    assert client.get("/ws/listings", params={"min_quantity": "x"}).status_code == 400


@pytest.mark.parametrize("language", ["", "en-us", "xx-xx"])
def test_a_market_of_the_platform_is_needed(client: httpx.Client, language: str) -> None:
    """A missing, foreign or unknown market is refused."""
    assert client.get("/ws/listings", headers={"Accept-Language": language}).status_code == 400


def test_one_listing_is_found_in_four_ways(client: httpx.Client) -> None:
    """UUID and integer in the path, and each of the three query parameters, give the same document."""
    known = detail(client)
    keys = (known["id"], known["listing_id"])
    answers = [client.get(f"/ws/listings/{key}").json() for key in keys]
    answers += [client.get("/ws/listings/detail", params={"id": known["id"]}).json()]
    answers += [client.get("/ws/listings/detail", params={"listing_id": known["listing_id"]}).json()]
    assert answers == [known] * 4
    assert known["statuscode"] == 200
    assert client.get("/ws/listings/99").status_code == 404
    assert client.get("/ws/listings/not-an-id").status_code == 400


def test_one_change_counts_at_once(client: httpx.Client) -> None:
    """Quantity counts in all markets, the price in one; 0 takes it offline everywhere."""
    known = detail(client)
    answer = client.post(f"/ws/listings/{known['id']}", json={"quantity": "4", "price": 250.5, "currency": "EUR"})
    assert (answer.json()["quantity"], answer.json()["price"], answer.json()["statuscode"]) == (4, "250.50", 200)
    assert detail(client, market="en-gb")["quantity"] == 4
    assert detail(client, market="en-gb")["price"] != "250.50"
    client.post(f"/ws/listings/{known['listing_id']}", json={"quantity": 0})
    assert [detail(client, market=m)["publication_state"] for m in ("fr-fr", "en-gb")] == [3, 3]


def test_a_price_above_the_maximum_goes_offline(client: httpx.Client) -> None:
    """It is accepted, and the listing is offline in that market only."""
    known = detail(client)
    client.post(f"/ws/listings/{known['id']}", json={"quantity": 5})
    price = str(float(known["max_price"]) + 1)
    answer = client.post(f"/ws/listings/{known['id']}", json={"price": price, "currency": "EUR"})
    assert (answer.status_code, answer.json()["publication_state"]) == (200, 3)
    assert detail(client, market="en-gb")["publication_state"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {"price": "200", "currency": "EUR"},
        {"price": "200"},
        {"price": "cheap", "currency": "GBP"},
        {"quantity": -1},
        {"quantity": "1.5"},
        {"comment": "x" * 501},
        {"warranty_delay": 6},
        {"shipper_1": "Pigeon"},
    ],
)
def test_a_bad_change_is_refused_in_plain_text(client: httpx.Client, body: dict[str, Any]) -> None:
    """In London, euros (also unsaid), odd numbers and unknown carriers answer 400 with a bare JSON string."""
    before = detail(client, market="en-gb")
    answer = client.post(f"/ws/listings/{before['id']}", json=body, headers=GB)
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)
    assert detail(client, market="en-gb") == before


def test_a_batch_updates_creates_and_reports_per_sku(client: httpx.Client) -> None:
    """SKUs match whatever their case; a bad row is an error of its own, the rest is carried out."""
    known = detail(client)
    rows = [
        "sku,ean,product_id,quantity,price,currency",
        f"{SKU.lower()},,,9,199.00,EUR",
        f"NEW-1,,{known['product_id']},2,180.00,EUR",
        "NEW-2,,,2,180.00,EUR",
        f"NEW-3,,{known['backmarket_id']},2,180.00,GBP",
    ]
    task = send_catalog(client, "\n".join(rows))
    assert task["action_status"] == 9
    assert set(task["result"]["product_success"]) == {SKU.lower(), "NEW-1"}
    assert set(task["result"]["product_errors"]) == {"NEW-2", "NEW-3"}
    assert (detail(client)["sku"], detail(client)["quantity"], detail(client)["price"]) == (SKU, 9, "199.00")
    assert (detail(client, "new-1")["grade"], detail(client, "new-1")["product_id"]) == ("GOOD", known["product_id"])
    assert client.get("/ws/listings/detail", params={"sku": "NEW-3"}).status_code == 404


def test_a_new_product_needs_its_categorys_attributes(client: httpx.Client) -> None:
    """Without a required attribute it is refused by name; complete, its listing waits for validation."""
    header = (
        "sku,ean,quantity,price,currency,comment,category_id,title,description,brand,price_new,color,storage,unlocked"
    )
    row = '{},4006381333931,1,99.00,EUR,ok,101,"Phone, ""X""",Nice,ACME,199,{},64,Unlocked GSM'
    catalog = f"{header}\n{row.format('P-1', '')}\n{row.format('P-2', 'red')}"
    result = send_catalog(client, catalog)["result"]
    assert "color" in result["product_errors"]["P-1"]
    assert set(result["product_success"]) == {"P-2"}
    assert (detail(client, "P-2")["title"], detail(client, "P-2")["publication_state"]) == ('Phone, "X"', 1)


def test_a_task_runs_before_it_ends(client: httpx.Client) -> None:
    """Right after sending the task has not ended and nothing has changed."""
    before = detail(client)["quantity"]
    body = {"catalog": f"sku,quantity\n{SKU},77", "quotechar": '"', "delimiter": ",", "encoding": "utf-8"}
    task = client.post("/ws/listings", json=body).json()["bodymessage"]
    assert client.get(f"/ws/tasks/{task}").json()["action_status"] in {0, 2}
    assert detail(client)["quantity"] == before
    assert client.get("/ws/tasks/1").status_code == 404


def test_a_batch_can_fail_as_a_whole(sandbox: Sandbox, client: httpx.Client) -> None:
    """A CSV without `sku`, or a platform fault, ends in 8 with a reason, and nothing is applied."""
    assert send_catalog(client, "quantity\n3")["last_action_error"] == "Column sku is missing."
    before = detail(client)["quantity"]
    sandbox.fault("batch_fails")
    task = send_catalog(client, f"sku,quantity\n{SKU},78")
    assert (task["action_status"], bool(task["last_action_error"])) == (8, True)
    assert detail(client)["quantity"] == before


def test_malformed_batches_are_refused_at_once(client: httpx.Client) -> None:
    """A missing parameter is named in a bare string; more than 15,000 lines are too many."""
    answer = client.post("/ws/listings", json={"quotechar": '"', "delimiter": ",", "encoding": "utf-8"})
    assert (answer.status_code, answer.json()) == (400, "parameter catalog not found")
    body = {"catalog": "sku\n" + "x\n" * 15_001, "quotechar": '"', "delimiter": ",", "encoding": "utf-8"}
    assert client.post("/ws/listings", json=body).status_code == 400


def test_two_thousand_sku_lines_an_hour_over_both_ways() -> None:
    """Batch lines and single changes count together; what would go beyond 2,000 answers 429."""
    with (
        running_sandbox(SandboxConfig(orders=1)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        listing = detail(client)
        body = {"catalog": "sku\n" + "x\n" * 1_999, "quotechar": '"', "delimiter": ",", "encoding": "utf-8"}
        assert client.post("/ws/listings", json=body).status_code == 200
        statuses = [client.post(f"/ws/listings/{listing['id']}", json={"quantity": 1}).status_code for _ in range(2)]
        assert statuses == [200, 429]
        assert client.post("/ws/listings", json=body).status_code == 429
        sandbox.forget_sku_lines()
        assert client.post("/ws/listings", json=body).status_code == 200


def test_category_tree_and_branch(client: httpx.Client) -> None:
    """Three levels; only leaves have attributes, of all four types; a branch is a part of the tree."""
    tree = client.get("/ws/category/tree/").json()
    leaves = [leaf for top in tree for middle in top["childrens"] for leaf in middle["childrens"]]
    assert all(leaf["is_leaf"] and not leaf["childrens"] for leaf in leaves)
    assert {attribute["type"] for leaf in leaves for attribute in leaf["attributes"]} == {0, 1, 2, 3}
    assert client.get("/ws/category/tree/2").json() == tree[1]
    assert client.get("/ws/category/tree/999").status_code == 404
