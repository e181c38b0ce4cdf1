"""What accepting, shipping and identifying read: orders as rules see them, and the seller's tables."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime  # noqa: TC003 - read at run time by the named tuple
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.identifiers import LineUse
from backmarket.rules.order_facts import LineFacts, OrderFacts
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.inventory_prices import counts_of, stock_rows
from backmarket.warehouse.seller_rows import (
    ALIASES,
    DEVICES,
    SHIPMENTS,
    UnreadableError,
    id_number,
    tell_left_out,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.api.models import Order, OrderLine
    from backmarket.rules.identifiers import Device
    from backmarket.rules.inventory import StockPolicy, StockRow
    from backmarket.rules.shipping import Shipment
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import SellerRows, ShipperAlias


NAMING_ORDERS = (SHIPMENTS.table, DEVICES.table)
"""Which tables of the seller name orders that have to be known."""


class LateOrder(NamedTuple):
    """An order that the seller has to ship soon, or had to.

    :param waits_for: stock, acceptance, shipment or tracking.
    :param hours_left: to its ship-by time; negative once that has passed.
    :param is_backship: whether it goes under a label of Back Market's, which brings its tracking.
    """

    order_id: int
    waits_for: str
    reason: str | None
    ship_by: datetime
    hours_left: float
    is_backship: bool = False


class DeviceLine(NamedTuple):
    """An order line and the numbers of devices that Back Market has for it.

    :param serial_key: what all spellings of its serial number have in common.
    """

    use: LineUse
    imei: str | None
    serial_key: str | None


def facts_of_document(order: Order) -> OrderFacts:
    """Return what the rules know of an order from the document just read.

    An identifier or a tracking number that is there and cannot be read counts as another than any of the seller's.
    """
    lines = tuple(
        LineFacts(
            line.orderline_id,
            line.state,
            line.quantity,
            line.sku,
            line.imei or _odd_field(line, "imei"),
            line.serial_number or _odd_field(line, "serial_number"),
            line.product,
        )
        for line in order.orderlines
    )
    return OrderFacts(
        order.order_id,
        lines,
        is_backship=None if _odd_field(order, "is_backship") else bool(order.is_backship),
        tracking_number=order.tracking_number or _odd_field(order, "tracking_number"),
        paid_at=order.date_payment,
        ship_by=order.expected_dispatch_date,
    )


def stored_facts(connection: Connection, account: str, order_ids: Iterable[int]) -> dict[int, OrderFacts]:
    """Return what the rules know of orders as they were last stored; unknown orders and those gone are absent."""
    parameters = {"account": account, "order_ids": list(order_ids)}
    rows = connection.execute(sql.statement("tracking_imei/select_order_facts"), parameters).fetchall()
    found = {}
    for (order_id, *of_order), own in groupby(rows, key=lambda row: row[:5]):
        lines = tuple(LineFacts(*row[5:]) for row in own)
        found[order_id] = OrderFacts(order_id, lines, *of_order)
    return found


def paid_orders(connection: Connection, account: str) -> list[OrderFacts]:
    """Return the orders with a line that is paid and not accepted."""
    rows = connection.execute(sql.statement("tracking_imei/select_paid_orders"), {"account": account})
    return list(stored_facts(connection, account, [order_id for (order_id,) in rows]).values())


def stock_by_sku(connection: Connection, account: str, skus: Iterable[str], policy: StockPolicy) -> dict[str, StockRow]:
    """Return the counts of some SKUs, by :func:`sku_key`; one whose rows contradict each other has none."""
    found = stock_rows(connection, account, sku_keys=skus)
    tell_left_out(found)
    return counts_of(found, policy).by_sku


def shipments(connection: Connection, account: str) -> SellerRows[Shipment]:
    """Return the rows of ``seller.shipments`` that may matter, the most urgent order first."""
    statement = sql.statement("tracking_imei/select_shipments")
    return SHIPMENTS.read(feeds.select_whole(connection, SHIPMENTS.table, statement, {"account": account}))


def parcels_by_order(connection: Connection, account: str) -> dict[int, list[Shipment]]:
    """Return the rows of ``seller.shipments`` that may matter and can be read, by order."""
    found: dict[int, list[Shipment]] = {}
    for row in shipments(connection, account).rows:
        found.setdefault(row.order_id, []).append(row)
    return found


def devices(connection: Connection, account: str) -> SellerRows[Device]:
    """Return the rows of ``seller.devices`` that may matter, the most urgent order first."""
    statement = sql.statement("tracking_imei/select_devices")
    return DEVICES.read(feeds.select_whole(connection, DEVICES.table, statement, {"account": account}))


def device_lines(
    connection: Connection,
    account: str,
    *,
    imeis: Iterable[str],
    serial_keys: Iterable[str],
    orderline_ids: Iterable[int],
) -> list[DeviceLine]:
    """Return the lines that have some numbers of devices, and some lines by their ids."""
    parameters = {
        "account": account,
        "imeis": list(imeis),
        "serial_keys": list(serial_keys),
        "orderline_ids": list(orderline_ids),
    }
    rows = connection.execute(sql.statement("tracking_imei/select_device_lines"), parameters)
    return [DeviceLine(LineUse(*row[:5]), *row[5:]) for row in rows]


def confirm_devices_shown(connection: Connection, account: str) -> list[str]:
    """Confirm registrations that counted as refused, and are shown by now; return their lines."""
    rows = connection.execute(sql.statement("tracking_imei/confirm_devices_shown"), {"account": account})
    return [subject for (subject,) in rows]


def orders_of_lines(connection: Connection, account: str, orderline_ids: Iterable[int]) -> dict[int, int]:
    """Return the order of each of these lines that is known."""
    parameters = {"account": account, "orderline_ids": list(orderline_ids)}
    return dict(connection.execute(sql.statement("tracking_imei/select_orders_of_lines"), parameters).fetchall())


def orders_to_read(connection: Connection, account: str, tables: Iterable[str] = NAMING_ORDERS) -> list[int]:
    """Return orders that the seller's tables name and of which too little is known here, newest first.

    :param tables: of :data:`NAMING_ORDERS`.
    :raises FeedUnusableError: where one of them cannot be read at all.
    """
    from psycopg.sql import SQL, Identifier

    found = set()
    for table in tables:
        statement = SQL(sql.statement("tracking_imei/select_orders_to_read")).format(
            table=Identifier(*table.split("."))
        )
        for (text,) in feeds.select(connection, table, statement, {"account": account}):
            # The tasks that these tables feed name what is no number.
            with suppress(UnreadableError):
                found.add(id_number("order_id", text))
    return sorted(found, reverse=True)


def shipper_aliases(connection: Connection, account: str) -> SellerRows[ShipperAlias]:
    """Return the seller's names of carriers with Back Market's name for each."""
    statement = sql.statement("tracking_imei/select_aliases")
    return ALIASES.read(feeds.select_whole(connection, ALIASES.table, statement, {"account": account}))


def desk_counts(connection: Connection, account: str) -> dict[str, int]:
    """Return how many open orders wait for what."""
    return dict(connection.execute(sql.statement("tracking_imei/select_desk"), {"account": account}).fetchall())


def late_orders(connection: Connection, account: str, *, hours: int) -> list[LateOrder]:
    """Return the orders that the seller has to ship within so many hours, or had to; the latest first."""
    parameters = {"account": account, "hours": hours}
    return [LateOrder(*row) for row in connection.execute(sql.statement("tracking_imei/select_late"), parameters)]


def _odd_field(document: Order | OrderLine, name: str) -> str | None:
    """Return what is wrong with a field that came in an unexpected form; None where it did not."""
    return next((odd for odd in document.odd_fields if odd.startswith(f"{name}: ")), None)
