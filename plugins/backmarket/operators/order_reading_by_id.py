"""Reads orders one by one, so that one which Back Market cannot serve keeps none of the others away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError, NotFoundError
from backmarket.operators.item_failures import ItemFailures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.operators.order_reading import OrderReading


@dataclass
class ReadById:
    """What became of orders that were read by id.

    :param absent: orders that Back Market does not have.
    :param unread: why Back Market could not serve an order, by its id.
    :param stopped_by: what made going on pointless; store what was read, then raise it.
    """

    absent: list[int] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    stopped_by: BackMarketError | None = None

    def tell(self, log: Any) -> None:
        """Name the orders that could not be read."""
        for order_id, reason in self.unread.items():
            log.warning("Order %s could not be read and is asked for again: %s", order_id, reason)


def read_by_id(reading: OrderReading, order_ids: Iterable[int]) -> ReadById:
    """Read orders into ``reading``; those that fail are named, the others are read."""
    found = ReadById()
    failures = ItemFailures(found.unread)
    try:
        for order_id in failures.each(list(order_ids)):
            try:
                reading.read_one(order_id)
            except NotFoundError:
                found.absent.append(order_id)
            except BackMarketError as error:
                failures.note(str(order_id), error)
                continue
            failures.passed(str(order_id))
    except BackMarketError as error:
        found.stopped_by = error
    return found
