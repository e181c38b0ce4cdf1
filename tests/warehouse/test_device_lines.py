"""Which lines have a device's number, from the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.rules.identifiers import LineUse
from backmarket.rules.serial_numbers import serial_key
from backmarket.warehouse import sql
from backmarket.warehouse.tracking_imei import device_lines, orders_of_lines

if TYPE_CHECKING:
    import psycopg

SHIPPED = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def lines(warehouse: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Order 1 with lines 11 and 12, order 2 with line 21, and the same numbers in another account."""
    for account, order_id, price in (("default", 1, 300), ("default", 2, 100), ("us", 3, 100)):
        warehouse.execute(
            "insert into backmarket.orders (account, order_id, state, price, date_shipping, date_creation, document,"
            " first_seen_at, read_at) values (%s, %s, 9, %s, %s, %s, '{}', now(), now())",
            [account, order_id, price, SHIPPED if order_id == 1 else None, SHIPPED],
        )
    for account, order_id, line_id, imei, serial, price in (
        ("default", 1, 11, "353918057982916", None, 200),
        ("default", 1, 12, None, "s/n: c02-abcd efghj", 100),
        ("default", 2, 21, None, None, 100),
        ("us", 3, 31, "353918057982916", "C02ABCDEFGHJ", 100),
    ):
        warehouse.execute(
            "insert into backmarket.order_lines (account, order_id, orderline_id, imei, serial_number, price, quantity,"
            " state, first_seen_at, first_seen_state) values (%s, %s, %s, %s, %s, %s, 1, 3, now(), 3)",
            [account, order_id, line_id, imei, serial, price],
        )
    return warehouse


def test_lines_are_found_by_imei_serial_number_and_id(lines: psycopg.Connection[Any]) -> None:
    """In whatever spelling the serial number was registered; those of another account are not."""
    found = device_lines(
        lines, "default", imeis=["353918057982916"], serial_keys=["C02ABCDEFGHJ"], orderline_ids=[21, 99]
    )
    assert sorted(found, key=lambda line: line.use.orderline_id) == [
        (LineUse(11, 1, 3, SHIPPED), "353918057982916", None),
        (LineUse(12, 1, 3, SHIPPED), None, "C02ABCDEFGHJ"),
        (LineUse(21, 2, 3, SHIPPED), None, None),
    ]
    assert device_lines(lines, "default", imeis=[], serial_keys=[], orderline_ids=[]) == []


@pytest.mark.parametrize(
    ("rows", "refunded"),
    [
        ([], set()),
        ([("refund", -20, False)], set()),
        ([("refund", -199, False)], set()),
        ([("refund", -200, False)], {11}),
        ([("refund", -250, False)], {11, 12}),
        ([("refund", -100, False), ("refund", -200, False)], {11, 12}),
        ([("refund", -300, True)], set()),
        ([("fee", -300, False)], set()),
    ],
)
def test_a_line_is_refunded_where_statements_can_mean_no_other(
    lines: psycopg.Connection[Any], rows: list[tuple[str, int, bool]], refunded: set[int]
) -> None:
    """At least half of the line's price must be in what the order was refunded, whatever its other lines got."""
    for number, (role, amount, vanished) in enumerate(rows):
        lines.execute(
            "insert into backmarket.settlement_lines (account, invoice_ref, line_id, currency, line_no, invoice_key,"
            " category, role, value_date, order_id, designation, amount, first_export, vanished, last_export)"
            " values ('default', 'X', %s, 'EUR', 1, 'k', 'c', %s, now(), 1, '', %s, now(), %s, %s)",
            [number, role, amount, vanished, SHIPPED if vanished else None],
        )
    found = device_lines(lines, "default", imeis=[], serial_keys=[], orderline_ids=[11, 12])
    assert {line.use.orderline_id for line in found if line.use.is_refunded} == refunded


@pytest.mark.parametrize(
    "serial",
    [
        "C02ABCDEFGHJ",
        "s/n: c02 abcd-efghj",
        "Serial No. X1",
        "SERIALNUMBER: x",
        "sn",
        "SNSN1",
        "",
        "ıİß\u00a0x",
        "\uff21B\t1",
    ],
)
def test_database_and_rules_agree_on_a_serial_numbers_key(warehouse: psycopg.Connection[Any], serial: str) -> None:
    """Otherwise a number in another spelling would not be found."""
    row = warehouse.execute("select backmarket.serial_key(%s::text)", [serial]).fetchone()
    assert row == (serial_key(serial),)


def test_numbers_are_looked_up_by_index(lines: psycopg.Connection[Any]) -> None:
    """Years of order lines are not read for each run."""
    lines.execute(
        "insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at)"
        " select 'default', number, 9, '{}', now(), now() from generate_series(100000, 120000) as number"
    )
    lines.execute(
        "insert into backmarket.order_lines (account, order_id, orderline_id, imei, serial_number, quantity, state,"
        " first_seen_at, first_seen_state) select 'default', number, number * 10, number::text, 'SN' || number, 1, 3,"
        " now(), 3 from generate_series(100000, 120000) as number"
    )
    lines.execute("analyze backmarket.orders, backmarket.order_lines")
    parameters = {"account": "default", "imeis": ["1"], "serial_keys": ["1"], "orderline_ids": [1]}
    statement = sql.statement("tracking_imei/select_device_lines")
    plan = "\n".join(line for (line,) in lines.execute(f"explain {statement}".encode(), parameters))
    assert "order_lines_by_imei" in plan
    assert "order_lines_by_serial" in plan
    assert "Seq Scan on order_lines" not in plan


def test_the_order_of_a_line_is_known(lines: psycopg.Connection[Any]) -> None:
    """Of the account's own lines alone."""
    assert orders_of_lines(lines, "default", [11, 12, 31, 1]) == {11: 1, 12: 1}
