"""Creates and updates the schema from ``include/sql/migrations``: append-only SQL files, each applied once.

Alembic does the work (order, version table, one transaction a migration); the files stay plain SQL.
"""

from __future__ import annotations

import logging
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.script import Script

    from backmarket.warehouse.connection import Connection

# Any number will do, as long as every deployment takes the same: one migration at a time.
_MIGRATION_LOCK = 6_229_411_305


class NewerSchemaError(Exception):
    """The database was brought up to date by a newer release than this one; nothing was read, changed or sent.

    :param version: of its schema.
    """

    def __init__(self, version: str) -> None:
        super().__init__(
            f"A newer release has brought the database up to date: its schema is at {version}, which this release does "
            "not know. Nothing was read or sent. Install that release here, or a newer one: every Airflow on this "
            "database needs the same, and an upgrade is not taken back by installing an older one. Then clear this "
            "task."
        )


def migrate(connection: Connection) -> list[str]:
    """Bring the database to this version's schema; safe when several tasks start at once, or one is killed.

    :return: the migrations applied now, in order; empty where the schema was up to date.
    :raises NewerSchemaError: where the schema is a newer release's.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    connection.execute("select pg_advisory_lock(%s)", [_MIGRATION_LOCK])
    try:
        ensure_schemas(connection)
        return _upgrade(connection)
    finally:
        connection.execute("select pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def ensure_schemas(connection: Connection) -> None:
    """Create the schemas, unless an administrator has: ``if not exists`` alone would ask for the right to."""
    from psycopg.sql import SQL, Identifier

    for name in ("backmarket", "seller"):
        if connection.execute("select to_regnamespace(%s)", [name]).fetchone() == (None,):
            connection.execute(SQL("create schema if not exists {}").format(Identifier(name)))


def _upgrade(connection: Connection) -> list[str]:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    class SqlFiles(ScriptDirectory):
        """Takes each SQL file for a revision that follows the one before it in alphabetical order."""

        def _load_revisions(self) -> Iterator[Script]:
            yield from _revisions(connection)

    files = SqlFiles(str(sql.folder() / "migrations"))
    applied: list[str] = []

    def steps(revision: Any, _context: object) -> list[Any]:
        for version in revision:
            if not (sql.folder() / "migrations" / f"{version}.sql").is_file():
                raise NewerSchemaError(version)
        pending = files._upgrade_revs("head", revision)  # noqa: SLF001 - as Alembic's own cookbook does
        applied.extend(step.revision.revision for step in pending)
        return pending

    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    connection.autocommit = False
    try:
        with engine.connect() as bind, EnvironmentContext(Config(), files, fn=steps) as environment:
            environment.configure(
                connection=bind,
                version_table="schema_version",
                version_table_schema="backmarket",
                transaction_per_migration=True,
            )
            environment.run_migrations()
            bind.commit()
    finally:
        connection.rollback()
        connection.autocommit = True
    return applied


def _revisions(connection: Connection) -> Iterator[Script]:
    from alembic.script import Script

    previous: str | None = None
    for path in sorted((sql.folder() / "migrations").glob("*.sql")):
        module = ModuleType(path.stem)
        vars(module).update(
            revision=path.stem,
            down_revision=previous,
            # As bytes: psycopg wants literal text where it is to help against injection; this is our own file.
            upgrade=partial(connection.execute, path.read_bytes()),
        )
        yield Script(module, path.stem, str(path))
        previous = path.stem
