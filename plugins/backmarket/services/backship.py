"""Reads what Back Market's own shipping (Backship) carries: parcels to customers, and those they send back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.order_window import OVERLAP
from backmarket.services.after_sales import PartReading
from backmarket.warehouse import after_sales, sync_state

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.api.models.shipping import DeliveryPage, ReturnPage
    from backmarket.api.moving_list import MovingList
    from backmarket.services.log import Log
    from backmarket.warehouse.after_sales import Part
    from backmarket.warehouse.connection import Connection

UNDER_WAY_FOR = timedelta(days=60)
"""A parcel that was not delivered after so long is not waited for: lists are asked for by the day of its making."""

_ENTITIES: dict[Part, str] = {"deliveries": "delivery", "returns": "return"}


def why_nothing_is_asked(connection: Connection, account: str) -> str | None:
    """Return why Back Market is asked for no parcels; None where it is."""
    if after_sales.has_backship(connection, account):
        return None
    return "No order is carried by Back Market's own shipping (is_backship): nothing is asked."


def download_parcels(
    client: BackMarketClient,
    connection: Connection,
    account: str,
    part: Part,
    log: Log,
    *,
    now: datetime,
    lookback: timedelta,
) -> dict[str, Any]:
    """Read and store the parcels made since the last time, and those since the oldest that is under way.

    :return: the parcels new, changed, unchanged and quarantined.
    :raises BackMarketError: where the list could not be read whole; what was read is stored.
    """
    reading = PartReading(connection, account, part, part, _ENTITIES[part], log)
    if why := reading.why_it_waits(now):
        log.info(why)
        return {"unavailable": 1}
    watermark = sync_state.read(connection, account, part).watermark
    since = watermark - OVERLAP if watermark else now - lookback
    under_way = after_sales.oldest_under_way(connection, account, part, now - UNDER_WAY_FOR)
    since = min(since, under_way) if under_way else since
    for page in reading.pages(_list_of(client, part, since)):
        for shipment in _shipments(page):
            outcome = after_sales.store_shipment(connection, account, shipment, page.server_time)
            reading.note(outcome, shipment.all_odd_fields, shipment.shipment_id)
        ids = [str(shipment.shipment_id) for shipment in _shipments(page)]
        after_sales.release(connection, account, reading.entity, ids)
    if not reading.is_served:
        return {"unavailable": 1}
    if reading.is_complete and reading.started_at:
        with connection.transaction():
            sync_state.record_success(connection, account, part, dict(reading.counts), watermark=reading.started_at)
            after_sales.mark_served(connection, account, part, since)
    return reading.finish()


def _list_of(client: BackMarketClient, part: Part, since: datetime) -> MovingList[Any]:
    if part == "deliveries":
        return client.moving_deliveries(created_since=since)
    return client.moving_returns(created_since=since)


def _shipments(page: DeliveryPage | ReturnPage) -> list[Any]:
    return list(getattr(page, "deliveries", None) or getattr(page, "returns", None) or [])
