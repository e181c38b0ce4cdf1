"""Parcels on Back Market's own shipping: when one comes into being, and how deliveries and returns read."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.after_sales.model import Delivery, Return
from sandbox.after_sales.store import AfterSales
from sandbox.clock import DAY, HOUR, write_offset
from sandbox.orders.model import (
    LINE_ACCEPTED,
    LINE_REFUNDED_AFTER,
    LINE_REFUNDED_BEFORE,
    LINE_SHIPPED,
    PROCESSED,
    Document,
)
from sandbox.orders.store import moment_of

FIRST_SHIPMENT_ID = 30_000_000
"""A delivery's id is its order's id and this."""

_SENT = frozenset({LINE_SHIPPED, LINE_REFUNDED_AFTER})
_ACCEPTED = _SENT | {LINE_ACCEPTED, LINE_REFUNDED_BEFORE}
_CARRIER = {"carrierId": 3, "carrierName": "Chronopost"}
_PARIS_SUMMER = 2


def follow(after_sales: AfterSales, order: Document, modified: int) -> None:
    """Let the delivery of an order, `modified` then, come into being with the first accepted line and move on with it.

    A moment is noted once and stays, whatever becomes of the order later.
    """
    states = {line["state"] for line in order["orderlines"]}
    if not order["is_backship"] or not states & _ACCEPTED:
        return
    sent = bool(states & _SENT) and bool(order["date_shipping"])
    delivery = after_sales.deliveries.get(order["order_id"])
    if delivery is None:
        created = moment_of(order["date_payment"], modified) if sent else modified
        number = order["tracking_number"] or f"BS{order['order_id']:011d}FR"
        delivery = Delivery(order["order_id"], created, number)
    elif (delivery.picked_up or not sent) and (delivery.delivered or order["state"] != PROCESSED):
        return
    if sent and delivery.picked_up is None:
        delivery.picked_up = moment_of(order["date_shipping"], modified)
    if sent and order["state"] == PROCESSED and delivery.delivered is None:
        delivery.delivered = modified
    after_sales.save_delivery(delivery)


def order_of(shipment_id: int) -> int:
    """Give the id of the order whose delivery is asked for."""
    return shipment_id - FIRST_SHIPMENT_ID


def delivery_document(delivery: Delivery, order: Document, platform: str) -> dict[str, Any]:
    """Give a delivery as the API shows it."""
    lines = [line["id"] for line in order["orderlines"] if line["state"] in _ACCEPTED]
    number = delivery.order_id + FIRST_SHIPMENT_ID
    return {
        "order": delivery.order_id,
        "shipmentId": number,
        "orderlines": lines,
        "referenceNumber": str(delivery.order_id),
        **_parcel(delivery, delivery.tracking_number, order),
        "labelUrl": f"/static/shipment_labels/{platform.lower()}-{uuid5(NAMESPACE_URL, str(number))}-1.pdf",
        "type": "DELIVERY",
        "pickupInfo": _pickup(delivery, number),
    }


def return_document(parcel: Return, order: Document) -> dict[str, Any]:
    """Give a return as the API shows it."""
    return {
        "orderId": parcel.order_id,
        "orderlineId": parcel.orderline_id,
        "shipmentId": parcel.id,
        "referenceNumber": f"1-{parcel.order_id}-{parcel.orderline_id}",
        **_parcel(parcel, f"RT{parcel.id:011d}FR", order),
        "label": f"https://cdn.example/return_labels/{uuid5(NAMESPACE_URL, str(parcel.id))}.pdf",
        "type": "RETURN",
    }


def _parcel(parcel: Delivery | Return, tracking_number: str, order: Document) -> dict[str, Any]:
    return {
        **_CARRIER,
        "trackingNumber": tracking_number,
        "trackingUrl": f"https://track.example/{tracking_number}",
        "hubScanned": parcel.picked_up is not None,
        "invoicedCurrency": order["currency"],
        "invoicedPrice": 6,
        "dateCreation": _date(parcel.created),
        "datePickup": _date(parcel.picked_up),
        "dateDelivery": _date(parcel.delivered),
    }


def _pickup(delivery: Delivery, number: int) -> dict[str, Any]:
    """Give the appointment with the carrier: the day after the label was made, between 9 and 18 o'clock."""
    day = datetime.fromtimestamp(delivery.created / 1_000_000, UTC).date() + timedelta(days=1)
    midnight = (delivery.created // DAY + 1) * DAY
    return {
        "confirmationNumber": f"{number % 10_000:04d}NB",
        "datePickupActual": _date(delivery.picked_up),
        "datePickupRangeStart": _date(midnight + 9 * HOUR),
        "datePickupRangeEnd": _date(midnight + 18 * HOUR),
        "datePickupRequested": day.isoformat(),
        "isCanceled": False,
        "pickupId": number + 1,
    }


def _date(moment: int | None) -> str | None:
    return None if moment is None else write_offset(moment, hours=_PARIS_SUMMER)
