"""Holds each account name to one Back Market account, and each Back Market account to one name."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.warehouse.connection import Connection


class AccountMixUpError(Exception):
    """Two accounts would share one name, or one account two names; nothing was read or changed."""


def account_of(conn_id: str) -> str:
    """Return the account a connection stands for: its id without ``backmarket_``."""
    return conn_id.removeprefix("backmarket_")


def claim(connection: Connection, account: str, base_url: str, token: str) -> None:
    """Write down that this account name stands for this platform and token, and refuse what would mix data.

    A renewed token is taken over. A sandbox on this machine may change its port.

    :raises AccountMixUpError: where the name already stands for another platform, or another name for the
        same platform and token.
    """
    address = urlsplit(base_url)
    claim = {
        "account": account,
        "host": address.netloc,
        "token_fingerprint": hashlib.sha256(token.encode()).hexdigest()[:16],
    }
    with connection.transaction():
        connection.execute("lock table backmarket.accounts in share row exclusive mode")
        for name, host in connection.execute(sql.statement("accounts/select_claims"), claim).fetchall():
            if name != account:
                raise AccountMixUpError(
                    f"Back Market account {address.netloc} with this token is already run as '{name}' in this "
                    f"database. Running it as '{account}' too would download and sell everything twice. Remove "
                    "one of the two connections."
                )
            if not _same_platform(host, address.netloc):
                raise AccountMixUpError(
                    f"In this database '{account}' stands for {host}, but connection backmarket_{account} now "
                    f"points at {address.netloc}. Their orders must not be mixed: give the other platform a "
                    "database of its own, or a connection of another name."
                )
        connection.execute(sql.statement("accounts/claim_account"), claim)


def record_check(
    connection: Connection, account: str, *, platform: str, token_valid: bool, details: Mapping[str, Any]
) -> None:
    """Keep what the last validation of the token found."""
    from psycopg.types.json import Jsonb

    connection.execute(
        sql.statement("accounts/record_check"),
        {
            "account": account,
            "platform": platform,
            "token_valid": token_valid,
            "details": Jsonb(dict(details)),
        },
    )


def _same_platform(one: str, other: str) -> bool:
    return one == other or (_is_loopback(one) and _is_loopback(other))


def _is_loopback(netloc: str) -> bool:
    host = urlsplit(f"//{netloc}").hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
