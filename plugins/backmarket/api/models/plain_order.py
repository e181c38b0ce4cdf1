"""Orders in the very form that the spec gives them, read at a third of the cost of :class:`Order`.

Nearly all orders come so. What does not fit here says nothing about an order: it is read leniently, as
:class:`~backmarket.api.models.order.Order`, whose fields and meanings these are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import Meta, Struct, convert, field
from msgspec.structs import astuple

from backmarket.api.models.document import LONGEST_KEY
from backmarket.api.models.order import PAST_TIMES, Order
from backmarket.api.models.privacy import without_personal_data
from backmarket.api.models.times import are_local

_Identifier = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Key = Annotated[str, Meta(max_length=LONGEST_KEY)]
_Integer = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
_Units = Annotated[int, Meta(ge=0, le=2**31 - 1)]
# Well within what a model takes: 28 digits.
_AMOUNT = re.compile(r"-?\d{1,18}(\.\d{1,9})?")
_FINER_THAN_MICROSECONDS = re.compile(r"\.\d{7}")


class _Plain(Struct, gc=False):
    """Reads no text as None, and times in UTC, as the models do."""

    def __post_init__(self) -> None:
        for name, value in zip(self.__struct_fields__, astuple(self), strict=True):
            if value is None:
                continue
            kind = type(value)
            if kind is str:
                if not value or value.isspace():
                    setattr(self, name, None)
                elif not value.isascii():
                    # Half a character, which has no encoding, is for the models to judge.
                    value.encode()
            elif kind is Decimal:
                if not _AMOUNT.fullmatch(str(value)):
                    raise ValueError("an amount for the models to judge")
            elif kind is datetime and value.tzinfo is not UTC:
                setattr(self, name, value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))

    def __repr__(self) -> str:
        """Show nothing: much of it may be personal."""
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show nothing in tracebacks that show what variables hold, either."""
        return []


class PlainAddress(_Plain, forbid_unknown_fields=True):
    """An :class:`~backmarket.api.models.order.Address` in snake_case."""

    first_name: str | None = None
    last_name: str | None = None
    first_name_pronunciation: str | None = None
    last_name_pronunciation: str | None = None
    company: str | None = None
    street: str | None = None
    street2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    phone: str | None = None
    email: str | None = None
    customer_id_number: str | None = None


class PlainOrderLine(_Plain, kw_only=True):
    """An :class:`~backmarket.api.models.order.OrderLine`; fields that may have another name are needed."""

    orderline_id: _Identifier = field(name="id")
    state: _Integer
    quantity: _Units
    sku: _Key | None = field(name="listing")
    listing_id: _Identifier | None = None
    price: Decimal | None = None
    shipping_price: Decimal | None = None
    currency: str | None = None
    orderline_fee: Decimal | None = None
    sales_taxes: Decimal | None = None
    return_reason: _Integer | None = None
    return_message: str | None = None
    imei: _Key | None = None
    serial_number: _Key | None = None
    product: str | None = None
    product_id: _Identifier | None = None
    brand: str | None = None
    condition: _Integer | None = None
    backcare: bool | None = None
    backcare_price_cents: _Identifier | None = field(name="backcare_price")
    date_creation: datetime | None = None


class PlainOrder(_Plain):
    """An :class:`~backmarket.api.models.order.Order`."""

    served_at: ClassVar[None] = None
    times_assumed_local: ClassVar[bool] = False
    all_odd_fields: ClassVar[frozenset[str]] = frozenset()

    order_id: _Identifier
    state: _Integer
    orderlines: tuple[PlainOrderLine, ...]
    country_code: _Key | None = None
    currency: str | None = None
    price: Decimal | None = None
    shipping_price: Decimal | None = None
    sales_taxes: Decimal | None = None
    payment_method: str | None = None
    tracking_number: _Key | None = None
    tracking_url: str | None = None
    shipper: str | None = None
    shipper_display: str | None = None
    is_backship: bool | None = None
    delivery_note: str | None = None
    date_creation: datetime | None = None
    date_modification: datetime | None = None
    date_payment: datetime | None = None
    date_shipping: datetime | None = None
    expected_dispatch_date: datetime | None = None
    shipping_address: PlainAddress | None = None
    billing_address: PlainAddress | None = None
    document: Any = None


AnyOrder: TypeAlias = Order | PlainOrder


def read_plainly(document: Any, server_time: datetime) -> PlainOrder | None:
    """Read an order; None where any of its fields has another form, or its times mean another zone.

    :param server_time: of the answer that it came in.
    """
    try:
        order = convert(document, PlainOrder)
    except (ValueError, OverflowError):
        return None
    past = list(filter(None, map(document.get, PAST_TIMES)))
    others = [document.get("expected_dispatch_date"), *[line.get("date_creation") for line in document["orderlines"]]]
    times = [*past, *filter(None, others)]
    together = " ".join(times)
    # Of a time with more than six digits of a second, the models drop what msgspec rounds.
    if _FINER_THAN_MICROSECONDS.search(together):
        return None
    has_zones = together.count("Z") == len(times)
    if not has_zones and are_local(past, server_time):
        return None
    try:
        order.document = without_personal_data(document)
    except RecursionError:
        return None
    return order
