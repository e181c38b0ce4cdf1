"""Tells which connections and Variables the environment holds: it wins over what Airflow itself stores."""

from __future__ import annotations

import os

_CONNECTIONS, _VARIABLES = "AIRFLOW_CONN_", "AIRFLOW_VAR_"


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
