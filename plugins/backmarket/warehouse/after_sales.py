"""Stores Backship deliveries and returns, and remembers which parts of after-sales Back Market serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import cleaned, dump
from backmarket.warehouse.orders import hiding_values
from backmarket.warehouse.quarantine import key_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from backmarket.api.models.shipping import Delivery, Return
    from backmarket.warehouse.connection import Connection

Part = Literal["care", "deliveries", "returns"]


def unavailable_when_asked(connection: Connection, account: str, part: Part) -> datetime | None:
    """Return when a part was asked for last that Back Market does not serve; None where it serves it."""
    parameters = {"account": account, "part": part}
    row = connection.execute(sql.statement("after_sales/select_part"), parameters).fetchone()
    return row[0] if row else None


def mark_unavailable(connection: Connection, account: str, part: Part, reason: str) -> bool:
    """Note that Back Market does not serve a part; return whether that is new."""
    parameters = {"account": account, "part": part, "reason": reason}
    row = connection.execute(sql.statement("after_sales/mark_unavailable"), parameters).fetchone()
    return bool(row and row[0])


def mark_served(connection: Connection, account: str, part: Part, known_since: datetime) -> None:
    """Note that a part is known from a moment on."""
    parameters = {"account": account, "part": part, "known_since": known_since}
    connection.execute(sql.statement("after_sales/mark_served"), parameters)


def has_backship(connection: Connection, account: str) -> bool:
    """Tell whether any order is carried by Back Market's own shipping."""
    row = connection.execute(sql.statement("after_sales/has_backship"), {"account": account}).fetchone()
    return bool(row and row[0])


def oldest_under_way(connection: Connection, account: str, part: Part, since: datetime) -> datetime | None:
    """Return when the oldest parcel was made that may still be under way, of those made since a moment.

    One of which Back Market does not say when it was made counts from when it was first seen.
    """
    from psycopg.sql import SQL, Identifier

    query = SQL(sql.statement("after_sales/select_oldest_under_way")).format(table=Identifier("backmarket", part))
    row = connection.execute(query, {"account": account, "since": since}).fetchone()
    return row[0] if row else None


def store_shipment(connection: Connection, account: str, shipment: Delivery | Return, read_at: datetime) -> str:
    """Store a delivery or a return.

    :param read_at: Back Market's own time of the reading.
    :return: whether it was ``new``, ``changed`` or ``unchanged``.
    """
    from psycopg.sql import SQL, Identifier

    from backmarket.api.models.shipping import Delivery

    of_lines: Any
    if isinstance(shipment, Delivery):
        table, column, of_lines = "deliveries", "orderline_ids", shipment.orderline_ids
    else:
        table, column, of_lines = "returns", "orderline_id", shipment.orderline_id
    query = SQL(sql.statement("after_sales/upsert_shipment")).format(
        table=Identifier("backmarket", table), of_lines=Identifier(column)
    )
    parameters = {
        "account": account,
        "shipment_id": shipment.shipment_id,
        "order_id": shipment.order_id,
        "tracking_number": shipment.tracking_number,
        "tracking_url": shipment.tracking_url,
        "carrier_name": shipment.carrier_name,
        "label_url": shipment.label_url,
        "is_scanned": shipment.hub_scanned,
        "invoiced_price": shipment.invoiced_price,
        "invoiced_currency": shipment.invoiced_currency,
        "date_creation": shipment.date_creation,
        "date_pickup": shipment.date_pickup,
        "date_delivery": shipment.date_delivery,
        "document": dump(shipment.document),
        "read_at": read_at,
        "of_lines": of_lines,
    }
    with hiding_values(table):
        row = connection.execute(query, cleaned(parameters)).fetchone()
    return "unchanged" if row is None else "new" if row[0] else "changed"


def release(connection: Connection, account: str, entity: str, keys: list[str], *, kept: Collection[str] = ()) -> None:
    """Let documents leave the quarantine that are understood now, and the parts of them that were kept there.

    :param kept: parts that still cannot be understood.
    """
    parameters = {"account": account, "entity": entity, "keys": keys, "kept": [key_of(key) for key in kept]}
    connection.execute(sql.statement("after_sales/release_documents"), cleaned(parameters))
