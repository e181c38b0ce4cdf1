"""What sales cost is read strictly, and the European Central Bank's files as they are published."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.profit import CostRow, DeviceCostRow, FxRateRow, VatRateRow
from backmarket.rules.seller_files.cells import AS_NUMBER
from backmarket.rules.seller_files.ecb import is_of_the_bank, rates_of
from backmarket.warehouse.seller_rows import COSTS, DEVICE_COSTS, FX_RATES, VAT_RATES, Form, LeftOut

DAILY = [
    ["Date", " USD", " JPY", " BGN", " GBP", " SEK", " AUD", " "],
    ["26 November 2026", " 1.0845", " 163.21", " 1.9558", " 0.85420", " 11.084", " 1.6", " "],
]


@pytest.mark.parametrize(
    ("form", "texts", "row"),
    [
        (COSTS, ("A ", "60.00", "eur", "Margin"), CostRow("A", Decimal("60.00"), "EUR", "margin")),
        (COSTS, ("A", "0", " USD", "STANDARD "), CostRow("A", Decimal(0), "USD", "standard")),
        (DEVICE_COSTS, (" DMQ", "42.10", "EUR"), DeviceCostRow("DMQ", Decimal("42.10"), "EUR")),
        (
            FX_RATES,
            ("2026-11-26", "eur", "GBP", "0.8542"),
            FxRateRow(date(2026, 11, 26), "EUR", "GBP", Decimal("0.8542")),
        ),
        (FX_RATES, ("1999-01-04 00:00:00+00", "EUR", "JPY", "133.73"), None),
        (VAT_RATES, ("FR-FR", "20", ""), VatRateRow("fr-fr", Decimal(20))),
        (VAT_RATES, ("fr-fr", "5.5", "2026-01-01"), VatRateRow("fr-fr", Decimal("5.5"), date(2026, 1, 1))),
    ],
)
def test_good_rows_are_read(form: Form[Any], texts: tuple[str, ...], row: object) -> None:
    """In any case of letters, with blanks around, as columns of other types print them."""
    found = form.judge(dict(zip(form.columns, texts, strict=True)))
    assert not isinstance(found, LeftOut)
    assert row is None or found == row


@pytest.mark.parametrize(
    ("form", "texts", "reason"),
    [
        (COSTS, ("A", "-1", "EUR", "margin"), "unit_cost is '-1': an amount of 0 or more is needed, such as 199.90"),
        (COSTS, ("A", "NaN", "EUR", "margin"), "unit_cost is 'NaN': an amount of 0 or more is needed, such as 199.90"),
        (COSTS, ("A", "5,20", "EUR", "margin"), "unit_cost is '5,20': a plain number such as 199.90 is needed"),
        (COSTS, ("A", "5", "euro", "margin"), "currency is 'euro': a currency such as EUR is needed"),
        (COSTS, ("A", "5", "EUR", "25a"), "vat_scheme is '25a': margin or standard is needed"),
        (COSTS, ("", "5", "EUR", None), "sku is missing; vat_scheme is missing"),
        (FX_RATES, ("2026-02-30", "EUR", "GBP", "1"), "day is '2026-02-30': a day such as 2026-03-02 is needed"),
        (FX_RATES, ("2026-03-02T10:00", "EUR", "GBP", "1"), "day is '2026-03-02T10:00': a day such as 2026-03-02"),
        (FX_RATES, ("2026-03-02", "EUR", "GBP", "0"), "rate is '0': a number above 0 is needed, such as 1.0845"),
        (VAT_RATES, ("fr-fr", "120", ""), "vat_pct is '120': a number from 0 to 100 is needed, such as 20"),
        (VAT_RATES, ("fr-fr", "20 %", ""), "vat_pct is '20 %': a plain number such as 199.90 is needed"),
    ],
)
def test_bad_rows_are_left_out_with_their_reasons(form: Form[Any], texts: tuple[str | None, ...], reason: str) -> None:
    """Nothing is guessed."""
    found = form.judge(dict(zip(form.columns, texts, strict=True)))
    assert isinstance(found, LeftOut)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize("form", [COSTS, DEVICE_COSTS, FX_RATES, VAT_RATES], ids=lambda form: form.table)
@given(data=st.data())
def test_no_text_breaks_the_reading(form: Form[Any], data: st.DataObject) -> None:
    """Whatever stands in a row, it is read or left out with a reason."""
    anything = st.none() | st.text(st.characters(exclude_characters="\0"))
    found = form.judge({column: data.draw(anything) for column in form.columns})
    assert not isinstance(found, LeftOut) or (found.reason and found.key)


def test_the_daily_file_of_the_bank_is_read() -> None:
    """A day in words, currencies of Back Market's markets alone, decimals with a dot."""
    assert is_of_the_bank(DAILY)
    assert list(rates_of(DAILY)) == [
        ["2026-11-26", "EUR", currency, f"{AS_NUMBER}{rate}"]
        for currency, rate in (
            ("GBP", "0.85420"),
            ("SEK", "11.084"),
            ("USD", "1.0845"),
            ("JPY", "163.21"),
            ("AUD", "1.6"),
        )
    ]


def test_the_history_of_the_bank_is_read() -> None:
    """Days as they are, no rate where there is none, blank and short rows too."""
    rows = [
        ["Date", "USD", "JPY", "CYP", "GBP", ""],
        ["2026-11-26", "1.0845", "N/A", "N/A", "0.8542", ""],
        ["", "", "", "", "", ""],
        ["2026-11-25", "1.08"],
        ["31 Smarch 2026", "1.07", "", "", "", ""],
    ]
    assert is_of_the_bank(rows)
    assert [(day, currency, rate.removeprefix(AS_NUMBER)) for day, _, currency, rate in rates_of(rows)] == [
        ("2026-11-26", "GBP", "0.8542"),
        ("2026-11-26", "USD", "1.0845"),
        ("2026-11-25", "USD", "1.08"),
        ("31 Smarch 2026", "USD", "1.07"),
    ]


@pytest.mark.parametrize(
    "header",
    [[], ["day", "from_currency", "to_currency", "rate"], ["Date", "Rate"], ["Date", "EUR"], ["Date", "USD", "x"]],
)
def test_other_files_are_not_the_banks(header: list[str]) -> None:
    """They say themselves which column is which."""
    assert not is_of_the_bank([header] if header else [])
