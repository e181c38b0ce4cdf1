"""Settles, from readings, changes of which nobody knows whether they were applied."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backmarket.warehouse import inventory, sql
from backmarket.warehouse.ledger import Ledger

if TYPE_CHECKING:
    from datetime import datetime

    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange


def settle_quantities(connection: Connection, account: str) -> dict[str, int]:
    """Settle quantities that were sent before the stored readings were made.

    What Back Market shows is confirmed; what it does not show goes back into the queue, where the next plan decides
    anew. A change of a listing that was not read since stays as it is. The readings must have been made when what was
    sent last had arrived: see :func:`~backmarket.operators.in_flight.let_arrive`.

    :return: how many were confirmed, planned again, and are still unsettled.
    """
    counts = {"confirmed": 0, "planned_again": 0, "unsettled": 0}
    quantities = Ledger(connection, account, "quantity")
    readings = {str(reading.id): reading for reading in inventory.stored_readings(connection, account)}
    for change in quantities.unsettled():
        reading = readings.get(change.payload["id"])
        if reading is None or not _is_later(reading.read_at, change):
            counts["unsettled"] += 1
        else:
            counts[_settle(quantities, change, shown=reading.quantity == change.payload["quantity"])] += 1
    return counts


def settle_prices(connection: Connection, account: str) -> dict[str, int]:
    """Settle prices that were sent one by one before the stored readings were made, as :func:`settle_quantities`."""
    counts = {"confirmed": 0, "planned_again": 0, "unsettled": 0}
    prices = Ledger(connection, account, "price")
    # How a line of a batch ended, its batch tells, too.
    unsettled = [change for change in prices.unsettled() if not change.in_batch]
    offers = _offers(connection, account) if unsettled else {}
    for change in unsettled:
        price, read_at = offers.get((change.payload["id"], change.market), (None, None))
        if read_at is None or not _is_later(read_at, change):
            counts["unsettled"] += 1
        else:
            counts[_settle(prices, change, shown=price == Decimal(change.payload["price"]))] += 1
    return counts


def _settle(ledger: Ledger, change: RecordedChange, *, shown: bool) -> str:
    if shown:
        ledger.settle([change.change_id], "confirmed", "seen on Back Market after an answer was lost")
        return "confirmed"
    ledger.settle([change.change_id], "planned", "not seen on Back Market after an answer was lost")
    return "planned_again"


def _is_later(read_at: datetime, change: RecordedChange) -> bool:
    return change.sent_at is None or read_at > change.sent_at


def _offers(connection: Connection, account: str) -> dict[tuple[str, str], tuple[Any, datetime]]:
    rows = connection.execute(sql.statement("prices/select_shown_prices"), {"account": account})
    return {(str(listing_id), market): (price, read_at) for listing_id, market, price, read_at in rows}
