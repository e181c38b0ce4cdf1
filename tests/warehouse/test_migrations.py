"""The schema comes into being by itself, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from backmarket.warehouse import sql
from backmarket.warehouse.migrations import migrate


def _tables(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute("select table_name from information_schema.tables where table_schema = 'backmarket'")
    return {name for (name,) in rows.fetchall()}


def test_an_empty_database_becomes_complete_and_stays_so(warehouse_uri: str) -> None:
    """The first call applies every file in order, the second none."""
    files = sorted(path.stem for path in (sql.folder() / "migrations").glob("*.sql"))
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        assert migrate(connection) == files
        assert migrate(connection) == []
        assert {"orders", "order_lines", "order_addresses", "quarantine", "sync_state"} <= _tables(connection)
        assert connection.autocommit is True


def test_two_that_start_at_once_take_turns(warehouse_uri: str) -> None:
    """Of eight DAG runs on an empty database exactly one applies the migrations."""

    def run() -> list[str]:
        with psycopg.connect(warehouse_uri, autocommit=True) as connection:
            return migrate(connection)

    with ThreadPoolExecutor(8) as pool:
        applied = [future.result() for future in [pool.submit(run) for _ in range(8)]]
    assert sum(bool(names) for names in applied) == 1


def test_a_failing_migration_leaves_nothing_of_itself(
    warehouse_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A file that fails half-way is rolled back whole, and applied whole once it is right."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("create table backmarket.first (id int);")
    (folder / "0002_second.sql").write_text("create table backmarket.half (id int); select 1 / 0;")
    monkeypatch.setattr(sql, "folder", lambda: tmp_path)
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(connection)
        assert {"first", "half"} & _tables(connection) == {"first"}
        (folder / "0002_second.sql").write_text("create table backmarket.half (id int);")
        assert migrate(connection) == ["0002_second"]


def test_a_killed_migration_is_done_by_the_next(warehouse_uri: str, tmp_path: Any) -> None:
    """SIGKILL in the middle of a migration leaves no lock and no half schema behind."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_slow.sql").write_text("create table backmarket.slow (id int); select pg_sleep(60);")
    program = (
        "import sys, psycopg\n"
        "from pathlib import Path\n"
        "from backmarket.warehouse import sql\n"
        "from backmarket.warehouse.migrations import migrate\n"
        "sql.folder = lambda: Path(sys.argv[1])\n"
        "with psycopg.connect(sys.argv[2], autocommit=True) as connection:\n"
        "    print('begins', flush=True)\n"
        "    migrate(connection)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), warehouse_uri], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        _wait_for_sleep(connection)
        process.send_signal(signal.SIGKILL)
        process.wait()
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")
        assert migrate(connection)
        assert "orders" in _tables(connection)
        assert "slow" not in _tables(connection)


def _wait_for_sleep(connection: psycopg.Connection[Any]) -> None:
    for _ in range(200):
        row = connection.execute("select count(*) from pg_stat_activity where wait_event = 'PgSleep'").fetchone()
        if row and row[0]:
            return
        connection.execute("select pg_sleep(0.05)")
    raise AssertionError("the migration never began")


def test_what_the_seller_put_in_place_first_stays(warehouse_uri: str) -> None:
    """A table or view of the seller's systems, there before the first run, is taken as it is."""
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        connection.execute("create schema seller")
        connection.execute("create table seller.shelf (account text, sku text, quantity int, counted_at timestamptz)")
        connection.execute(
            "create view seller.stock as select account, sku, quantity, counted_at, null::int as safety_qty, "
            "null::int as max_qty from seller.shelf"
        )
        connection.execute("create table seller.devices (account text, order_id bigint, orderline_id bigint, sku text)")
        migrate(connection)
        kinds = "select table_name, table_type from information_schema.tables where table_schema = 'seller'"
        found: dict[str, str] = dict(connection.execute(kinds).fetchall())
    assert (found["stock"], found["prices"]) == ("VIEW", "BASE TABLE")
