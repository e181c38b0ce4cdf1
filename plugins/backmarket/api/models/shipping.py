"""Parcels that Back Market ships for a seller (Backship): deliveries to customers, and returns from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, AliasGenerator, BeforeValidator, ConfigDict, Field

from backmarket.api.models.document import (
    Document,
    Identifier,
    OptionalAmount,
    OptionalFlag,
    OptionalIdentifier,
    OptionalText,
    OptionalWord,
    Unreadable,
    either_spelling,
)
from backmarket.api.models.privacy import without_personal_data
from backmarket.api.models.times import OptionalMoment, are_local, from_paris

if TYPE_CHECKING:
    from pydantic import ValidationInfo

_CREATION = ("dateCreation", "date_creation")
_TIMES = (*_CREATION, "datePickup", "date_pickup", "dateDelivery", "date_delivery")


class Shipment(Document):
    """What deliveries and returns have in common; fields come in camelCase or snake_case.

    Needed: its id. ``invoiced_price`` is what Back Market bills for it, in the units in which it was sent. Times are
    in UTC, as those of an order.
    """

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=either_spelling))

    shipment_id: Identifier
    order_id: OptionalIdentifier = Field(None, validation_alias=AliasChoices("order", "orderId", "order_id"))
    tracking_number: OptionalText = None
    tracking_url: OptionalText = None
    carrier_name: OptionalWord = None
    hub_scanned: OptionalFlag = None
    invoiced_price: OptionalAmount = None
    invoiced_currency: OptionalWord = None
    date_creation: OptionalMoment = None
    date_pickup: OptionalMoment = None
    date_delivery: OptionalMoment = None
    label_url: OptionalText = Field(None, validation_alias=AliasChoices("labelUrl", "label_url", "label"))
    type: OptionalWord = None

    times_assumed_local: bool = False
    """Whether its times named no zone and were taken as Paris time, since as UTC they were yet to come."""
    document: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The shipment as it came, ready to be stored as JSON: without personal fields."""

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        server_time = (info.context or {}).get("server_time")
        local = are_local((data.get(name) for name in _CREATION), server_time)
        own = {"times_assumed_local": local, "document": without_personal_data(data)}
        return {**(from_paris(data, [name for name in _TIMES if name in data]) if local else data), **own}


class Delivery(Shipment):
    """A parcel to a customer."""

    orderline_ids: Annotated[list[Identifier], BeforeValidator(lambda value: [] if value is None else value)] = Field(
        default_factory=list, validation_alias=AliasChoices("orderlines", "orderlineIds", "orderline_ids")
    )


class Return(Shipment):
    """A parcel from a customer."""

    orderline_id: OptionalIdentifier = Field(
        None, validation_alias=AliasChoices("orderlineId", "orderline_id", "orderline")
    )


@dataclass(frozen=True)
class DeliveryPage:
    """One page of the deliveries.

    :param number: from 1.
    :param count: how long the whole list was when this page was read.
    :param server_time: Back Market's clock at that moment, in UTC.
    """

    number: int
    count: int
    server_time: datetime
    deliveries: list[Delivery] = field(repr=False)
    unreadable: list[Unreadable] = field(repr=False)


@dataclass(frozen=True)
class ReturnPage:
    """One page of the returns; its fields are those of :class:`DeliveryPage`."""

    number: int
    count: int
    server_time: datetime
    returns: list[Return] = field(repr=False)
    unreadable: list[Unreadable] = field(repr=False)
