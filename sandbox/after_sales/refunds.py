"""What a seller may ask for with `POST /ws/sav/refund`, and the refusals. Nothing is applied when one is raised."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, TypeGuard

from sandbox.after_sales.amounts import in_currency
from sandbox.orders.model import (
    LINE_ACCEPTED,
    LINE_CANCELLED,
    LINE_PAID,
    LINE_REFUNDED_AFTER,
    LINE_REFUNDED_BEFORE,
    LINE_SHIPPED,
)
from sandbox.orders.rules import InvalidChangeError

REFUND_TYPES = {LINE_CANCELLED: LINE_PAID, LINE_REFUNDED_BEFORE: LINE_ACCEPTED, LINE_REFUNDED_AFTER: LINE_SHIPPED}
"""Each type, which is the line's state after a full refund, with the state it needs."""


@dataclass(frozen=True)
class RefundRequest:
    """A well-formed request; without an amount it asks for all that is left."""

    orderline_id: int
    refund_type: int
    amount: Decimal | None


def read_request(text: bytes) -> RefundRequest:
    """Read the body; an amount must be a JSON number, and may come with type 6 only. Raises InvalidChangeError."""
    try:
        body = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except ValueError:
        raise InvalidChangeError("the body is not a JSON object") from None
    if not isinstance(body, dict):
        raise InvalidChangeError("the body is not a JSON object")
    orderline_id, refund_type = body.get("orderline_pk"), body.get("refund_type")
    if not _is_integer(orderline_id):
        raise InvalidChangeError("orderline_pk must be an integer")
    if not _is_integer(refund_type) or refund_type not in REFUND_TYPES:
        raise InvalidChangeError("refund_type must be in 4,5,6")
    if "amount" not in body:
        return RefundRequest(orderline_id, refund_type, None)
    amount = body["amount"]
    if refund_type != LINE_REFUNDED_AFTER:
        raise InvalidChangeError("amount is possible with refund_type 6 only")
    if not isinstance(amount, Decimal) and not _is_integer(amount):
        raise InvalidChangeError("amount must be a number")
    return RefundRequest(orderline_id, refund_type, Decimal(amount))


def amount_to_refund(line: dict[str, Any], request: RefundRequest, refundable: Decimal) -> Decimal:
    """Give the amount of a refund of this line, of which `refundable` is left; raises InvalidChangeError."""
    if line["state"] != REFUND_TYPES[request.refund_type]:
        raise InvalidChangeError(
            f"refund_type {request.refund_type} is not possible in orderline state {line['state']}"
        )
    if request.amount is None:
        return refundable
    if request.amount <= 0:
        raise InvalidChangeError("amount must be above 0")
    if request.amount > refundable:
        raise InvalidChangeError(f"amount must be at most {refundable}")
    try:
        return in_currency(request.amount, str(line["currency"]))
    except ValueError as mistake:
        raise InvalidChangeError(str(mistake)) from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
