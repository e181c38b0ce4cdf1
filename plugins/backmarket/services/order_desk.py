"""Shows what open orders wait for, and tells people of those that are late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.services.alerts import late_sentence
from backmarket.warehouse.alerts import note_told
from backmarket.warehouse.tracking_imei import desk_counts, late_orders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.tracking_imei import LateOrder


def show_desk(connection: Connection, account: str, *, hours: int, log: Log) -> tuple[dict[str, int], list[LateOrder]]:
    """Log how many open orders wait for what, and each late order.

    :param hours: an order that has less time left to its ship-by time is late.
    :return: how many orders wait for what, and the late orders, the latest first.
    """
    desk, late = desk_counts(connection, account), late_orders(connection, account, hours=hours)
    for waits_for, orders in desk.items():
        log.info("%d open orders wait for %s.", orders, waits_for)
    for order in late:
        log.warning("%s", late_sentence(order))
    if late:
        log.warning(
            "%d orders have less than %d hours to their ship-by time, or are past it. Ship them, or cancel what "
            "cannot be shipped in the Back Office; backmarket.order_desk lists all. "
            "backmarket_ship_by_alert_hours sets the limit.",
            len(late),
            hours,
        )
    return desk, late


def tell_of_late_orders(
    connection: Connection,
    account: str,
    late: Sequence[LateOrder],
    send: Callable[[list[LateOrder]], None],
    *,
    repeat_hours: int,
) -> int:
    """Send one message about the late orders that people were not told of within the last hours; return how many.

    :param send: sends the message; where it fails, the next run sends it.
    """
    # The daily alert about all that waits knows a late order by the same name, so that it is told of once.
    orders = {f"late:{order.order_id}": order for order in late}
    with connection.transaction():
        new = note_told(connection, account, orders, repeat_hours=repeat_hours)
        if new:
            send([order for subject, order in orders.items() if subject in new])
    return len(new)
