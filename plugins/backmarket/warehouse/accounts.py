"""Holds each account name to one Back Market account, and each Back Market account to one name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from backmarket.api.markets import is_loopback, own_host
from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from backmarket.warehouse.connection import Connection


MOST_THINGS_SHOWN = 5
"""Of each kind; one that the token shows is enough."""


class KnownThing(NamedTuple):
    """An order or a listing that is stored here.

    :param what: ``order`` or ``listing``.
    :param key: its id.
    """

    what: str
    key: str


class AccountMixUpError(Exception):
    """Two accounts would share one name, or one account two names; nothing was read or changed."""


def claim(
    connection: Connection,
    account: str,
    conn_id: str,
    host: str,
    token: str,
    *,
    shows_any: Callable[[Sequence[KnownThing]], bool],
) -> None:
    """Write down that this account name stands for this connection, platform and token; refuse what would mix data.

    A renewed token is taken over once it shows something that is stored here: another seller's token shows none of it.
    A sandbox on this machine, with a token of its own, may change its port.

    :param shows_any: tells whether the token sees one of some orders and listings; asked only where the token is new.
    :raises AccountMixUpError: where the name already stands for another platform or seller, or another name for the
        same platform and token.
    """
    claim = {
        "account": account,
        "conn_id": conn_id,
        "host": host,
        "token_fingerprint": hashlib.sha256(token.encode()).hexdigest()[:16],
    }
    shown: list[Any] | None = None
    while True:
        with connection.transaction():
            connection.execute("lock table backmarket.accounts in share row exclusive mode")
            claims = connection.execute(sql.statement("account/select_claims"), claim).fetchall()
            if not _is_new_token(claims, claim) or claims == shown:
                connection.execute(sql.statement("account/claim_account"), claim)
                return
        # Back Market is asked without the lock, for which all other accounts would have to wait.
        _require_same_seller(connection, account, conn_id, host, shows_any)
        shown = claims


def _is_new_token(claims: Iterable[tuple[str, str | None, str, str]], claim: Mapping[str, str]) -> bool:
    """Tell whether the name is known by another token, which has to show whose it is.

    :raises AccountMixUpError: where no token could make it right.
    """
    account, conn_id, host = claim["account"], claim["conn_id"], claim["host"]
    is_new = False
    for name, known_by, known_host, fingerprint in claims:
        if name != account:
            raise AccountMixUpError(
                f"Back Market account {host} with this token is already run as '{name}' in this database. Running it "
                f"as '{account}' too would download and sell everything twice. Remove one of the two connections."
            )
        if not _same_platform(known_host, host):
            raise AccountMixUpError(
                f"In this database '{account}' stands for {known_host}, but connection {conn_id} now points at {host}. "
                "Their orders must not be mixed: give the other platform a database of its own, or a connection of "
                "another name."
            )
        is_new = fingerprint != claim["token_fingerprint"]
        if is_new and known_by and known_by != conn_id:
            raise AccountMixUpError(
                f"In this database '{account}' stands for the account of connection {known_by}; connection {conn_id} "
                f"has another token. Give one of the two accounts another name. If {conn_id} has taken the place of "
                f"{known_by} for the same seller, confirm it by deleting the row of '{account}' from "
                "backmarket.accounts; then clear this task."
            )
    return is_new


def _require_same_seller(
    connection: Connection,
    account: str,
    conn_id: str,
    host: str,
    shows_any: Callable[[Sequence[KnownThing]], bool],
) -> None:
    parameters = {"account": account, "most": MOST_THINGS_SHOWN}
    known = [KnownThing(*row) for row in connection.execute(sql.statement("account/select_known_things"), parameters)]
    if known and not shows_any(known):
        raise AccountMixUpError(
            f"The token of connection {conn_id} is a new one, and {host} shows it none of the orders and "
            f"listings that are stored here as '{account}', such as {known[0].what} {known[0].key}: it seems to be "
            "another seller's. Put the right token into the connection. If it is the same seller all the same, confirm "
            f"it by deleting the row of '{account}' from backmarket.accounts; then clear this task."
        )


def names(connection: Connection) -> list[str]:
    """Return the accounts that are run in this database, by name."""
    return [name for (name,) in connection.execute(sql.statement("account/select_names"))]


def record_check(
    connection: Connection, account: str, *, platform: str, token_valid: bool, details: Mapping[str, Any]
) -> None:
    """Keep what the last validation of the token found."""
    from psycopg.types.json import Jsonb

    connection.execute(
        sql.statement("account/record_check"),
        {"account": account, "platform": platform, "token_valid": token_valid, "details": Jsonb(dict(details))},
    )


def _same_platform(one: str, other: str) -> bool:
    hosts = [urlsplit(f"//{netloc}").hostname or "" for netloc in (one, other)]
    return len({own_host(host) for host in hosts}) == 1 or all(is_loopback(host) for host in hosts)
