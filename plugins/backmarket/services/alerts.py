"""Words what people are told, and tells what is new: of late orders, and of all that waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backmarket.warehouse.alerts import forget_told, note_told
from backmarket.warehouse.tracking_imei import desk_counts, late_orders
from backmarket.words import counted, minute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.tracking_imei import LateOrder

_MOST_NEEDS_NAMED = 5
_MOST_LATE_NAMED = 20
_MONTH_HOURS = 24 * 30


@dataclass(frozen=True)
class Message:
    """What people are told: no personal data, no token.

    :param title: one line: what happened, to what.
    :param text: why, what to do, and where to look.
    :param facts: the same for machines, for a webhook.
    """

    title: str
    text: str
    facts: Mapping[str, Any]


def tell_what_is_new(
    connection: Connection,
    account: str,
    needs: Sequence[Need],
    send: Callable[[Message], None],
    *,
    repeat_hours: int,
    url: str,
) -> int:
    """Send one message about what people were not told of within the last hours; return how many things are in it.

    What is told is noted in the transaction of the sending: a failure to send is made good by the next run.

    :param url: where all of it is shown.
    """
    with connection.transaction():
        forget_told(connection, account, repeat_hours=repeat_hours)
        new: set[str] = set()
        for need in needs:
            hours = _MONTH_HOURS if need.is_told_once else repeat_hours
            new |= note_told(connection, account, _subjects(need), repeat_hours=hours)
        if new:
            send(attention_message(account, needs, new, url))
    return len(new)


def show_desk(
    connection: Connection, account: str, *, hours: int, variable: str, log: Log
) -> tuple[dict[str, int], list[LateOrder]]:
    """Log how many open orders wait for what, and each late order.

    :param hours: an order that has less time left to its ship-by time is late.
    :param variable: the Variable that says so.
    :return: how many orders wait for what, and the late orders, the latest first.
    """
    desk, late = desk_counts(connection, account), late_orders(connection, account, hours=hours)
    for waits_for, orders in desk.items():
        log.info("%s for %s.", counted(orders, "open order waits", "open orders wait"), waits_for)
    for order in late:
        log.warning("%s", late_sentence(order))
    if late:
        log.warning(
            "%s. Ship what is due, or cancel what cannot be shipped in the Back Office; backmarket.order_desk lists "
            "all. Variable %s sets the limit.",
            _how_late(late, hours),
            variable,
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
        if new := note_told(connection, account, orders, repeat_hours=repeat_hours):
            send([orders[subject] for subject in new])
    return len(new)


def attention_message(account: str, needs: Sequence[Need], new: set[str], url: str) -> Message:
    """Say what is new, the first few by name, and where to see all of it."""
    lines, told = [], {}
    for need in needs:
        fresh = [item for item, subject in zip(need.items, _subjects(need), strict=True) if subject in new]
        if fresh:
            told[need.title] = len(fresh)
            lines.append(f"{need.title}: {len(fresh):,} new, {need.total:,} in all. {need.advice}")
            lines += [f"- {item['subject']}: {item['detail']}" for item in fresh[:_MOST_NEEDS_NAMED]]
    things = counted(len(new), "new thing needs a person", "new things need a person")
    return Message(
        title=f"Back Market ({account}): {things}",
        text="\n".join([*lines, f"All of it: {url}"]),
        facts={"kind": "attention", "account": account, "new": told, "url": url},
    )


def late_message(account: str, late: Sequence[LateOrder], hours: int, url: str) -> Message:
    """Say which orders are late or soon will be, the most urgent first, and what to do.

    :param url: where all that waits is shown.
    """
    first = sorted(late, key=lambda order: order.ship_by)[:_MOST_LATE_NAMED]
    advice = "Ship them, or cancel what cannot be shipped in the Back Office."
    return Message(
        title=f"Back Market ({account}): {_how_late(late, hours)}",
        text="\n".join([*(f"- {late_sentence(order)}" for order in first), advice, f"All of it: {url}"]),
        facts={"kind": "ship_by", "account": account, "orders": [order.order_id for order in first], "url": url},
    )


def _how_late(late: Sequence[LateOrder], hours: int) -> str:
    """Say how many orders are late, by a limit that may lie behind the time to ship by."""
    things = counted(len(late), "order has", "orders have")
    if hours > 0:
        return f"{things} less than {counted(hours, 'hour')} left to ship, or none"
    return f"{things} been overdue for {counted(-hours, 'hour')} or more" if hours else f"{things} no time left to ship"


def late_sentence(order: LateOrder) -> str:
    """Say what a late order waits for, by when it has to be shipped, and what can be done about a Backship order."""
    due = f"{minute(order.ship_by)} ({_left(order.hours_left)})"
    if order.is_backship and order.waits_for in {"shipment", "tracking"}:
        return (
            f"Order {order.order_id} (Backship) waits to be handed over, to ship by {due}: hand the parcel over under "
            "Back Market's label; no tracking comes from you."
        )
    why = f": {order.reason}" if order.reason else "."
    return f"Order {order.order_id} waits for {order.waits_for}, to ship by {due}{why}"


def _left(hours: float) -> str:
    whole = round(abs(hours))
    if not whole:
        return "within the hour" if hours >= 0 else "less than an hour overdue"
    return f"{counted(whole, 'hour')} {'left' if hours > 0 else 'overdue'}"


def _subjects(need: Need) -> list[str]:
    """Name each item of a need, without the numbers that change, so that it is told of once."""
    return [f"{need.name}:{item['topic']}"[:500] for item in need.items]
