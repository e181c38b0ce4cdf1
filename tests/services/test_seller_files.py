"""Files fill the seller's tables: row by row judged, file by file stored, and never half."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

import openpyxl
import pandas as pd
import psycopg
import pytest

from backmarket.rules.settlements.blocks import StatementError
from backmarket.services.seller_files import FileRules, SellerFileLoading, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STORED_AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


@dataclass
class File:
    """A file in an inbox that is no more than this."""

    path: str
    data: bytes
    modified_at: datetime = STORED_AT
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.rpartition("/")[2]

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    @contextmanager
    def content(self) -> Iterator[tuple[IO[bytes], str]]:
        """What is in it."""
        yield io.BytesIO(self.data), hashlib.sha256(self.data).hexdigest()

    def write_beside(self, ending: str, text: str) -> None:
        """Keep what is written beside it."""
        self.beside[ending] = text


@dataclass
class Inbox:
    """Loads files and looks at what came of it."""

    connection: psycopg.Connection[Any]

    def load(self, *files: File, **rules: Any) -> SellerFileLoading:
        """Load what is in the inbox now."""
        loading = SellerFileLoading(self.connection, "default", FileRules(**rules), logging.getLogger("test"), "run")
        self.counts = loading.load(files)
        return loading

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database holds."""
        return self.connection.execute(query.encode()).fetchall()

    @property
    def stock(self) -> dict[str, int]:
        """Units by SKU."""
        return dict(self.rows("select sku, quantity from seller.stock order by sku"))


@pytest.fixture
def inbox(warehouse: psycopg.Connection[Any]) -> Inbox:
    """An empty inbox before empty tables."""
    return Inbox(warehouse)


def csv_file(text: str, path: str = "in/stock.csv", **values: Any) -> File:
    """A file of text."""
    return File(path, text.encode(), **values)


def workbook(*rows: list[Any], path: str = "in/stock.xlsx", formats: dict[str, str] | None = None) -> File:
    """An Excel workbook."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for cell, number_format in (formats or {}).items():
        sheet[cell].number_format = number_format
    data = io.BytesIO()
    book.save(data)
    return File(path, data.getvalue())


STOCK = "sku,quantity,counted_at\nA,1,2026-11-26T07:00:00Z\nB,2,2026-11-26T07:00:00Z\n"


def _parquet() -> bytes:
    data = io.BytesIO()
    frame = pd.DataFrame({"sku": ["A", "B"], "quantity": [1, 2], "counted_at": ["2026-11-26T07:00:00Z"] * 2})
    frame.to_parquet(data)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("stock.csv", STOCK.encode()),
        ("stock.csv", STOCK.encode("utf-8-sig")),
        ("stock.csv", STOCK.encode("utf-16")),
        ("stock.csv", STOCK.encode("utf-16-le")),
        ("stock.csv", STOCK.encode("utf-16-be")),
        ("stock.csv", STOCK.replace(",", "^").encode()),
        ("stock.csv", STOCK.replace(",", "\x1f").encode()),
        ("stock.csv", STOCK.replace(",", ":").replace("07:00:00Z", "0700Z").encode()),
        ("stock.csv", STOCK.replace(",", ";").replace("sku", "Référence").encode("cp1252")),
        ("stock_2026.txt", STOCK.replace(",", "\t").encode()),
        ("STOCK.CSV", STOCK.replace(",", "|").encode()),
        ("stock.csv", b"Stock of today,,\n,,\n" + STOCK.encode()),
        ("stock.csv", STOCK.replace("\n", "\r\n").encode() + b",,\r\n,,\r\n"),
        ("stock.parquet", _parquet()),
        (
            "stock.jsonl",
            (b'{"SKU": "A", "qty": 1, "counted_at": "2026-11-26T07:00:00Z"}\n'
            b'{"counted_at": "2026-11-26T07:00:00Z", "SKU": "B", "qty": 2.0}\n'),
        ),
        (
            "stock.json",
            b'[{"sku": "A", "quantity": 1, "counted_at": "2026-11-26T07:00:00Z"},\n {"sku": "B", "quantity": "2"}]',
        ),
        ("stock.xlsx", workbook(["sku", "quantity"], ["A", 1], ["B", 2.0]).data),
        ("stock.xlsx", workbook(["Stock of today"], [], ["Artikelnummer", "Menge"], ["A", "1"], [None], ["B", 2]).data),
    ],
)  # fmt: skip
def test_every_format_is_read(inbox: Inbox, name: str, data: bytes) -> None:
    """By its content, whatever its encoding, delimiter, language, title and blank rows."""
    inbox.load(File(f"in/{name}", data))
    assert inbox.stock == {"A": 1, "B": 2}
    assert inbox.counts == {"files": 1, "loaded": 1, "new": 2, "changed": 0, "gone": 0}


def test_names_of_files_say_the_table(inbox: Inbox) -> None:
    """By their beginning; the file of rejected rows is none, and neither is anything else."""
    names = ("stock.csv", "Stock_FR.xlsx", "prices-today.csv", "shipments.csv", "devices1.csv", "catalog.json")
    assert [target.name if (target := target_of(name)) else None for name in names] == [
        "stock", "stock", "prices", "shipments", "devices", "catalog"
    ]  # fmt: skip
    assert [target_of(name) for name in ("stock.rejected.csv", "stocktaking.csv", "my stock.csv", "readme.txt")] == [
        None
    ] * 4


def test_a_text_stays_a_text(inbox: Inbox) -> None:
    """A SKU of digits keeps its zeros, one that looks like a number with an exponent is none."""
    inbox.load(csv_file("sku,quantity\n00123,1\n1E5,2\n007,3\n"))
    assert inbox.stock == {"00123": 1, "007": 3, "1E5": 2}


def test_a_workbooks_numbers_come_as_it_shows_them(inbox: Inbox) -> None:
    """An IMEI is 15 digits, which a workbook holds; zeros that a format adds are part of a SKU."""
    inbox.load(
        workbook(
            ["order_id", "sku", "imei"], [5000001, 123, 356938035643809],
            path="in/devices.xlsx", formats={"B2": "00000"},
        )
    )  # fmt: skip
    assert inbox.rows("select order_id, sku, imei from seller.devices") == [(5000001, "00123", "356938035643809")]


def test_a_workbooks_number_of_more_than_15_digits_is_refused(inbox: Inbox) -> None:
    """Excel keeps 15; what a row shows beyond them is made up, whoever wrote it. So is what a failed formula shows."""
    file = workbook(
        ["order_id", "imei"], [1, 356938035643809], [2, 3569380356438090], [3, 35693803564380900.0], [4, "#N/A"],
        path="in/devices.xlsx",
    )  # fmt: skip
    inbox.load(file)
    assert inbox.rows("select order_id, imei from seller.devices") == [(1, "356938035643809")]
    assert file.beside[".rejected.csv"].count("may be lost") == 2
    assert "imei is '#N/A': a formula has failed" in file.beside[".rejected.csv"]


def test_a_messy_workbook_is_read(inbox: Inbox) -> None:
    """A merged title, blank rows, commas beside real numbers, and a style of dates for each column."""
    book = openpyxl.Workbook()
    book.active.title = "Notes"  # type: ignore[union-attr]
    sheet = book.create_sheet("Stock")
    known_until = pd.Timestamp("2026-11-25 08:30").to_pydatetime()
    for row in (
        ["Inventory of the week", None, None, None, None, None],
        [],
        ["Référence", "Qté", "Compté le", "orders_known_until", "Letzte Lieferung", "Prix"],
        [123, "1.200", "24/11/2026 9:05", known_until, "11-26-2026", "1.199,90"],
        [None, None, None, None, None, None],
        ["B-7", 3.0, "05/11/2026", known_until.date(), "12-24-2026", 99.5],
        ["C", "1.050", "05/11/2026", None, "x", 1],
    ):
        sheet.append(row)
    sheet.merge_cells("A1:F1")
    data = io.BytesIO()
    book.save(data)
    inbox.load(File("in/stock.xlsx", data.getvalue()))
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files")
    assert "column 'Qté'" in reason
    for cell in ("B4", "B7"):
        sheet[cell] = 7
    data = io.BytesIO()
    book.save(data)
    inbox.load(File("in/stock.xlsx", data.getvalue(), STORED_AT + timedelta(hours=1)))
    assert inbox.rows(
        "select sku, quantity, counted_at::text, orders_known_until::text from seller.stock order by sku"
    ) == [
        ("123", 7, "2026-11-24 09:05:00+00", "2026-11-25 08:30:00+00"),
        ("B-7", 3, "2026-11-05 00:00:00+00", "2026-11-25 00:00:00+00"),
        ("C", 7, "2026-11-05 00:00:00+00", None),
    ]


def test_what_is_kept_of_a_bad_row_is_what_stood_there(inbox: Inbox) -> None:
    """A number of a workbook too, as the workbook shows it."""
    inbox.load(workbook(["sku", "market", "price", "currency"], ["A", "fr-fr", 9.5, "EUR"], ["", "fr-fr", 9.5, "EUR"],
                        path="in/prices.xlsx"), is_snapshot=False)  # fmt: skip
    assert inbox.rows("select document ->> 'price' from backmarket.quarantine") == [("9.5",)]


@pytest.mark.parametrize(
    "ruined", ["3.5E+14", "3,56938E+14", "3.569380356438090E+15", "356938035643810.0", "353012345678900,00"]
)
def test_a_number_that_a_spreadsheet_has_ruined_is_refused(inbox: Inbox, ruined: str) -> None:
    """Its digits are lost; the others go on."""
    file = csv_file(f'order_id,imei\n1,"{ruined}"\n2,356938035643809\n', "in/devices.csv")
    loading = inbox.load(file)
    assert inbox.rows("select order_id from seller.devices") == [(2,)]
    assert loading.rejected == 1
    assert "digits may be lost" in file.beside[".rejected.csv"]


def test_a_number_of_json_is_judged_as_it_is_written(inbox: Inbox) -> None:
    """Where digits may be lost it is refused, as in any other format; a whole number is a text."""
    numbers = ["3.5E+14", "356938035643809", "1e15", "356938035643810.0"]
    lines = [f'{{"order_id": {number}, "imei": {imei}}}\n' for number, imei in enumerate(numbers, start=1)]
    inbox.load(File("in/devices.jsonl", "".join(lines).encode()))
    assert inbox.rows("select order_id, imei from seller.devices") == [(2, "356938035643809")]
    assert inbox.rows("select key from backmarket.quarantine order by 1") == [
        ("row 1 (1)",),
        ("row 3 (3)",),
        ("row 4 (4)",),
    ]


def test_hidden_sheets_are_not_read_but_by_name(inbox: Inbox) -> None:
    """The first sheet that people see; one that is called as the table comes before it."""
    book = openpyxl.Workbook()
    (hidden, shown) = (book.worksheets[0], book.create_sheet("Export"))
    hidden.sheet_state = "hidden"
    hidden.append(["list", "of", "values"])
    for row in (["sku", "quantity"], ["A", 1]):
        shown.append(row)
    data = io.BytesIO()
    book.save(data)
    inbox.load(File("in/stock.xlsx", data.getvalue()))
    assert inbox.stock == {"A": 1}


def test_prices_are_read_by_one_style_a_column(inbox: Inbox) -> None:
    """Commas and dots are decided over all rows, so that 1.299 is no euro and some cents."""
    rows = "sku;market;price;currency;min_price\nA;fr-fr;1.299,00;EUR;1,299.50\nB;fr-fr;199,90;EUR;99.50\n"
    inbox.load(csv_file(rows, "in/prices.csv"))
    assert [(sku, str(price), str(floor)) for sku, price, floor in inbox.rows(
        "select sku, price, min_price from seller.prices order by sku"
    )] == [("A", "1299.00", "1299.50"), ("B", "199.90", "99.50")]  # fmt: skip


def test_a_column_that_can_be_read_in_two_ways_refuses_the_file(inbox: Inbox) -> None:
    """1.000 may be a thousand: nothing is guessed, and the file is named."""
    loading = inbox.load(csv_file("sku,quantity\nA,1.000\nB,2.000\n"))
    assert inbox.stock == {}
    assert loading.refused == ["in/stock.csv"]
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files")
    assert "column 'quantity'" in reason


def test_days_are_read_by_one_style_a_column(inbox: Inbox) -> None:
    """Each column has its own; a time of day stays."""
    rows = "order_id,tracking_number,shipped_at\n1,TRACK00001,24/11/2026 9:05\n2,TRACK00002,05/11/2026\n"
    inbox.load(csv_file(rows, "in/shipments.csv"))
    assert inbox.rows("select order_id, shipped_at::text from seller.shipments order by 1") == [
        (1, "2026-11-24 09:05:00+00"), (2, "2026-11-05 00:00:00+00")
    ]  # fmt: skip


def test_bad_rows_are_named_and_cost_no_other(inbox: Inbox) -> None:
    """Beside the file with the reason, and in quarantine."""
    file = csv_file('sku,quantity,shelf\nA,1,x\n,2,y\nC,5 pcs,z\nD,4,"q",5,6\n')
    loading = inbox.load(file, is_snapshot=False)
    assert inbox.stock == {"A": 1}
    assert loading.rejected == 3
    assert file.beside[".rejected.csv"].splitlines() == [
        "sku,quantity,shelf,reason",
        ",2,y,sku is missing",
        "C,5 pcs,z,quantity is '5 pcs': a whole number is needed",
        'D,4,q,"it has more fields than the header, which has 3"',
    ]
    assert [row[0] for row in inbox.rows("select key from backmarket.quarantine order by key")] == [
        "row 3", "row 4 (C)", "row 5 (D)"
    ]  # fmt: skip
    inbox.load(csv_file("sku,quantity\nA,1\n", modified_at=STORED_AT + timedelta(minutes=1)))
    assert inbox.rows("select key from backmarket.quarantine") == []


def test_a_key_that_stands_twice_is_not_guessed(inbox: Inbox) -> None:
    """Rows that are alike are one; rows that differ are all refused."""
    loading = inbox.load(csv_file("sku,quantity\nA,1\nA,1\nB,1\nB,2\nC,3\n"), is_snapshot=False)
    assert inbox.stock == {"A": 1, "C": 3}
    assert loading.rejected == 2


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("stock.csv", b"", "it is empty"),
        ("stock.csv", b"%PDF-1.7 ...", "it is a PDF"),
        ("stock.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "an Excel workbook of the old kind (.xls)"),
        ("stock.csv", b"<html><body>Sign in</body></html>", "a web page"),
        (
            "stock.csv",
            b"sku,price\nA,1\n",
            "it has no column quantity. Its columns are sku, price; needed are sku, qua",
        ),
        ("stock.csv", b"sku,qty,Menge\nA,1,2\n", "both 'qty' and 'Menge' can be quantity"),
        ("stock.csv", b"sku,quantity\n", "not one row"),
        ("stock.csv", b"sku,quantity\nA,x\n", "none of its 1 rows can be used. Row 2: quantity is 'x'"),
        ("stock.xlsx", b"PK\x03\x04 no workbook", "no workbook that can be read"),
        ("stock.parquet", b"PAR1 no Parquet", "no Parquet file"),
        ("stock.jsonl", b'{"sku": "A"}\n[1]\n', "line 2 is no JSON object"),
        ("stock.jsonl", b'{"sku": "A"}\n{"sku"\n', "line 2 is not JSON"),
        ("stock.json", b'[{"sku": "A", "quantity": 1}, 2]', "entry 2 of its JSON array is no object"),
        ("stock.json", b'[{"sku": "A", "quantity": 1}', "it begins as a JSON array and is none"),
        ("stock.csv", b" \n \n", "it is empty"),
        ("stock.csv", b"sku,quantity\nA\0,1\n", "bytes of zero"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(inbox: Inbox, name: str, data: bytes, why: str) -> None:
    """It costs no other, and is not read again until it changes."""
    good = csv_file("sku,market,price,currency\nA,fr-fr,9.90,EUR\n", "in/prices.csv")
    loading = inbox.load(File(f"in/{name}", data), good)
    assert loading.refused == [f"in/{name}"]
    ((key, reason),) = inbox.rows("select key, reason from backmarket.quarantine")
    assert key == "the file"
    assert why in reason
    assert inbox.rows("select count(*) from seller.prices") == [(1,)]
    assert inbox.load(File(f"in/{name}", data), good).refused == [f"in/{name}"]
    assert inbox.counts["loaded"] == 0


def test_a_header_of_the_sellers_own_is_said_in_a_variable(inbox: Inbox) -> None:
    """So is a value that all rows have; neither is stronger than what the file says itself."""
    file = csv_file("Ref interne,Combien,price,sku\nA,1,9.90,nothing\n", "in/stock.csv")
    inbox.load(file, columns={"stock": {"ref interne": "sku", "COMBIEN": "quantity", "=3": "safety_qty"}})
    assert inbox.rows("select sku, quantity, safety_qty from seller.stock") == [("A", 1, 3)]


def test_a_count_without_a_time_is_older_than_its_file(inbox: Inbox) -> None:
    """Orders that came in while it was made are taken off: rather some units too few than one too many."""
    inbox.load(csv_file("sku,quantity\nA,1\n"), count_lag=timedelta(minutes=30))
    assert inbox.rows("select counted_at::text from seller.stock") == [("2026-11-26 07:30:00+00",)]


def test_what_a_snapshot_does_not_name_is_sold_out(inbox: Inbox) -> None:
    """A stock file says everything: a SKU that has left it is not there any more."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\nC,3\n"))
    later = STORED_AT + timedelta(hours=1)
    inbox.load(csv_file("sku,quantity\nA,1\nC,4\n", "in/stock2.csv", modified_at=later))
    assert inbox.stock == {"A": 1, "B": 0, "C": 4}
    assert inbox.counts["gone"] == 1


def test_an_increment_leaves_what_it_does_not_name(inbox: Inbox) -> None:
    """Only what the file itself had said before goes with a corrected version of it."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\n"), is_snapshot=False)
    inbox.load(csv_file("sku,quantity\nC,3\n", "in/stock2.csv"), is_snapshot=False)
    assert inbox.stock == {"A": 1, "B": 2, "C": 3}
    corrected = csv_file("sku,quantity\nA,5\n", modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(corrected, is_snapshot=False, guard_pct=100)
    assert inbox.stock == {"A": 5, "B": 0, "C": 3}


def test_a_snapshot_that_takes_too_much_away_is_held(inbox: Inbox) -> None:
    """Half an export looks like half the stock sold out; a person may let it through."""
    inbox.load(csv_file("sku,quantity\n" + "".join(f"S{n},1\n" for n in range(10))))
    half = csv_file("sku,quantity\nS0,1\nS1,1\n", "in/stock2.csv", modified_at=STORED_AT + timedelta(hours=1))
    loading = inbox.load(half)
    assert loading.held == ["in/stock2.csv"]
    assert sum(inbox.stock.values()) == 10
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files where status = 'held'")
    assert reason.startswith("it names 8 of the 10 rows of seller.stock no longer")
    assert inbox.load(half).held == ["in/stock2.csv"]
    assert inbox.load(half, may_drop_all=True).held == []
    assert sum(inbox.stock.values()) == 2


def test_a_rejected_row_is_not_gone(inbox: Inbox) -> None:
    """What a snapshot says of a SKU cannot be read: that is no zero. Nor is a row that names no SKU."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\n"))
    later = STORED_AT + timedelta(hours=1)
    inbox.load(csv_file("sku,quantity\nA,1\nB,two\n", "in/stock2.csv", modified_at=later))
    assert inbox.stock == {"A": 1, "B": 2}
    loading = inbox.load(csv_file("sku,quantity\nA,1\n,2\n", "in/stock3.csv", modified_at=later))
    assert loading.held == ["in/stock3.csv"]


def test_a_content_is_loaded_once(inbox: Inbox) -> None:
    """Under whatever name: what the seller's system has changed since stays."""
    inbox.load(csv_file(STOCK))
    inbox.connection.execute("update seller.stock set quantity = 7 where sku = 'A'")
    inbox.load(csv_file(STOCK), csv_file(STOCK, "in/stock_again.csv"))
    assert inbox.stock == {"A": 7, "B": 2}


def test_a_content_that_comes_back_is_loaded_again(inbox: Inbox) -> None:
    """Monday's count may be Wednesday's, with another one between; and one table's content may be another's."""
    monday = csv_file("sku,quantity\nA,1\n", "in/stock_1.csv")
    tuesday = csv_file("sku,quantity\nA,2\n", "in/stock_2.csv", modified_at=STORED_AT + timedelta(days=1))
    wednesday = csv_file("sku,quantity\nA,1\n", "in/stock_3.csv", modified_at=STORED_AT + timedelta(days=2))
    inbox.load(monday, tuesday)
    assert inbox.stock == {"A": 2}
    inbox.load(monday, tuesday, wednesday)
    assert inbox.stock == {"A": 1}


def test_what_is_said_of_a_file_goes_with_it(inbox: Inbox) -> None:
    """Its rows stay; when it comes back, it is read anew."""
    bad, good = csv_file("sku,quantity\nA,1\nB,x\n"), csv_file("sku,imei\n", "in/devices.csv")
    inbox.load(bad, good)
    assert len(inbox.rows("select 1 from backmarket.quarantine")) == 2
    inbox.load()
    assert inbox.rows("select 1 from backmarket.quarantine") == []
    assert inbox.stock == {"A": 1}
    loading = inbox.load(bad)
    assert loading.rejected == 1
    assert inbox.rows("select key from backmarket.quarantine") == [("row 3 (B)",)]


def test_all_rows_of_an_order_are_replaced(inbox: Inbox) -> None:
    """A corrected file says all devices of its orders; those of other orders stay."""
    rows = "order_id,sku,imei\n1,A,356938035643809\n1,B,490154203237518\n2,A,352099001761481\n"
    inbox.load(csv_file(rows, "in/devices.csv"))
    later = STORED_AT + timedelta(hours=1)
    inbox.load(csv_file("order_id,sku,imei\n1,A,356938035643809\n", "in/devices2.csv", modified_at=later))
    assert inbox.rows("select order_id, sku from seller.devices order by 1, 2") == [(1, "A"), (2, "A")]


def test_rows_of_another_account_are_refused(inbox: Inbox) -> None:
    """An inbox is one account's."""
    loading = inbox.load(csv_file("account,sku,quantity\ndefault,A,1\nus,B,1\n"))
    assert inbox.stock == {"A": 1}
    assert loading.rejected == 1


PLACES = "sku,quantity,Lager,counted_at\nA,1,Paris,2026-11-26T07:00:00Z\nA,2,Lyon,2026-11-26T07:00:00Z\n"


def test_stock_is_told_by_warehouse(inbox: Inbox) -> None:
    """A row each; the warehouse that a snapshot leaves out has nothing of it, as has the SKU without a warehouse."""
    query = (
        "select '', quantity from seller.stock union all select warehouse, quantity from seller.stock_by_warehouse "
        "order by 1, 2"
    )
    inbox.load(csv_file(STOCK.replace("B,2", "A,2")))
    assert inbox.rows(query) == [], "without warehouses two rows of a SKU contradict each other"
    inbox.load(csv_file(STOCK.replace("B,2", "B,0"), "in/stock-1.csv"))
    loading = inbox.load(csv_file(PLACES, "in/stock-2.csv"))
    assert (loading.refused, loading.held, loading.rejected) == ([], [], 0)
    assert inbox.rows(query) == [("", 0), ("", 0), ("Lyon", 2), ("Paris", 1)]
    inbox.load(csv_file(PLACES.replace("A,2,Lyon", "A,3,Paris") + "A,4,Lyon,\n", "in/stock-3.csv"))
    assert inbox.rows(query)[2:] == [("Lyon", 4), ("Paris", 1)], "which of two rows of Paris is meant is not guessed"
    inbox.load(csv_file(PLACES.replace("A,1,Paris", "A,7,Lille"), "in/stock-4.csv"))
    assert inbox.rows(query)[2:] == [("Lille", 7), ("Lyon", 2), ("Paris", 0)]


def test_a_file_without_warehouses_is_read_as_ever(inbox: Inbox) -> None:
    """Also by a warehouse for all of its rows, which the seller has named."""
    inbox.load(csv_file(STOCK))
    assert inbox.rows("select key from backmarket.seller_file_rows order by 1") == [("A",), ("B",)]
    changed = csv_file(STOCK.replace("A,1", "A,5"), modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(changed)
    assert inbox.stock == {"A": 5, "B": 2}
    twice = STOCK + "A,2,2026-11-26T07:00:00Z\n"
    rules = {"columns": {"stock": {"=Paris": "warehouse"}}, "may_drop_all": True}
    assert inbox.load(csv_file(twice, "in/stock-paris.csv"), **rules).rejected == 2
    query = (
        "select sku, '', quantity from seller.stock union all "
        "select sku, warehouse, quantity from seller.stock_by_warehouse order by 1, 2"
    )
    assert inbox.rows(query) == [("A", "", 0), ("B", "", 0), ("B", "Paris", 2)]


def test_a_map_of_skus_names_all_listings_of_its_skus(inbox: Inbox) -> None:
    """What it says no more is gone, of these SKUs alone; a row without units takes one."""
    query = "select sku, listing_sku, units from seller.sku_map order by 1, 2"
    first = csv_file("SKU;Listing SKU;Units per listing\nA;L1;\nA;L2;2\nB;L1;1\n", "in/sku_map.csv")
    assert inbox.load(first).refused == []
    assert inbox.rows(query) == [("A", "L1", None), ("A", "L2", 2), ("B", "L1", 1)]
    inbox.load(csv_file("sku,listing_sku\nA,L3\n", "in/sku_map_new.csv"))
    assert inbox.rows(query) == [("A", "L3", None), ("B", "L1", 1)]


@pytest.mark.parametrize("row", ["B,,1", "B,L2,0", "B,L2,x", "A,L1,3"])
def test_a_map_with_a_bad_row_is_refused_as_a_whole(inbox: Inbox, row: str) -> None:
    """A SKU whose row is left out would feed the listing of its own name."""
    file = csv_file(f"sku,listing_sku,units\nA,L1,2\n{row}\n", "in/sku_map.csv")
    assert inbox.load(file).refused == ["in/sku_map.csv"]
    assert inbox.rows("select sku from seller.sku_map") == []


def test_a_view_is_not_filled(inbox: Inbox) -> None:
    """Whoever put it there fills it."""
    inbox.connection.execute("drop table seller.stock")
    inbox.connection.execute(
        "create view seller.stock as select ''::text account, ''::text sku, 1 quantity, now() counted_at, "
        "1 safety_qty, 1 max_qty, now() orders_known_until where false"
    )
    loading = inbox.load(csv_file(STOCK))
    assert loading.refused == ["in/stock.csv"]


def test_json_and_amounts_of_a_catalog_arrive_whole(inbox: Inbox) -> None:
    """Lists and objects are JSON in whatever format they come."""
    document = {"sku": "A", "price": 199.9, "images": ["https://x.test/1.jpg"], "attributes": {"colour": "red"}}
    inbox.load(File("in/catalog.jsonl", json.dumps(document).encode()))
    assert inbox.rows("select sku, price::text, images, attributes from seller.catalog") == [
        ("A", "199.9", ["https://x.test/1.jpg"], {"colour": "red"})
    ]


def test_killed_between_any_two_statements_it_ends_the_same(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a file or nothing of it, and the next run does what was not done."""
    import itertools

    file = csv_file("sku,quantity\nA,1\nB,2\nC,x\n")
    execute = psycopg.Connection.execute
    for place in itertools.count():
        inbox.connection.execute("truncate seller.stock, backmarket.seller_files, backmarket.seller_file_rows")
        inbox.connection.execute("delete from backmarket.quarantine")
        left = itertools.count()

        def dies(self: Any, *args: Any, place: int = place, left: Any = left, **kwargs: Any) -> Any:
            if next(left) == place:
                raise KeyboardInterrupt
            return execute(self, *args, **kwargs)

        monkeypatch.setattr(psycopg.Connection, "execute", dies)
        try:
            inbox.load(file, is_snapshot=False)
        except KeyboardInterrupt:
            monkeypatch.setattr(psycopg.Connection, "execute", execute)
            stock, files = inbox.stock, inbox.rows("select count(*) from backmarket.seller_files")
            assert (stock, files) in (({}, [(0,)]), ({"A": 1, "B": 2}, [(1,)]))
            inbox.load(file, is_snapshot=False)
            assert inbox.stock == {"A": 1, "B": 2}
            assert inbox.rows("select count(*) from backmarket.quarantine") == [(1,)]
        else:
            break
    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    assert place > 10


def test_a_file_that_cannot_be_unpacked_costs_no_other(inbox: Inbox) -> None:
    """It is named, and not opened again until it changes."""

    class Broken(File):
        @contextmanager
        def content(self) -> Iterator[tuple[IO[bytes], str]]:
            if self.data:
                raise StatementError("the archive cannot be unpacked: it ends too early")
            yield io.BytesIO(), ""

    broken = Broken("in/stock.csv.gz", b"x")
    for _ in range(2):
        loading = inbox.load(broken, csv_file("order_id,imei\n1,356938035643809\n", "in/devices.csv"))
        assert loading.refused == ["in/stock.csv.gz"]
    assert inbox.rows("select count(*) from seller.devices") == [(1,)]
    ((reason,),) = inbox.rows("select reason from backmarket.quarantine")
    assert "ends too early" in reason


def test_a_packed_file_is_told_by_its_inner_name() -> None:
    """The inbox unpacks ``.gz``; its name still begins with the table's."""
    assert target_of("stock.csv.gz")
    assert gzip.decompress(gzip.compress(b"x")) == b"x"


_LOADS = """
import logging, sys, psycopg
from backmarket.hooks.inbox import SELLER, list_inbox
from backmarket.services.seller_files import FileRules, SellerFileLoading

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    loading = SellerFileLoading(connection, "default", FileRules(), logging.getLogger(), "run")
    loading.load(list_inbox(sys.argv[2], SELLER))
"""


def test_a_process_that_is_killed_in_the_merge_leaves_all_or_nothing(
    inbox: Inbox, warehouse_uri: str, tmp_path: Path
) -> None:
    """SIGKILL between two tables of the transaction: the table is as before, and the next process does it all."""
    (tmp_path / "stock.csv").write_text("sku,quantity\nA,1\nB,2\n")
    inbox.load(csv_file("sku,quantity\nB,7\n", "in/stock_before.csv"))
    # Just after the rows are stored, before it is noted that they are.
    inbox.connection.execute(
        "create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$;"
        "create trigger wait after insert on seller.stock execute function wait()"
    )
    command = [sys.executable, "-c", _LOADS, warehouse_uri, tmp_path.as_uri()]
    with subprocess.Popen(command) as process:
        waits = "select true from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
        _until(lambda: inbox.rows(waits))
        process.send_signal(signal.SIGKILL)
    assert inbox.stock == {"B": 7}
    assert inbox.rows("select path from backmarket.seller_files") == [("in/stock_before.csv",)]
    subprocess.run(command, check=True)
    assert inbox.stock == {"A": 1, "B": 2}
    assert inbox.rows("select status, new_rows, changed_rows from backmarket.seller_files order by path")[0] == (
        "loaded",
        1,
        1,
    )


def _until(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)
