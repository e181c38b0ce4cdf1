"""Orders as ``GET /ws/orders`` serves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, AliasGenerator, ConfigDict, Field

from backmarket.api.models.document import (
    Document,
    Identifier,
    Integer,
    NeededAmount,
    NeededKey,
    OptionalAmount,
    OptionalCode,
    OptionalFlag,
    OptionalIdentifier,
    OptionalInteger,
    OptionalKey,
    OptionalText,
    OptionalWord,
    Units,
    Unreadable,
    either_spelling,
)
from backmarket.api.models.privacy import without_personal_data
from backmarket.api.models.times import OptionalMoment, are_local, from_paris

if TYPE_CHECKING:
    from pydantic import ValidationInfo

    from backmarket.api.models.plain_order import AnyOrder

PAST_TIMES = ("date_creation", "date_modification", "date_payment", "date_shipping")
_ALL_TIMES = (*PAST_TIMES, "expected_dispatch_date")


class Address(Document):
    """Where an order goes, or who pays it: personal data, so its repr shows none.

    The spec writes the fields in camelCase, production in snake_case; both are read. ``state`` comes from the
    US, the ``*_pronunciation`` fields from Japan.
    """

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=either_spelling))

    first_name: OptionalText = None
    last_name: OptionalText = None
    first_name_pronunciation: OptionalText = None
    last_name_pronunciation: OptionalText = None
    company: OptionalText = None
    street: OptionalText = None
    street2: OptionalText = None
    postal_code: OptionalText = None
    city: OptionalText = None
    state: OptionalText = None
    country: OptionalText = None
    phone: OptionalText = Field(None, validation_alias=AliasChoices("phone", "phoneNumber", "phone_number"))
    email: OptionalText = None
    customer_id_number: OptionalText = None

    @property
    def values(self) -> list[str | None]:
        """All that may tell who it is; the country does not."""
        return [getattr(self, name) for name in type(self).model_fields if name not in {"country", "state"}]

    def __repr__(self) -> str:
        """Show nothing."""
        return "Address(…)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show nothing in tracebacks that show what variables hold, either."""
        return []


OptionalAddress = Address | None


class OrderLine(Document):
    """One SKU of an order.

    Back Market's names mislead in two places: ``listing`` is the SKU (here ``sku``), and ``backcare_price`` is in
    cents. ``price`` is per unit in the spec and was once reported per line: compare with the order's own total.
    ``state`` is an open set; 0 in ``return_reason`` does not mean that something was returned.

    Needed: id, state, quantity and SKU, by which lines are accepted and stock is reserved; price, shipping price and
    commission, which statements are compared with. An ``imei`` or ``serial_number`` in ``odd_fields`` is one that is
    registered and cannot be read: no other is sent in its place.
    """

    orderline_id: Identifier = Field(validation_alias=AliasChoices("id", "orderline_id"))
    state: Integer
    quantity: Units
    sku: NeededKey = Field(None, validation_alias=AliasChoices("listing", "sku"))
    listing_id: OptionalIdentifier = None
    price: NeededAmount = None
    shipping_price: NeededAmount = None
    currency: OptionalWord = None
    orderline_fee: NeededAmount = None
    sales_taxes: OptionalAmount = None
    return_reason: OptionalInteger = None
    return_message: OptionalText = Field(None, repr=False)
    imei: OptionalKey = None
    serial_number: OptionalKey = None
    product: OptionalWord = None
    product_id: OptionalIdentifier = None
    brand: OptionalWord = None
    condition: OptionalInteger = None
    backcare: OptionalFlag = None
    backcare_price_cents: OptionalIdentifier = Field(
        None, validation_alias=AliasChoices("backcare_price", "backcare_price_cents")
    )
    date_creation: OptionalMoment = None


class Order(Document):
    """A customer's order. Only the ids, states and lines are always there.

    Needed: id, state and lines; the price and shipping price, which say how statements have to be compared with its
    lines. An order with any other field in ``odd_fields`` is accepted and reserved as any. Three of these mean more
    than an empty field: ``is_backship``, which might be True, holds back a shipment; ``tracking_number`` counts as
    another parcel's; an ``expected_dispatch_date`` that cannot be read leaves the order out of alerts about late ones.

    ``state`` 9 also covers wholly cancelled and refunded orders: the lines tell the truth. Amounts are in
    ``currency``; times are in UTC. Pass the answer's ``Date`` as ``context={"server_time": ...}`` when validating:
    without it, times that name no zone are taken as UTC.
    """

    order_id: Identifier
    state: Integer
    orderlines: tuple[OrderLine, ...]
    country_code: OptionalCode = None
    currency: OptionalWord = None
    price: NeededAmount = None
    shipping_price: NeededAmount = None
    sales_taxes: OptionalAmount = None
    payment_method: OptionalWord = None
    tracking_number: OptionalKey = None
    tracking_url: OptionalText = None
    shipper: OptionalWord = None
    shipper_display: OptionalWord = None
    is_backship: OptionalFlag = None
    delivery_note: OptionalText = None
    date_creation: OptionalMoment = None
    date_modification: OptionalMoment = None
    date_payment: OptionalMoment = None
    date_shipping: OptionalMoment = None
    expected_dispatch_date: OptionalMoment = None
    shipping_address: OptionalAddress = None
    billing_address: OptionalAddress = None

    served_at: datetime | None = None
    """Back Market's clock when it answered with this order alone, in whole seconds. Of a list, the page tells."""
    times_assumed_local: bool = False
    """Whether its times named no zone and were taken as Paris time, since as UTC they were yet to come."""
    document: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The order as it came, ready to be stored as JSON: without addresses or other personal fields."""

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        server_time = (info.context or {}).get("server_time")
        local = are_local((data.get(name) for name in PAST_TIMES), server_time)
        served_at = (info.context or {}).get("served_at")
        own = {"served_at": served_at, "times_assumed_local": local, "document": without_personal_data(data)}
        return {**(_with_paris_times(data) if local else data), **own}

    @property
    def all_odd_fields(self) -> set[str]:
        """``odd_fields``, with those of its lines and addresses."""
        found = set(self.odd_fields)
        for line in self.orderlines:
            found.update(f"orderlines.{odd}" for odd in line.odd_fields)
        if self.shipping_address:
            found.update(f"shipping_address.{odd}" for odd in self.shipping_address.odd_fields)
        if self.billing_address:
            found.update(f"billing_address.{odd}" for odd in self.billing_address.odd_fields)
        return found


def _with_paris_times(data: dict[str, Any]) -> dict[str, Any]:
    lines = data.get("orderlines")
    if isinstance(lines, list):
        read = [from_paris(line, ("date_creation",)) if isinstance(line, dict) else line for line in lines]
        data = {**data, "orderlines": read}
    return from_paris(data, _ALL_TIMES)


@dataclass(frozen=True)
class OrderPage:
    """One page of a list of orders.

    :param number: from 1.
    :param count: how long the whole list was when this page was read.
    :param server_time: Back Market's clock at that moment, in UTC.
    """

    number: int
    count: int
    server_time: datetime
    orders: list[AnyOrder] = field(repr=False)
    unreadable: list[Unreadable] = field(repr=False)
