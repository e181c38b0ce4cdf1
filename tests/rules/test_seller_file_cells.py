"""How values of a file are brought into plain form: a style a column, and nothing that has lost digits."""

from __future__ import annotations

import pytest

from backmarket.rules.seller_files.cells import AS_NUMBER, Column, MomentColumn, NumberColumn, as_shown, why_ruined
from backmarket.rules.settlements.styles import StyleError


def _written(column: Column, *texts: str) -> list[str]:
    column.look_at(texts)
    write = column.decide()
    return [write(text) for text in texts]


@pytest.mark.parametrize("text", ["3.5E+14", " 1,2e+05 ", "-3E+9", "+1.25E+20"])
@pytest.mark.parametrize("column", ["sku", "quantity", "imei"])
def test_an_exponent_of_a_spreadsheet_has_lost_digits(column: str, text: str) -> None:
    """In any column."""
    assert why_ruined(column, text) == (
        f"{column} is '{text.strip()}': a spreadsheet has made a number of it, whose digits may be lost. Format the "
        "column as text before the values are put in"
    )


@pytest.mark.parametrize("column", ["imei", "serial_number", "tracking_number", "ean"])
def test_an_identifier_with_a_fraction_went_through_a_number(column: str) -> None:
    """Of eight digits and more; a price, a SKU and a short number may be written so."""
    for text in ("356938035643810.0", " 12345678,00 "):
        assert why_ruined(column, text)
        assert why_ruined("sku", text) is None
        assert why_ruined("price", text) is None
    for text in ("1234567.0", "356938035643809", "12345678.5", "12345678.", "A12345678.0"):
        assert why_ruined(column, text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('="00123"', "00123"),
        (' ="1E5" ', "1E5"),
        ('=""', ""),
        ('A="1"', 'A="1"'),
        ('="1"&"2"', '="1"&"2"'),
        ("=1", "=1"),
    ],
)
def test_a_formula_that_is_a_text_alone_is_that_text(text: str, shown: str) -> None:
    """Any other is not worked out."""
    assert as_shown(text) == shown


@pytest.mark.parametrize("column", ["sku", "listing_sku", "imei", "serial_number", "tracking_number"])
def test_a_name_that_has_become_a_date_or_a_time_is_none(column: str) -> None:
    """Of a SKU such as 3-4 a spreadsheet makes the fourth of March; what was typed is lost."""
    for text in ("2026-03-04T00:00:00", " 01:30:00 ", "2026-03-04T01:30:00.5"):
        assert why_ruined(column, text) == (
            f"{column} is '{text.strip()}': a spreadsheet has made a date or a time of it. Format the column as text "
            "before the values are put in"
        )
        assert why_ruined("counted_at", text) is None
    for text in ("2026-03-04", "3-4", "1:30", "A2026-03-04T00:00:00"):
        assert why_ruined(column, text) is None


@pytest.mark.parametrize("text", ["1E5", "1E-5", "00123", "", "E+5", "1E+", "3.5E+14 pcs", "5+5", "1.E+5"])
def test_what_may_be_a_text_is_none(text: str) -> None:
    """A SKU such as 1E5 is one."""
    assert why_ruined("sku", text) is None


@pytest.mark.parametrize("text", ["#N/A", " #REF! ", "#NAME?", "#DIV/0!"])
def test_a_formula_that_has_failed_is_no_value(text: str) -> None:
    """In any column; a SKU may begin with the sign."""
    assert why_ruined("sku", text) == (
        f"sku is '{text.strip()}': a formula has failed. Correct it, or put the value itself there"
    )
    assert why_ruined("sku", "#12") is None


def test_numbers_are_read_by_one_style_a_column() -> None:
    """The dot of one column is the comma of another; what is no number stays as it is."""
    assert _written(NumberColumn(), "1.299,00", "5", "-3,5", "n/a") == ["1299.00", "5", "-3.5", "n/a"]
    assert _written(NumberColumn(), "1,299.00", " 7.5 ") == ["1299.00", "7.5"]
    assert _written(NumberColumn(), "5", "-7", "") == ["5", "-7", ""]


def test_a_number_that_can_be_read_in_two_ways_is_not_guessed() -> None:
    """Alone in its column; a workbook's own number says what it is."""
    column = NumberColumn()
    column.look_at(["1.000"])
    with pytest.raises(StyleError):
        column.decide()
    assert _written(NumberColumn(), AS_NUMBER + "1.000", "x") == [AS_NUMBER + "1.000", "x"]


def test_days_are_read_by_one_style_a_column() -> None:
    """With their time and offset where they have one; ISO 8601 and what is no day stay as they are."""
    texts = ["24/11/2026 14:30", "01/12/2026", "3/4/2026T9:05:07 +01:00", "2026-11-24 08:00", "soon"]
    assert _written(MomentColumn(), *texts) == [
        "2026-11-24T14:30",
        "2026-12-01",
        "2026-04-03T09:05:07+01:00",
        "2026-11-24 08:00",
        "soon",
    ]
    assert _written(MomentColumn(), "11-24-2026", "12-01-2026") == ["2026-11-24", "2026-12-01"]
    assert _written(MomentColumn(), "2026-11-24", "soon") == ["2026-11-24", "soon"]


def test_days_that_can_be_read_in_two_ways_are_not_guessed() -> None:
    """None of the column is."""
    column = MomentColumn()
    column.look_at(["01/02/2026"])
    with pytest.raises(StyleError):
        column.decide()


def test_other_columns_stay_as_they_are() -> None:
    """Texts are texts."""
    assert _written(Column(), "1,5", "01/02/2026") == ["1,5", "01/02/2026"]
