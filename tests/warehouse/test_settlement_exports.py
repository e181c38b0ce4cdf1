"""Which export of which statement counts, where contents come again."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL, Identifier

from backmarket.rules.settlements.blocks import StatementError
from backmarket.warehouse import sql
from backmarket.warehouse.settlements.files import StatementFile, known_files, load_file
from backmarket.warehouse.settlements.reconciliation import reconcile
from tests.warehouse.test_settlements import HEADER, LIMITS, findings, lines, load, sale, statement

if TYPE_CHECKING:
    from tests.warehouse.test_settlements import Database

OTHER = "invoice_20260914-EU-B-2.csv"
STORED = datetime(2026, 9, 15, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def total(database: Database) -> str | None:
    """What all rows that count come to."""
    ((found,),) = database.execute(
        "select sum(amount)::text from backmarket.settlement_lines where not vanished"
    ).fetchall()
    return None if found is None else str(found)


def test_two_statements_of_the_same_rows_are_two(warehouse: Database) -> None:
    """The reference tells them apart, whatever they hold; the log tells of both."""
    told: list[str] = []
    load(warehouse, sale(1))
    assert load(warehouse, sale(1), name=OTHER, hour=1, tell=told.append) == 1
    assert total(warehouse) == "200.00"
    assert len(told) == 1
    assert "exactly what statement 20260914-EU-H-1 holds" in told[0]
    assert load(warehouse, sale(1), name=f"copy of {OTHER}", hour=2) == 0
    assert total(warehouse) == "200.00"


def test_the_last_export_counts_also_where_its_rows_were_loaded_before(warehouse: Database) -> None:
    """A whole export, a short one, and the first once more: what the short one lacked counts again.

    A file that was only moved looks the same, so that the log says so.
    """
    told: list[str] = []
    for hour, rows in enumerate(([sale(1), sale(2)], [sale(1)])):
        load(warehouse, *rows, hour=hour, tell=told.append)
        reconcile(warehouse, "default", LIMITS)
    assert statement(warehouse) == [("EUR", 1, "100.00")]
    assert told == []
    assert [kind for kind, *_ in findings(warehouse)] == ["line_vanished"]
    assert load(warehouse, sale(1), sale(2), hour=2, tell=told.append) == 0
    assert [words.partition(",")[0] for words in told] == ["statement 20260914-EU-H-1 was like this before"]
    # A copy of the export that counts says nothing new.
    assert load(warehouse, sale(1), sale(2), hour=3, tell=told.append) == 0
    assert len(told) == 1
    reconcile(warehouse, "default", LIMITS)
    assert statement(warehouse) == [("EUR", 2, "200.00")]
    assert total(warehouse) == "200.00"
    assert findings(warehouse) == []


def test_an_export_that_is_only_touched_is_no_later_one(warehouse: Database) -> None:
    """A copy of the inbox gives all of its files new times."""
    load(warehouse, sale(1), sale(2))
    load(warehouse, sale(1), hour=1)
    assert load(warehouse, sale(1), sale(2), hour=2, path="0/invoice_20260914-EU-H-1.csv") == 0
    assert statement(warehouse) == [("EUR", 1, "100.00")]
    # Another account still cannot load what was loaded from it.
    with pytest.raises(StatementError, match="account default has loaded this very content"):
        load(warehouse, sale(1), sale(2), account="us")


def test_a_copy_of_an_older_version_that_is_only_touched_is_no_later_export(warehouse: Database) -> None:
    """That version remembered of a second file of the same content that no row was loaded from it."""
    load(warehouse, sale(1))
    load(warehouse, sale(1), hour=1)
    warehouse.execute("update backmarket.settlement_files set line_count = 0 where path like '1/%'")
    load(warehouse, sale(1), sale(2), hour=2)
    assert load(warehouse, sale(1), hour=3, path="1/invoice_20260914-EU-H-1.csv") == 0
    assert total(warehouse) == "200.00"


def test_a_statement_that_was_taken_for_a_copy_is_loaded_once_it_is_stored_anew(warehouse: Database) -> None:
    """Before references told contents apart, its file was remembered, and none of its rows."""
    load(warehouse, sale(1))
    load(warehouse, sale(1), name=OTHER)
    warehouse.execute("delete from backmarket.settlement_lines where invoice_ref = '20260914-EU-B-2'")
    warehouse.execute("delete from backmarket.settlement_statements where invoice_ref = '20260914-EU-B-2'")
    warehouse.execute("update backmarket.settlement_files set line_count = 0 where invoice_ref = '20260914-EU-B-2'")
    assert load(warehouse, sale(1), name=OTHER, hour=1, path=f"0/{OTHER}") == 1


def test_a_statement_that_gets_its_reference_later_counts_once(warehouse: Database) -> None:
    """Also where a longer export of it follows; without the reference it comes again as nothing."""
    load(warehouse, sale(1), sale(2), name="settlement.csv")
    reconcile(warehouse, "default", LIMITS)
    assert load(warehouse, sale(1), sale(2), hour=1) == 2
    assert {row[0] for row in lines(warehouse)} == {"20260914-EU-H-1"}
    assert load(warehouse, sale(1), sale(2), sale(3), hour=2) == 1
    assert load(warehouse, sale(1), sale(2), name="settlement (1).csv", hour=3) == 0
    reconcile(warehouse, "default", LIMITS)
    assert statement(warehouse) == [("EUR", 3, "300.00")]
    assert total(warehouse) == "300.00"
    ((day_sum,),) = warehouse.execute("select sum(amount)::text from backmarket.settlement_day_sums").fetchall()
    assert day_sum == "300.00"


def test_a_statement_whose_nameless_file_is_another_by_now_counts_once(warehouse: Database) -> None:
    """Each week's export takes the place of the last one's: what was loaded from that has no file any more."""
    for hour, number in enumerate((1, 2)):
        load(warehouse, sale(number), name="settlement.csv", hour=hour, path="settlement.csv")
    assert load(warehouse, sale(1), hour=2) == 1
    assert total(warehouse) == "200.00"


def test_a_copy_of_what_a_statement_was_loaded_from_counts_once(warehouse: Database) -> None:
    """A longer export took the place of its file; a copy without the reference lies elsewhere."""
    for hour, rows in enumerate(([sale(1)], [sale(1), sale(2)])):
        load(warehouse, *rows, hour=hour, path="invoice_20260914-EU-H-1.csv")
    assert load(warehouse, sale(1), name="settlement.csv", hour=2) == 0
    assert total(warehouse) == "200.00"
    told: list[str] = []
    load(warehouse, sale(1), name=OTHER, hour=3, tell=told.append)
    assert ["exactly what statement 20260914-EU-H-1 holds" in words for words in told] == [True]
    with pytest.raises(StatementError, match="account default has loaded this very content"):
        load(warehouse, sale(1), account="us")


def test_what_statements_were_loaded_from_before_an_upgrade_is_known(warehouse: Database) -> None:
    """From the files whose rows they have; one whose content has no file any more has that of its newest export."""
    load(warehouse, sale(1))
    load(warehouse, sale(1), sale(2), hour=1)
    load(warehouse, sale(3), name=OTHER)
    warehouse.execute("delete from backmarket.settlement_files where invoice_ref = '20260914-EU-B-2'")
    warehouse.execute("alter table backmarket.settlement_statements drop column contents")
    warehouse.execute((sql.folder() / "migrations" / "0060_contents_of_statements.sql").read_bytes())
    for number, rows in enumerate(([sale(1)], [sale(1), sale(2)], [sale(3)])):
        assert load(warehouse, *rows, name=f"settlement ({number}).csv", hour=2) == 0
    assert total(warehouse) == "300.00"


def test_a_copy_of_an_older_export_counts_once(warehouse: Database) -> None:
    """Loaded after the newer one, it makes none of its currencies another; its own file holds a third by now."""
    load(warehouse, sale(1), sale(2), hour=2)
    for hour, rows in ((1, [sale(1)]), (3, [sale(1), sale(2), sale(3)])):
        load(warehouse, *rows, hour=hour, path="invoice_20260914-EU-H-1.csv")
    assert load(warehouse, sale(1), name="settlement.csv", hour=4) == 0
    assert total(warehouse) == "300.00"


def test_a_nameless_file_is_read_again_once_the_statement_with_its_rows_is_taken_out(warehouse: Database) -> None:
    """As docs/operations/settlements.md says of a wrong reference; its rows would be nowhere."""
    load(warehouse, sale(1), name="settlement.csv", path="settlement.csv")
    load(warehouse, sale(1), hour=1)
    load(warehouse, sale(1), name="settlement.csv", hour=2, path="settlement.csv")
    for table in ("files", "statements", "lines"):
        warehouse.execute(
            SQL("delete from {} where invoice_ref = '20260914-EU-H-1'").format(
                Identifier("backmarket", f"settlement_{table}")
            )
        )
    assert "settlement.csv" not in known_files(warehouse, "default")
    assert load(warehouse, sale(1), name="settlement.csv", hour=2, path="settlement.csv") == 1
    assert total(warehouse) == "100.00"


def test_of_exports_in_one_archive_the_one_written_last_counts(warehouse: Database) -> None:
    """Whichever is read first, and however their hashes are ordered."""
    for order in ((0, 1), (1, 0)):
        warehouse.execute("truncate backmarket.settlement_lines, backmarket.settlement_statements")
        warehouse.execute("truncate backmarket.settlement_files")
        exports = [([sale(1)], 1), ([sale(1), sale(2)], 0)]
        for place in order:
            rows, older = exports[place]
            load_member(warehouse, *rows, place=place, older=older)
        assert statement(warehouse) == [("EUR", 2, "200.00")], order
        exports = [([sale(3)], 0), ([sale(3), sale(4)], 1)]
        for place in order:
            rows, older = exports[place]
            load_member(warehouse, *rows, place=10 + place, older=older, name=OTHER)
        assert statement(warehouse) == [("EUR", 2, "200.00"), ("EUR", 1, "100.00")], order


def load_member(database: Database, *rows: str, place: int, older: int, name: str = "20260914-EU-H-1.csv") -> int:
    """Load one file of an archive, written before so many others."""
    content = (HEADER + "\n".join(rows)).encode()
    key = sha256(content).hexdigest()
    file = StatementFile(
        f"all.zip!/{place}/{name}",
        name,
        len(content),
        STORED,
        key,
        io.BytesIO(content),
        older_by=older * INSTANT,
    )
    return load_file(database, "default", file)
