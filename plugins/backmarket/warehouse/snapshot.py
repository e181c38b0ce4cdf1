"""Reads the operational database for people, in one snapshot: what is not there yet is nothing, not an error.

What people do about the things that wait is written here, too.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from backmarket.environment import NoConnectionError
from backmarket.seller_account import DEFAULT_WAREHOUSE
from backmarket.warehouse import sql
from backmarket.warehouse.connection import WarehouseUnavailableError, open_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backmarket.warehouse.connection import Connection

log = logging.getLogger(__name__)

Row = dict[str, Any]
_CONNECT_SECONDS = 5


class DatabaseDownError(Exception):
    """There is no database to read; the text says why and what to do, for a person."""


@dataclass(frozen=True)
class Reader:
    """Runs the statements of ``include/sql/page.sql`` for one account.

    :param present: the tables, views and functions there are; a database that no DAG has prepared yet has none.
    """

    connection: Connection
    account: str
    present: frozenset[str]

    def rows(self, name: str, **parameters: Any) -> list[Row]:
        """Return the rows of a statement; none where something that it reads does not exist yet."""
        if not self.can_read(name):
            return []
        statement = sql.statement(f"page/{name}")
        return list(self.connection.execute(statement, {"account": self.account, **parameters}).fetchall())

    def can_read(self, *names: str) -> bool:
        """Tell whether everything that some statements read is there."""
        return all(relations_of(name) <= self.present for name in names)

    def units_since(self, bucket: str, seconds: float) -> int | None:
        """Return what the rate limiter counted in the last seconds; None where it never did.

        :param bucket: the limiter's table without ``ratelimit___`` and the account's name.
        """
        from psycopg.sql import SQL, Identifier

        table = f"ratelimit___{self.account}_{bucket}"
        found = self.connection.execute("select to_regclass(%s) as it", [f'backmarket."{table}"']).fetchone()
        if not found or found["it"] is None:
            return None
        query = SQL(sql.statement("page/select_units_since")).format(table=Identifier("backmarket", table))
        row = self.connection.execute(query, {"seconds": seconds}).fetchone()
        return int(row["units"]) if row else 0


@contextmanager
def reader(account: str, conn_id: str = DEFAULT_WAREHOUSE) -> Iterator[Reader]:
    """Open a reader on one snapshot of the database.

    :raises DatabaseDownError: where the database is not set up, does not answer or breaks off.
    """
    with _opened(conn_id) as connection:
        connection.execute("set default_transaction_isolation to 'repeatable read'")
        connection.execute("set default_transaction_read_only to on")
        with connection.transaction():
            yield Reader(connection, account, _present(connection))


@contextmanager
def writer(account: str, conn_id: str = DEFAULT_WAREHOUSE) -> Iterator[Reader]:
    """Open one transaction that reads and writes: all of it holds at its end, or nothing.

    :raises DatabaseDownError: as :func:`reader`; nothing was changed then.
    """
    with _opened(conn_id) as connection, connection.transaction():
        yield Reader(connection, account, _present(connection))


@contextmanager
def _opened(conn_id: str) -> Iterator[Connection]:
    import psycopg
    from psycopg.rows import dict_row

    try:
        connection = open_connection(conn_id, connect_seconds=_CONNECT_SECONDS)
    except NoConnectionError as error:
        raise DatabaseDownError(str(error)) from None
    except WarehouseUnavailableError as error:
        raise DatabaseDownError(
            f"The database of connection {conn_id} does not answer. Nothing is lost: DAGs catch up once it is back. "
            "Check that it runs, and host, port, database, login, password and extra fields of the connection. "
            f"({error.detail})"
        ) from None
    except Exception as error:
        # Where a cloud gives the login, this process may lack the provider or the role that workers have.
        log.warning("The database could not be reached: %s", type(error).__name__, exc_info=error)
        raise DatabaseDownError(
            f"The API server gets no login to the database of connection {conn_id}: {type(error).__name__}. Its log "
            "says more. Give it what the workers have; DAGs are not affected where they have it."
        ) from None
    try:
        connection.row_factory = dict_row
        connection.execute("set statement_timeout to '10s'")
        # Starting helpers takes longer than any of these statements.
        connection.execute("set max_parallel_workers_per_gather to 0")
        yield connection
    except psycopg.Error as error:
        # The server's words could quote data; its log has them.
        log.warning("The database could not be used: %s", type(error).__name__)
        raise DatabaseDownError(
            f"The database of connection {conn_id} refused or broke off: {type(error).__name__}. If this stays after "
            "a reload, run any Back Market DAG, which brings the schema up to date; look whether a view of yours in "
            "schema seller fails, which the runs that read it name; or ask who runs the database."
        ) from None
    finally:
        connection.close()


@cache
def relations_of(name: str) -> frozenset[str]:
    """Return the tables, views and functions of ours that a statement of ``include/sql/page.sql`` names."""
    text = re.sub(r"--.*", "", sql.statement(f"page/{name}"))
    return frozenset(re.findall(r"\b(?:backmarket|seller)\.[a-z_]+\b", text))


def _present(connection: Connection) -> frozenset[str]:
    wanted = frozenset().union(*map(relations_of, sql.statements("page")))
    query = (
        "select name from unnest(%s::text[]) as name "
        "where to_regclass(name) is not null or to_regproc(name) is not null"
    )
    return frozenset(row["name"] for row in connection.execute(query, [sorted(wanted)]).fetchall())
