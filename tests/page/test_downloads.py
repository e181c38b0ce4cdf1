"""Every table of the page is a CSV and an XLSX file: the same rows, numbers as numbers, and nothing that can run."""

from __future__ import annotations

import csv
import io
import re
import tempfile
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import load_workbook

from backmarket.page import downloads
from backmarket.page.downloads import Download, Heading, csv_cell, csv_file, xlsx_file
from backmarket.page.lists import LISTS_OF_BACKBOX
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.needs import NAMES
from tests.page.given import add_orders, add_settlement_lines, sum_settlement_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psycopg
    from openpyxl.cell import Cell
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]
    Database = psycopg.Connection[Any]

TODAY = datetime.now(UTC).date()
PERIOD = f"first_day={TODAY - timedelta(days=89)}&last_day={TODAY}"
LISTS = (
    "orders",
    "listings",
    "inventory",
    *(f"backbox/{group}" for group in LISTS_OF_BACKBOX),
    "care-folders",
    "returns",
    "refunds",
    "changes",
    "worked-off",
    f"reports/orders?{PERIOD}",
    "search?q=SKU",
    *(f"needs/{name}" for name in NAMES),
)


def _xlsx(content: bytes) -> list[tuple[Cell, ...]]:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    return list(sheet.iter_rows())  # type: ignore[arg-type]


def _made(*rows: list[Any], headings: tuple[Heading, ...] = (Heading("A"), Heading("B", is_time=True))) -> bytes:
    return b"".join(xlsx_file(Download("made", headings, rows)))


def _records(content: bytes) -> list[dict[str, Any]]:
    titles, *rows = _xlsx(content)
    names = [str(each.value) for each in titles]
    return [dict(zip(names, (cell.value for cell in row), strict=True)) for row in rows]


def _csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


DANGEROUS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1+1", "＝1+1", '=HYPERLINK("http://x","y")', "#N/A"]  # noqa: RUF001


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_of_a_file_is_a_formula(text: str) -> None:
    """Whatever a seller's own system calls its SKUs: in a workbook it is a text, in CSV it begins with a quote."""
    (_, (cell, _)) = _xlsx(_made([text, None]))
    assert (cell.data_type, cell.value) == ("s", text.replace("\r", "\n"))
    assert cell.quotePrefix
    with zipfile.ZipFile(io.BytesIO(_made([text, None]))) as file:
        assert "<f>" not in file.read("xl/worksheets/sheet1.xml").decode()
    if not text.startswith("#"):
        assert csv_cell(text).startswith("'")
        assert csv_cell(text).lstrip("'").replace("\t'", "\t").replace("\r'", "\r") == text


def test_no_cell_begins_a_formula_where_semicolons_part_cells() -> None:
    """As in a French or German Excel, which opens a file of commas so: each cell by itself is harmless, too."""
    line = "".join(csv_file(Download("x", [Heading("A"), Heading("B")], [[1, "a;=1+1"], [2, "b;\t@x"]])))
    cells = [cell.strip('"') for row in line.splitlines()[1:] for cell in re.split("[;\t]", row)]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"}]


def test_harmless_texts_and_numbers_stay_as_they_are() -> None:
    """A negative amount is a number, and no danger."""
    for value in ("1+1", "SKU-7", "a - b", "x; y", Decimal("-19.90"), -3, None):
        assert csv_cell(value) == value


@pytest.mark.parametrize(
    ("amount", "written", "format_"),
    [
        ("199.90", "199.9", "0.00"),
        ("-0.10", "-0.1", "0.00"),
        ("19.99", "19.99", "0.00"),
        ("1234567890123.45", "1234567890123.45", "0.00"),
        ("9", "9", "0.00"),
        ("0.0015", "0.0015", "0.0000"),
    ],
)
def test_an_amount_is_a_number_exact_to_the_cent(amount: str, written: str, format_: str) -> None:
    """The digits in the file are those of the Decimal, not those of a float near it."""
    content = _made([Decimal(amount), None])
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert f"<v>{written}</v>" in file.read("xl/worksheets/sheet1.xml").decode()
    (_, (cell, _)) = _xlsx(content)
    assert (cell.data_type, cell.number_format) == ("n", format_)
    assert Decimal(str(cell.value)) == Decimal(amount)


@pytest.mark.parametrize("value", ["00123", "1E5", "356938035643809", 10**15 + 7, Decimal("1234567890123456.78")])
def test_no_digit_is_lost(value: Any) -> None:
    """A SKU and an IMEI are texts; so is a number of more digits than Excel keeps."""
    (_, (cell, _)) = _xlsx(_made([value, None]))
    assert (cell.data_type, cell.value) == ("s", str(value))


def test_a_time_is_in_utc_and_says_so() -> None:
    """Excel knows no zones; a day stays a day."""
    moment = datetime(2026, 3, 2, 1, 30, 5, tzinfo=timezone(timedelta(hours=2)))
    titles, (day, time) = _xlsx(_made([date(2026, 3, 2), moment]))
    assert [cell.value for cell in titles] == ["A", "B (UTC)"]
    assert time.value == datetime(2026, 3, 1, 23, 30, 5)  # noqa: DTZ001 - as Excel has it
    assert day.value == datetime(2026, 3, 2)  # noqa: DTZ001 - as Excel has it
    assert day.number_format == "yyyy-mm-dd"
    assert csv_cell(moment) == "2026-03-01 23:30:05Z"
    assert csv_cell(True) == "yes"


def test_a_text_that_xml_cannot_hold_costs_no_file() -> None:
    """A control character becomes the sign for what cannot be shown."""
    (_, (cell, _)) = _xlsx(_made(["bad\x00\x1f", None]))
    assert cell.value == "bad\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


def test_a_full_sheet_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is lost, and each sheet has the headings."""
    monkeypatch.setattr(downloads, "_MOST_ROWS_OF_A_SHEET", 4)
    book = load_workbook(io.BytesIO(_made(*([n, None] for n in range(7)))))
    assert [[row[0] for row in sheet.values] for sheet in book.worksheets] == [
        ["A", 0, 1, 2],
        ["A", 3, 4, 5],
        ["A", 6],
    ]


def test_a_file_that_fails_half_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written so far is deleted, and whoever asked learns of it before anything was sent."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def rows() -> Iterator[list[Any]]:
        yield ["a", None]
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        xlsx_file(Download("x", [Heading("A"), Heading("B")], rows()))
    assert list(tmp_path.iterdir()) == []
    list(xlsx_file(Download("x", [Heading("A"), Heading("B")], [["a", None]])))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_both_files_with_the_same_rows(signed_in: SignIn, warehouse: Database, path: str) -> None:
    """As many as the screen says, in its order; its links carry the filter."""
    add_orders(warehouse, 2000)
    add_settlement_lines(warehouse, 2000)
    viewer = signed_in("viewer")
    path = f"/backmarket/{path}{'&' if '?' in path else '?'}days=0&sort=subject"
    page = viewer.get(path).text
    total = re.search(r"of ([\d,]+) that fit", page)
    found = {}
    for ending in ("csv", "xlsx"):
        answer = viewer.get(f"{path}&format={ending}")
        assert answer.status_code == 200
        assert re.search(
            rf'filename="backmarket-default-[a-z-]+-\d{{4}}-\d\d-\d\d\.{ending}"$',
            answer.headers["content-disposition"],
        )
        found[ending] = answer.content
    rows, cells = _csv(found["csv"]), _records(found["xlsx"])
    assert len(rows) == len(cells) == (int(total[1].replace(",", "")) if total else 0)
    assert [next(iter(row.values())) for row in rows] == [next(iter(row.values())) for row in cells]
    if rows:
        assert 'sort=subject&amp;format=xlsx">XLSX</a>' in page
        assert [name.removesuffix(" (UTC)") for name in cells[0]] == list(rows[0])


def test_a_list_keeps_skus_as_texts_and_prices_as_numbers(signed_in: SignIn, warehouse: Database) -> None:
    """However they look; of times the heading says that they are in UTC."""
    Ledger(warehouse, "default", "price").plan(
        [
            PlannedChange(sku, {"price": "19.99", "currency": "EUR"}, "fr-fr", "refused", "=too dear")
            for sku in ("00123", "1E5", "@x")
        ],
        run_id="r",
    )
    answer = signed_in("viewer").get("/backmarket/needs/refused?sort=subject&format=xlsx")
    rows = _records(answer.content)
    assert [row["What"] for row in rows] == ["00123", "1E5", "@x"]
    assert {row["Amount"] for row in rows} == {19.99}
    assert {row["Why"] for row in rows} == {"=too dear"}
    assert all(isinstance(row["Since (UTC)"], datetime) for row in rows)


def test_an_approval_has_floor_and_stock_as_numbers(signed_in: SignIn, warehouse: Database) -> None:
    """They are texts of the seller's, so only what is plainly a number becomes one."""
    payload = {"price": "60.00", "old_price": "100.00", "currency": "EUR"}
    changes = [PlannedChange(sku, payload, "fr-fr", "awaiting_approval", "a large move") for sku in ("A", "B")]
    Ledger(warehouse, "default", "price").plan(changes, run_id="r")
    warehouse.execute(
        "insert into seller.prices (account, sku, market, price, currency, min_price) "
        "values ('default', 'A', 'fr-fr', 60, 'EUR', 55.5)"
    )
    first, second = _records(signed_in("viewer").get("/backmarket/needs/approvals?sort=subject&format=xlsx").content)
    assert (first["Your floor"], first["Old price"], first["Change in %"]) == (55.5, 100, -40)
    assert second["Your floor"] is None


def test_changes_are_listed_with_what_became_of_them(signed_in: SignIn, warehouse: Database) -> None:
    """Of every kind that the reader may see, the newest first; an acceptance leads to its order."""
    add_orders(warehouse, 100)
    prices = Ledger(warehouse, "default", "price")
    prices.plan([PlannedChange("A", {"price": "9", "currency": "EUR"}, "fr-fr", "refused", "too low")], run_id="r")
    Ledger(warehouse, "default", "quantity").plan([PlannedChange("A", {"quantity": 3})], run_id="r")
    viewer = signed_in("viewer")
    rows = _records(viewer.get("/backmarket/changes?format=xlsx").content)
    assert len(rows) == 52
    by_kind = {row["Kind"]: row for row in rows}
    assert (by_kind["price"]["Status"], by_kind["price"]["Amount"], by_kind["price"]["Why"]) == (
        "refused",
        9,
        "too low",
    )
    assert (by_kind["quantity"]["Units"], by_kind["quantity"]["Status"]) == (3, "planned")
    assert {row["What"] for row in rows if row["Kind"] == "accept"} == {str(n) for n in range(1, 51)}
    assert len(_records(viewer.get("/backmarket/changes?kind=price&text=too low&format=xlsx").content)) == 1


def test_the_inventory_shows_its_arithmetic(signed_in: SignIn, warehouse: Database) -> None:
    """What is on the shelf, less what is reserved, held and kept back; and why it is not sent where it is not."""
    warehouse.execute(
        "insert into backmarket.inventory (account, sku, id, stock, reserved, held, safety_qty, max_qty, sellable, "
        "shown, wanted, reason, planned_at) values "
        "('default', '00123', md5('a')::uuid, 9, 2, 1, 1, null, 6, 7, 5, null, now()), "
        "('default', 'B', md5('b')::uuid, 4, 0, 0, 0, 3, 4, 0, 3, 'a mass zero is held', now())"
    )
    viewer = signed_in("viewer")
    assert '<a href="/backmarket/inventory">Inventory</a>' in viewer.get("/backmarket/").text
    first, second = _records(viewer.get("/backmarket/inventory?format=xlsx").content)
    names = ("SKU", "On the shelf", "Reserved", "Held", "Sellable", "Safety", "Maximum", "Wanted", "Shown")
    assert tuple(first[name] for name in names) == ("00123", 9, 2, 1, 6, 1, None, 5, 7)
    assert (first["Units shown"], second["Units shown"], second["Why not sent"]) == (
        "sent",
        "not sent",
        "a mass zero is held",
    )


def test_settlement_is_told_order_by_order(signed_in: SignIn, warehouse: Database) -> None:
    """What statements of the period paid for each, and what they do not agree on; the report leads there."""
    add_orders(warehouse, 30)
    add_settlement_lines(warehouse, 30)
    warehouse.execute("update backmarket.settlement_lines set category = 'commission' where category = 'fees'")
    sum_settlement_lines(warehouse)
    warehouse.execute(
        "insert into backmarket.settlement_findings (account, kind, subject, order_id, day, expected, actual, "
        "currency, detail, documents, status) values "
        "('default', 'fee_difference', 'order 7', 7, current_date, 20, 19.5, 'EUR', 'less', '[]', 'open'), "
        "('default', 'missing_sale', 'order 99', 99, current_date, 50, null, 'EUR', 'none', '[]', 'open')"
    )
    viewer = signed_in("viewer")
    report = viewer.get(f"/backmarket/reports/period?{PERIOD}").text
    link = re.search(r'href="([^"]*/reports/orders\?[^"]*)"', report)
    assert link
    assert "Settlement by order" in viewer.get(link[1].replace("&amp;", "&")).text
    rows = {
        row["Order"]: row for row in _records(viewer.get(f"/backmarket/reports/orders?{PERIOD}&format=xlsx").content)
    }
    assert len(rows) == 31
    names = ("Sales", "Fees", "Net", "At stake", "Open differences", "Currency")
    assert tuple(rows["7"][name] for name in names) == (189.9, -19.9, 170, 0.5, "fee difference", "EUR")
    assert tuple(rows["99"][name] for name in names) == (None, None, None, 50, "missing sale", "EUR")
    open_ones = viewer.get(f"/backmarket/reports/orders?{PERIOD}&kind=open difference&format=csv")
    assert [row["Order"] for row in _csv(open_ones.content)] == ["99", "7"]
    tables = {
        name: _records(viewer.get(f"/backmarket/reports/tables?{PERIOD}&table={name}&format=xlsx").content)
        for name in ("days", "findings", "fees")
    }
    assert sum(row["Net"] for row in tables["days"]) == 30 * 170
    assert [(row["Order"], row["At stake"]) for row in tables["findings"]] == [("99", 50), ("7", 0.5)]
    assert [(row["Fee"], row["Rows"]) for row in tables["fees"]] == [("sales_fees", 30)]
    for path in (f"tables?{PERIOD}&table=none&format=csv", f"tables?{PERIOD}&table=days"):
        assert viewer.get(f"/backmarket/reports/{path}").status_code == 404
    assert viewer.get("/backmarket/reports/orders?first_day=2026-02-01&last_day=2026-01-01").status_code == 400


def test_a_story_is_a_file_too(signed_in: SignIn, warehouse: Database) -> None:
    """The lines of an order, the markets of a SKU, and what happened, as on the screen."""
    add_orders(warehouse, 100)
    warehouse.execute(
        "insert into seller.prices (account, sku, market, price, currency, min_price) "
        "values ('default', 'SKU-7', 'fr-fr', 99.5, 'EUR', 90)"
    )
    viewer = signed_in("viewer")
    (line,) = _records(viewer.get("/backmarket/orders/7?table=lines&format=xlsx").content)
    assert (line["Line"], line["SKU"], line["State"], line["Price"], line["IMEI"]) == (
        "1000007",
        "SKU-7",
        "shipped",
        199.9,
        "353000000000007",
    )
    events = _csv(viewer.get("/backmarket/orders/7?table=story&format=csv").content)
    assert "ordered" in {event["What"] for event in events}
    (market,) = _records(viewer.get("/backmarket/skus/SKU-7?table=markets&format=xlsx").content)
    assert (market["Market"], market["Price you want"], market["Your floor"]) == ("fr-fr", 99.5, 90)
    assert '<a href="?table=story&amp;format=xlsx">XLSX' in viewer.get("/backmarket/skus/SKU-7").text


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_file_holds_only_what_its_reader_may_see(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Who reads listings alone gets no orders, no inventory, no settlements, and of changes none but listings'."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    add_orders(warehouse, 100)
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_listings"
    )
    viewer = signed_in("viewer")
    for path in (
        "orders?",
        "inventory?",
        f"reports/orders?{PERIOD}&",
        f"reports/tables?{PERIOD}&table=days&",
        "orders/7?table=lines&",
    ):
        assert viewer.get(f"/backmarket/{path}format={ending}").status_code == 403
    assert len(_csv(viewer.get("/backmarket/changes?format=csv").content)) == 0


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_file_of_a_database_that_is_down_is_a_page(
    signed_in: SignIn, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """It says so before anything was sent, as every page does."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:s3cr3t@127.0.0.1:1/nothing")
    answer = signed_in("viewer").get(f"/backmarket/needs/refused?format={ending}")
    assert answer.status_code == 503
    assert "backmarket_warehouse does not answer" in answer.text
