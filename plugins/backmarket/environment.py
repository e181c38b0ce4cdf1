"""Tells which connections and Variables the environment holds: it wins over what Airflow itself stores."""

from __future__ import annotations

import os

_CONNECTIONS, _VARIABLES = "AIRFLOW_CONN_", "AIRFLOW_VAR_"


class NoConnectionError(Exception):
    """Airflow gives no connection of a name: there is none, or the environment holds one that cannot be read.

    :param conn_id: the connection.
    :param kind: its type, as Admin → Connections calls it.
    """

    def __init__(self, conn_id: str, kind: str) -> None:
        super().__init__(conn_id, kind)
        self.conn_id = conn_id
        self.kind = kind

    def __str__(self) -> str:
        """Say what to do about it."""
        if holds_connection(self.conn_id):
            return (
                f"Connection {self.conn_id} cannot be read as it stands {where_connection_is(self.conn_id)}. JSON has "
                "to be whole; in a URI the signs of a password other than letters and digits have to be "
                "percent-encoded: # is %23, / is %2F, @ is %40."
            )
        return f"There is no connection {self.conn_id} yet. Add it under Admin → Connections, type {self.kind}."


def connection_variable(conn_id: str) -> str:
    """Return the environment variable that would hold a connection."""
    return _CONNECTIONS + conn_id.upper()


def holds_connection(conn_id: str) -> bool:
    """Tell whether the environment holds a connection, whether or not it can be read."""
    return connection_variable(conn_id) in os.environ


def keys_of_variables() -> list[str]:
    """Return the Variables that the environment holds."""
    return [name.removeprefix(_VARIABLES).lower() for name in os.environ if name.startswith(_VARIABLES)]


def where_connection_is(conn_id: str) -> str:
    """Say, for a person, where a connection is corrected."""
    return _where(connection_variable(conn_id), "Connections")


def where_variable_is(key: str) -> str:
    """Say, for a person, where a Variable is corrected."""
    return _where(_VARIABLES + key.upper(), "Variables")


def _where(name: str, menu: str) -> str:
    return f"in the environment ({name})" if name in os.environ else f"under Admin → {menu}"
