"""Texts in the seller's tables are read strictly, each row by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.inventory import StockRow
from backmarket.warehouse.seller_rows import (
    CATALOG,
    DEVICES,
    PRICES,
    SHIPMENTS,
    STOCK,
    UNNAMED,
    LeftOut,
    UnreadableError,
    amount,
    id_number,
    json_value,
    moment,
    name,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.warehouse.seller_rows import Form

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FORMS: list[Form[Any]] = [STOCK, PRICES, SHIPMENTS, DEVICES, CATALOG]


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (" 7 ", 7), ("7\r\n", 7), ("7.0", 7), ("7.00", 7), ("0", 0), ("-2", -2), ("2147483647", 2**31 - 1)],
)
def test_whole_numbers_written_plainly_are_read(text: str, number: int) -> None:
    """Also with a zero fraction, as numeric columns print them."""
    assert whole_number("quantity", text) == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "7,5", "7.5", "12 pcs", "1e3", "7.48E+07", "+7", "n/a", "NaN", "1_000", "1 000", "\u0667", "0x7",
     "2147483648", "9" * 5000, "7.", ".0", "--7", "true"],
)  # fmt: skip
def test_any_other_text_is_no_whole_number(text: str) -> None:
    """Nothing is guessed, and no number is taken that the database could not hold."""
    with pytest.raises(UnreadableError, match=r"quantity .*: a whole number is needed"):
        whole_number("quantity", text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("50000002", 50000002), (" 50000002\n", 50000002), ("50000002.0", 50000002), ("9" * 18, int("9" * 18)),
     ("123456789012345.00", 123456789012345)],
)  # fmt: skip
def test_numbers_of_orders_are_read(text: str, number: int) -> None:
    """A zero fraction is taken where nothing can have been rounded."""
    assert id_number("order_id", text) == number


@pytest.mark.parametrize(
    "text",
    ["", "BM-50000002", "50000002.5", "5,0000002", "1234567890123456.0", "9" * 19, "-5", "+5", "0", "05", "5e7", "n/a",
     "50000002 / 1", "\uff15"],
)  # fmt: skip
def test_any_other_text_is_no_number_of_an_order(text: str) -> None:
    """Above all nothing in front of the digits, and nothing that a spreadsheet may have rounded."""
    with pytest.raises(UnreadableError, match=r"order_id is .*: Back Market's number is needed, digits only"):
        id_number("order_id", text)


@pytest.mark.parametrize("text", ["199.90", " 199.90 ", "0", "-5", "199.900000", "123456789012.5"])
def test_amounts_written_plainly_are_exact(text: str) -> None:
    """As Decimal of exactly what is written."""
    assert str(amount("price", text)) == text.strip()


@pytest.mark.parametrize(
    "text",
    ["", "n/a", "12,50", "1e5", "1.000,00", "1,000.00", "199.90 €", "EUR 5", ".5", "5.", "+5", "1234567890123",
     "\u0665", "nan", "inf", "9" * 400, "0." + "1" * 21],
)  # fmt: skip
def test_any_other_text_is_no_amount(text: str) -> None:
    """Never a guess about commas, and nothing so long that decimal arithmetic would fail on it."""
    with pytest.raises(UnreadableError, match=r"price .*: a plain number such as 199\.90 is needed"):
        amount("price", text)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_a_numeric_column_may_hold_beside_numbers_is_left_to_the_rules(text: str) -> None:
    """They say that it is not a number."""
    assert amount("price", text).is_nan() or amount("price", text).is_infinite()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02 12:00:00", NOON),
        ("2026-03-02T13:00:00+01:00", NOON),
        ("2026-03-02 12:00:00+00", NOON),
        ("2026-03-02 12:00:00.5+00", NOON.replace(microsecond=500_000)),
        ("2026-03-02 17:30:00.000001+05:30", NOON.replace(microsecond=1)),
        (" 2026-03-02T12:00 ", NOON),
        ("20260302T120000Z", NOON),
        ("2026-03-02", NOON.replace(hour=0)),
    ],
)
def test_times_in_iso_form_are_read(text: str, at: datetime) -> None:
    """As people and PostgreSQL write them; without an offset they are UTC."""
    assert moment("counted_at", text) == at


@pytest.mark.parametrize(
    "text",
    ["", " ", "n/a", "0000-00-00", "0000-00-00 00:00:00", "02.03.2026", "03/02/2026", "2026-02-30", "45993",
     "1772452800", "infinity", "2026-03-02 12:00:00 UTC", "2026-03-02x12:00:00", "2026-W10-1", "2026-03-02T25:00",
     "now", "today", "9999-12-31T23:59:59-05:00", "2026-03-02T12:00+99:00"],
)  # fmt: skip
def test_any_other_text_is_no_time(text: str) -> None:
    """Nor a date that is none, nor one that no calendar reaches."""
    with pytest.raises(UnreadableError, match=r"counted_at is .*: a time such as 2026-03-02T16:00:00Z is needed"):
        moment("counted_at", text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "0001-01-01T00:00:00+01:00", "1970-01-01", "1999-12-31"])
def test_what_systems_write_for_no_date_is_no_time(text: str) -> None:
    """Long before Back Market."""
    with pytest.raises(UnreadableError, match="counted_at is"):
        moment("counted_at", text)


@pytest.mark.parametrize("text", ['{"color": ', "['a']", "{a,b}", "", "NaN", "[" * 100_000, '"\\ud800"', '"\\u0000"'])
def test_broken_json_is_refused(text: str) -> None:
    """Also what PostgreSQL could not keep, and what is nested beyond reason."""
    with pytest.raises(UnreadableError, match="attributes is"):
        json_value("attributes", text)


def test_json_is_read() -> None:
    """Whatever it says."""
    assert json_value("attributes", '{"a": [1, null, "é"]}') == {"a": [1, None, "é"]}


def test_a_name_that_no_index_takes_is_refused() -> None:
    """PostgreSQL would fail on it, and all others with it."""
    assert name("sku", "x" * 500)
    with pytest.raises(UnreadableError) as error:
        name("sku", "x" * 501)
    assert str(error.value) == f"sku is '{'x' * 40}…': at most 500 characters are taken, it has 501"


def _stock(**columns: str | None) -> dict[str, str | None]:
    good = {"sku": "A", "quantity": "7", "counted_at": "2026-03-02 12:00:00+00"}
    return {**dict.fromkeys(STOCK.columns), **good, **columns}


def _left_out(form: Form[Any], texts: dict[str, str | None]) -> LeftOut:
    found = form.judge(texts)
    assert isinstance(found, LeftOut)
    return found


def test_a_good_row_is_read_and_its_optional_columns_may_be_null() -> None:
    """Null stands for nothing, and so does an empty text, as an export writes it."""
    assert STOCK.judge(_stock()) == StockRow("A", 7, NOON)
    assert STOCK.judge(_stock(max_qty="", orders_known_until="  ")) == StockRow("A", 7, NOON)
    assert _left_out(STOCK, _stock(max_qty="-")).reason == "max_qty is '-': a whole number is needed"
    assert _left_out(STOCK, _stock(counted_at="", sku=" ")).reason == "sku is missing; counted_at is missing"


def test_a_row_is_left_out_with_all_its_reasons() -> None:
    """Each names its column and what stands there."""
    found = _left_out(STOCK, _stock(quantity="5 pcs", counted_at=None))
    assert found.reason == "quantity is '5 pcs': a whole number is needed; counted_at is missing"
    assert (found.key, found.document["quantity"]) == ("A", "5 pcs")


@pytest.mark.parametrize("text", ["jane@example.com", "Jane Doe, 5 rue de la Paix, 75002 Paris, 0612345678", "a\nb"])
def test_what_may_be_about_a_person_is_not_repeated(text: str) -> None:
    """Neither in the reason nor in the name of the row."""
    row = dict.fromkeys(SHIPMENTS.columns) | {"order_id": text}
    found = _left_out(SHIPMENTS, row)
    assert text not in found.reason + found.key
    assert found.reason == "order_id cannot be read: Back Market's number is needed, digits only"
    assert found.document["order_id"] == text


@pytest.mark.parametrize(
    ("read", "column", "text", "told"),
    [
        (whole_number, "quantity", "5 pcs", "quantity is '5 pcs': a whole number is needed"),
        (amount, "price", "x" * 41, f"price is '{'x' * 40}…': a plain number such as 199.90 is needed"),
        (amount, "price", "jane@example.com", "price cannot be read: a plain number such as 199.90 is needed"),
        (moment, "counted_at", "yesterday", "counted_at is 'yesterday': a time such as 2026-03-02T16:00:00Z is needed"),
        (moment, "counted_at", "1970-01-01", "counted_at is '1970-01-01': a time since the year 2000 is needed"),
        (moment, "shipped_at", "x" * 41, "shipped_at cannot be read: a time such as 2026-03-02T16:00:00Z is needed"),
        (json_value, "images", "{a", """images is '{a': JSON such as ["https://example.com/1.jpg"] is needed"""),
        (json_value, "images", '"\\u0000"', """images is '"\\u0000"': JSON without a NUL in it is needed"""),
        (id_number, "category_id", "Phones", "category_id is 'Phones': Back Market's number is needed, digits only"),
    ],
)
def test_a_reason_repeats_what_stands_there(
    read: Callable[[str, str], object], column: str, text: str, told: str
) -> None:
    """Its first forty characters, and none where it may be about a person."""
    with pytest.raises(UnreadableError) as error:
        read(column, text)
    assert str(error.value) == told


def test_rows_are_named_by_what_they_have() -> None:
    """SKU and market; one of them; or nothing."""
    bad = dict.fromkeys(PRICES.columns) | {"price": "n/a"}
    keys = [_left_out(PRICES, bad | given).key for given in ({"sku": "A", "market": "fr-fr"}, {"sku": "A"}, {})]
    assert keys == ["A/fr-fr", "A", UNNAMED]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.table)
@given(data=st.data())
def test_no_text_breaks_the_reading(form: Form[Any], data: st.DataObject) -> None:
    """Whatever stands in a row, it is read or left out with a reason."""
    anything: Callable[[str], Any] = lambda _: st.none() | st.text(st.characters(exclude_characters="\0"))  # noqa: E731
    texts = {column: data.draw(anything(column)) for column in form.columns}
    found = form.judge(texts)
    assert not isinstance(found, LeftOut) or (found.reason and found.key)


def test_amounts_never_pass_a_float() -> None:
    """What is written is what is kept."""
    found = PRICES.judge(dict.fromkeys(PRICES.columns) | {"sku": "A", "market": "fr-fr", "price": "0.1"})
    assert not isinstance(found, LeftOut)
    assert found.price == Decimal("0.1")
