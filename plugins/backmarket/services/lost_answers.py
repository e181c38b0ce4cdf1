"""Settles quantities and prices whose answers earlier runs did not get, by what listings have shown since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.services.offers import value_of
from backmarket.warehouse.inventory_prices import stored_readings
from backmarket.warehouse.ledger import Ledger
from backmarket.warehouse.prices import shown_prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange


def settle_quantities(connection: Connection, account: str) -> dict[str, int]:
    """Settle quantities that were sent before the stored readings were made.

    What Back Market shows is confirmed; what it does not show goes back into the queue, where the next plan decides
    anew. A change of a listing that was not read since stays as it is. The readings must have been made when what was
    sent last had arrived: see :func:`~backmarket.services.in_flight.let_arrive`.

    :return: how many were confirmed, planned again, and are still unsettled.
    """
    ledger = Ledger(connection, account, "quantity")
    readings = {(str(each.id), ""): (each.quantity, each.read_at) for each in stored_readings(connection, account)}
    return _settle(ledger, ledger.unsettled(), readings)


def settle_prices(connection: Connection, account: str) -> dict[str, int]:
    """Settle prices that were sent one by one before the stored readings were made, as :func:`settle_quantities`."""
    ledger = Ledger(connection, account, "price")
    # How a line of a batch ended, the status of its batch tells, too.
    unsettled = [change for change in ledger.unsettled() if not change.in_batch]
    return _settle(ledger, unsettled, shown_prices(connection, account) if unsettled else {})


def _settle(
    ledger: Ledger,
    unsettled: Iterable[RecordedChange],
    readings: Mapping[tuple[str, str], tuple[int | Decimal | None, datetime]],
) -> dict[str, int]:
    """Settle changes by readings of their listings, by listing and market."""
    counts = {"confirmed": 0, "planned_again": 0, "unsettled": 0}
    for change in unsettled:
        shown, read_at = readings.get((change.payload["id"], change.market), (None, None))
        if read_at is None or (change.sent_at and read_at <= change.sent_at):
            counts["unsettled"] += 1
        elif shown == value_of(ledger, change):
            ledger.settle([change.change_id], "confirmed", "seen on Back Market after an answer was lost")
            counts["confirmed"] += 1
        else:
            ledger.settle([change.change_id], "planned", "not seen on Back Market after an answer was lost")
            counts["planned_again"] += 1
    return counts
