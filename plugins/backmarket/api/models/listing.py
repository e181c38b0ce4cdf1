"""Listings as ``GET /ws/listings`` serves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003 - pydantic reads the annotations at run time

from pydantic import Field

from backmarket.api.models.document import (
    Document,
    EmptyIfNull,
    Integer,
    NeededAmount,
    NeededKey,
    OptionalAmount,
    OptionalFlag,
    OptionalIdentifier,
    OptionalInteger,
    OptionalWord,
    Unreadable,
)

if TYPE_CHECKING:
    from pydantic import ValidationInfo


class Shipping(Document):
    """A way of shipping that a listing defines for itself; ``shipping_delay`` is in hours."""

    country_code: OptionalWord = None
    shipper: OptionalWord = None
    shipper_display: OptionalWord = None
    shipping_delay: OptionalInteger = None
    shipping_price: OptionalAmount = None


class Listing(Document):
    """A seller's offer of a product, as one market sees it.

    ``quantity`` and what describes the product are the same everywhere; ``price``, ``currency``, ``min_price``,
    ``max_price``, ``comment`` and ``publication_state`` belong to the market that was asked. ``listing_id`` and
    ``backmarket_id`` are the deprecated integers of ``id`` and ``product_id``. ``warranty_delay`` is in months.

    Needed: id, SKU and quantity, by which stock is uploaded; price, from which a move is measured. A ``max_price`` in
    ``odd_fields`` is a ceiling that cannot be read: no price is sent below a ceiling that nobody knows.
    """

    id: UUID
    sku: NeededKey = None
    quantity: Integer
    listing_id: OptionalIdentifier = None
    product_id: UUID | None = None
    backmarket_id: OptionalIdentifier = None
    title: OptionalWord = None
    grade: OptionalWord = None
    state: OptionalInteger = None
    publication_state: OptionalInteger = None
    warranty_delay: OptionalInteger = None
    price: NeededAmount = None
    currency: OptionalWord = None
    min_price: OptionalAmount = None
    max_price: OptionalAmount = None
    comment: OptionalWord = None
    new_battery: OptionalFlag = None
    shippings: Annotated[tuple[Shipping, ...], EmptyIfNull] = ()

    document: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The listing as it came."""

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:  # noqa: ARG003 - same signature
        return {**data, "document": data}


@dataclass(frozen=True)
class ListingPage:
    """One page of a market's listings.

    :param market: the market whose prices and states it holds.
    :param number: from 1.
    :param count: how long the whole list was when this page was read.
    :param asked_at: this machine's clock when it was asked for, in UTC.
    """

    market: str
    number: int
    count: int
    asked_at: datetime
    listings: list[Listing] = field(repr=False)
    unreadable: list[Unreadable] = field(repr=False)
