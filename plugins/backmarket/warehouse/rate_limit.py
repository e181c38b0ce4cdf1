"""The counters of Back Market's rate limit, in the database, so that all workers together keep under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.warehouse import connection as warehouse

if TYPE_CHECKING:
    import psycopg
    from psycopg_pool import ConnectionPool
    from pyrate_limiter import AbstractBucket, Rate


def open_pool(conn_id: str) -> ConnectionPool:
    """Open a pool of one connection for rate limiting alone: its short transactions mix with no others."""
    import psycopg
    from psycopg_pool import ConnectionPool

    class WarehouseConnection(psycopg.Connection):  # type: ignore[type-arg]
        """Connects as Airflow's connection says, whatever conninfo the pool passes."""

        @classmethod
        def connect(cls, *_: object, **__: object) -> psycopg.Connection:  # type: ignore[override,type-arg]
            opened = warehouse.open_connection(conn_id)
            opened.execute("create schema if not exists backmarket")
            opened.execute("set search_path to backmarket")
            opened.autocommit = False
            return opened

    return ConnectionPool(connection_class=WarehouseConnection, min_size=1, max_size=1, open=True, timeout=60)


def shared_bucket(pool: ConnectionPool, account: str, kind: str, rates: list[Rate]) -> AbstractBucket:
    """Return the bucket that counts one kind of requests of one account, in a table of its own."""
    from pyrate_limiter import PostgresBucket

    return PostgresBucket(pool, f"{account}_{kind}", rates)
