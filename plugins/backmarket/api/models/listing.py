"""Listings as ``GET /ws/listings`` serves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import Annotated, Any
from uuid import UUID  # noqa: TC003 - pydantic reads the annotations at run time

from pydantic import Field, model_validator

from backmarket.api.models.document import (
    Document,
    EmptyIfNull,
    Integer,
    OptionalAmount,
    OptionalFlag,
    OptionalIdentifier,
    OptionalInteger,
    OptionalText,
    Unreadable,
)


class Shipping(Document):
    """A way of shipping that a listing defines for itself; ``shipping_delay`` is in hours."""

    country_code: OptionalText = None
    shipper: OptionalText = None
    shipper_display: OptionalText = None
    shipping_delay: OptionalInteger = None
    shipping_price: OptionalAmount = None


class Listing(Document):
    """A seller's offer of a product, as one market sees it.

    ``quantity`` and what describes the product are the same everywhere; ``price``, ``currency``, ``min_price``,
    ``max_price``, ``comment`` and ``publication_state`` belong to the market that was asked. ``listing_id`` and
    ``backmarket_id`` are the deprecated integers of ``id`` and ``product_id``. ``warranty_delay`` is in months.
    """

    id: UUID
    sku: OptionalText = None
    quantity: Integer
    listing_id: OptionalIdentifier = None
    product_id: UUID | None = None
    backmarket_id: OptionalIdentifier = None
    title: OptionalText = None
    grade: OptionalText = None
    state: OptionalInteger = None
    publication_state: OptionalInteger = None
    warranty_delay: OptionalInteger = None
    price: OptionalAmount = None
    currency: OptionalText = None
    min_price: OptionalAmount = None
    max_price: OptionalAmount = None
    comment: OptionalText = None
    new_battery: OptionalFlag = None
    shippings: Annotated[tuple[Shipping, ...], EmptyIfNull] = ()

    document: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The listing as it came."""

    @model_validator(mode="before")
    @classmethod
    def _add_document(cls, data: Any) -> Any:
        return {**data, "document": data} if isinstance(data, dict) else data


@dataclass(frozen=True)
class ListingPage:
    """One page of a market's listings.

    :param market: the market whose prices and states it holds.
    :param number: from 1.
    :param count: how long the whole list was when this page was read.
    :param server_time: Back Market's clock at that moment, in UTC.
    """

    market: str
    number: int
    count: int
    server_time: datetime
    listings: list[Listing] = field(repr=False)
    unreadable: list[Unreadable] = field(repr=False)
