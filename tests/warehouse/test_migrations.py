"""The schema comes into being by itself, once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from backmarket.warehouse import sql
from backmarket.warehouse.migrations import NewerSchemaError, migrate

# Every object of the two schemas, by what PostgreSQL calls it and what it says of it.
STRUCTURE = """
with relations as (
    select class.* from pg_class as class
    where class.relnamespace in ('backmarket'::regnamespace, 'seller'::regnamespace)
)
select 'relation', oid::regclass::text, concat_ws(' ', relkind, relpersistence, reloptions) from relations
union all
select 'column', concat(relations.oid::regclass, '.', attname), concat_ws(
    ' ', row_number() over (partition by attrelid order by attnum), format_type(atttypid, atttypmod), attnotnull,
    attidentity, attgenerated, attcollation::regcollation, pg_get_expr(adbin, adrelid)
)
from relations
inner join pg_attribute on attrelid = relations.oid and attnum > 0 and not attisdropped
left join pg_attrdef on adrelid = attrelid and adnum = attnum
union all
select 'constraint', concat(conrelid::regclass, '.', conname), pg_get_constraintdef(pg_constraint.oid)
from pg_constraint inner join relations on conrelid = relations.oid
union all
select 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index inner join relations on indrelid = relations.oid
union all
select 'view', oid::regclass::text, pg_get_viewdef(oid) from relations where relkind in ('v', 'm')
union all
select 'trigger', concat(tgrelid::regclass, '.', tgname), pg_get_triggerdef(pg_trigger.oid)
from pg_trigger inner join relations on tgrelid = relations.oid
where not tgisinternal
union all
select 'function', oid::regprocedure::text, pg_get_functiondef(oid) from pg_proc
where pronamespace in ('backmarket'::regnamespace, 'seller'::regnamespace)
union all
select 'type', oid::regtype::text, typtype::text from pg_type
where typnamespace in ('backmarket'::regnamespace, 'seller'::regnamespace)
union all
select 'comment', identity, description
from pg_description, pg_identify_object(classoid, objoid, objsubid)
where schema in ('backmarket', 'seller')
"""

# One row of each kind that the first release stored, and where it can be null, it is.
ROWS_OF_THE_FIRST_RELEASE = """
insert into backmarket.accounts (account, host, token_fingerprint) values ('default', 'www.backmarket.fr', 'abc');
insert into backmarket.sync_state (account, concern) values ('default', 'orders');
insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at)
values ('default', 1, 9, '{}', now(), now());
insert into backmarket.order_lines
    (account, orderline_id, order_id, quantity, state, first_seen_at, first_seen_state, sku)
values ('default', 11, 1, 1, 3, now(), 1, null), ('default', 12, 1, 1, 3, now(), 1, ' SKU ');
insert into backmarket.order_addresses (account, order_id, kind) values ('default', 1, 'shipping');
insert into backmarket.quarantine (account, entity, key, document, reason)
values ('default', 'order', '2', '{}', 'state: is missing');
"""


def _structure(connection: psycopg.Connection[Any]) -> dict[tuple[str, str], str]:
    return {(kind, name): definition for kind, name, definition in connection.execute(STRUCTURE).fetchall()}


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


def test_the_first_release_upgraded_is_a_new_database(
    warehouse_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Whoever has come all the way from the first schema has what a newcomer has, object by object, and the rows."""
    first, *others = sorted((sql.folder() / "migrations").glob("*.sql"))
    (tmp_path / "migrations").mkdir()
    shutil.copy(first, tmp_path / "migrations")
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(sql, "folder", lambda: tmp_path)
            assert migrate(connection) == [first.stem]
        connection.execute(ROWS_OF_THE_FIRST_RELEASE)
        assert migrate(connection) == [path.stem for path in others]
        upgraded = _structure(connection)
        for table, rows in {"accounts": 1, "sync_state": 1, "orders": 1, "order_lines": 2, "quarantine": 1}.items():
            found = connection.execute(f"select count(*) from backmarket.{table}").fetchone()
            assert found == (rows,), table
        connection.execute("drop schema backmarket, seller cascade")
        migrate(connection)
        fresh = _structure(connection)
    parts = {"relation", "column", "constraint", "index", "view", "trigger", "function", "type", "comment"}
    assert {kind for kind, _ in fresh} == parts
    assert upgraded == fresh


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
    command = [sys.executable, "-c", program, str(tmp_path), warehouse_uri]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        psycopg.connect(warehouse_uri, autocommit=True) as connection,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
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


def test_the_schema_of_a_newer_release_is_told(warehouse: psycopg.Connection[Any]) -> None:
    """As after an upgrade was taken back, or where two Airflows share a database: in words, and nothing changed."""
    warehouse.execute("update backmarket.schema_version set version_num = '9999_to_come'")
    with pytest.raises(NewerSchemaError, match=r"schema is at 9999_to_come.*Install that release"):
        migrate(warehouse)
    assert warehouse.execute("select version_num from backmarket.schema_version").fetchall() == [("9999_to_come",)]
