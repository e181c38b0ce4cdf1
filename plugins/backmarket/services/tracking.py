"""Decides which orders are shipped, and ships them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.carriers import OTHER
from backmarket.rules.identifiers import Identifiers, phones_without_imei, still_missing, told_earlier_orders
from backmarket.rules.order_facts import ACCEPTED, Decision, refuse, wait
from backmarket.rules.shipping import judge_tracking

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.order_facts import OrderFacts
    from backmarket.services.imei import JudgedDevice
    from backmarket.settings import TrackingSettings
    from backmarket.warehouse.ledger import RecordedChange
    from backmarket.warehouse.seller_rows import LeftOut


SHIP = 3

SAME_REFUSAL_AGAIN = timedelta(hours=1)


class Shipping:
    """Ships one order.

    :param identifiers_required: whether an identifier that Back Market refuses keeps the shipment back.
    """

    unshown_is_final = False

    def __init__(self, *, identifiers_required: bool) -> None:
        self.identifiers_required = identifiers_required

    def group(self, change: RecordedChange) -> Hashable:
        """Each order by itself."""
        return change.change_id

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the order."""
        return judge_tracking(order, payloads[0]["tracking_number"])

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> str | None:
        """Ship it, with its identifier if it has one, and without where Back Market refuses only that."""
        from backmarket.api.errors import RefusedError

        (payload,) = payloads
        shipped_at = payload.get("date_shipping")
        shipment = {
            "tracking_number": payload["tracking_number"],
            "tracking_url": payload.get("tracking_url"),
            "date_shipping": datetime.fromisoformat(shipped_at) if shipped_at else None,
            "shipper": payload.get("shipper"),
        }
        unknown = payload.get("unknown_shipper")
        sold_with = payload.get("sold_with")
        remarks = [
            f"went as {OTHER}: Back Market knows no carrier {unknown!r}" if unknown else None,
            told_earlier_orders(sold_with) if sold_with else None,
        ]
        wanted = Identifiers(payload.get("imei"), payload.get("serial_number"))
        missing = still_missing(order.lines[0], wanted) if order.is_single_unit else Identifiers()
        try:
            client.update_order(
                order.order_id, SHIP, **shipment, imei=missing.imei, serial_number=missing.serial_number
            )
        except RefusedError as error:
            if missing == Identifiers() or self.identifiers_required:
                raise
            client.update_order(order.order_id, SHIP, **shipment)
            refusal = f"shipped without its identifier, which Back Market refused: {error.api_message}"
            remarks.append(refusal)
        return "; ".join(filter(None, remarks)) or None


def _orders_in_doubt(left_out: Iterable[LeftOut]) -> dict[int, Decision]:
    """Keep back, for its reason, each order with a row that cannot be read: what it says cannot be taken back."""
    from backmarket.warehouse.seller_rows import UnreadableError, id_number

    found = {}
    for each in left_out:
        with suppress(UnreadableError):
            found[id_number("order_id", each.document["order_id"] or "")] = refuse(each.reason)
    return found


def _imeis(devices: Iterable[JudgedDevice]) -> dict[int, set[str]]:
    """Return the IMEIs that are given for each order's devices."""
    found: dict[int, set[str]] = {}
    for each in devices:
        if each.identifiers and each.identifiers.imei:
            found.setdefault(each.order_id, set()).add(each.identifiers.imei)
    return found


def _carried(devices: Iterable[JudgedDevice]) -> dict[int, JudgedDevice]:
    """Return what travels with the shipment, by order: only an order of a single unit may carry it."""
    return {
        each.order_id: each
        for each in devices
        if each.decision.verdict == "send"
        and each.order
        and each.order.is_single_unit
        and each.line
        and each.line.state == ACCEPTED
    }


def _judge_phones(order: OrderFacts, settings: TrackingSettings, carried: Identifiers | None) -> Decision:
    phones = phones_without_imei(order, settings.phone_titles, carried)
    if phones:
        named = ", ".join(map(str, phones))
        return wait(f"backmarket_require_imei is on, and there is no valid IMEI for line {named}")
    return Decision("send")
