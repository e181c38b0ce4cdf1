"""What a seller may change on an order, and the refusals.

The transitions are those of the public description; the texts of `new_state … must be in …` and `sku not found`
were seen in production. Nothing is applied when something is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.clock import read_date, write_like
from sandbox.dice import is_imei
from sandbox.orders.model import (
    LINE_ACCEPTED,
    LINE_CANCELLED,
    LINE_PAID,
    LINE_REFUNDED_AFTER,
    LINE_REFUNDED_BEFORE,
    LINE_SHIPPED,
    Document,
    refresh_state,
)
from sandbox.orders.shippers import SHIPPERS

_SOURCE_STATE = {
    LINE_ACCEPTED: LINE_PAID,
    LINE_SHIPPED: LINE_ACCEPTED,
    LINE_CANCELLED: LINE_PAID,
    LINE_REFUNDED_BEFORE: LINE_ACCEPTED,
    LINE_REFUNDED_AFTER: LINE_SHIPPED,
}
_RETURN_REASONS = frozenset({0, 1, 11, 12, 13, 21, 22, 23, 24, 25})
_MAX_LENGTHS = {"tracking_number": 200, "tracking_url": 300, "shipper": 200, "serial_number": 50, "return_message": 500}


class InvalidChangeError(Exception):
    """The change is refused; the text is what the seller is told."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Setting:
    """What a change is judged against: the moment, and whether a line's product keeps an IMEI."""

    now: int
    takes_imei: Mapping[int, bool]


def change_order(document: Document, body: dict[str, Any], setting: Setting) -> None:
    """Apply one `POST /ws/orders/{id}` to a document, or raise InvalidChangeError and leave it useless."""
    new_state = body.get("new_state")
    if isinstance(new_state, bool) or not isinstance(new_state, int) or new_state not in _SOURCE_STATE:
        raise InvalidChangeError(f"new_state {new_state} must be in 2,3,4,5,6")
    if "order_id" in body and str(body["order_id"]) != str(document["order_id"]):
        raise InvalidChangeError(f"order_id {body['order_id']} is not the one of the URL")
    _check_lengths(body)
    lines = _lines_to_change(document, new_state, body.get("sku"))
    if new_state == LINE_SHIPPED:
        _ship(document, body, lines, setting)
    if new_state in {LINE_CANCELLED, LINE_REFUNDED_BEFORE, LINE_REFUNDED_AFTER}:
        _give_reason(lines, body)
    for line in lines:
        line["state"] = new_state
    refresh_state(document)
    document["date_modification"] = write_like(setting.now, str(document["date_modification"]))


def _lines_to_change(document: Document, new_state: int, sku: object) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = document["orderlines"]
    if new_state != LINE_SHIPPED:
        lines = _lines_of_sku(lines, sku)
    source = _SOURCE_STATE[new_state]
    ready = [line for line in lines if line["state"] == source]
    if not ready:
        found = ", ".join(str(line["state"]) for line in lines)
        raise InvalidChangeError(f"new_state {new_state} is not possible from orderline state {found}")
    return ready


def _lines_of_sku(lines: list[dict[str, Any]], sku: object) -> list[dict[str, Any]]:
    of_sku = [line for line in lines if line["listing"] == sku]
    if not of_sku:
        raise InvalidChangeError("sku not found")
    return of_sku


def _check_lengths(body: dict[str, Any]) -> None:
    for name, longest in _MAX_LENGTHS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > longest):
            raise InvalidChangeError(f"{name} must be a text of at most {longest} characters")


def _ship(document: Document, body: dict[str, Any], lines: list[dict[str, Any]], setting: Setting) -> None:
    if not body.get("tracking_number"):
        raise InvalidChangeError("tracking_number not found")
    shipper = body.get("shipper")
    if shipper and shipper not in SHIPPERS:
        raise InvalidChangeError(f"shipper {shipper} not found")
    if body.get("imei") or body.get("serial_number"):
        if len(document["orderlines"]) != 1 or document["orderlines"][0]["quantity"] != 1:
            raise InvalidChangeError("imei and serial_number need an order of one orderline with a quantity of 1")
        register(lines[0], body, setting)
    document["tracking_number"] = body["tracking_number"]
    document["tracking_url"] = body.get("tracking_url") or ""
    if shipper:
        document["shipper"] = document["shipper_display"] = shipper
    document["date_shipping"] = write_like(_shipping_moment(body, setting), str(document["date_modification"]))
    document["expected_dispatch_date"] = None


def _shipping_moment(body: dict[str, Any], setting: Setting) -> int:
    text = body.get("date_shipping")
    if not text:
        return setting.now
    try:
        return read_date(str(text))
    except ValueError:
        raise InvalidChangeError(f"date_shipping {text} is not a date") from None


def _give_reason(lines: list[dict[str, Any]], body: dict[str, Any]) -> None:
    reason = body.get("return_reason", 0)
    if isinstance(reason, bool) or not isinstance(reason, int) or reason not in _RETURN_REASONS:
        raise InvalidChangeError(f"return_reason {reason} is unknown")
    for line in lines:
        line["return_reason"] = reason
        line["return_message"] = body.get("return_message") or ""


def change_line(document: Document, line: dict[str, Any], body: dict[str, Any], setting: Setting) -> None:
    """Apply one `PATCH /ws/orderlines/{id}`, or raise InvalidChangeError."""
    if not body.get("imei") and not body.get("serial_number"):
        raise InvalidChangeError("imei or serial_number not found")
    if line["quantity"] != 1:
        raise InvalidChangeError("imei and serial_number need an orderline with a quantity of 1")
    _check_lengths(body)
    register(line, body, setting)
    document["date_modification"] = write_like(setting.now, str(document["date_modification"]))


def register(line: dict[str, Any], body: dict[str, Any], setting: Setting) -> None:
    """Store a line's identifiers, once and for ever.

    An IMEI is kept for smartphones only; for anything else it is accepted and dropped without a word.
    """
    imei, serial_number = str(body.get("imei") or ""), str(body.get("serial_number") or "")
    if imei and not is_imei(imei):
        raise InvalidChangeError(f"imei {imei} is not valid", 422)
    given = {"imei": imei if setting.takes_imei.get(line["id"], True) else "", "serial_number": serial_number}
    for name, value in given.items():
        if value and line[name] and line[name] != value:
            raise InvalidChangeError(f"{name} is already registered and cannot be corrected", 422)
    line.update({name: value for name, value in given.items() if value})
