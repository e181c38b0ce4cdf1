"""Decides which order a row of a statement belongs to.

Twice: while a file is copied in, for orders that are stored already, since a million rows are copied with their orders
in less time than they are updated with them later; and before each comparison, for orders that arrived after the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from backmarket.warehouse.connection import Connection


@dataclass(frozen=True)
class Ties:
    """The orders of the names that stand on statements.

    :param unusual: of numbers that are no stored order: the order whose orderline it is, or None.
    :param parcels: orders by tracking number.
    """

    unusual: Mapping[int, int | None]
    parcels: Mapping[str, int]

    def of(self, number: int | None, tracking_number: str | None) -> tuple[int | None, str | None]:
        """Return a row's ``order_id`` and ``tied_by``: a number that it names counts before its tracking number."""
        if number is not None:
            if number not in self.unusual:
                return number, "order"
            order_id = self.unusual[number]
            return (number, None) if order_id is None else (order_id, "orderline")
        order_id = self.parcels.get(tracking_number or "")
        return (None, None) if order_id is None else (order_id, "tracking")


def find_ties(connection: Connection, account: str, numbers: Iterable[int], parcels: Iterable[str]) -> Ties:
    """Look up the orders of all names at once.

    :param parcels: tracking numbers.
    """
    of_numbers = sql.statement("settlements/select_unusual_ties")
    of_parcels = sql.statement("settlements/select_parcels")
    named = {"account": account, "numbers": list(numbers), "tracking_numbers": list(parcels)}
    return Ties(
        dict(connection.execute(of_numbers, named).fetchall()),
        dict(connection.execute(of_parcels, named).fetchall()) if named["tracking_numbers"] else {},
    )


def tie_lines(connection: Connection, account: str) -> list[date]:
    """Tie rows to orders that have arrived since they were copied in; return the day of each of those rows."""
    names = connection.execute(sql.statement("settlements/select_untied_names"), {"account": account}).fetchall()
    numbers = [number for number, _ in names if number is not None]
    ties = find_ties(connection, account, numbers, [parcel for number, parcel in names if number is None])
    found = [(*name, *tie) for name in names if (tie := ties.of(*name))[1]]
    if not found:
        return []
    numbers, parcels, order_ids, tied_bys = map(list, zip(*found, strict=True))
    columns = {"numbers": numbers, "parcels": parcels, "order_ids": order_ids, "tied_bys": tied_bys}
    days = connection.execute(sql.statement("settlements/tie_lines"), {"account": account, **columns})
    return [day for (day,) in days]
