"""Settlement files: honest ones match the orders, planted ones differ exactly where the record says."""

import csv
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.remote import Sandbox
from sandbox.statements.files import HEADER, STYLES, style_of
from sandbox.statements.rows import Row

KINDS = {
    "missing_sale", "sale_amount_difference", "fee_difference", "refund_without_refunded_line",
    "refunded_line_without_refund", "refund_without_fee_credit", "currency_mismatch", "sale_without_order",
    "unknown_key", "payout_never_released", "refund_amount_difference", "fee_credit_difference", "line_changed",
    "line_vanished", "unknown_order_reference", "no_value_date",
}  # fmt: skip


def read(paths: list[str]) -> list[dict[str, str]]:
    """Read files of the normal style."""
    rows = []
    for path in paths:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows += list(reader)
            assert tuple(reader.fieldnames or ()) == HEADER
    return rows


def test_honest_statements_match_the_orders(sandbox: Sandbox, tmp_path: Path) -> None:
    """Sales plus dynamic pricing are price and shipping of every settled order; fees are the lines' own."""
    files = sandbox.write_statements(tmp_path / "inbox")
    assert all(Path(path).name.startswith("invoice_20") and "-EU-H-100470" in path for path in files)
    orders = {str(order["order_id"]): order for order in sandbox.orders()}
    sales: Counter[str] = Counter()
    fees: Counter[str] = Counter()
    for row in read(files):
        amount = Decimal(row["amount"])
        if row["invoice_key"] in {"sales", "sales_dp_adjustment"}:
            sales[row["order_id"]] += amount  # type: ignore[assignment]
        if row["invoice_key"] == "sales_fees":
            fees[row["order_id"]] -= amount  # type: ignore[assignment]
    assert len(sales) > 100
    for order_id, total in sales.items():
        lines = [line for line in orders[order_id]["orderlines"] if line["state"] in {3, 5, 6}]
        expected = sum((Decimal(x["price"]) + Decimal(x["shipping_price"])) * x["quantity"] for x in lines)
        assert total == expected
        assert fees[order_id] == sum(Decimal(x["orderline_fee"]) for x in lines)


def test_planted_differences_are_recorded_and_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every kind is planted, in an order of its own; one file lies there twice; all styles occur."""
    files = sandbox.write_statements(tmp_path / "inbox", planted=True)
    record = json.loads((tmp_path / "inbox.planted.json").read_text())
    assert {each["kind"] for each in record["differences"]} == KINDS
    order_ids = [each["order_id"] for each in record["differences"] if each["order_id"]]
    assert len(order_ids) == len(set(order_ids))
    assert all(each["invoice_ref"] for each in record["differences"])
    assert len(set(record["styles"].values())) == 5
    contents = Counter(Path(path).read_bytes() for path in files)
    assert sorted(contents.values())[-2:] == [1, 2]
    assert not list((tmp_path / "inbox").glob("*.json"))


def test_planting_changes_nothing_else(sandbox: Sandbox, tmp_path: Path) -> None:
    """A missing sale leaves no row of its order at all; the other orders' rows stay."""
    honest = read(sandbox.write_statements(tmp_path / "honest"))
    sandbox.write_statements(tmp_path / "planted", planted=True)
    record = json.loads((tmp_path / "planted.planted.json").read_text())
    missing = {str(each["order_id"]) for each in record["differences"] if each["kind"] == "missing_sale"}
    texts = [path.read_text(encoding="utf-8-sig") for path in (tmp_path / "planted").iterdir()]
    touched = {str(each["order_id"]) for each in record["differences"]}
    for order_id in {row["order_id"] for row in honest} - {""}:
        present = any(order_id in text for text in texts)
        assert present is (order_id not in missing)
    assert missing <= touched
    assert len(missing) == 2


@pytest.mark.parametrize("number", range(5))
def test_days_that_could_be_months_are_written_in_the_normal_style(number: int) -> None:
    """Nobody could read the others: it is no difference, and planted nowhere."""
    early, late = (Row("sales", date(2026, 9, day), "A", "1", "", Decimal(1), "EUR") for day in (9, 20))
    assert style_of(number, [early]).dates == "%Y-%m-%d"
    assert style_of(number, [early, late]) == STYLES[number]
