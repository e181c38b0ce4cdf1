"""Lets Airflow test a connection to Back Market that was saved without a port.

Airflow's UI sends port 0 where a connection has none, and its API answers 400, as if the port had been changed. A form
cannot give a port of its own. So in the API server every connection of our type without a port has the one that its
platform is reached by; nothing is written to Airflow's database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.orm.attributes import set_committed_value

if TYPE_CHECKING:
    from airflow.models.connection import Connection

_HTTPS = 443


def lend_ports() -> None:
    """Have each connection of type ``backmarket`` that this process loads say port 443 where none is stored."""
    from airflow.models.connection import Connection

    if not event.contains(Connection, "load", _lend_port):
        event.listen(Connection, "load", _lend_port)


def _lend_port(connection: Connection, _context: object) -> None:
    if connection.conn_type == "backmarket" and connection.port is None:
        set_committed_value(connection, "port", _HTTPS)
