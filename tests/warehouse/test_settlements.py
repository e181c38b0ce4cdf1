"""Statements in PostgreSQL: the same rows whatever comes twice, renamed, extended, changed, late, or all at once."""

from __future__ import annotations

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.rules.settlements.blocks import StatementError
from backmarket.warehouse import sql
from backmarket.warehouse.migrations import migrate
from backmarket.warehouse.settlements.files import StatementFile, known_files, load_file
from backmarket.warehouse.settlements.reconciliation import Limits, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = "invoice_key,value_date,sku,order_id,designation,amount,currency\n"
NAME = "invoice_20260914-EU-H-1.csv"
LIMITS = Limits(due_days=14, tolerance=Decimal("0.01"))
Database = psycopg.Connection[Any]


def load(
    database: Database,
    *rows: str,
    name: str = NAME,
    hour: int = 0,
    account: str = "default",
    path: str = "",
    tell: Callable[[str], object] = lambda _: None,
) -> int:
    """Load one export; ``hour`` is when its file was written, and tells its folder unless a path does."""
    content = (HEADER + "\n".join(rows)).encode()
    modified_at = datetime(2026, 9, 14, hour, tzinfo=UTC)
    file = StatementFile(
        path or f"{hour}/{name}", name, len(content), modified_at, sha256(content).hexdigest(), io.BytesIO(content)
    )
    return load_file(database, account, file, tell=tell)


def test_a_load_tells_how_many_rows_are_read(warehouse: Database) -> None:
    """Of as many as the file has, blank lines not counted."""
    content = (HEADER + "\n".join([sale(1), "", *map(sale, range(2, 6))])).encode()
    moment = datetime(2026, 9, 14, tzinfo=UTC)
    file = StatementFile(NAME, NAME, len(content), moment, sha256(content).hexdigest(), io.BytesIO(content))
    told: list[tuple[int, int]] = []
    assert load_file(warehouse, "default", file, lambda done, total: told.append((done, total))) == 5
    assert told == [(5, 5)]


def sale(
    order_id: int, amount: str = "100.00", *, key: str = "sales", day: str = "2026-09-08", cur: str = "EUR"
) -> str:
    """One row."""
    return f"{key},{day},SKU,{order_id},Phone,{amount},{cur}"


def order(database: Database, order_id: int, *, state: int = 3, quantity: int = 1, **totals: str) -> None:
    """One stored order of one line at 100.00 with 10.00 commission, shipped on the eighth."""
    database.execute(
        "insert into backmarket.orders (account, order_id, state, currency, price, shipping_price, date_shipping, "
        "date_modification, document, first_seen_at, read_at) "
        "values ('default', %s, 9, 'EUR', %s, %s, '2026-09-08 12:00Z', '2026-09-08 12:00Z', '{}', now(), now())",
        [order_id, totals.get("price", "100.00"), totals.get("shipping", "0")],
    )
    database.execute(
        "insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, price, shipping_price, "
        "currency, state, orderline_fee, first_seen_at, first_seen_state) "
        "values ('default', %s, %s, 'SKU', %s, 100.00, %s, 'EUR', %s, 10.00, now(), 3)",
        [order_id * 10, order_id, quantity, totals.get("line_shipping", "0"), state],
    )


def empty(database: Database) -> None:
    """Forget all statements."""
    database.execute("truncate backmarket.settlement_lines, backmarket.settlement_statements")
    database.execute("truncate backmarket.settlement_files, backmarket.settlement_findings cascade")


def lines(database: Database) -> list[tuple[Any, ...]]:
    """The stored rows without where they stood."""
    return database.execute(
        "select invoice_ref, currency, invoice_key, order_id, amount::text, vanished "
        "from backmarket.settlement_lines order by 1, 2, 3, 4, 5, 6"
    ).fetchall()


def statement(database: Database) -> list[tuple[Any, ...]]:
    """What the statements say of themselves."""
    return database.execute(
        "select currency, line_count, total::text from backmarket.settlement_statements order by 1"
    ).fetchall()


def findings(database: Database, status: str = "open") -> list[tuple[Any, ...]]:
    """Kinds with their orders and amounts."""
    return database.execute(
        "select kind, order_id, expected, actual from backmarket.settlement_findings where status = %s order by 1, 2",
        [status],
    ).fetchall()


def test_twice_renamed_and_extended_adds_only_what_is_new(warehouse: Database) -> None:
    """The same rows once, two identical rows twice, and a longer export its new rows alone."""
    rows = [sale(1), sale(1), sale(2)]
    assert load(warehouse, *rows) == 3
    assert load(warehouse, *rows, hour=1) == 0
    assert load(warehouse, *rows, name="renamed.csv", hour=2) == 0
    assert load(warehouse, *rows, sale(3), hour=3) == 1
    assert statement(warehouse) == [("EUR", 4, "400.00")]
    assert not any(row[-1] for row in lines(warehouse))


def test_a_changed_row_is_a_finding_and_no_overwrite(warehouse: Database) -> None:
    """Both versions stay; the newest export counts, whichever was loaded first."""
    for first, second in ((0, 1), (1, 0)):
        empty(warehouse)
        exports = [[sale(1, "100.00"), sale(2)], [sale(1, "90.00"), sale(2)]]
        load(warehouse, *exports[first], hour=first)
        load(warehouse, *exports[second], hour=second)
        assert [row[4:] for row in lines(warehouse)] == [("100.00", True), ("90.00", False), ("100.00", False)]
        assert statement(warehouse) == [("EUR", 2, "190.00")]
        reconcile(warehouse, "default", LIMITS)
        assert ("line_changed", 1, Decimal("100.00"), Decimal("90.00")) in findings(warehouse)
        assert "line_vanished" not in {row[0] for row in findings(warehouse)}


def test_each_change_of_a_row_is_one_finding_whatever_was_loaded_first(warehouse: Database) -> None:
    """Three versions of a row make two changes, old and new amount beside each other; a row without order likewise."""
    fee = "ccbm_fees,2026-09-08,,,Care,{},EUR".format
    exports = [[sale(1, amount), fee(amount), sale(2)] for amount in ("100.00", "90.00", "80.00")]
    for order_of_loading in permutations(range(3)):
        empty(warehouse)
        for hour in order_of_loading:
            load(warehouse, *exports[hour], hour=hour)
        reconcile(warehouse, "default", LIMITS)
        changes = [row for row in findings(warehouse) if row[0].startswith("line_")]
        steps = [(Decimal(old), Decimal(new)) for old, new in (("100.00", "90.00"), ("90.00", "80.00"))]
        wanted = [("line_changed", order_id, *step) for order_id in (1, None) for step in steps]
        assert sorted(changes, key=str) == sorted(wanted, key=str)
        assert statement(warehouse) == [("EUR", 3, "260.00")]


def test_a_change_says_what_changed_and_shows_both_rows(warehouse: Database) -> None:
    """Of two rows of one order and key, each is paired with its own successor; a row taken out is no change."""
    load(warehouse, sale(1, "10.00"), sale(1, "20.00"), sale(2), sale(3))
    load(warehouse, sale(9), sale(1, "11.00"), sale(1, "20.00", day="2026-09-09"), sale(3), hour=1)
    reconcile(warehouse, "default", LIMITS)
    rows = warehouse.execute(
        "select kind, expected::text, actual::text, detail, documents from backmarket.settlement_findings "
        "where kind like 'line%%' order by kind, settlement_findings.expected"
    ).fetchall()
    assert [row[:3] for row in rows] == [
        ("line_changed", "10.00", "11.00"),
        ("line_changed", "20.00", "20.00"),
        ("line_vanished", "100.00", None),
    ]
    assert "another amount;" in rows[0][3]
    assert "another value_date;" in rows[1][3]
    assert [(each["line_no"], each["amount"]) for each in rows[0][4]] == [(2, "11.00"), (1, "10.00")]


def test_exports_that_meet_are_the_same_as_one_after_the_other(warehouse: Database, warehouse_uri: str) -> None:
    """Four longer and longer exports of one statement at once: every row stored once, the last export's total."""
    rows = [sale(number, f"{number}.01") for number in range(1, 401)]

    def run(hour: int) -> int:
        with psycopg.connect(warehouse_uri, autocommit=True) as connection:
            return load(connection, *rows[: 100 * (hour + 1)], hour=hour)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 400
    assert statement(warehouse) == [("EUR", 400, "80204.00")]
    assert [row[-1] for row in lines(warehouse)] == [False] * 400


def test_a_vanished_row_that_comes_back_closes_its_finding(warehouse: Database) -> None:
    """Findings close themselves, open again, and keep their history."""
    for hour, rows in enumerate(([sale(1), sale(2)], [sale(2)], [sale(2), sale(1)], [sale(2), sale(3)])):
        load(warehouse, *rows, hour=hour)
        reconcile(warehouse, "default", LIMITS)
    history = warehouse.execute(
        "select status from backmarket.settlement_finding_history where kind = 'line_vanished' order by changed_at"
    ).fetchall()
    assert history == [("open",), ("closed",), ("open",)]


def test_a_file_that_is_refused_leaves_nothing(warehouse: Database) -> None:
    """Not even the rows before the broken one."""
    with pytest.raises(StatementError):
        load(warehouse, sale(1), sale(2).replace(",2,", ",7.48E+07,"))
    assert lines(warehouse) == []
    assert load(warehouse, sale(1)) == 1


UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def test_odd_rows_are_kept_counted_and_flagged(warehouse: Database) -> None:
    """A UUID as order id, no date, both, and a row of nothing: one finding each, and a total to the cent."""
    odd = [
        sale(1).replace(",1,", f",{UUID},"),
        sale(2, "7.00", key="adjustment", day=""),
        sale(3, "-1.00", key="adjustment", day="n/a").replace(",3,", ",victor@example.com,"),
        "Total,,,,,5.00,EUR",
        ",,,,,,",
    ]
    assert load(warehouse, sale(9, key="adjustment"), *odd) == 5
    assert statement(warehouse) == [("EUR", 5, "211.00")]
    reconcile(warehouse, "default", LIMITS)
    assert [(kind, actual) for kind, _, _, actual in findings(warehouse)] == [
        ("no_value_date", Decimal("7.00")),
        ("no_value_date", Decimal("-1.00")),
        ("no_value_date", Decimal("5.00")),
        ("unknown_key", Decimal("5.00")),
        ("unknown_order_reference", Decimal("100.00")),
        ("unknown_order_reference", Decimal("-1.00")),
    ]
    stored = warehouse.execute(
        "select order_reference, value_date, is_undated from backmarket.settlement_lines order by line_no"
    ).fetchall()
    issued, dated = date(2026, 9, 14), date(2026, 9, 8)
    assert stored == [
        (None, dated, False),
        (UUID, dated, False),
        (None, issued, True),
        ("victor@example.com", issued, True),
        (None, issued, True),
    ]
    written = warehouse.execute("select to_jsonb(f)::text from backmarket.settlement_findings as f").fetchall()
    assert not [text for (text,) in written if "victor" in text or UUID in text]
    covered = warehouse.execute("select upper(covers) from backmarket.settlement_statements").fetchone()
    assert covered == (issued,)


def test_odd_rows_are_the_same_in_a_longer_export_and_closed_once_mended(warehouse: Database) -> None:
    """Loaded again they add nothing; an export that has the date and the order closes the findings."""
    odd = [sale(1, day=""), sale(2, key="refunds").replace(",2,", f",{UUID},"), sale(3, key="odd", day="")]
    assert load(warehouse, *odd) == 3
    assert load(warehouse, *odd, sale(4), hour=1) == 1
    assert load(warehouse, *odd, odd[1].replace(UUID, "PRO-1"), sale(4), hour=2) == 1
    reconcile(warehouse, "default", LIMITS)
    opened = [kind for kind, *_ in findings(warehouse)]
    assert (opened.count("no_value_date"), opened.count("unknown_order_reference")) == (2, 2)
    assert load(warehouse, sale(1, day="2026-09-14"), sale(2, key="refunds"), sale(4), hour=3) == 2
    reconcile(warehouse, "default", LIMITS)
    kinds = {kind for kind, *_ in findings(warehouse)}
    assert not kinds & {"no_value_date", "unknown_order_reference"}
    details = warehouse.execute(
        "select detail from backmarket.settlement_findings where kind = 'line_changed' and order_id = 1"
    ).fetchall()
    assert [detail for (detail,) in details] == [
        "A later export of this statement has the row with another value_date; the later one counts."
    ]


def test_a_currency_without_any_date_covers_the_day_of_its_statement(warehouse: Database) -> None:
    """There is no other day to speak of."""
    load(warehouse, sale(1), sale(2, "5.00", day="", cur="GBP"))
    assert statement(warehouse) == [("EUR", 1, "100.00"), ("GBP", 1, "5.00")]


def test_one_file_may_hold_several_currencies(warehouse: Database) -> None:
    """Each has its own total."""
    load(warehouse, sale(1), sale(2, "50.00", cur="GBP"), sale(3, "-7.00", cur="GBP"))
    assert statement(warehouse) == [("EUR", 1, "100.00"), ("GBP", 2, "43.00")]


def test_an_export_speaks_of_its_own_currencies(warehouse: Database) -> None:
    """An invoice has a file for each, or one for all; what the newest lacks altogether is told, and stays."""
    euros, pounds = [sale(1), sale(2)], [sale(3, "50.00", cur="GBP"), sale(4, "7.00", cur="GBP")]
    everything = [("EUR", 2, "200.00"), ("GBP", 2, "57.00")]
    for first, second in ((euros, pounds), (pounds, euros), (euros + pounds, euros), (euros, pounds + euros)):
        for hours in ((0, 1), (1, 0)):
            empty(warehouse)
            load(warehouse, *first, hour=hours[0])
            load(warehouse, *second, hour=hours[1])
            assert statement(warehouse) == everything
            assert not any(row[-1] for row in lines(warehouse))
    told: list[str] = []
    content = (HEADER + "\n".join([*euros, sale(9)])).encode()
    moment = datetime(2026, 9, 14, 5, tzinfo=UTC)
    file = StatementFile(NAME, NAME, len(content), moment, sha256(content).hexdigest(), io.BytesIO(content))
    assert load_file(warehouse, "default", file, tell=told.append) == 1
    assert told == ["it has no row in GBP, of which statement 20260914-EU-H-1 keeps what was loaded before"]
    # Of each currency its own newest export counts.
    load(warehouse, pounds[0], hour=3)
    assert statement(warehouse) == [("EUR", 3, "300.00"), ("GBP", 1, "50.00")]
    reconcile(warehouse, "default", LIMITS)
    assert [row for row in findings(warehouse) if row[0] == "line_vanished"] == [
        ("line_vanished", 4, Decimal("7.00"), None)
    ]


def test_a_currency_that_another_file_took_away_is_given_back(warehouse: Database) -> None:
    """By the migration, as it was in its own newest export: what that had lost before stays lost."""
    load(warehouse, sale(1, cur="GBP"), sale(2, cur="GBP"))
    load(warehouse, sale(1, cur="GBP"), hour=1)
    before = lines(warehouse), statement(warehouse)
    load(warehouse, sale(3), hour=2)
    warehouse.execute(
        "update backmarket.settlement_lines set vanished = true, last_export = '2026-09-14 01:00Z' "
        "where currency = 'GBP' and not vanished"
    )
    warehouse.execute("update backmarket.settlement_statements set line_count = 0, total = 0 where currency = 'GBP'")
    warehouse.execute((sql.folder() / "migrations" / "0050_statements_by_currency.sql").read_bytes())
    assert ([row for row in lines(warehouse) if row[1] == "GBP"], statement(warehouse)[1:]) == before


def export(database: Database, *rows: str, place: int, stored: datetime, seen: datetime | None) -> int:
    """Load one export that its storage says was stored at a time, as it is seen at another."""
    content = (HEADER + "\n".join(rows)).encode()
    key = sha256(content).hexdigest()
    return load_file(
        database,
        "default",
        StatementFile(f"{place}/{NAME}", NAME, len(content), stored, key, io.BytesIO(content), seen),
    )


def test_an_export_of_a_time_to_come_is_as_new_as_when_it_was_seen(warehouse: Database) -> None:
    """A later export holds, and its file is known by the time that its storage says."""
    day, ahead = datetime(2026, 9, 14, tzinfo=UTC), datetime(2027, 9, 14, tzinfo=UTC)
    export(warehouse, sale(1, "90.00"), place=1, stored=ahead, seen=day)
    later = day + timedelta(hours=1)
    export(warehouse, sale(1), place=2, stored=later, seen=later)
    assert [(row[4], row[5]) for row in lines(warehouse)] == [("100.00", False), ("90.00", True)]
    assert statement(warehouse) == [("EUR", 1, "100.00")]
    assert known_files(warehouse, "default")[f"1/{NAME}"].modified_at == ahead


def test_exports_that_one_of_a_time_to_come_has_kept_out_hold_after_an_upgrade(warehouse: Database) -> None:
    """Up to then its time stood as its storage said it, and their rows as vanished."""
    day, ahead = datetime(2026, 9, 14, tzinfo=UTC), datetime(2999, 9, 14, tzinfo=UTC)
    export(warehouse, sale(1), sale(2, "90.00"), place=1, stored=ahead, seen=None)
    for table in (b"settlement_statements", b"settlement_files"):
        warehouse.execute(b"update backmarket." + table + b" set loaded_at = %s", [day - timedelta(hours=1)])
    corrected = sale(1), sale(2)
    export(warehouse, *corrected, place=2, stored=day, seen=None)
    assert statement(warehouse) == [("EUR", 2, "190.00")]
    warehouse.execute((sql.folder() / "migrations" / "0056_no_file_of_the_future.sql").read_bytes())
    assert list(known_files(warehouse, "default")) == [f"1/{NAME}"]
    export(warehouse, *corrected, place=2, stored=day, seen=None)
    assert statement(warehouse) == [("EUR", 2, "200.00")]
    reconcile(warehouse, "default", LIMITS)
    assert [row for row in findings(warehouse) if row[0] == "line_changed"] == [
        ("line_changed", 2, Decimal("90.00"), Decimal("100.00"))
    ]


def test_runs_that_meet_in_a_file_load_it_once(warehouse: Database, warehouse_uri: str) -> None:
    """Four at once: five thousand rows, each stored once, with a total to the cent."""
    rows = [sale(number, f"{number}.01") for number in range(1, 5001)]

    def run(hour: int) -> int:
        with psycopg.connect(warehouse_uri, autocommit=True) as connection:
            return load(connection, *rows, hour=hour)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [0, 0, 0, 5000]
    assert statement(warehouse) == [("EUR", 5000, "12502550.00")]


def test_rows_are_tied_by_order_orderline_and_parcel_also_later(warehouse: Database) -> None:
    """Whatever a row names, before or after the order is known."""
    rows = [sale(1), sale(20), "backship_label,2026-09-08,,,Label 6X000000000012FR,-4.00,EUR"]
    order(warehouse, 1)
    load(warehouse, *rows)
    order(warehouse, 2)
    order(warehouse, 3)
    warehouse.execute("update backmarket.orders set tracking_number = '6X000000000012FR' where order_id = 3")
    assert reconcile(warehouse, "default", LIMITS).tied == 2
    tied = warehouse.execute("select order_id, tied_by from backmarket.settlement_lines order by 1").fetchall()
    assert tied == [(1, "order"), (2, "orderline"), (3, "tracking")]


def test_missing_is_judged_only_where_statements_cover_the_due_period(warehouse: Database) -> None:
    """With one week loaded nothing is missing; with the due fortnight covered it is; with a week left out it is not."""
    order(warehouse, 1)
    weeks = ["20260914", "20260921", "20260928"]
    for number, issued in ((0, weeks[0]), (2, weeks[2])):
        day = (datetime.strptime(issued, "%Y%m%d").replace(tzinfo=UTC) - timedelta(days=3)).date().isoformat()
        load(warehouse, sale(9, key="adjustment", day=day), name=f"{issued}-EU-H-{number}.csv")
        assert reconcile(warehouse, "default", LIMITS).open_by_kind == {}
    load(warehouse, sale(9, key="adjustment", day="2026-09-18"), name=f"{weeks[1]}-EU-H-1.csv")
    reconcile(warehouse, "default", LIMITS)
    assert findings(warehouse) == [("missing_sale", 1, Decimal("100.00"), None)]
    load(warehouse, sale(1, day="2026-09-29"), sale(1, "-10.00", key="sales_fees"), name="20261005-EU-H-4.csv")
    reconcile(warehouse, "default", LIMITS)
    assert findings(warehouse) == []
    assert findings(warehouse, "closed") == [("missing_sale", 1, Decimal("100.00"), None)]


@pytest.mark.parametrize(
    ("quantity", "totals", "paid"),
    [
        (2, {"price": "200.00"}, "200.00"),
        (2, {"price": "100.00"}, "100.00"),
        (2, {"price": "200.00", "shipping": "10.00", "line_shipping": "5.00"}, "210.00"),
        (2, {"price": "200.00", "shipping": "5.00", "line_shipping": "5.00"}, "205.00"),
        (2, {"price": "210.00", "shipping": "10.00", "line_shipping": "10.00"}, "210.00"),
        (1, {"price": "999.00"}, "100.00"),
    ],
)
def test_the_orders_own_total_says_how_prices_are_meant(
    warehouse: Database, quantity: int, totals: dict[str, Any], paid: str
) -> None:
    """Per unit, unless only the other reading fits the order's total."""
    order(warehouse, 1, quantity=quantity, **totals)
    load(warehouse, sale(1, paid), sale(1, "-10.00", key="sales_fees"))
    assert reconcile(warehouse, "default", LIMITS).open_by_kind == {}


def test_refunds_and_credits_are_compared(warehouse: Database) -> None:
    """Each side without the other, and amounts that differ, within the tolerance or not."""
    for order_id, state in ((1, 6), (2, 6), (3, 3), (4, 6), (5, 4), (6, 5)):
        order(warehouse, order_id, state=state)
        if order_id != 6:
            load(warehouse, sale(order_id), sale(order_id, "-10.01", key="sales_fees"), name=f"{order_id}.csv")
    load(
        warehouse,
        sale(1, "-100.00", key="refunds"),
        sale(1, "10.00", key="avoir_sales_fees"),
        sale(2, "-100.00", key="refunds"),
        sale(3, "-100.00", key="refunds"),
        sale(4, "-60.00", key="refunds"),
        sale(4, "9.00", key="avoir_sales_fees"),
        sale(5, "-100.00", key="refunds"),
    )
    reconcile(warehouse, "default", LIMITS)
    assert findings(warehouse) == [
        ("fee_credit_difference", 4, Decimal("10.00"), Decimal("9.00")),
        ("refund_amount_difference", 4, Decimal("-100.00"), Decimal("-60.00")),
        ("refund_without_fee_credit", 2, Decimal("10.00"), None),
        ("refund_without_refunded_line", 3, None, Decimal("-100.00")),
    ]


@pytest.mark.parametrize(
    ("kind", "key", "tolerated", "found"),
    [
        ("sale_amount_difference", "sales", ("99.99", "100.01"), ("99.98", "100.02")),
        ("fee_difference", "sales_fees", ("-9.99", "-10.01"), ("-9.98", "-10.02")),
        ("refund_amount_difference", "refunds", ("-99.99", "-100.01"), ("-99.98", "-100.02")),
        ("fee_credit_difference", "avoir_sales_fees", ("9.99", "10.01"), ("9.98", "10.02")),
    ],
)
def test_a_difference_of_exactly_the_tolerance_is_none(
    warehouse: Database, kind: str, key: str, tolerated: tuple[str, ...], found: tuple[str, ...]
) -> None:
    """A cent too little or too much is let pass where a cent is tolerated; two are found."""
    amounts = {"sales": "100.00", "sales_fees": "-10.00", "refunds": "-100.00", "avoir_sales_fees": "10.00"}
    rows = []
    for order_id, amount in enumerate((*tolerated, *found), start=1):
        order(warehouse, order_id, state=6)
        rows += [sale(order_id, each, key=name) for name, each in (amounts | {key: amount}).items()]
    load(warehouse, *rows)
    reconcile(warehouse, "default", LIMITS)
    expected = Decimal(amounts[key])
    assert findings(warehouse) == [
        (kind, order_id, expected, Decimal(amount)) for order_id, amount in enumerate(found, start=3)
    ]


def test_a_commission_of_exactly_the_tolerance_need_not_come_back(warehouse: Database) -> None:
    """A sale refunded without its commission is found where the commission is more than is tolerated."""
    rows = []
    for order_id, fee in ((1, "0.01"), (2, "0.02")):
        order(warehouse, order_id, state=6)
        warehouse.execute("update backmarket.order_lines set orderline_fee = %s where order_id = %s", [fee, order_id])
        rows += [sale(order_id), sale(order_id, f"-{fee}", key="sales_fees"), sale(order_id, "-100.00", key="refunds")]
    load(warehouse, *rows)
    reconcile(warehouse, "default", LIMITS)
    assert findings(warehouse) == [("refund_without_fee_credit", 2, Decimal("0.02"), None)]


def test_a_payout_released_but_for_the_tolerance_is_released(warehouse: Database) -> None:
    """A cent kept of a payout is let pass where a cent is tolerated; two are found, as is what was never released."""
    held = "deferred_payout_retained,2026-09-01,,,Payout {},-100.00,EUR".format
    given = "deferred_payout_released,2026-09-16,,,Payout {},{},EUR".format
    load(
        warehouse,
        *(held(number) for number in (111111, 222222, 333333)),
        given(111111, "99.99"),
        given(222222, "99.98"),
        name="20260917-EU-H-1.csv",
    )
    reconcile(warehouse, "default", LIMITS)
    assert findings(warehouse) == [
        ("payout_never_released", None, Decimal("100.00"), Decimal("99.98")),
        ("payout_never_released", None, Decimal("100.00"), None),
    ]


def test_an_amount_is_told_in_its_own_currency(warehouse: Database) -> None:
    """An order in euros, paid in pounds and zlotys: what was expected is in euros, and no two others are added up."""
    order(warehouse, 1)
    rows = [sale(1, "86.50", cur="GBP"), sale(1, "430.00", cur="PLN"), sale(1, "-3.00", key="sales_fees", cur="CZK")]
    load(warehouse, *rows)
    reconcile(warehouse, "default", LIMITS)
    mismatch = "from backmarket.settlement_findings where kind = 'currency_mismatch'"
    assert warehouse.execute(
        f"select expected::text, expected_currency, actual::text, currency, detail {mismatch}".encode()
    ).fetchall() == [("100.00", "EUR", "86.50", "GBP", "The order is in EUR, its statement rows are in CZK, GBP, PLN.")]
    assert warehouse.execute("select at_stake, currency from backmarket.settlement_open_findings").fetchall() == [
        (Decimal("86.50"), "GBP")
    ]
    reconcile(warehouse, "default", LIMITS)
    assert warehouse.execute("select count(*) from backmarket.settlement_finding_history").fetchone() == (1,)


def test_days_in_any_order_give_what_one_run_gives(warehouse: Database) -> None:
    """Sixty days, shuffled, each its own reconciliation: the findings of one over everything."""
    dice = Random(7)  # noqa: S311 - repeatable, not secret
    first = date(2026, 7, 1)
    rows: dict[int, list[str]] = {week: [] for week in range(9)}
    for order_id in range(1, 400):
        day = first + timedelta(days=dice.randrange(60))
        order(warehouse, order_id, state=dice.choice((3, 3, 3, 6)))
        warehouse.execute(
            "update backmarket.orders set date_shipping = %s, date_modification = %s where order_id = %s",
            [day, day, order_id],
        )
        if dice.random() < 0.9:
            amounts = dice.choice(("100.00", "100.00", "90.00"))
            week = min((day - first).days // 7 + dice.randrange(2), 8)
            rows[week] += [
                sale(order_id, amounts, day=str(day)),
                sale(order_id, "-10.00", key=dice.choice(("sales_fees", "odd_key")), day=str(day)),
            ]
    for week, of_week in rows.items():
        load(warehouse, *of_week, name=f"{first + timedelta(days=7 * week + 7):%Y%m%d}-EU-H-{week}.csv")
    reconcile(warehouse, "default", LIMITS)
    at_once = findings(warehouse)
    assert len({row[0] for row in at_once}) >= 4
    warehouse.execute("truncate backmarket.settlement_findings cascade")
    days = [first + timedelta(days=number) for number in range(70)]
    dice.shuffle(days)
    for day in days:
        reconcile(warehouse, "default", LIMITS, frozenset({day}))
    assert findings(warehouse) == at_once
    assert reconcile(warehouse, "default", LIMITS).changed == 0


def test_a_currency_mismatch_found_before_has_both_its_currencies(
    warehouse_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also one that is closed and never looked at again."""
    (tmp_path / "migrations").mkdir()
    for path in (sql.folder() / "migrations").glob("*.sql"):
        if path.stem < "0027":
            shutil.copy(path, tmp_path / "migrations")
    with psycopg.connect(warehouse_uri, autocommit=True) as database:
        with monkeypatch.context() as former:
            former.setattr(sql, "folder", lambda: tmp_path)
            migrate(database)
        database.execute(
            "insert into backmarket.settlement_findings "
            "(account, kind, subject, day, expected, actual, currency, detail, documents, status) values "
            "('default', 'currency_mismatch', '1', '2026-09-08', 9, 9, 'GBP', "
            "'The order is in EUR, its statement rows are in GBP.', '[]', 'closed'), "
            "('default', 'fee_difference', '1', '2026-09-08', 9, 8, 'EUR', '', '[]', 'open')"
        )
        migrate(database)
        assert database.execute(
            "select kind, expected_currency, currency from backmarket.settlement_findings order by kind"
        ).fetchall() == [("currency_mismatch", "EUR", "GBP"), ("fee_difference", None, "EUR")]


def test_rows_stored_before_versions_were_known_keep_their_findings(
    warehouse_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A database of the former schema, with identical rows and a vanished one, takes further exports as any other."""
    last = "0010_settlement_versions"
    files = sorted((sql.folder() / "migrations").glob("*.sql"))
    (tmp_path / "migrations").mkdir()
    for path in files:
        if path.stem < last:
            shutil.copy(path, tmp_path / "migrations")
    with psycopg.connect(warehouse_uri, autocommit=True) as database:
        database.execute("set timezone to 'UTC'")
        with monkeypatch.context() as former:
            former.setattr(sql, "folder", lambda: tmp_path)
            migrate(database)
        database.execute(
            """
            insert into backmarket.settlement_lines (
                account, invoice_ref, currency, content_hash, occurrence, line_no, invoice_key, category, role,
                value_date, sku, order_id, number, designation, amount, vanished
            )
            select
                'default', '20260914-EU-H-1', 'EUR', md5(amount)::uuid, occurrence, line_no, 'sales', 'revenue', 'sale',
                '2026-09-08', 'SKU', n, n, 'Phone', amount::numeric, vanished
            from (values (1, '100.00', 1, 1, false), (1, '100.00', 2, 2, false), (2, '90.00', 1, 3, true))
                as made (n, amount, occurrence, line_no, vanished)
            """
        )
        database.execute(
            "insert into backmarket.settlement_statements (account, invoice_ref, currency, file_name, sha256, "
            "exported_at, covers, line_count, total) values ('default', '20260914-EU-H-1', 'EUR', %s, 'x', "
            "'2026-09-13Z', '[2026-09-07,2026-09-14)', 2, 200)",
            [NAME],
        )
        database.execute(
            "insert into backmarket.settlement_findings (account, kind, subject, order_id, invoice_ref, day, expected, "
            "currency, detail, documents, status) values ('default', 'line_vanished', "
            "'20260914-EU-H-1/EUR/' || md5('90.00')::uuid || '/1', 2, '20260914-EU-H-1', '2026-09-08', 90, 'EUR', '', "
            "'[]', 'open')"
        )
        assert last in migrate(database)
        assert load(database, sale(1), sale(1), sale(3)) == 1
        reconcile(database, "default", LIMITS)
        assert [row[:2] for row in findings(database)] == [("line_vanished", 2)]
        assert findings(database, "closed") == []


def test_what_one_account_has_loaded_is_not_anothers(warehouse: Database) -> None:
    """Two accounts that share an inbox would each count every payout; a file without rows is nobody's."""
    load(warehouse, sale(1))
    with pytest.raises(StatementError, match="account default has loaded this very content"):
        load(warehouse, sale(1), account="us")
    assert load(warehouse, sale(2), account="us") == 1


def test_statements_of_two_accounts_may_hold_the_same(warehouse: Database) -> None:
    """A month without a sale has one row, the same fee on the same day; the references tell them apart."""
    fee = "monthly_fees,2026-09-01,,None,Monthly fee,-10.00,EUR"
    other = "invoice_20260914-EU-H-2.csv"
    assert load(warehouse, fee) == 1
    assert load(warehouse, fee, name=other, account="us") == 1
    for name in (NAME, "export.csv"):
        with pytest.raises(StatementError, match="account default has loaded this very content"):
            load(warehouse, fee, name=name, account="us")
    assert load(warehouse, fee, name=other, account="us", hour=1) == 0
    assert statement(warehouse) == [("EUR", 1, "-10.00"), ("EUR", 1, "-10.00")]
