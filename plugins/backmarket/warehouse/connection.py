"""Connects to the operational database through the Airflow connection that names it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from backmarket.environment import NoConnectionError
from backmarket.seller_account import DEFAULT_WAREHOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    Connection: TypeAlias = psycopg.Connection[Any]


class WarehouseUnavailableError(Exception):
    """The operational database cannot be reached; nothing was read or changed.

    :param conn_id: the connection that names it.
    :param detail: the first line of what the driver said.
    """

    def __init__(self, conn_id: str, detail: str) -> None:
        super().__init__(
            f"The database of connection {conn_id} does not answer: {detail}. Check that it runs and that host, "
            "port, database, login, password and extra fields of the connection are right; then clear this task."
        )
        self.detail = detail


def open_connection(conn_id: str = DEFAULT_WAREHOUSE, *, connect_seconds: int | None = None) -> Connection:
    """Open a psycopg connection in autocommit mode, with times in UTC and in ISO form as text.

    Statements that belong together go into ``with connection.transaction():``.

    :param connect_seconds: how long to wait for the server, for who cannot wait as long as the system does.
    :raises NoConnectionError: where Airflow gives no such connection.
    :raises WarehouseUnavailableError: where the server does not answer or refuses the login, or the connection has an
        extra field that the driver does not know.
    """
    import psycopg
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    hook = PostgresHook(postgres_conn_id=conn_id)
    connection = None
    try:
        if connect_seconds is not None:
            hook.connection.extra = json.dumps({"connect_timeout": connect_seconds, **hook.connection.extra_dejson})
        # psycopg 3 as soon as it is installed, which our requirements see to.
        connection = cast("Connection", hook.get_conn())
        connection.autocommit = True
        # Not by start-up option: connection poolers refuse those. One that is full fails here, not at the login.
        connection.execute("set timezone to 'UTC'")
        connection.execute("set datestyle to 'ISO'")
        if task := _this_task():
            # What a statement writes down can lead to the log of the task that ran it.
            connection.execute("select set_config('airflow.task', %s, false)", [task])
    except AirflowNotFoundException:
        raise NoConnectionError(conn_id, "Postgres") from None
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        if connection is not None:
            connection.close()
        raise WarehouseUnavailableError(conn_id, _first_line(error)) from None
    return connection


@contextmanager
def connect(conn_id: str = DEFAULT_WAREHOUSE) -> Iterator[Connection]:
    """Open a connection as :func:`open_connection` does, and close it at the end."""
    connection = open_connection(conn_id)
    try:
        yield connection
    finally:
        connection.close()


def _this_task() -> str:
    """Return which task of Airflow this is, as JSON; empty where it is none."""
    from airflow.sdk import get_current_context

    try:
        ti: Any = get_current_context()["ti"]
    except RuntimeError:
        return ""
    return json.dumps({name: getattr(ti, name) for name in ("dag_id", "run_id", "task_id", "map_index", "try_number")})


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
