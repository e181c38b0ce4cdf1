"""Files given to the page: shown first, stored by the DAG alone, and by nobody who may not."""

from __future__ import annotations

import csv
import io
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest

from backmarket.hooks import uploads
from backmarket.hooks.inbox import SELLER, list_inbox
from backmarket.services.file_templates import CHOICES, template
from backmarket.services.seller_files import FileRules, SellerFileLoading
from backmarket.services.uploads import MOST_BYTES
from backmarket.warehouse.seller_files import TARGETS
from tests.page.given import form_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2
    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]
    Database = psycopg.Connection[Any]

FILES, PREVIEW = "/backmarket/files", "/backmarket/files/preview"
STOCK = b"sku,quantity,counted_at\nA,1,2026-11-26T07:00:00Z\nB,2,2026-11-26T07:00:00Z\n"
STATEMENT = (
    b"invoice_key,value_date,sku,order_id,designation,amount,currency\n"
    b"sales,2026-11-20,A,5000001,sale,199.90,EUR\nsales_fees,2026-11-20,A,5000001,commission,-19.90,EUR\n"
)


@pytest.fixture
def inbox(tmp_path: Path, warehouse: Database, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Inboxes that the API server sees; that of the seller's files is returned."""
    for name in ("seller", "settlement"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}_INBOX", (tmp_path / name).as_uri())
    return tmp_path / "seller"


def _give(person: TestClient, name: str, content: bytes, fills: str = "") -> httpx2.Response:
    """Upload a file, and return the page that follows."""
    data = {"csrf": form_token(person.get(FILES).text), "fills": fills}
    answer = person.post(FILES, data=data, files={"file": (name, content)})
    return person.get(answer.headers["location"]) if answer.status_code == 303 else answer


def _decide(person: TestClient, page: str, action: str) -> httpx2.Response:
    """Press a button of a preview, and return the page that follows."""
    data = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    answer = person.post(PREVIEW, data={**data, "action": action})
    return person.get(answer.headers["location"]) if answer.status_code == 303 else answer


def _in(inbox: Path) -> list[str]:
    """The files that a run would read."""
    return sorted(file.name for file in list_inbox(inbox.as_uri(), SELLER))


def _run(warehouse: Database, inbox: Path) -> None:
    """Do what the DAG does."""
    files = list_inbox(inbox.as_uri(), SELLER)
    SellerFileLoading(warehouse, "default", FileRules(), logging.getLogger("test"), "run").load(files)


def _sum(page: str) -> dict[str, str]:
    """What a preview says would change."""
    return {what.strip(): number for number, what in re.findall(r"<li[^>]*><b>([^<]*)</b>([^<]*)</li>", page)}


def test_a_file_is_shown_before_anything_is_stored(signed_in: SignIn, inbox: Path, warehouse: Database) -> None:
    """Its columns, first rows, every problem with its row, and what would change; no run reads it yet."""
    warehouse.execute(
        "insert into seller.stock (account, sku, quantity, counted_at) values ('default', 'A', 9, now()), "
        "('default', 'G', 1, now()), ('default', 'U', 3, '2026-11-26T07:00:00Z')"
    )
    rows = "sku;Menge;Regal;counted_at\nA;1;x;26/11/2026 7:00\nN;2;;26/11/2026 7:00\nU;3;;26/11/2026 7:00\nC;5 pcs;;\n"
    page = _give(signed_in("user"), "stock.csv", rows.encode()).text
    assert _sum(page) == {
        "rows": "4", "new": "1", "changed": "1", "unchanged": "1", "gone": "1", "cannot be used": "1"
    }  # fmt: skip
    assert re.search(r">Menge</th><td[^>]*>quantity<", page)
    assert re.search(r">Regal</th><td[^>]*>no column of it", page)
    assert re.search(r">5</th><td>quantity is &#39;5 pcs&#39;", page)
    assert "2026-11-26 07:00:00+00:00" in page
    assert _in(inbox) == []
    assert warehouse.execute("select count(*), sum(quantity) from seller.stock").fetchone() == (3, 13)
    assert warehouse.execute("select count(*) from backmarket.seller_files").fetchone() == (0,)
    assert warehouse.execute("select count(*) from backmarket.quarantine").fetchone() == (0,)


def test_what_is_loaded_is_what_was_shown(
    signed_in: SignIn, inbox: Path, warehouse: Database, dags_of: Callable[..., None]
) -> None:
    """The file goes where the DAG reads it, a run is started, and the rows that cannot be used are a CSV file."""
    dags_of("default")
    kim = signed_in("user", "kim")
    page = _give(kim, "stock.csv", STOCK + b"=1+1,many,\n").text
    assert "backmarket_seller_files is paused" in page
    assert "backmarket_enabled is off" in page
    page = _decide(kim, page, "load").text
    assert "stock.csv is in the inbox. backmarket_seller_files is paused: unpause it." in page
    assert _in(inbox) == ["stock.csv"]
    assert list((inbox / uploads.FOLDER).iterdir()) == []
    _run(warehouse, inbox)
    assert warehouse.execute("select sku, quantity from seller.stock order by 1").fetchall() == [("A", 1), ("B", 2)]
    page = kim.get(FILES).text
    (link,) = re.findall(r'href="(/backmarket/files/rejected[^"]*)"', page)
    found = list(csv.reader(io.StringIO(kim.get(link.replace("&amp;", "&")).text.lstrip("\ufeff"))))
    assert found[0] == ["row", "sku", "quantity", "counted_at", "reason"]
    assert found[1][:3] == ["4", "'=1+1", "many"]
    assert "a whole number is needed" in found[1][-1]
    assert signed_in("viewer").get(link.replace("&amp;", "&")).status_code == 403


def test_a_press_on_load_starts_the_run(signed_in: SignIn, inbox: Path, dags_of: Callable[..., None]) -> None:
    """By the person's own right, and the page leads to it."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    dags_of("default")
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == "backmarket_seller_files").values(is_paused=False))
    kim = signed_in("user", "kim")
    page = _decide(kim, _give(kim, "stock.csv", STOCK).text, "load").text
    with create_session() as session:
        (run,) = session.scalars(select(DagRun).where(DagRun.dag_id == "backmarket_seller_files")).all()
        assert run.triggering_user_name == "kim"
    assert "/dags/backmarket_seller_files/runs/" in page


def test_a_corrected_file_takes_the_place_of_the_other(signed_in: SignIn, inbox: Path, warehouse: Database) -> None:
    """What it no longer says is gone, which the preview says as the run does it; unchanged, it changes nothing."""
    kim = signed_in("user")
    header = "order_id,tracking_number\n"
    _decide(kim, _give(kim, "shipments.csv", f"{header}1,TRACK0001\n2,TRACK0002\n3,TRACK0003\n".encode()).text, "load")
    _run(warehouse, inbox)
    page = _give(kim, "shipments.csv", f"{header}1,TRACK0001\n3,TRACK0009\n".encode()).text
    assert "this one takes its place" in page
    assert _sum(page) | {"rows": "2"} == {
        "rows": "2", "new": "0", "changed": "1", "unchanged": "1", "gone": "1", "cannot be used": "0"
    }  # fmt: skip
    _decide(kim, page, "load")
    _run(warehouse, inbox)
    assert warehouse.execute("select order_id, tracking_number from seller.shipments order by 1").fetchall() == [
        (1, "TRACK0001"), (3, "TRACK0009")
    ]  # fmt: skip
    page = _give(kim, "shipments.csv", f"{header}1,TRACK0001\n3,TRACK0009\n".encode()).text
    assert "loaded before" in page
    assert 'value="load"' not in page


def test_a_discarded_upload_is_gone(signed_in: SignIn, inbox: Path) -> None:
    """Neither the run nor the page finds it any more."""
    kim = signed_in("user")
    page = _give(kim, "stock.csv", STOCK).text
    assert "stock.csv was discarded. Nothing was changed." in _decide(kim, page, "discard").text
    assert list((inbox / uploads.FOLDER).iterdir()) == []
    assert _decide(kim, page, "load").status_code == 404
    assert _in(inbox) == []


@pytest.mark.parametrize(
    ("name", "content", "fills", "told"),
    [
        ("stock.csv", b"", "", "it is empty"),
        ("stock.csv", b"PK\x05\x06" + b"\0" * 18, "", "It is packed"),
        ("stock.csv.gz", b"\x1f\x8b\x08", "", "It is packed"),
        ("today.csv", STOCK, "", "Choose what it fills"),
        ("today.csv", STOCK, "nonsense", "There is no such table"),
        ("stock.rejected.csv", STOCK, "", "correct them in your own file"),
    ],
)
def test_what_is_not_taken_says_why(
    signed_in: SignIn, inbox: Path, name: str, content: bytes, fills: str, told: str
) -> None:
    """Nothing of it is stored."""
    answer = _give(signed_in("user"), name, content, fills)
    assert answer.status_code == 400
    assert told in answer.text
    assert list(inbox.iterdir()) == []


def test_a_file_that_cannot_be_used_is_not_offered_to_be_loaded(signed_in: SignIn, inbox: Path) -> None:
    """The reason stands there, the rows too, and the only button is to discard it."""
    page = _give(signed_in("user"), "stock.csv", b"sku,quantity\nA,x\n").text
    assert "none of its 1 rows can be used" in page
    assert re.search(r">2</th><td>quantity is", page)
    assert 'value="load"' not in page
    assert "has no column quantity" in _give(signed_in("user"), "stock.csv", b"sku,price\nA,1\n").text


def test_a_file_that_takes_too_much_away_says_so(signed_in: SignIn, inbox: Path, warehouse: Database) -> None:
    """It can be put into the inbox all the same, where it is held until a person lets it through."""
    warehouse.execute(
        "insert into seller.stock (account, sku, quantity, counted_at) "
        "select 'default', 'S' || n, 1, now() from generate_series(1, 10) as n"
    )
    page = _give(signed_in("user"), "stock.csv", b"sku,quantity\nS1,1\n").text
    assert "It would be held: it names 9 of the 10 rows" in page
    assert 'value="load"' in page


def test_a_table_can_be_chosen(signed_in: SignIn, inbox: Path) -> None:
    """The file's name then begins with it."""
    kim = signed_in("user")
    for name, fills, kept in (
        ("today.csv", "stock", "stock-today.csv"),
        ("prices.csv", "stock", "stock-prices.csv"),
        ("Stock.csv", "stock", "Stock.csv"),
    ):
        page = _give(kim, name, STOCK, fills).text
        assert f'<h1 id="verdict">{kept}</h1>' in page
        _decide(kim, page, "discard")


def test_a_statement_is_told_by_its_columns(signed_in: SignIn, inbox: Path, warehouse: Database) -> None:
    """Its sums and lines are shown, and it goes into the other inbox; a broken one says why."""
    kim = signed_in("user")
    page = _give(kim, "20261120-EU-H-1.csv", STATEMENT).text
    assert "<b>180.00 EUR</b> in 2 lines" in page
    assert _sum(page)["not stored yet"] == "2"
    assert "commission" in page
    assert "backmarket_settlement_download is off" in page
    assert warehouse.execute("select count(*) from backmarket.settlement_lines").fetchone() == (0,)
    _decide(kim, page, "load")
    assert [path.name for path in (inbox.parent / "settlement").iterdir() if path.is_file()] == ["20261120-EU-H-1.csv"]
    page = _give(kim, "broken.csv", b"invoice_key,amount\nsales,1\n", "statement").text
    assert "does not name the columns value_date" in page
    assert 'value="load"' not in page


def test_the_statements_read_last_are_listed(signed_in: SignIn, inbox: Path, warehouse: Database) -> None:
    """For those who may see their DAG, and as a file."""
    warehouse.execute(
        "insert into backmarket.settlement_files (account, path, size, modified_at, sha256, invoice_ref, line_count) "
        "values ('default', 'file:///in/20261120-EU-H-1.csv', 9, now(), 'x', '20261120-EU-H-1', 1234)"
    )
    viewer = signed_in("viewer")
    page = viewer.get(FILES).text
    assert re.search(r">20261120-EU-H-1(<wbr>|\.)*csv</th>.*?>1,234<", page)
    assert '"20261120-EU-H-1",1234' in viewer.get(f"{FILES}?table=statements&format=csv").text


def test_another_statement_of_the_same_name_replaces_none(signed_in: SignIn, inbox: Path) -> None:
    """Whoever calls every statement the same keeps all of them."""
    kim = signed_in("user")
    for content in (STATEMENT, STATEMENT.replace(b"2026-11-20", b"2026-11-21")):
        page = _give(kim, "statement.csv", content).text
        assert "takes its place" not in page
        _decide(kim, page, "load")
    assert len([path for path in (inbox.parent / "settlement").iterdir() if path.is_file()]) == 2


def test_who_may_not_edit_gives_no_file(signed_in: SignIn, inbox: Path) -> None:
    """A viewer sees the list without a form; a form of another page, or of nobody, is refused."""
    viewer = signed_in("viewer")
    page = viewer.get(FILES)
    assert page.status_code == 200
    assert 'type="file"' not in page.text
    token = form_token(viewer.get("/backmarket/").text)
    assert viewer.post(FILES, data={"csrf": token}, files={"file": ("stock.csv", STOCK)}).status_code == 403
    kim = signed_in("user")
    assert kim.post(FILES, data={"csrf": token}, files={"file": ("stock.csv", STOCK)}).status_code == 403
    assert kim.post(FILES, data={"csrf": ""}, files={"file": ("stock.csv", STOCK)}).status_code == 403
    assert list(inbox.iterdir()) == []
    answer = kim.post(FILES, data={"csrf": form_token(kim.get(FILES).text)}, files={"file": ("stock.csv", STOCK)})
    address = answer.headers["location"]
    assert viewer.get(address).status_code == 403
    query = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
    assert viewer.post(PREVIEW, data={**query, "action": "load", "csrf": token}).status_code == 403
    assert kim.post(PREVIEW, data={**query, "action": "load", "csrf": token}).status_code == 403
    assert _in(inbox) == []


def test_a_large_file_is_not_even_read(signed_in: SignIn, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the browser says its size is; the message says where else to put it."""
    from starlette.requests import Request

    kim = signed_in("user")
    monkeypatch.setattr(Request, "form", None)
    content = b"x" * (MOST_BYTES + 100_000)
    answer = kim.post(FILES, data={"csrf": "any"}, files={"file": ("stock.csv", content)})
    assert answer.status_code == 413
    assert f"Files of up to 64 MB are taken here: put a larger one into the inbox, {inbox.as_uri()}" in answer.text


def test_an_inbox_that_is_not_there_is_said(signed_in: SignIn, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a file is chosen, and after."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SELLER_INBOX", (inbox / "none").as_uri())
    kim = signed_in("user")
    assert "is not there" in kim.get(FILES).text
    assert "is not there" in _give(kim, "stock.csv", STOCK).text


def test_a_variable_that_cannot_be_understood_is_said(
    signed_in: SignIn, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the task would say it, which would fail."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SELLER_FILES_MODE", "sometimes")
    kim = signed_in("user")
    answer = _give(kim, "stock.csv", STOCK)
    assert answer.status_code == 400
    assert "backmarket_seller_files_mode is &#39;sometimes&#39;" in answer.text


@pytest.mark.parametrize("table", TARGETS)
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_filled_template_is_understood_whole(signed_in: SignIn, inbox: Path, table: str, ending: str) -> None:
    """Every column of the table is in it, and an example of each, put there, is a good row."""
    from backmarket.services.file_templates import explained

    kim = signed_in("user")
    blank = kim.get(f"{FILES}/template?table={table}&ending={ending}").content
    assert blank == template(table, ending) or ending == "xlsx"
    target = TARGETS[table]
    examples = [explained(target, column).example for column in target.columns]
    if ending == "csv":
        file = io.StringIO(newline="")
        csv.writer(file).writerow(examples)
        filled = blank + file.getvalue().encode()
    else:
        book = openpyxl.load_workbook(io.BytesIO(blank))
        book[table].append(examples)
        data = io.BytesIO()
        book.save(data)
        filled = data.getvalue()
    page = _give(kim, f"{table}.{ending}", filled).text
    assert _sum(page)["new"] == "1"
    assert _sum(page)["cannot be used"] == "0"
    assert "no column of it" not in page
    assert page.count('data-label="Is"') == len(target.columns)


def test_a_workbook_offers_what_there_is_to_choose() -> None:
    """Grades, markets and currencies of a catalog, as lists; SKUs and bar codes are texts; each column is explained."""
    book = openpyxl.load_workbook(io.BytesIO(template("catalog", "xlsx")))
    offered = {}
    for choice in book["catalog"].data_validations.dataValidation:
        (area,) = choice.sqref.ranges
        assert (area.min_row, area.min_col) == (2, area.max_col)
        column = book["catalog"].cell(1, area.min_col).value
        _, _, cells = choice.formula1.partition("!")
        offered[column] = tuple(row[0].value for row in book["lists"][cells.replace("$", "")])
    assert offered == {name: CHOICES[name] for name in ("currency", "grade", "market")}
    columns = TARGETS["catalog"].columns
    formats = {name: book["catalog"].column_dimensions[openpyxl.utils.get_column_letter(place)].number_format
               for place, name in enumerate(columns, start=1)}  # fmt: skip
    assert (formats["sku"], formats["ean"], formats["price"]) == ("@", "@", "General")
    assert [row[0].value for row in book["columns"].iter_rows(min_row=2)] == list(columns)
