"""Settlement rows of refunds in parts, and planted differences between statements and what came after the sale."""

import csv
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.remote import Json, Sandbox
from sandbox.statements.__main__ import main

PHONE = "IP11-64-BLK-C"
WEEK = 7 * 86_400


def shipped(sandbox: Sandbox, state: int = 3) -> Json:
    """Give a new order of one line of 100.00 without shipping costs, delivered to a customer."""
    wish: dict[str, Any] = {"market": "fr-fr", "lines": [{"sku": PHONE, "state": state, "price": "100.00"}]}
    order = sandbox.create_order(force=True, overrides={"payment_method": "CARD"}, **wish)
    order["orderlines"][0]["shipping_price"] = "0.00"
    return sandbox.patch_order(order["order_id"], orderlines=order["orderlines"], state=9)


def refund(client: httpx.Client, order: Json, **fields: object) -> None:
    """Refund the order's line."""
    body = {"orderline_pk": order["orderlines"][0]["id"], "refund_type": 6, **fields}
    assert client.post("/ws/sav/refund", json=body).status_code == 201


def rows_of(paths: list[str], order: Json) -> list[tuple[str, str]]:
    """Give key and amount of each row of an order, credits too, in the order of the statements."""
    found: list[tuple[str, str]] = []
    for path in sorted(paths):
        rows = csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines())
        found += [
            (row["invoice_key"], row["amount"])
            for row in rows
            if str(order["order_id"]) in {row["order_id"], row["designation"].rpartition("_")[2]}
        ]
    return found


def test_each_part_of_a_refund_is_a_row(sandbox: Sandbox, client: httpx.Client, tmp_path: Path) -> None:
    """Parts have no commission credit; it comes with the part that completes the refund."""
    order = shipped(sandbox)
    if order["order_id"] % 13 == 0:  # its sale would be two rows
        order = shipped(sandbox)
    refund(client, order, amount=30)
    sandbox.advance_clock(WEEK)
    sale = [("sales", "100.00"), ("sales_fees", f"-{order['orderlines'][0]['orderline_fee']}")]
    assert rows_of(sandbox.write_statements(tmp_path / "first"), order) == [*sale, ("refunds", "-30.00")]
    refund(client, order, amount=20)
    refund(client, order)
    sandbox.advance_clock(WEEK)
    assert rows_of(sandbox.write_statements(tmp_path / "second"), order) == [
        *sale,
        ("refunds", "-30.00"),
        ("refunds", "-20.00"),
        ("refunds", "-50.00"),
        ("avoir_sales_fees", order["orderlines"][0]["orderline_fee"]),
    ]


def test_a_cancelled_line_was_never_sold(sandbox: Sandbox, client: httpx.Client, tmp_path: Path) -> None:
    """Its refund is the server's record alone."""
    order = shipped(sandbox, state=1)
    body = {"orderline_pk": order["orderlines"][0]["id"], "refund_type": 4}
    assert client.post("/ws/sav/refund", json=body).status_code == 201
    sandbox.advance_clock(WEEK)
    assert len(sandbox.refunds()) == 1
    assert rows_of(sandbox.write_statements(tmp_path), order) == []


def test_the_week_under_way_is_issued_early_and_whole_later(
    sandbox: Sandbox, client: httpx.Client, tmp_path: Path
) -> None:
    """On demand alone, up to today, under the name that it has once the week is over, whatever currencies come yet."""
    order = shipped(sandbox)
    refund(client, order, amount=30)
    completed = sandbox.write_statements(tmp_path)
    assert rows_of(completed, order) == []
    early = sandbox.write_statements(tmp_path, week_under_way=True)
    assert set(completed) < set(early)
    assert ("refunds", "-30.00") in rows_of(early, order)
    issued = {Path(path).name for path in early} - {Path(path).name for path in completed}
    wish = {"lines": [{"sku": PHONE, "state": 3}], "force": True}
    for market in ("en-gb", "sv-se"):
        sandbox.create_order(market=market, **wish)
    refund(client, order)
    sandbox.advance_clock(WEEK)
    later = sandbox.write_statements(tmp_path)
    assert issued <= {Path(path).name for path in later}
    assert [row for row in rows_of(later, order) if row[0] == "refunds"] == [
        ("refunds", "-30.00"),
        ("refunds", "-70.00"),
    ]


@pytest.mark.parametrize("planted", [False, True])
def test_planted_differences_after_the_sale(
    sandbox: Sandbox, client: httpx.Client, tmp_path: Path, *, planted: bool
) -> None:
    """Each with its record, in orders of their own, beside whatever else is planted, and as the record says."""
    order = shipped(sandbox)
    refund(client, order, amount=30)
    sandbox.advance_clock(WEEK)
    returned_before = {parcel["orderline_id"] for parcel in sandbox.returns()}
    in_folders = {folder["order_id"] for folder in sandbox.care_folders()}
    honest = sandbox.write_statements(tmp_path / "honest")
    files = sandbox.write_statements(tmp_path / "inbox", planted=planted, planted_after_sales=True)
    record = json.loads((tmp_path / "inbox.planted.json").read_text())
    if not planted:
        assert set(record["counts"]) == {
            "refund_not_in_statement", "refund_without_refunded_line", "returned_not_refunded", "refunded_not_returned",
        }  # fmt: skip
        assert rows_of(honest, order)[-1] == ("refunds", "-30.00")
        assert ("refunds", "-30.00") not in rows_of(files, order)
    differences: dict[str, list[Json]] = {}
    for each in record["differences"]:
        differences.setdefault(each["kind"], []).append(each)
    (missing,) = differences["refund_not_in_statement"]
    assert (missing["order_id"], missing["expected"], missing["actual"]) == (order["order_id"], "-30.00", None)
    assert missing["invoice_ref"]
    *_, unexplained = differences["refund_without_refunded_line"]
    assert unexplained["actual"].startswith("-")
    (not_refunded,) = differences["returned_not_refunded"]
    made = {parcel["order_id"]: parcel for parcel in sandbox.returns()}[not_refunded["order_id"]]
    assert made["delivered"] is not None
    assert {unexplained["order_id"], not_refunded["order_id"]}.isdisjoint(in_folders)
    assert sandbox.order(not_refunded["order_id"])["orderlines"][0]["state"] == 3
    not_returned = {each["order_id"] for each in differences["refunded_not_returned"]}
    assert not_returned
    for order_id in not_returned:
        refunded = [line for line in sandbox.order(order_id)["orderlines"] if line["state"] == 6]
        assert refunded
        assert not {line["id"] for line in refunded} <= returned_before
    ordinary = {each["order_id"] for each in record["differences"]} - not_returned
    apart = [each["order_id"] for each in record["differences"] if each["order_id"] in ordinary - {None}]
    assert len(apart) == len(set(apart))


def test_statements_of_a_running_sandbox_know_what_came_after_the_sale(
    sandbox: Sandbox, client: httpx.Client, tmp_path: Path
) -> None:
    """The command line asks for refunds, and lets the planted return happen there."""
    order = shipped(sandbox)
    refund(client, order, amount=30)
    sandbox.advance_clock(WEEK)
    returns = len(sandbox.returns())
    main([f"--out={tmp_path}/there", f"--url={sandbox.base_url}", "--plant-after-sales"])
    record = json.loads((tmp_path / "there.planted.json").read_text())
    assert record["counts"]["refund_not_in_statement"] == record["counts"]["returned_not_refunded"] == 1
    assert len(sandbox.returns()) == returns + 1
