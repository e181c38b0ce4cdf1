"""Files are read as what they are, row by row judged, and nothing passes through a number."""

from __future__ import annotations

import io
import json
import random
from contextlib import suppress
from datetime import datetime, time, timedelta

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backmarket.services.text_tables import FileFormatError, read_table
from tests.services.seller_inbox import STOCK, STORED_AT, File, Inbox, csv_file, parquet, workbook

STOCK_LATER = STORED_AT + timedelta(hours=1)


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
        ("stock.parquet", parquet()),
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
    assert inbox.counts == {"files": 1, "loaded": 1, "new": 2, "changed": 0, "gone": 0, "unmatched": 0}


def test_a_text_stays_a_text(inbox: Inbox) -> None:
    """A SKU of digits keeps its zeros, one that looks like a number with an exponent is none."""
    inbox.load(csv_file("sku,quantity\n00123,1\n1E5,2\n007,3\n"))
    assert inbox.stock == {"00123": 1, "007": 3, "1E5": 2}


def test_a_text_that_csv_guards_from_spreadsheets_is_what_they_show(inbox: Inbox) -> None:
    """Many exports write a SKU of digits so, and no other."""
    inbox.load(csv_file('="sku",quantity\n="00123",1\n"=""00456""",2\nA,="3"\nB="x",4\n="00789",5\n="00789",6\n'))
    assert inbox.stock == {"00123": 1, "00456": 2, "A": 3, 'B="x"': 4}
    rejected = inbox.rows("select reason from backmarket.quarantine order by key")
    assert rejected == [("sku 00789 stands in several rows that differ: which is meant is not guessed",)] * 2


def test_a_workbooks_numbers_come_as_it_shows_them(inbox: Inbox) -> None:
    """An IMEI is 15 digits, which a workbook holds; zeros that a format adds are part of a SKU."""
    inbox.load(
        workbook(
            ["order_id", "sku", "imei"], [5000001, 123, 356938035643809],
            path="in/devices.xlsx", formats={"B2": "00000"},
        )
    )  # fmt: skip
    assert inbox.rows("select order_id, sku, imei from seller.devices") == [(5000001, "00123", "356938035643809")]


@pytest.mark.parametrize("number", [100000, 3.5e14, 12.5])
def test_a_workbooks_number_that_it_shows_with_an_exponent_is_refused(inbox: Inbox, number: float) -> None:
    """What Excel makes of the SKU 1E5 when it is typed: 1E05 and 100000 become the same."""
    inbox.load(workbook(["sku", "quantity"], ["A", 1], [number, 2], formats={"A3": "0.00E+00"}))
    assert inbox.stock == {"A": 1}
    ((key, reason),) = inbox.rows("select key, reason from backmarket.quarantine")
    assert key == "row 3"
    assert "a spreadsheet has made a number of it" in reason


def test_a_workbooks_date_is_no_sku(inbox: Inbox) -> None:
    """What was typed is lost: its row is a bad one, and no SKU of that name is counted."""
    inbox.load(workbook(["sku", "quantity"], ["A", 1], [datetime(2026, 3, 4), 2], [time(1, 30), 3]))  # noqa: DTZ001 - as cells are
    assert inbox.stock == {"A": 1}
    assert inbox.rows("select key from backmarket.quarantine order by 1") == [
        ("row 3",),
        ("row 4",),
    ]


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


def test_a_number_of_json_beyond_all_bounds_is_one_bad_row(inbox: Inbox) -> None:
    """Whoever typed an exponent of twenty digits has typed no other row."""
    inbox.load(
        File("in/stock.jsonl", b'{"sku": "A", "quantity": 1}\n{"sku": "B", "quantity": 2e99999999999999999999}\n')
    )
    assert inbox.stock == {"A": 1}
    assert inbox.rows("select key from backmarket.quarantine") == [("row 2 (B)",)]


def test_two_columns_of_a_name_shift_no_other(inbox: Inbox) -> None:
    """Parquet allows them: what is no column of the table may stand there as often as it likes."""
    names = ["note", "note", "sku", "quantity", "safety_qty"]
    columns = [pa.array(values) for values in (["x", "y"], ["x", "y"], ["A", "B"], [1, 2], [8, 9])]
    stored = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), stored)
    inbox.load(File("in/stock.parquet", stored.getvalue()))
    assert inbox.rows("select sku, quantity, safety_qty from seller.stock order by 1") == [("A", 1, 8), ("B", 2, 9)]


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
    """It costs no other, and is named by each run."""
    good = csv_file("sku,market,price,currency\nA,fr-fr,9.90,EUR\n", "in/prices.csv")
    loading = inbox.load(File(f"in/{name}", data), good)
    assert loading.refused == [f"in/{name}"]
    ((key, reason),) = inbox.rows("select key, reason from backmarket.quarantine")
    assert key == "the file"
    assert why in reason
    assert inbox.rows("select count(*) from seller.prices") == [(1,)]
    assert inbox.load(File(f"in/{name}", data), good).refused == [f"in/{name}"]
    assert inbox.counts["loaded"] == 0


def test_a_quote_that_another_delimiter_would_open_hides_no_row(inbox: Inbox) -> None:
    """Cut by colons, this quote would begin a field as long as the rest of the file."""
    rows = "".join(f"S{number},case of an iPhone {number},1\n" for number in range(6_000))
    inbox.load(csv_file(f'sku,what,quantity\nA,screen:"6.1 inches,2\n{rows}'))
    assert inbox.counts["new"] == 6_001
    assert inbox.stock["A"] == 2


def test_a_quote_that_is_never_closed_refuses_the_file(inbox: Inbox) -> None:
    """What else stands in the file would all be one cell."""
    rows = "".join(f"S{number},case of an iPhone {number},1\n" for number in range(6_000))
    inbox.load(csv_file(f'sku,what,quantity\nA,"6.1 inches,2\n{rows}'))
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files where status = 'refused'")
    assert "a quote in its first rows is never closed" in reason


def test_a_header_of_the_sellers_own_is_said_in_a_variable(inbox: Inbox) -> None:
    """So is a value that all rows have; neither is stronger than what the file says itself."""
    file = csv_file("Ref interne,Combien,price,sku\nA,1,9.90,nothing\n", "in/stock.csv")
    inbox.load(file, columns={"stock": {"ref interne": "sku", "COMBIEN": "quantity", "=3": "safety_qty"}})
    assert inbox.rows("select sku, quantity, safety_qty from seller.stock") == [("A", 1, 3)]


def test_json_and_amounts_of_a_catalog_arrive_whole(inbox: Inbox) -> None:
    """Lists and objects are JSON in whatever format they come."""
    document = {"sku": "A", "price": 199.9, "images": ["https://x.test/1.jpg"], "attributes": {"colour": "red"}}
    inbox.load(File("in/catalog.jsonl", json.dumps(document).encode()))
    assert inbox.rows("select sku, price::text, images, attributes from seller.catalog") == [
        ("A", "199.9", ["https://x.test/1.jpg"], {"colour": "red"})
    ]


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut off somewhere, or some bytes replaced."""
    if chance.random() < 0.3:
        return data[: chance.randrange(1, len(data))]
    damaged = bytearray(data)
    for _ in range(chance.choice([1, 3, 30])):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("stock.xlsx", workbook(["sku", "quantity"], *([f"A{number}", number] for number in range(200))).data),
        ("stock.parquet", parquet()),
        ("stock.csv", STOCK.encode()),
        ("stock.csv", STOCK.encode("utf-16")),
        ("stock.csv", STOCK.encode("utf-16-le")),
        ("stock.jsonl", b'{"sku": "A", "quantity": 1}\n' * 20),
        ("stock.json", b'[{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}]'),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_that_cannot_be_read(name: str, data: bytes) -> None:
    """However a library stumbles over it: one file costs no other."""
    chance = random.Random(7)  # noqa: S311 - chance that can be repeated, nothing secret
    for _ in range(100):
        with suppress(FileFormatError):
            for frame in read_table(io.BytesIO(_damaged(data, chance)), name).frames():
                assert len(frame.columns) > 1


@pytest.mark.parametrize("odd", ["\\ud83d", "\\u0000"], ids=["half a character", "NUL"])
def test_a_row_that_no_database_holds_is_a_bad_row(inbox: Inbox, odd: str) -> None:
    """In a key, another column, a header or a part of a document: it is named, and all other rows are loaded."""
    rows = [
        f'{{"sku": "A{odd}", "quantity": "1"}}',
        '{"sku": "B", "quantity": "2"}',
        f'{{"sku": "C", "quantity": "3{odd}", "{odd}": "x{odd}"}}',
    ]
    file = File("in/stock.jsonl", "\n".join(rows).encode())
    loading = inbox.load(file)
    assert (loading.refused, loading.held, loading.rejected) == ([], [], 2)
    assert inbox.stock == {"B": 2}
    reasons = dict(inbox.rows("select key, reason from backmarket.quarantine order by key"))
    assert reasons["row 1"] == "sku has a character in it that is none (U+0000, or half of one): export it anew"
    assert reasons["row 3 (C)"].startswith("quantity ")
    assert len(file.beside[".rejected.csv"].splitlines()) == 3
    listing = f'{{"sku": "A", "title": "A{odd}"}}\n{{"sku": "B", "title": "B"}}\n'
    loading = inbox.load(File("in/catalog.jsonl", listing.encode()))
    assert (loading.refused, loading.rejected) == ([], 1)


@pytest.mark.parametrize("ruined", ["3.5E+14", "2026-03-04T00:00:00"])
def test_a_sku_that_a_spreadsheet_has_ruined_takes_nothing_for_gone(inbox: Inbox, ruined: str) -> None:
    """The row may be about any SKU that the file does not name."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\n350000000000001,3\n"))
    later = csv_file(f"sku,quantity\nA,1\nB,2\n{ruined},3\n", "in/stock2.csv", modified_at=STOCK_LATER)
    assert inbox.load(later).held == ["in/stock2.csv"]
    assert inbox.stock == {"A": 1, "B": 2, "350000000000001": 3}


def test_a_row_of_an_unknown_key_takes_nothing_for_gone(inbox: Inbox) -> None:
    """Any SKU may be meant, so a snapshot that would zero one is held."""
    inbox.load(csv_file(STOCK))
    rows = b'{"sku": "A", "quantity": "1"}\n{"sku": "B\\ud83d", "quantity": "2"}\n'
    loading = inbox.load(File("in/stock.jsonl", rows, STORED_AT + timedelta(hours=1)))
    assert loading.held == ["in/stock.jsonl"]
    assert inbox.stock == {"A": 1, "B": 2}


def test_a_header_that_no_text_holds_is_told_like_any_other(inbox: Inbox) -> None:
    """The file lacks a column, and the reason can be stored."""
    loading = inbox.load(File("in/stock.jsonl", b'{"sku": "A", "what\\ud83d": "1"}'))
    assert loading.refused == ["in/stock.jsonl"]
    assert "quantity" in inbox.rows("select reason from backmarket.seller_files")[0][0]


def test_a_broken_byte_makes_no_other_text_of_all_others(inbox: Inbox) -> None:
    """One byte of Latin-1 in a file of UTF-8: it is refused with the line, and no SKU is taken for gone."""
    rows = "sku,quantity\nÉ1,1\nÖ2,2\nC,3\nD,4\n"
    inbox.load(csv_file(rows))
    broken = rows.encode().replace(b"D,4", b"\xe9D,4")
    loading = inbox.load(File("in/stock_2.csv", broken, STOCK_LATER))
    assert loading.refused == ["in/stock_2.csv"]
    assert inbox.stock == {"C": 3, "D": 4, "É1": 1, "Ö2": 2}
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files where status = 'refused'")
    assert reason == "it is UTF-8 up to line 5, where a byte is not. Write the whole of it in one encoding"
    for letter in "àŠț\u00a0":
        only = f"sku,quantity\nA{letter},1\nB".encode() + b"\xe9,2\n"
        assert inbox.load(File("in/stock_4.csv", only, STOCK_LATER)).refused == ["in/stock_4.csv"]
    # Two letters of Windows-1252 may be one of UTF-8 by chance.
    inbox.load(File("in/stock_3.csv", rows.replace("C,3", f"ß“{'é' * 20},3").encode("cp1252"), STOCK_LATER))
    assert inbox.stock[f"ß“{'é' * 20}"] == 3


@pytest.mark.parametrize("mark", ["\u00a0", "»", "”"])
def test_a_capital_before_a_mark_is_no_letter_of_utf_8(inbox: Inbox, mark: str) -> None:
    """An É of Windows-1252 and a no-break space, as French has it before a colon, are the bytes of one in UTF-8."""
    rows = "sku,quantity\n" + "".join(f"{letter}{mark},1\né,2\n" for letter in "ÉÈÊÇ")
    loading = inbox.load(File("in/stock.csv", rows.replace("é,2\n", "", 2).encode("cp1252")))
    assert loading.refused == []
    assert inbox.rows("select count(*) from seller.stock where sku like 'É%'") == [(1,)]


def test_a_capital_before_a_no_break_space_is_no_letter_of_any_script(inbox: Inbox) -> None:
    """Hebrew, Cyrillic and Arabic have letters there, and never those alone."""
    rows = "sku,quantity\n" + "".join(f"{letter}\u00a0x,1\n" for letter in "ÖÜÔÓÑ") + "é,2\n"
    assert inbox.load(File("in/stock.csv", rows.encode("cp1252"))).refused == []
