"""Tells which place a connection or a Variable comes from, and which Variables nobody reads.

Airflow asks the environment first, then the secrets backend that its configuration names, and its own database last:
what Admin → Connections and Admin → Variables show does not count where an earlier place holds the same name.
"""

from __future__ import annotations

import logging
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.environment import connection_variable
from backmarket.settings import PREFIX, VARIABLES, keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

log = logging.getLogger(__name__)

ENVIRONMENT = "environment"
AIRFLOW = ""
"""Airflow's own database, or nobody."""

# In a worker Airflow's own database is behind its API server.
_AIRFLOWS_OWN = frozenset({"MetastoreBackend", "ExecutionAPISecretsBackend"})


class Unread(NamedTuple):
    """A Variable that looks like ours and that nobody reads.

    :param nearest: the one that was meant, perhaps; empty where none is like it.
    """

    key: str
    nearest: str


def connection_source(conn_id: str, backends: Iterable[Any]) -> str:
    """Return what holds a connection before Airflow's own database: the environment, or a secrets backend by its name.

    :param backends: in the order in which Airflow asks them.
    """
    for backend in _before_airflows_own(backends):
        if _asked(backend, _connection, conn_id) is not None:
            return _name(backend)
    return AIRFLOW


def variable_source(key: str, backends: Iterable[Any]) -> tuple[str | None, str]:
    """Return what a place before Airflow's own database holds of a Variable, None where none does, and which it is."""
    for backend in _before_airflows_own(backends):
        value = _asked(backend, _variable, key)
        if value is not None:
            return value, _name(backend)
    return None, AIRFLOW


def unread_variables(keys: Iterable[str], accounts: Collection[str] = ()) -> list[Unread]:
    """Return the Variables that look like ours and that no account reads, each with the nearest that one does.

    :param accounts: those there are; empty: any account may have Variables of its own.
    """
    known = [PREFIX + field for field in VARIABLES]
    known += [PREFIX + f"{account}__{field}" for account in accounts for field in VARIABLES]
    return [Unread(key, _nearest(key, known, accounts)) for key in sorted(set(keys)) if _is_unread(key, accounts)]


def sentences(account: str, conn_ids: Sequence[str], backends: Sequence[Any], stored: Collection[str]) -> list[str]:
    """Say for a log where the connections, and each Variable that is set, come from; no value is told.

    :param conn_ids: of the connections.
    :param stored: the Variables that Airflow's own database holds.
    """
    told = [_of_connection(conn_id, connection_source(conn_id, backends)) for conn_id in conn_ids]
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for field in VARIABLES for key in reversed(keys_of(account, field))):
        source = variable_source(key, backends)[1]
        if source != AIRFLOW or key in stored:
            hides = source != AIRFLOW and key in stored
            found.setdefault(source, []).append(
                f"{key} (Airflow stores another, which does not count)" if hides else key
            )
    return told + _of_variables(found)


def _of_connection(conn_id: str, source: str) -> str:
    if source == AIRFLOW:
        return f"Connection {conn_id} comes from Airflow (Admin → Connections)."
    if source == ENVIRONMENT:
        source = f"environment ({connection_variable(conn_id)})"
    return f"Connection {conn_id} comes from the {source}: what Admin → Connections says of it does not count."


def _of_variables(found: Mapping[str, list[str]]) -> list[str]:
    return [
        f"Variables from Airflow (Admin → Variables): {', '.join(keys)}."
        if source == AIRFLOW
        else f"Variables from the {source}, where Admin → Variables changes nothing: {', '.join(keys)}."
        for source, keys in found.items()
    ]


def _is_unread(key: str, accounts: Collection[str]) -> bool:
    if not re.match(r"back_?market[_-]", key, flags=re.IGNORECASE):
        return False
    account, own, field = key.removeprefix(PREFIX).rpartition("__")
    is_ours = key.startswith(PREFIX) and field in VARIABLES
    return not is_ours or bool(own and accounts and account not in accounts)


def _nearest(key: str, known: Sequence[str], accounts: Collection[str]) -> str:
    """Return the Variable that is most like another name: of the same account, where the name leads with one."""
    account, own, field = key.removeprefix(PREFIX).rpartition("__")
    fields = get_close_matches(field.lower(), VARIABLES, n=1) if own and (not accounts or account in accounts) else []
    found = [PREFIX + f"{account}__{name}" for name in fields] or get_close_matches(key.lower(), known, n=1)
    return found[0] if found else ""


def _before_airflows_own(backends: Iterable[Any]) -> Iterable[Any]:
    for backend in backends:
        if type(backend).__name__ in _AIRFLOWS_OWN:
            return
        yield backend


def _connection(backend: Any, conn_id: str) -> Any:
    try:
        return backend.get_conn_value(conn_id)
    except NotImplementedError:
        return backend.get_connection(conn_id)


def _variable(backend: Any, key: str) -> Any:
    return backend.get_variable(key)


def _asked(backend: Any, ask: Callable[[Any, str], Any], name: str) -> Any:
    """Return what a backend holds; None also where it cannot say, when Airflow, too, goes on to the next."""
    try:
        return ask(backend, name)
    except Exception as error:  # noqa: BLE001 - each backend has errors of its own
        log.warning("%s could not be asked for %s: %s.", _name(backend), name, type(error).__name__)
        return None


def _name(backend: Any) -> str:
    name = type(backend).__name__
    return ENVIRONMENT if name == "EnvironmentVariablesBackend" else name
