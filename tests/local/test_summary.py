"""What ``make demo`` prints in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.summary import print_summary

if TYPE_CHECKING:
    import psycopg
    import pytest


STORY = """
    insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at)
    values ('default', 50, 9, '{}', now(), now());
    insert into backmarket.care_folders (
        account, care_folder_id, orderline_id, order_id, waits_for, return_labels, date_creation, document, read_at
    )
    values (
        'default', 7, 501, 50, 'seller',
        '[{"kind": "CUSTOMER_TO_MERCHANT", "date_creation": "2026-11-02T08:30:00+00:00"}]',
        '2026-11-02 08:00Z', '{}', now()
    );
    insert into backmarket.care_messages (account, care_folder_id, message_id, message)
    values ('default', 7, 1, 'I am Ada.');
    insert into backmarket.returns (
        account, shipment_id, order_id, orderline_id, carrier_name, date_delivery, document, read_at
    )
    values ('default', 9, 50, 501, 'Chronopost', '2026-11-04 10:00Z', '{}', now());
    insert into backmarket.changes (
        account, kind, subject, payload, status, reason, attempts, planned_at, sent_at, confirmed_at
    )
    values (
        'default', 'refund', '501', '{"order_id": 50, "amount": "329.00", "currency": "EUR", "is_whole": true}',
        'confirmed', 'Back Market: 329.00€ refunded', 1, '2026-11-04 11:00Z', '2026-11-04 13:00Z', '2026-11-04 13:01Z'
    );
    insert into backmarket.refund_approvals (
        account, orderline_id, order_id, kind, amount, currency, reason, status, run_id, decided_at, decided_by
    )
    values (
        'default', 501, 50, 'refund', 329, 'EUR', '329 EUR is above 25', 'approved', 'r', '2026-11-04 12:00Z', 'kim'
    );
    insert into backmarket.settlement_lines (
        account, invoice_ref, line_id, line_no, currency, invoice_key, category, role, value_date, order_id, number,
        tied_by, designation, amount, first_export, vanished
    )
    values (
        'default', '20261109-EU-H-1', 1, 12, 'EUR', 'refunds', 'refund', 'refund', '2026-11-04', 50, 50,
        'order', 'Refund', -329, now(), false
    );
"""


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


def test_a_return_is_told_from_message_to_statement_without_a_word_of_the_customers(
    warehouse: psycopg.Connection[Any], warehouse_uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Every step once, in its order, and what each switch did; the statement's day has no time."""
    monkeypatch.setenv("COLUMNS", "200")
    warehouse.execute(STORY.encode())
    print_summary(warehouse_uri)
    told = capsys.readouterr().out
    story = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.partition("One return,")[2].splitlines()]
    assert [row for row in story if row] == [
        ["2026-11-02 08:00:00", "message came", "care folder 7, order 50"],
        ["2026-11-02 08:30:00", "return label made", "customer to merchant"],
        ["2026-11-04 10:00:00", "device arrived", "Chronopost"],
        ["2026-11-04 11:00:00", "refund planned", "329.00 EUR, for line 501"],
        ["2026-11-04 12:00:00", "approved", "by kim, who was asked as 329 EUR is above 25"],
        ["2026-11-04 13:00:00", "sent", "once"],
        ["2026-11-04 13:01:00", "confirmed", "Back Market: 329.00€ refunded"],
        ["2026-11-04", "in a statement", "20261109-EU-H-1, row 12: -329 EUR"],
    ]
    assert "care folders: 1, messages: 1, customers who wait for an answer: 1" in told
    assert "deliveries: 0, returns: 1, returns that have arrived: 1" in told
    assert "confirmed: 1 " in told
    assert "nothing was to be sent" in told
    assert "Ada" not in told
