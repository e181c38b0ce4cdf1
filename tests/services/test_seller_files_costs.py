"""Files of costs, exchange rates and rates of VAT: the Bank's too, and what they said of past days stays."""

from __future__ import annotations

import io
import logging
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg

from backmarket.services.seller_files import FileRules, SellerFileLoading, target_of
from backmarket.settings import SellerFilesSettings
from backmarket.warehouse.seller_files import TARGETS
from tests.services.seller_inbox import STORED_AT, Inbox, csv_file, workbook

if TYPE_CHECKING:
    from pathlib import Path

DAILY = "Date, USD, JPY, BGN, GBP, SEK, AUD, \n{day}, 1.084, 163.21, 1.9558, 0.85420, 11.0845, 1.6043, \n"
RATES = "select day, to_currency, rate from seller.fx_rates order by 1, 2"


def test_names_of_files_say_the_table() -> None:
    """The Bank's by their own names; a table's name within another is not mistaken."""
    names = (
        "costs.csv",
        "device_costs-2026.xlsx",
        "fx_rates.csv",
        "VAT_rates.csv",
        "eurofxref.csv",
        "eurofxref-hist.csv",
    )
    assert [target.name if (target := target_of(name)) else None for name in names] == [
        "costs", "device_costs", "fx_rates", "vat_rates", "fx_rates", "fx_rates"
    ]  # fmt: skip
    assert target_of("eurofxrefs.csv") is None


def test_the_variable_of_headers_knows_every_table() -> None:
    """So that a seller's own headers can be named for each."""
    for table in TARGETS:
        assert SellerFilesSettings.checked({"seller_columns": {table: {}}}).seller_columns == {table: {}}


def test_the_banks_daily_file_adds_a_day_to_the_rates(inbox: Inbox) -> None:
    """The file of the next day takes its place, and the rates of yesterday stay."""
    loading = inbox.load(csv_file(DAILY.format(day="26 November 2026"), "in/eurofxref.csv"))
    assert (loading.refused, loading.rejected) == ([], 0)
    assert inbox.rows(RATES) == [
        (date(2026, 11, 26), currency, Decimal(rate))
        for currency, rate in (
            ("AUD", "1.6043"), ("GBP", "0.85420"), ("JPY", "163.21"), ("SEK", "11.0845"), ("USD", "1.084")
        )
    ]  # fmt: skip
    next_day = csv_file(
        DAILY.format(day="27 November 2026"), "in/eurofxref.csv", modified_at=STORED_AT + timedelta(days=1)
    )
    inbox.load(next_day)
    assert inbox.counts["gone"] == 0
    assert len(inbox.rows(RATES)) == 10


def test_the_banks_history_is_loaded_once(inbox: Inbox) -> None:
    """Without rates that it has not; read again it changes nothing; a bad day costs no other."""
    text = "Date,USD,JPY,GBP,SEK,AUD,\n2026-11-26,1.084,N/A,0.854,11.1,1.6,\n2026-13-25,1.1,1,1,1,1,\n"
    loading = inbox.load(csv_file(text, "in/eurofxref-hist.csv"))
    assert (loading.rejected, inbox.counts["new"]) == (5, 4)
    inbox.load(csv_file(f"{text}\n", "in/eurofxref-hist.csv", modified_at=STORED_AT + timedelta(days=1)))
    assert (inbox.counts["new"], inbox.counts["changed"], inbox.counts["gone"]) == (0, 0, 0)


def test_a_file_of_rates_of_ones_own_is_loaded(inbox: Inbox) -> None:
    """In another language, from any currency."""
    inbox.load(csv_file("Datum;Von;Nach;Kurs\n26.11.2026;GBP;eur;1,1706\n", "in/fx_rates.csv"))
    assert inbox.rows("select from_currency, to_currency, rate from seller.fx_rates") == [
        ("GBP", "EUR", Decimal("1.1706"))
    ]


def test_costs_are_loaded_and_stay(inbox: Inbox) -> None:
    """A later list corrects a cost; that of a SKU which it does not name was its cost all the same."""
    inbox.load(
        csv_file("SKU;EK;Währung;VAT\nA;1.060,50;eur;Margin\nB;5,00;EUR;standard\nC;5;EUR;none\n", "in/costs.csv")
    )
    costs = "select sku, unit_cost, currency, vat_scheme from seller.costs order by 1"
    assert inbox.rows(costs) == [
        ("A", Decimal("1060.50"), "EUR", "margin"), ("B", Decimal("5.00"), "EUR", "standard")
    ]  # fmt: skip
    later = "sku,unit_cost,currency,vat_scheme\nA,999.99,EUR,margin\n"
    inbox.load(csv_file(later, "in/costs.csv", modified_at=STORED_AT + timedelta(days=1)))
    assert (inbox.counts["changed"], inbox.counts["gone"]) == (1, 0)
    assert [row[1] for row in inbox.rows(costs)] == [Decimal("999.99"), Decimal("5.00")]


def test_device_costs_and_vat_rates_are_loaded(inbox: Inbox) -> None:
    """A number that a spreadsheet ruined is no device's; a rate that a file no longer says goes."""
    devices = "imei,cost,currency\n356938035643809,42.10,EUR\n3.5E+14,1,EUR\nDMQK20R1GHK9,43,EUR\n"
    loading = inbox.load(csv_file(devices, "in/device_costs.csv"))
    assert loading.rejected == 1
    assert inbox.rows("select imei_or_serial, unit_cost from seller.device_costs order by 1") == [
        ("356938035643809", Decimal("42.10")), ("DMQK20R1GHK9", 43)
    ]  # fmt: skip
    rates = "market,vat_pct,valid_from\nFR-FR,5.5,2026-01-01\nde-de,7,2026-01-01\n"
    inbox.load(csv_file(rates, "in/vat_rates.csv"))
    inbox.load(csv_file(rates[:46], "in/vat_rates.csv", modified_at=STORED_AT + timedelta(days=1)))
    assert inbox.rows("select market, vat_pct from seller.vat_rates") == [("fr-fr", Decimal("5.5"))]


def test_a_percentage_is_what_the_file_shows(inbox: Inbox) -> None:
    """A workbook keeps 20 % as 0.2, with a format; a CSV writes the sign, or not. A sign in quotes is only text."""
    inbox.load(
        workbook(
            ["market", "vat_pct", "valid_from"],
            ["fr-fr", 0.2, "2026-01-01"], ["de-de", 0.196, "2026-01-01"], ["es-es", 21, "2026-01-01"],
            ["it-it", 22, "2026-01-01"], ["nl-nl", 1, "2026-01-01"], ["fi-fi", "25,5 %", "2026-01-01"],
            path="in/vat_rates.xlsx", formats={"B2": "0%", "B3": "0.0 %", "B5": '0"%"', "B6": "0.00%"},
        )
    )  # fmt: skip
    rates = "select market, vat_pct from seller.vat_rates order by 1"
    shown = {"de-de": "19.6", "es-es": "21", "fi-fi": "25.5", "fr-fr": "20", "it-it": "22", "nl-nl": "100"}
    assert inbox.rows(rates) == [(market, Decimal(vat)) for market, vat in shown.items()]
    later = STORED_AT + timedelta(days=1)
    text = "market;vat_pct;valid_from\nfr-fr;5,5 %;2026-01-01\nde-de;7%;2026-01-01\n"
    inbox.load(csv_file(text, "in/vat_rates.csv", modified_at=later))
    assert inbox.rows(rates)[0] == ("de-de", 7)
    assert ("fr-fr", Decimal("5.5")) in inbox.rows(rates)


def test_the_banks_archives_are_unpacked(inbox: Inbox, tmp_path: Path) -> None:
    """As it publishes them: one file in each."""
    from airflow.sdk import ObjectStoragePath

    from backmarket.hooks.inbox import files_of

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("eurofxref.csv", DAILY.format(day="26 November 2026"))
    (tmp_path / "eurofxref.zip").write_bytes(data.getvalue())
    files: Any = list(files_of(ObjectStoragePath(f"file://{tmp_path}/eurofxref.zip")))
    assert inbox.load(*files).refused == []
    assert len(inbox.rows(RATES)) == 5


def test_two_accounts_load_the_banks_file_one_after_the_other(inbox: Inbox, warehouse_uri: str) -> None:
    """The rates are everybody's: the second finds the first's, and neither is refused."""
    file = csv_file(DAILY.format(day="26 November 2026"), "in/eurofxref.csv")
    with psycopg.connect(warehouse_uri, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            first = SellerFileLoading(other, "us", FileRules(), logging.getLogger("test"), "run")
            assert first.load([file])["new"] == 5
            second = pool.submit(inbox.load, file)
            while not other.execute("select pid from pg_locks where not granted").rowcount:
                assert not second.done()
        assert second.result().refused == []
    assert (inbox.counts["loaded"], inbox.counts["new"]) == (1, 0)
    assert len(inbox.rows(RATES)) == 5


def test_rows_that_the_table_does_not_take_are_tried_again(inbox: Inbox) -> None:
    """Another program may have written them at that moment; a file that is refused for what it says is not."""
    inbox.connection.execute("alter table seller.costs add constraint busy check (sku <> 'A')")
    file = csv_file("sku,unit_cost,currency,vat_scheme\nA,1.00,EUR,margin\n", "in/costs.csv")
    assert inbox.load(file).refused == ["in/costs.csv"]
    assert inbox.load(file).refused == ["in/costs.csv"]
    inbox.connection.execute("alter table seller.costs drop constraint busy")
    assert inbox.load(file).refused == []
    assert inbox.rows("select sku from seller.costs") == [("A",)]
