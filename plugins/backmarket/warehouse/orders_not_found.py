"""Remembers for which orders Back Market was asked in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.rules.order_askings import Asked
from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.warehouse.connection import Connection


def asked_orders(connection: Connection, account: str) -> dict[int, Asked]:
    """Return the orders that Back Market did not have when it was asked, by id."""
    rows = connection.execute(sql.statement("orders_not_found/select_asked"), {"account": account})
    return {row[0]: Asked(*row) for row in rows}


def note_absent(connection: Connection, account: str, order_ids: Iterable[int]) -> None:
    """Note that Back Market was asked for these orders now and has none of them."""
    parameters = {"account": account, "order_ids": list(order_ids)}
    connection.execute(sql.statement("orders_not_found/upsert_asked"), parameters)


def forget(connection: Connection, account: str, *, named: Iterable[int]) -> None:
    """Forget what has turned up since, and all but the orders that are still named.

    :param named: orders that the seller's tables name and of which too little is known here.
    """
    parameters = {"account": account, "named": list(named)}
    connection.execute(sql.statement("orders_not_found/delete_found"), parameters)
