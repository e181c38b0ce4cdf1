"""Care folders as the public description has them: the list, the details, messages, problems, item transfers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.limits import CareLimits
from sandbox.remote import Json, Sandbox
from sandbox.server import running_sandbox

PHONE = "IP11-64-BLK-C"
MEGABYTE = 1024 * 1024


def open_folder(sandbox: Sandbox, **wish: Any) -> Json:
    """Let a customer complain of a line that was shipped."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True)
    return sandbox.open_care_folder(order["orderlines"][0]["id"], **wish)


def files(count: int, size: int = 10) -> list[tuple[str, tuple[str, bytes]]]:
    """Give attachments."""
    return [("attachment", (f"photo-{number}.jpg", b"x" * size)) for number in range(count)]


def send(client: httpx.Client, folder: Json, text: str | None = "Hello", attachments: Any = ()) -> httpx.Response:
    """Write into a folder as a seller does: always a form."""
    parts = [] if text is None else [("message", (None, text))]
    parts += [("other", (None, "1"))]
    return client.post(f"/ws/sav/{folder['id']}/msg", files=[*parts, *attachments])


def test_the_list_counts_its_page_and_no_size_can_be_asked_for(sandbox: Sandbox, client: httpx.Client) -> None:
    """Ten folders a page; `count` is the page's own; the page after the last does not exist."""
    for _ in range(25 - len(sandbox.care_folders())):
        open_folder(sandbox)
    pages = [client.get("/ws/sav", params={"page": number, "page-size": 50}).json() for number in (1, 2, 3)]
    assert [page["count"] for page in pages] == [len(page["results"]) for page in pages] == [10, 10, 5]
    ids = [folder["id"] for page in pages for folder in page["results"]]
    assert sorted(ids) == sorted(folder["id"] for folder in sandbox.care_folders())
    assert [page["next"] is None for page in pages] == [False, False, True]
    assert pages[0]["next"].startswith("https://")
    assert client.get("/ws/sav", params={"page": 4}).status_code == 404
    assert client.get("/ws/sav", params={"page": 0}).status_code == 400


def test_a_listed_folder_names_its_relations_by_id(sandbox: Sandbox, client: httpx.Client) -> None:
    """Exactly the fields of the description, without the customer's name."""
    folder = open_folder(sandbox)
    shown = client.get("/ws/sav").json()["results"][0]
    assert shown.keys() == {
        "id", "client", "merchant", "orderline", "date_creation", "date_modification", "date_last_message",
        "date_closed", "state", "lines", "country_code", "backcare",
    }  # fmt: skip
    assert (shown["id"], shown["orderline"], shown["state"]) == (folder["id"], folder["orderline_id"], 0)
    assert shown["date_closed"] is None
    assert shown["date_creation"].endswith("+00:00")
    assert all(isinstance(shown[name], int) for name in ("client", "merchant", "orderline"))
    assert [type(line) for line in shown["lines"]] == [int]


def test_filters(sandbox: Sandbox, client: httpx.Client) -> None:
    """Ids above, a state, a line, and what changed or was written after a minute."""
    old, new = open_folder(sandbox, old=True), open_folder(sandbox)
    sandbox.close_care_folder(old["id"])

    def found(**params: object) -> set[int]:
        answer = client.get("/ws/sav", params=params)  # type: ignore[arg-type]
        assert answer.status_code == 200
        return {folder["id"] for folder in answer.json()["results"]}

    assert found(last_id=new["id"] - 1) == {new["id"]}
    assert found(last_id=new["id"]) == set()
    assert new["id"] in found(state=0)
    assert new["id"] not in found(state=9)
    assert old["id"] in found(state=9)
    assert found(orderline=old["orderline_id"]) == {old["id"]}
    assert found(last_modification_date="2999-01-01-00-00") == set()
    sandbox.advance_clock(3 * 3600)
    sandbox.add_care_message(new["id"], "Anybody there?")
    between = minute_of(sandbox, -3600)
    assert found(last_message_date=between) == {new["id"]}
    assert found(last_modification_date=between) == {new["id"]}


def minute_of(sandbox: Sandbox, seconds: int) -> str:
    """Give a minute of the sandbox's clock as the filters want it."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=sandbox.call("GET", "health")["now"])
    return (now + timedelta(seconds=seconds)).strftime("%Y-%m-%d-%H-%M")


@pytest.mark.parametrize(
    "query",
    [
        "last_modification_date=2026-09-01",
        "last_modification_date=2026-09-01T00:00:00Z",
        "last_message_date=2026-13-01-00-00",
        "last_message_date=2026-9-1-0-0",
        "state=1",
        "last_id=x",
        "orderline=1.5",
    ],
)
def test_a_filter_of_another_form_is_refused(client: httpx.Client, query: str) -> None:
    """Dates to the minute with hyphens alone; the two states; integers."""
    assert client.get(f"/ws/sav?{query}").status_code == 400


def test_the_details_hold_customer_conversation_and_order(sandbox: Sandbox, client: httpx.Client) -> None:
    """The client by name and e-mail, the claim with its label, messages with attachments, the line with its order."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True)
    folder = sandbox.open_care_folder(order["orderlines"][0]["id"], "It is broken", return_label="ALIVE")
    assert send(client, folder, "We are sorry", files(2)).status_code == 201
    sandbox.add_care_message(folder["id"], "Answer within two days", informative=True)
    shown = client.get(f"/ws/sav/{folder['id']}").json()
    assert shown["client"]["email"].endswith("@example.com")
    assert shown["client"]["first_name"]
    assert [(m["initiator"], m["kind"], m["is_informative"], len(m["attachments"])) for m in shown["messages"]] == [
        ("Customer", "CUSTOMER_TO_ALL", False, 0),
        ("Merchant", "MERCHANT_TO_ALL", False, 2),
        ("BackMarket", "BACKMARKET_TO_ALL", True, 0),
    ]
    (claim,) = shown["lines"]
    (label,) = claim["return_labels"]
    assert (label["state"], label["initiator"], label["kind"]) == ("ALIVE", "BackMarket", "CUSTOMER_TO_MERCHANT")
    line = shown["orderline"]
    assert (line["id"], line["snapshot"]["sku"], line["order"]["order_id"]) == (
        order["orderlines"][0]["id"], PHONE, order["order_id"],
    )  # fmt: skip
    assert line["order"]["shipping_address"]["postal_code"]
    assert client.get("/ws/sav/5").status_code == 404


def test_a_message_is_the_merchants_and_opens_a_closed_folder(sandbox: Sandbox, client: httpx.Client) -> None:
    """The answer names message, folder and attachments; the server keeps what came."""
    folder = open_folder(sandbox)
    assert sandbox.close_care_folder(folder["id"])["state"] == 9
    answer = send(client, folder, "Bonjour\nà vous", files(10, size=3))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["group"], body["message"], len(body["attachments"])) == (folder["id"], "Bonjour\nà vous", 10)
    assert body["attachment"] == body["attachments"][0]
    assert client.get(f"/ws/sav/{folder['id']}").json()["state"] == 0
    kept = sandbox.merchant_messages()[-1]
    assert (kept["folder_id"], kept["id"], kept["message"]) == (folder["id"], body["id"], "Bonjour\nà vous")
    assert kept["attachments"][0]["size"] == 3


def test_what_back_market_tells_does_not_open_a_closed_folder(sandbox: Sandbox) -> None:
    """An informative message changes the folder and leaves it closed; the customer's own opens it."""
    folder = open_folder(sandbox)
    sandbox.close_care_folder(folder["id"])
    assert sandbox.add_care_message(folder["id"], "For your information", informative=True)["state"] == 9
    assert sandbox.add_care_message(folder["id"], "Hello?")["state"] == 0


def test_messages_that_are_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """No text, JSON in place of a form, too many or too large files: 400, and nothing is kept."""
    folder = open_folder(sandbox)
    before = sandbox.care_folders()
    assert send(client, folder, None).status_code == 400
    assert send(client, folder, " ").status_code == 400
    assert client.post(f"/ws/sav/{folder['id']}/msg", json={"message": "Hello"}).status_code == 400
    assert send(client, folder, "Hello", files(11)).status_code == 400
    assert send(client, folder, "Hello", files(1, 3 * MEGABYTE + 1)).status_code == 400
    assert send(client, {"id": 5}).status_code == 404
    assert sandbox.care_folders() == before
    assert send(client, folder, "Hello", files(1, 3 * MEGABYTE)).status_code == 201


def declare(client: httpx.Client, folder: Json, attachments: Any = (), **fields: str) -> int:
    """Declare a problem and give the answer's status."""
    parts = [(name, (None, value)) for name, value in {"other": "1", **fields}.items()]
    return client.post(f"/ws/sav/{folder['id']}/problem", files=[*parts, *attachments]).status_code


def test_problems(sandbox: Sandbox, client: httpx.Client) -> None:
    """OTHER unless said otherwise; some need a file; a closed folder takes none."""
    folder = open_folder(sandbox)
    assert client.post(f"/ws/sav/{folder['id']}/problem").status_code == 201
    assert declare(client, folder, problem_type="CODE_LOCKED", message="Which code?") == 201
    for kind in ("DAMAGED_PACKAGE", "ITEM_NOT_RECEIVED", "OOW_ITEM"):
        assert declare(client, folder, problem_type=kind) == 422
        assert declare(client, folder, files(1), problem_type=kind) == 201
    assert declare(client, folder, problem_type="SOMETHING") == 422
    assert declare(client, folder, files(11)) == 413
    assert declare(client, folder, files(1, 3 * MEGABYTE + 1)) == 413
    assert declare(client, {"id": 5}) == 404
    sandbox.close_care_folder(folder["id"])
    assert declare(client, folder) == 422
    kept = next(each for each in sandbox.care_folders() if each["id"] == folder["id"])["problems"]
    assert [problem["problem_type"] for problem in kept] == [
        "OTHER", "CODE_LOCKED", "DAMAGED_PACKAGE", "ITEM_NOT_RECEIVED", "OOW_ITEM",
    ]  # fmt: skip


def test_an_old_folder_takes_a_bare_other_alone(sandbox: Sandbox, client: httpx.Client) -> None:
    """Below 100,000,000 no other type, no message and no file."""
    folder = open_folder(sandbox, old=True)
    assert folder["id"] < 100_000_000
    assert declare(client, folder, problem_type="WRONG_ITEM") == 422
    assert declare(client, folder, message="Hello") == 422
    assert declare(client, folder, files(1)) == 422
    assert declare(client, folder, problem_type="OTHER") == 201


def test_item_transfers(sandbox: Sandbox, client: httpx.Client) -> None:
    """In old folders alone, with carrier and number, and no number twice."""
    old, another, new = open_folder(sandbox, old=True), open_folder(sandbox, old=True), open_folder(sandbox)

    def transfer(folder: Json, **body: object) -> int:
        return client.post(f"/ws/sav/{folder['id']}/item-transfer", json=body).status_code

    parcel = {"shipperName": "DHL", "trackingNumber": "123AZ0672"}
    assert transfer(new, **parcel) == 422
    assert transfer(old, shipperName="DHL") == 422
    assert transfer(old, **parcel, action="BURN") == 422
    assert transfer(old, **parcel, action="REPAIR") == 201
    assert transfer(old, **parcel) == 400
    assert transfer(another, **parcel) == 400
    assert transfer({"id": 5}, **parcel) == 404


@pytest.mark.parametrize("status", [403, 404])
def test_care_can_be_unavailable(sandbox: Sandbox, client: httpx.Client, status: int) -> None:
    """All of it, in JSON; or the list alone, so that a folder still answers. Shipping is apart."""
    folder = open_folder(sandbox)
    whole = sandbox.make_unavailable("/ws/sav", status)
    answers = [client.get("/ws/sav"), client.get(f"/ws/sav/{folder['id']}"), send(client, folder)]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert answers[0].json()["error"]["code"]
    assert client.get("/ws/shipping/v1/returns").status_code == 200
    sandbox.remove_fault(whole["id"])
    sandbox.make_unavailable("/ws/sav", status, exactly=True)
    assert client.get("/ws/sav").status_code == status
    assert client.get(f"/ws/sav/{folder['id']}").status_code == 200


@pytest.mark.parametrize("kind", ["reset_after", "empty_body", "500"])
def test_a_message_can_arrive_while_its_answer_is_lost(sandbox: Sandbox, client: httpx.Client, kind: str) -> None:
    """The folder has it, whatever the seller hears."""
    folder = open_folder(sandbox)
    sandbox.fault(kind, method="POST", path_prefix="/ws/sav", applied=True)
    try:
        send(client, folder, "Once", files(1))
    except httpx.TransportError:
        assert kind == "reset_after"
    assert [message["message"] for message in sandbox.merchant_messages() if message["folder_id"] == folder["id"]] == [
        "Once"
    ]
    (entry,) = sandbox.journal("POST")
    assert entry["applied"]
    assert entry["body"] == [
        {"name": "message", "text": "Once"},
        {"name": "other", "text": "1"},
        {"name": "attachment", "filename": "photo-0.jpg", "size": 10},
    ]


def test_one_folder_can_be_sick(sandbox: Sandbox, client: httpx.Client) -> None:
    """It alone cannot be read, or reads oddly wherever it is shown."""
    sick, healthy = open_folder(sandbox), open_folder(sandbox)
    fault = sandbox.fault("500", care_folder=sick["id"], times=None)
    assert [client.get(f"/ws/sav/{folder['id']}").status_code for folder in (sick, healthy)] == [500, 200]
    assert client.get("/ws/sav").status_code == 200
    sandbox.remove_fault(fault["id"])
    sandbox.fault("odd_document", care_folder=sick["id"], times=None, fields={"state": "open"})
    assert client.get(f"/ws/sav/{sick['id']}").json()["state"] == "open"
    assert [folder["state"] for folder in client.get("/ws/sav").json()["results"][:2]] == [0, "open"]


@pytest.mark.parametrize(
    ("method", "path", "minute", "day"),
    [
        ("GET", "/ws/sav", 520, 4_000),
        ("GET", "/ws/sav/7", 600, 40_000),
        ("POST", "/ws/sav/7/msg", 560, 40_000),
        ("POST", "/ws/sav/7/problem", 750, 1_000),
        ("POST", "/ws/sav/refund", 500, 500),
        ("POST", "/ws/sav/7/item-transfer", 292, 500),
    ],
)
def test_limits_of_each_endpoint(method: str, path: str, minute: int, day: int) -> None:
    """So many requests within a minute and within a day, of all folders together; others are not limited by them."""
    limits = CareLimits()
    assert [limits.admits(method, path, 0) for _ in range(minute + 1)] == [True] * minute + [False]
    other = path.replace("7", "8")
    assert limits.admits(method, other, 60_000_000) is (minute < day)
    assert all(limits.admits("GET", "/ws/orders", 0) for _ in range(1_000))
    later = [limits.admits(method, other, 60_000_000 * number) for number in range(2, 80) for _ in range(minute)]
    assert sum(later) == max(0, min(len(later), day - minute - 1))
    assert limits.admits(method, path, 86_400_000_000)


def test_what_exceeds_a_limit_is_answered_429() -> None:
    """The 501st refund of a day is too many, as the journal tells; a folder can still be read, and a day later all."""
    with (
        running_sandbox(SandboxConfig(orders=1, listings=5)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        refund = {"orderline_pk": 1, "refund_type": 4}
        statuses: list[int] = []
        for number in range(501):
            if number % 190 == 189:
                sandbox.forget_traffic()
            statuses.append(client.post("/ws/sav/refund", json=refund).status_code)
        assert statuses == [404] * 500 + [429]
        assert sandbox.journal("POST")[-1]["over_limit"]
        sandbox.forget_traffic()
        assert client.get("/ws/sav/1").status_code == 404
        sandbox.advance_clock(86_400)
        assert client.post("/ws/sav/refund", json=refund).status_code == 404


def test_seeded_folders(sandbox: Sandbox) -> None:
    """As many as asked for, old and new ids, open and closed, all three writing; none where none is wanted."""
    folders = sandbox.care_folders()
    assert len(folders) == 12
    assert {folder["id"] < 100_000_000 for folder in folders} == {True, False}
    assert {folder["state"] for folder in folders} == {0, 9}
    assert {message["initiator"] for folder in folders for message in folder["messages"]} == {
        "Customer", "Merchant", "BackMarket",
    }  # fmt: skip
    with running_sandbox(SandboxConfig(care_folders=0)) as without:
        assert without.care_folders() == []
        assert [order["order_id"] for order in without.orders()] == [order["order_id"] for order in sandbox.orders()]
