"""What there is after a sale: care folders with their messages, returns, refunds and invoices.

All moments are microseconds since 1970, UTC; amounts are texts with the currency's decimals.
"""

from dataclasses import dataclass, field
from typing import Any

OPEN, CLOSED = 0, 9
"""States of a care folder and of its claim."""

LAST_OLD_FOLDER = 100_000_000
"""Folders with an id below come from the earlier system, which knows fewer problems and alone item transfers."""

CUSTOMER, MERCHANT, BACK_MARKET = "Customer", "Merchant", "BackMarket"
"""Who may send a message."""


@dataclass(slots=True)
class Upload:
    """One file that the seller sent: what it was called and what it held, not the content itself."""

    filename: str
    content_type: str
    size: int
    sha256: str


@dataclass(slots=True)
class Message:
    """One message of a folder's conversation; an informative one asks for no answer."""

    id: int
    initiator: str
    message: str
    moment: int
    is_informative: bool = False
    attachments: list[Upload] = field(default_factory=list)


@dataclass(slots=True)
class Problem:
    """A problem that the seller declared on a folder."""

    problem_type: str
    message: str
    moment: int
    attachments: list[Upload] = field(default_factory=list)


@dataclass(slots=True)
class ItemTransfer:
    """An item that the seller sent back to the customer."""

    shipper_name: str
    tracking_number: str
    action: str | None
    moment: int


@dataclass(slots=True)
class ReturnLabel:
    """A label with which the item comes back; `state` is USED, ALIVE or EXPIRED."""

    moment: int
    state: str = "ALIVE"
    initiator: str = BACK_MARKET
    kind: str = "CUSTOMER_TO_MERCHANT"


@dataclass(slots=True)
class CareFolder:
    """A customer's trouble with one order line."""

    id: int
    order_id: int
    orderline_id: int
    created: int
    modified: int
    state: int = OPEN
    closed: int | None = None
    issue: str = "BATTERY_NOT_CHARGING"
    resolution_choice: str = "REFUND"
    messages: list[Message] = field(default_factory=list)
    return_labels: list[ReturnLabel] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    item_transfers: list[ItemTransfer] = field(default_factory=list)

    @property
    def last_message(self) -> int:
        """Tell when somebody last wrote."""
        return max((message.moment for message in self.messages), default=self.created)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "CareFolder":
        """Rebuild a folder from its document."""
        rebuilt = {
            "messages": [_with_uploads(Message, each) for each in document["messages"]],
            "return_labels": [ReturnLabel(**each) for each in document["return_labels"]],
            "problems": [_with_uploads(Problem, each) for each in document["problems"]],
            "item_transfers": [ItemTransfer(**each) for each in document["item_transfers"]],
        }
        return cls(**{**document, **rebuilt})


def _with_uploads(kind: type[Any], document: dict[str, Any]) -> Any:
    return kind(**{**document, "attachments": [Upload(**each) for each in document["attachments"]]})


@dataclass(slots=True)
class Refund:
    """One refund that was applied; `endpoint` is the path below which it was asked for."""

    id: int
    order_id: int
    orderline_id: int
    type: int
    amount: str
    currency: str
    moment: int
    endpoint: str


@dataclass(slots=True)
class Return:
    """One parcel on its way back from the customer."""

    id: int
    order_id: int
    orderline_id: int
    created: int
    picked_up: int | None = None
    delivered: int | None = None


@dataclass(slots=True)
class Delivery:
    """The parcel of an order on Back Market's own shipping."""

    order_id: int
    created: int
    tracking_number: str
    picked_up: int | None = None
    delivered: int | None = None


@dataclass(slots=True)
class Invoice:
    """One invoice file that came for an order."""

    id: int
    order_id: int
    filename: str
    size: int
    sha256: str
    moment: int
