"""Tells a connection pooler that takes from a session what it locked, or leaves it to the next."""

from __future__ import annotations

import secrets
from time import monotonic, sleep
from typing import TYPE_CHECKING

from backmarket.warehouse.connection import connect

if TYPE_CHECKING:
    from backmarket.warehouse.connection import Connection

_HELD = "select exists(select from pg_locks where locktype = 'advisory' and classid = %s and objid = %s)"
_SECONDS_TO_LET_GO = 5.0


class PoolerModeError(Exception):
    """The database is reached through a pooler that keeps no session; nothing was read, changed or sent.

    :param conn_id: the connection that leads to it.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__(
            f"Connection {conn_id} leads through a connection pooler that keeps no session, as PgBouncer does with "
            "pool_mode = transaction: the locks that keep two runs from sending the same change would not hold. "
            "Nothing was sent. Set pool_mode = session for this database or user in PgBouncer, with its usual "
            f"server_reset_query = DISCARD ALL, or let {conn_id} lead to PostgreSQL directly; then clear this task."
        )


def require_session(conn_id: str) -> None:
    """Take a lock on a connection, close it, and see that the lock was there just as long.

    That is what every lock of this package relies on. A pooler that hands each transaction to any of its connections
    gives the lock away with the first, where it outlives its owner. Nothing is guessed from which connection comes
    next, so that neither the load nor the number of poolers matters. A direct connection is known at once.

    :raises PoolerModeError: where the lock is lost too early, or outlives its connection.
    """
    with connect(conn_id) as connection:
        if _is_direct(connection):
            return
        key = [secrets.randbits(31), secrets.randbits(31)]
        connection.execute("select pg_advisory_lock(%s, %s)", key)
        held = _is_held(connection, key)
    if not held:
        raise PoolerModeError(conn_id)
    with connect(conn_id) as connection:
        deadline = monotonic() + _SECONDS_TO_LET_GO
        while _is_held(connection, key):
            if monotonic() > deadline:
                raise PoolerModeError(conn_id)
            sleep(0.05)


def _is_direct(connection: Connection) -> bool:
    """A pooler cannot know at the login which process of the server will answer, and makes the number up."""
    return connection.execute("select pg_backend_pid()").fetchone() == (connection.info.backend_pid,)


def _is_held(connection: Connection, key: list[int]) -> bool:
    # Never prepared, which a pooler may lose, too: then there would be an error of the driver's instead of an answer.
    return connection.execute(_HELD, key, prepare=False).fetchone() == (True,)
