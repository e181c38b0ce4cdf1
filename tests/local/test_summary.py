"""What ``make demo`` prints in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.summary import print_summary

if TYPE_CHECKING:
    import psycopg
    import pytest


def test_sums_of_findings_are_each_in_their_own_currency(
    warehouse: psycopg.Connection[Any], warehouse_uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """An order in euros whose rows are in pounds, beside a difference in euros."""
    monkeypatch.setenv("COLUMNS", "200")
    warehouse.execute(
        "insert into backmarket.orders (account, order_id, state, country_code, document, first_seen_at, read_at) "
        "values ('default', 1, 9, 'fr-fr', '{}', now(), now())"
    )
    warehouse.execute(
        "insert into backmarket.settlement_findings (account, kind, subject, day, expected, actual, currency, "
        "expected_currency, detail, documents, status) values "
        "('default', 'currency_mismatch', '1', now(), 175.99, 152.30, 'GBP', 'EUR', '', '[]', 'open'), "
        "('default', 'fee_difference', '1', now(), 9.00, null, 'EUR', null, '', '[]', 'open')"
    )
    print_summary(warehouse_uri)
    printed = [line.replace("│", "").split() for line in capsys.readouterr().out.splitlines()]
    assert ["currency", "mismatch", "1", "175.99", "EUR", "152.30", "GBP"] in printed
    assert ["fee", "difference", "1", "9.00", "EUR", "-"] in printed
