"""One seller account among several: its name, and the connections it works with."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_ACCOUNT = "default"
DEFAULT_WAREHOUSE = "backmarket_warehouse"

DEFAULT_CONNECTION = "backmarket_default"

_PREFIX = "backmarket_"
_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
# The rate limiter's tables are named after the account, and PostgreSQL cuts names off after 63 characters.
_LONGEST_NAME = 32


@dataclass(frozen=True)
class SellerAccount:
    """One account of a seller on one platform.

    :param name: leads every primary key, and the names of its DAGs and Variables.
    :param backmarket_conn_id: the connection with its token.
    :param warehouse_conn_id: the operational database; several accounts can share one.
    :raises ValueError: where the name cannot be part of the names of DAGs, Variables and tables.
    """

    name: str
    backmarket_conn_id: str
    warehouse_conn_id: str

    def __post_init__(self) -> None:
        """Refuse a name that could be mistaken for another."""
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST_NAME:
            raise ValueError(
                f"An account cannot be called {self.name!r}. Accepted: up to {_LONGEST_NAME} lower-case letters and "
                "digits, with single underscores between them, such as us or shop_eu."
            )


def seller_account(
    name: str = DEFAULT_ACCOUNT, *, backmarket_conn_id: str | None = None, warehouse_conn_id: str | None = None
) -> SellerAccount:
    """Return an account with the connections that its name leads to, where no others are given.

    :raises ValueError: as :class:`SellerAccount`.
    """
    return SellerAccount(name, backmarket_conn_id or _PREFIX + name, warehouse_conn_id or DEFAULT_WAREHOUSE)


def account_of(conn_id: str) -> str:
    """Return the account that a connection stands for where nobody has named one: its id without ``backmarket_``."""
    return conn_id.removeprefix(_PREFIX)


def account_named(account: str | None, conn_id: str) -> str:
    """Return the account that was named, else the one that the connection stands for."""
    return account or account_of(conn_id)


def dag_id_of(stem: str, account: str = DEFAULT_ACCOUNT) -> str:
    """Return the name of an account's DAG of one concern: those of the default account do not name it."""
    return f"{_PREFIX}{stem}" if account == DEFAULT_ACCOUNT else f"{_PREFIX}{account}_{stem}"
