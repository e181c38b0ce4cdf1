"""Statement files: every style seen is read to the cent, and what would need a guess is refused with the reason."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.settlements.blocks import COLUMNS, StatementError
from backmarket.rules.settlements.files import read_lines, survey
from backmarket.rules.settlements.keys import TABLE, meaning_of
from backmarket.rules.settlements.references import (
    invoice_reference,
    issue_date,
    number_in_designation,
    order_number,
    order_reference,
    tracking_in_designation,
)

Row = tuple[str, ...]
PLAIN: Row = ("sales", "2026-09-14", "SKU", "50000001", "Phone", "100.00", "EUR")


def write(*rows: Row, delimiter: str = ",", line_end: str = "\n", bom: bool = False) -> bytes:
    """A file of these rows under the usual header."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows([COLUMNS, *rows])
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


class Line(NamedTuple):
    """What these tests look at of one row."""

    value_date: date
    designation: str
    amount: str
    is_undated: bool = False
    order_reference: str | None = None
    number: int | None = None


def read(content: bytes, issued_on: date | None = None) -> list[Line]:
    """All lines of a file."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    found = survey(text, issued_on)
    text.seek(0)
    lines = [
        Line(*values)
        for block in read_lines(text, found)
        for values in zip(
            block.value_date,
            block.designation,
            block.amount,
            block.is_undated,
            block.order_reference,
            block.number,
            strict=True,
        )
    ]
    assert sum(found.counts.values()) == len(lines)
    assert sum(found.totals.values()) == sum(Decimal(line.amount) for line in lines)
    return lines


def row(**fields: str) -> Row:
    """A plain row with some fields changed."""
    return tuple({**dict(zip(COLUMNS, PLAIN, strict=True)), **fields}.values())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("bom", [False, True])
def test_dialects_read_alike(delimiter: str, bom: bool) -> None:
    """Delimiter, byte order mark, CRLF and a newline in quotes change nothing of what is read."""
    rows = [PLAIN, row(designation='Phone\n128 GB, "black"; new|')]
    lines = read(write(*rows, delimiter=delimiter, line_end="\r\n", bom=bom))
    assert [line.designation for line in lines] == ["Phone", 'Phone\n128 GB, "black"; new|']
    assert {line.value_date for line in lines} == {date(2026, 9, 14)}


@pytest.mark.parametrize(
    ("texts", "amounts"),
    [
        (["1,234.50", "-0.35"], ["1234.50", "-0.35"]),
        (["1.234,50", "-0,35"], ["1234.50", "-0.35"]),
        (["1 234,50", "-12"], ["1234.50", "-12"]),
        (["1\u202f234,50", "\u22120,35"], ["1234.50", "-0.35"]),
        (["120.00", " \u221212.50 "], ["120.00", "-12.50"]),
        (["1200", "\u22121200"], ["1200", "-1200"]),
        (["1'234.50", "0.35-"], ["1234.50", "-0.35"]),
        (["1,234,567.00"], ["1234567.00"]),
        (["100", "-7"], ["100", "-7"]),
        (["1,234", "0.50"], ["1234", "0.50"]),
        (["1.234", "0,50"], ["1234", "0.50"]),
    ],
)
def test_amounts_are_read_by_the_style_of_the_whole_file(texts: list[str], amounts: list[str]) -> None:
    """A row that could be read two ways is settled by the others."""
    assert [line.amount for line in read(write(*(row(amount=text) for text in texts)))] == amounts


@pytest.mark.parametrize(
    "texts", [["1,234"], ["1.234"], ["1,234.50", "1.234,50"], ["12,34,5.0"], ["ten"], ["1 €"], [""]]
)
def test_amounts_that_need_a_guess_are_refused(texts: list[str]) -> None:
    """Ambiguous, contradictory and unreadable amounts refuse the file and say so."""
    with pytest.raises(StatementError, match="amount"):
        read(write(*(row(amount=text) for text in texts)))


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["14/09/2026", "01/09/2026"], [date(2026, 9, 14), date(2026, 9, 1)]),
        (["09/14/2026", "09/01/2026"], [date(2026, 9, 14), date(2026, 9, 1)]),
        (["14.09.2026"], [date(2026, 9, 14)]),
        (["2026-09-14T23:59:00Z", "2026-09-01 10:00:00"], [date(2026, 9, 14), date(2026, 9, 1)]),
        (["05/05/2026"], [date(2026, 5, 5)]),
    ],
)
def test_dates_are_read_by_the_style_of_the_whole_file(texts: list[str], days: list[date]) -> None:
    """One row with a day above twelve settles all the others."""
    assert [line.value_date for line in read(write(*(row(value_date=text) for text in texts)))] == days


def test_an_ambiguous_date_is_settled_by_the_invoice_or_refused() -> None:
    """First to seventh of September: clear where the statement's own date excludes the other reading, else refused."""
    rows = [row(value_date=f"0{day}/09/2026") for day in range(1, 8)]
    with pytest.raises(StatementError, match="day and month"):
        read(write(*rows))
    lines = read(write(*rows), issued_on=date(2026, 9, 8))
    assert {line.value_date.month for line in lines} == {9}
    with pytest.raises(StatementError, match="day and month"):
        read(write(*rows), issued_on=date(2027, 9, 8))


@pytest.mark.parametrize("texts", [["2026-09-14", "14/09/2026"], ["32/01/2026"], ["14 sept. 2026"], ["46279"]])
def test_dates_of_no_one_style_are_refused(texts: list[str]) -> None:
    """Styles are not mixed within a file."""
    with pytest.raises(StatementError, match="date style"):
        read(write(*(row(value_date=text) for text in texts)))


NO_DATES = ["", " ", "n/a", "None", "-", "#N/A", "yesterday", "0000-00-00", "0000-00-00T00:00:00Z", "00/01/1900"]


@pytest.mark.parametrize("text", NO_DATES)
def test_a_row_without_a_date_is_kept_on_the_day_of_the_statement(text: str) -> None:
    """The day of issue, which every export has; without it, the latest day of the file. The others keep theirs."""
    rows = [PLAIN, row(value_date=text, amount="-7.00"), row(value_date="2026-09-11")]
    for issued_on, instead in ((date(2026, 9, 15), date(2026, 9, 15)), (None, date(2026, 9, 14))):
        lines = read(write(*rows), issued_on)
        assert [line.value_date for line in lines] == [date(2026, 9, 14), instead, date(2026, 9, 11)]
        assert [line.is_undated for line in lines] == [False, True, False]
        assert sum(Decimal(line.amount) for line in lines) == Decimal("193.00")
    assert [line.is_undated for line in read(write(row(value_date=text)), date(2026, 9, 15))] == [True]
    with pytest.raises(StatementError, match="no row has a date"):
        read(write(row(value_date=text)))


NO_ORDER_IDS = [
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "PRO-12345", "12345/2", "#N/A", "50000001.5", "1" * 19, "two",
    "victor@example.com", "50 000 001", "5x7",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_ORDER_IDS)
def test_a_row_whose_order_id_is_of_another_kind_is_kept_with_it(text: str) -> None:
    """It is counted, names no order, and keeps what it says; a designation may still name its order."""
    lines = read(write(PLAIN, row(order_id=f" {text} "), row(order_id=text, designation="order_id_50000002")))
    assert [line.order_reference for line in lines] == [None, text, text]
    assert [line.number for line in lines] == [50000001, None, 50000002]


@pytest.mark.parametrize("text", ["7.48E+07", "7,48E+07", "5E+07", "7.48e7", "7.48 E+07", "-7.48E+07", "7.48E+007"])
def test_an_order_id_that_a_spreadsheet_has_rounded_refuses_the_file(text: str) -> None:
    """It names other orders; the reason names the row, blank ones not counted, and what to do."""
    with pytest.raises(StatementError, match=r"row 2: .* rounded; export the file again"):
        read(write(PLAIN, ("",) * 7, row(order_id=text), delimiter=";"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "blank",
    ["{0}" * 6, "{0}" * 3, "{0}" * 9, "  ", "", " {0} {0} ", '" , ,"', '""{0}""{0}""', ",,,,,,", ";;;;;;", "\t \t"],
)
def test_rows_of_nothing_are_skipped(delimiter: str, blank: str) -> None:
    """Delimiters and blanks, of whatever number, at the end, in between and before: nothing is read from them."""
    header, first = write(PLAIN, delimiter=delimiter).decode().splitlines()
    nothing = blank.format(delimiter)
    content = f"{header}\n{nothing}\n{first}\n{nothing}\n{first}\n{nothing}\n{nothing}"
    assert [line.amount for line in read(content.encode())] == ["100.00", "100.00"]
    assert [line.amount for line in read(f"{content}\n".encode())] == ["100.00", "100.00"]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (row(invoice_key="", order_id="", value_date="", designation=""), "row 2: it has no invoice_key"),
        (row(invoice_key="x" * 9_000), "row 2: its invoice_key has 9,000 characters, which is no key"),
        (row(currency=""), "row 2: it has no currency"),
        (row(amount=""), "row 2: it has no amount"),
        (("", "", "", "", "", "12.00"), "row 2 has 6 fields, the header 7"),
        (("Total", "12.00"), "row 2 has 2 fields, the header 7"),
    ],
)
def test_a_row_that_the_total_needs_refuses_the_file(last: Row, reason: str) -> None:
    """An amount of no currency or no key would be missing from a total, or be wrong in one."""
    with pytest.raises(StatementError, match=reason):
        read(write(PLAIN, last))


def test_a_row_of_totals_is_a_row_of_an_unknown_key() -> None:
    """Kept, counted and marked, as whatever nobody knows."""
    (first, total) = read(write(PLAIN, ("Total", "", "", "", "", "100.00", "EUR")))
    assert (total.amount, total.is_undated, total.order_reference) == (first.amount, True, None)
    assert meaning_of("Total").category == "unknown"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "columns"),
        (b"order,amount\n1,2\n", "columns"),
        (write(), "not one row"),
        (write(PLAIN[:5]), "fields"),
        (write(row(currency="euro")), "currency"),
        (write(row(order_id="5E+07")), "order id"),
        (write(row(designation="caf\xe9")).decode().encode("latin-1"), "UTF-8"),
    ],
)
def test_a_broken_file_is_refused_whole(content: bytes, reason: str) -> None:
    """The reason is fit for a person."""
    with pytest.raises(StatementError, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("50000001", 50000001),
        ("BM50000001", 50000001),
        ("50000001.0", 50000001),
        ("50000001,0", 50000001),
        ("50000001,00", 50000001),
        ("BM 50000001,0", 50000001),
        ("50,000", None),
        ("50000001,5", None),
        ("None", None),
        ("", None),
        ("nan", None),
    ],
)
def test_order_ids_lose_prefix_and_suffix(text: str, number: int | None) -> None:
    """As sellers' files have them."""
    assert order_number(text) == number


@pytest.mark.parametrize(
    ("designation", "number"),
    [
        ("avoir_commission_order_id_50000001", 50000001),
        ("accelerator_offer_order_id50000001", 50000001),
        ("accelerator_offer_order_id_50000001_FR", 50000001),
        ("Customer care", None),
        ("reorder 128", None),
    ],
)
def test_designations_name_orders(designation: str, number: int | None) -> None:
    """At their end, with an underscore or a country suffix more or less."""
    assert number_in_designation(designation) == number


def test_references() -> None:
    """The invoice is found anywhere in a name; parcels by their tracking number."""
    assert invoice_reference("copy of invoice_20260915-EU-H-10047685 (1).csv", "x") == "20260915-EU-H-10047685"
    assert invoice_reference("export.csv", "x") == "x"
    assert issue_date("20260915-EU-H-10047685") == date(2026, 9, 15)
    assert issue_date("20269915-EU-H-10047685") is None
    assert tracking_in_designation("Backship label 6X000000000012FR") == "6X000000000012FR"


def test_every_key_has_one_meaning() -> None:
    """Keys read in any case; a pattern never hides one below it; what nobody knows is unknown."""
    for pattern, meaning in TABLE:
        if "*" not in pattern:
            assert meaning_of(f" {pattern.upper()}") == meaning
    assert meaning_of("refund_shipping").category == "refund"
    assert meaning_of("fr_backship_label").category == "logistics"
    assert meaning_of("mystery_levy").category == "unknown"


@given(
    cents=st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=30),
    days=st.lists(st.integers(0, 6), min_size=30, max_size=30),
    decimal_comma=st.booleans(),
    grouped=st.booleans(),
    style=st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y"]),
)
def test_what_is_written_is_read(
    cents: list[int], days: list[int], decimal_comma: bool, grouped: bool, style: str
) -> None:
    """Any amounts, in any style, within a statement's week come back exactly."""
    issued_on = date(2026, 10, 26)

    def amount(value: int) -> str:
        text = f"{Decimal(value) / 100:{',' if grouped else ''}.2f}"
        return text.translate(str.maketrans(",.", ".,")) if decimal_comma else text

    wanted = [
        (Decimal(value) / 100, issued_on - timedelta(days=7 - day)) for value, day in zip(cents, days, strict=False)
    ]
    rows = [row(amount=amount(int(value * 100)), value_date=day.strftime(style)) for value, day in wanted]
    assert [(Decimal(line.amount), line.value_date) for line in read(write(*rows), issued_on)] == wanted


def test_every_column_of_a_row_is_read() -> None:
    """With what its key means; blanks around are gone, an empty SKU is none, and rows are counted on across blocks."""
    filler = [row(order_id=str(number)) for number in range(1, 1201)]
    label = row(
        invoice_key=" Backship_Label ", sku=" ", order_id="", designation="Label 6X000000000012FR", currency="gbp"
    )
    dated = row(value_date="2026-09-15", currency=" gbp ", amount="-7.50")
    undated = row(value_date="", order_id="None", designation="fee order_id_7777", currency="USD", sku="A\0B")
    content = write(*filler, label, dated, undated).decode()
    text = io.StringIO(content, newline="")
    found = survey(text)
    text.seek(0)
    blocks = list(read_lines(text, found))
    rows = [each for block in blocks for each in zip(*block, strict=True)]
    assert [each[0] for each in rows] == list(range(1, 1204))
    assert len(blocks) == 3
    day, last = date(2026, 9, 14), date(2026, 9, 15)
    parcel = "6X000000000012FR"
    assert [each[1:] for each in rows[-4:]] == [
        ("sales", "revenue", "sale", day, False, "SKU", 1200, None, None, "Phone", "100.00", "EUR"),
        ("backship_label", "logistics", "", day, False, None, None, None, parcel, f"Label {parcel}", "100.00", "GBP"),
        ("sales", "revenue", "sale", last, False, "SKU", 50000001, None, None, "Phone", "-7.50", "GBP"),
        ("sales", "revenue", "sale", last, True, "A\ufffdB", 7777, None, None, "fee order_id_7777", "100.00", "USD"),
    ]
    assert found.rows == 1203
    assert found.numbers == {*range(1, 1201), 50000001, 7777}
    assert found.parcels == {parcel}
    assert found.totals == {"EUR": Decimal(120000), "GBP": Decimal("92.50"), "USD": Decimal(100)}
    assert found.counts == {"EUR": 1200, "GBP": 2, "USD": 1}
    assert found.days == {"EUR": {day}, "GBP": {day, last}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (write(), "it has a header and not one row: download the statement again"),
        (
            write(row(value_date="")),
            "no row has a date, and the file's name no invoice reference that begins with one",
        ),
        (
            b"a,b\n1,2\n",
            f"it is no statement: its first line does not name the columns {', '.join(COLUMNS)}",
        ),
        (
            b"invoice_key;value_date;sku;order_id;designation;total\n",
            "its first line does not name the columns amount, currency: export it again, unedited",
        ),
        (
            write(row(value_date="14 Sep"), row(value_date="1 Sep"), row(value_date="2 Sep"), row(value_date="3 Sep")),
            "no date style fits all rows, such as '1 Sep', '14 Sep', '2 Sep'",
        ),
        (
            write(row(amount="1,234")),
            "amounts like '0,000' (digits shown as 0) may have decimals or thousands, and no row settles it",
        ),
        (
            write(PLAIN) + b'sales,2026-09-14,"SKU"x,1,Phone,1.00,EUR\n',
            "the row that ends in line 3 of the file is not CSV: ',' expected after '\"'",
        ),
        (
            write(*[PLAIN] * 400, row(designation="Tel")).replace(b"Tel", b"T\xe9l"),
            "it is not UTF-8 text: export it again, or save it as CSV UTF-8",
        ),
        (
            write(PLAIN).replace(b"invoice_key", b'"invoice"_key'),
            f"it is no statement: its first line does not name the columns {', '.join(COLUMNS)}",
        ),
        (
            write(row(amount="-1.00-")),
            "amounts are written in a way that is not known: like '-0.00-' and '-0.00-' (digits shown as 0)",
        ),
        (
            write(PLAIN).replace(b"Phone", b"T\xe9l"),
            "it is not UTF-8 text: export it again, or save it as CSV UTF-8",
        ),
    ],
)
def test_a_person_reads_why_a_file_is_refused(content: bytes, reason: str) -> None:
    """The whole message says what is wrong, where, and what to do if that is known."""
    with pytest.raises(StatementError) as refusal:
        read(content)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("", None),
        (" None ", None),
        ("N/A", None),
        ("-", None),
        ("50000001", None),
        ("BM7.0", None),
        (" PRO-1 ", "PRO-1"),
    ],
)
def test_what_is_no_order_id_is_kept_as_a_reference(text: str, reference: str | None) -> None:
    """Nothing is no reference, in whatever words, and an order id is none."""
    assert order_reference(text) == reference


@pytest.mark.parametrize("currency", ["EU", "EURO", "E1R", "\u20ac\u20ac\u20ac", "\u00c9UR"])
def test_a_currency_is_three_letters(currency: str) -> None:
    """Plain ones."""
    with pytest.raises(StatementError, match="no currency of three letters"):
        read(write(row(currency=currency)))


def test_a_statement_holds_its_own_day_and_the_45th_before_it() -> None:
    """Where day and month could change places, only one reading lies within those 45 days, both ends included."""
    days = [line.value_date for line in read(write(row(value_date="05/03/2026")), date(2026, 4, 19))]
    assert days == [date(2026, 3, 5)]
    days = [line.value_date for line in read(write(row(value_date="05/03/2026")), date(2026, 3, 5))]
    assert days == [date(2026, 3, 5)]
    with pytest.raises(StatementError, match="day and month"):
        read(write(row(value_date="05/03/2026")), date(2026, 4, 20))


def test_a_header_in_quotes_is_one() -> None:
    """Whatever the delimiter."""
    quoted = write(PLAIN, delimiter=";").replace(b"invoice_key;value_date", b'"invoice_key";"value_date"')
    assert [line.amount for line in read(quoted)] == ["100.00"]


@pytest.mark.parametrize(
    ("text", "amount"), [("+1,234.50", "1234.50"), ("100.00-", "-100.00"), ("1.234.567", "1234567")]
)
def test_signs_and_groups_become_plain_numbers(text: str, amount: str) -> None:
    """A plus, a minus behind, and dots that can only group; a row with a date is not marked."""
    (line,) = read(write(row(amount=text)))
    assert (line.amount, line.is_undated) == (amount, False)


def test_only_a_shipping_row_names_a_parcel() -> None:
    """A sale without an order id may hold a number of another kind."""
    text = io.StringIO(write(row(order_id="", designation="Phone 6X000000000012FR")).decode(), newline="")
    assert survey(text).parcels == set()


@pytest.mark.parametrize("reference", ["e3b0c44298fc1c149afbf4c8996fb924", "20261399-EU-H-1"])
def test_a_reference_without_a_day_has_none(reference: str) -> None:
    """A hash in its place, or digits that are no day."""
    assert issue_date(reference) is None


def test_a_column_that_stands_twice_is_not_guessed() -> None:
    """Two amounts of a row: the message names the column. One that is none of ours may stand as often as it likes."""
    row = [*PLAIN, "1.00", "x", "y"]
    for header, refused in ((["amount", "note", "note"], "names amount twice"), (["fee", "note", "note"], "")):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([[*COLUMNS, *header], row])
        text.seek(0)
        if refused:
            with pytest.raises(StatementError, match=refused):
                survey(text)
        else:
            assert survey(text).rows == 1
