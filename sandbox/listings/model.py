"""A listing: one stock for the whole platform, and an offer per market."""

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.listings.products import SMARTPHONES

GRADES = {"EXCELLENT": 0, "VERY_GOOD": 1, "GOOD": 2, "FAIR": 3, "STALLONE": 4, "PREMIUM": 9}

INCOMPLETE, PENDING, ONLINE, OFFLINE, DEACTIVATED = range(5)


@dataclass(slots=True)
class Offer:
    """What belongs to one market: the price and what is said about it there."""

    currency: str
    max_price: str
    price: str | None = None
    comment: str | None = None
    min_price: str | None = None
    shippings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Listing:
    """What belongs to the listing everywhere.

    `max_price_number` serves max_price as a JSON number; `quantities_shown` are all quantities that it ever had.
    """

    id: str
    listing_id: int
    product_id: str
    backmarket_id: int
    title: str
    brand: str
    ean: str
    category: int
    fee_percent: int
    sku: str
    grade: str
    quantity: int
    warranty_delay: int = 12
    new_battery: bool = False
    pending: bool = False
    deactivated: bool = False
    max_price_number: bool = False
    offers: dict[str, Offer] = field(default_factory=dict)
    quantities_shown: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.quantities_shown:
            self.quantities_shown.append(self.quantity)

    def show_quantity(self, quantity: int) -> None:
        """Set the quantity, because the seller says so or because units were sold or came back."""
        self.quantity = quantity
        if quantity not in self.quantities_shown:
            self.quantities_shown.append(quantity)

    @property
    def takes_imei(self) -> bool:
        """Only smartphones keep an IMEI; one sent for anything else is dropped silently (seen once)."""
        return self.category == SMARTPHONES

    def publication_state(self, market: str) -> int:
        """Derive the state from the facts, so that it can never contradict them."""
        offer = self.offers.get(market)
        if self.deactivated:
            return DEACTIVATED
        if offer is None or not offer.price or not offer.comment:
            return INCOMPLETE
        if self.pending:
            return PENDING
        if self.quantity <= 0 or Decimal(offer.price) > Decimal(offer.max_price):
            return OFFLINE
        return ONLINE

    def public(self, market: str, currency: str) -> dict[str, Any]:
        """Give the document that Back Market serves for one market."""
        offer = self.offers.get(market) or Offer(currency, "0.00")
        maximum: str | float = float(offer.max_price) if self.max_price_number else offer.max_price
        return {
            "id": self.id,
            "listing_id": self.listing_id,
            "product_id": self.product_id,
            "backmarket_id": self.backmarket_id,
            "title": self.title,
            "sku": self.sku,
            "quantity": self.quantity,
            "price": offer.price or "0.00",
            "currency": offer.currency,
            "min_price": offer.min_price,
            "max_price": maximum,
            "comment": offer.comment,
            "grade": self.grade,
            "state": GRADES[self.grade],
            "publication_state": self.publication_state(market),
            "warranty_delay": self.warranty_delay,
            "new_battery": self.new_battery,
            "shippings": offer.shippings,
        }

    def as_document(self) -> dict[str, Any]:
        """Give everything, for the state file and the control API."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Listing":
        """Rebuild a listing from its document."""
        offers = {market: Offer(**offer) for market, offer in document["offers"].items()}
        return cls(**{**document, "offers": offers})
