"""``settlement_check`` fails with one of our sentences: which file or statement, why, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.operators.settlements import BackMarketSettlementCheckOperator, BackMarketSettlementDownloadOperator
from backmarket.services.settlement_check import SettlementsOffError

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

HEADER = b"invoice_key,value_date,sku,order_id,designation,amount,currency\n"


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inbox with one statement, of one row without an order."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    row = b"sales,2026-09-08,S,,Phone,10.00,EUR\n"
    (tmp_path / "20260914-EU-H-1.csv").write_bytes(HEADER + b"ccbm_fees,2026-09-08,,,Care,-1.00,EUR\n" * 30 + row)
    return tmp_path


def check() -> None:
    """Load the inbox, then look at all statements."""
    BackMarketSettlementDownloadOperator(task_id="settlement_download").execute({"run_id": "run"})
    BackMarketSettlementCheckOperator(task_id="settlement_check").execute({})


def complaint() -> str:
    """What a person reads in the log, on the page and in the alert."""
    with pytest.raises(SettlementsOffError) as failure:
        check()
    return str(failure.value)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(warehouse: psycopg.Connection[Any], inbox: Path) -> None:
    """No SQL and no figures of a check: the file, what it is, what to do; and it passes once the file is gone."""
    warehouse.execute("insert into backmarket.accounts (account, host, token_fingerprint) values ('default', 'h', 't')")
    check()
    (inbox / "week_38.csv").write_bytes(b"%PDF-1.7")
    assert complaint() == (
        f"1 file of the settlement inbox cannot be read. {inbox.as_uri()}/week_38.csv: it is a PDF document, not a CSV "
        "export: download the statement as CSV in the Back Office. Put right what is named, or take it out of the "
        "inbox; the next run looks again. All other statements are loaded and compared."
    )
    for number in range(11):
        (inbox / f"more_{number:02}.csv").write_bytes(b"")
    text = complaint()
    assert text.startswith("12 files of the settlement inbox cannot be read.")
    assert "And 2 more: backmarket.quarantine has them all." in text
    for file in (inbox / "week_38.csv", *inbox.glob("more_*")):
        file.unlink()
    check()


def test_a_statement_that_does_not_add_up_is_named(warehouse: psycopg.Connection[Any], inbox: Path) -> None:
    """With what its file says and what is stored, each in its currency."""
    BackMarketSettlementDownloadOperator(task_id="settlement_download").execute({"run_id": "run"})
    warehouse.execute("delete from backmarket.settlement_lines where category = 'revenue'")
    assert (
        "1 statement does not add up. 20260914-EU-H-1 (20260914-EU-H-1.csv) says -20.00 EUR in 31 rows, and -30.00 EUR "
        "in 30 rows are stored."
    ) in complaint()


def test_too_many_rows_of_no_order_name_the_variable(
    warehouse: psycopg.Connection[Any], inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's own, where there is one."""
    warehouse.execute("insert into backmarket.accounts (account, host, token_fingerprint) values ('default', 'h', 't')")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_DEFAULT__SETTLEMENT_ORPHAN_LIMIT_PCT", "2.5")
    assert "1 of 31 rows (3.23 %) are sales, fees or refunds of orders that Back Market does not have" in complaint()
    assert "Variable backmarket_default__settlement_orphan_limit_pct allows 2.5 %" in complaint()


def test_it_is_not_tried_again() -> None:
    """Nothing changes by itself what it finds."""
    assert BackMarketSettlementCheckOperator(task_id="settlement_check").retries == 0
