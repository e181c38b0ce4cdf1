"""The counters of Back Market's rate limit, in the database, so that all workers together keep under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.warehouse.connection import connect
from backmarket.warehouse.migrations import ensure_schemas

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool
    from pyrate_limiter import AbstractBucket, Rate

    from backmarket.warehouse.connection import Connection


def open_pool(conn_id: str) -> ConnectionPool:
    """Open a pool of one connection for rate limiting alone, so that its transactions stay short."""
    from psycopg.conninfo import make_conninfo
    from psycopg_pool import ConnectionPool

    with connect(conn_id) as connection:
        ensure_schemas(connection)
        conninfo = make_conninfo(connection.info.dsn, password=connection.info.password)
    return ConnectionPool(conninfo, min_size=1, max_size=1, open=True, timeout=60, configure=_configure)


def shared_bucket(pool: ConnectionPool, account: str, kind: str, rates: list[Rate]) -> AbstractBucket:
    """Return the bucket that counts one kind of requests of one account, in a table of its own."""
    from pyrate_limiter import PostgresBucket

    return PostgresBucket(pool, f"{account}_{kind}", rates)


def _configure(connection: Connection) -> None:
    """Point pyrate-limiter's unqualified table names at our schema, and its zoneless times at UTC."""
    connection.execute("set search_path to backmarket")
    connection.execute("set timezone to 'UTC'")
    connection.commit()
