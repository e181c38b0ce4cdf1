"""How care folders read in answers: the list's short form, the details, and the answer to a message."""

from typing import Any

from sandbox.after_sales.model import CareFolder, Message, ReturnLabel
from sandbox.clock import write_offset
from sandbox.listings.model import Listing
from sandbox.orders.model import Document

MERCHANT_ID = 4242
_MERCHANT = {"id": MERCHANT_ID, "username": "shop@example.com", "first_name": "Rose", "last_name": "Example"}
_CDN = "https://cdn.example"
_ADDRESS_FIELDS = {
    "company": "company",
    "first_name": "firstName",
    "last_name": "lastName",
    "street": "street",
    "street2": "street2",
    "postal_code": "postalCode",
    "country": "country",
    "city": "city",
    "phone": "phoneNumber",
    "email": "email",
    "customer_id_number": "customer_id_number",
}
"""The fields of an address here, with the names of camelCase orders."""

_ORDER_FIELDS = (
    "tracking_number", "tracking_url", "shipper_display", "state", "price", "shipping_price", "currency",
    "country_code",
)  # fmt: skip
_ORDER_DATES = ("date_creation", "date_modification", "date_shipping", "date_payment")


def listed(folder: CareFolder, order: Document) -> dict[str, Any]:
    """Give a folder as the list shows it: related objects by their ids."""
    return {
        **_common(folder, order),
        "client": client_id(folder),
        "merchant": MERCHANT_ID,
        "orderline": folder.orderline_id,
        "lines": [_claim_id(folder)],
    }


def detailed(folder: CareFolder, order: Document, line: dict[str, Any], listing: Listing | None) -> dict[str, Any]:
    """Give a folder with everything in it, the customer's personal data included."""
    address = _address(order, "shipping_address")
    return {
        **_common(folder, order),
        "client": {
            "id": 0,
            "username": "",
            "first_name": address["first_name"],
            "last_name": address["last_name"],
            "email": address["email"],
        },
        "merchant": _MERCHANT,
        "orderline": _orderline(order, line, listing),
        "lines": [_claim(folder)],
        "messages": [_message(folder, message) for message in folder.messages],
    }


def posted(folder: CareFolder, message: Message) -> dict[str, Any]:
    """Give the answer to a message of the seller's."""
    attachments = [
        {
            "msg": message.id,
            "group": folder.id,
            "sender": MERCHANT_ID,
            "attachment": _attachment_path(folder, message, place),
        }
        for place in range(len(message.attachments))
    ]
    return {
        "id": message.id,
        "group": folder.id,
        "sender": MERCHANT_ID,
        "message": message.message,
        "date_creation": write_offset(message.moment),
        "attachment": attachments[0] if attachments else None,
        "attachments": attachments,
    }


def client_id(folder: CareFolder) -> int:
    """Make up the customer's id."""
    return folder.order_id % 1_000_000 + 3_000_000


def _common(folder: CareFolder, order: Document) -> dict[str, Any]:
    return {
        "id": folder.id,
        "state": folder.state,
        "date_creation": write_offset(folder.created),
        "date_modification": write_offset(folder.modified),
        "date_last_message": write_offset(folder.last_message),
        "date_closed": None if folder.closed is None else write_offset(folder.closed),
        "country_code": order["country_code"],
        "backcare": False,
    }


def _claim_id(folder: CareFolder) -> int:
    return folder.id + 500_000_000


def _claim(folder: CareFolder) -> dict[str, Any]:
    return {
        "id": _claim_id(folder),
        "tiles": [],
        "issues": [{"customerIssue": folder.issue, "tag": "TECHNICAL"}],
        "rate": 0,
        "score": 0,
        "state": folder.state,
        "withdraw": False,
        "gras_savoye": False,
        "warnings": [],
        "resolution_choice": folder.resolution_choice,
        "declared_warranty_state": "IN_WARRANTY",
        "return_labels": [_label(folder, place, label) for place, label in enumerate(folder.return_labels)],
    }


def _label(folder: CareFolder, place: int, label: ReturnLabel) -> dict[str, Any]:
    return {
        "date_creation": write_offset(label.moment),
        "state": label.state,
        "label": f"{_CDN}/return_labels/{folder.id}-{place}.pdf",
        "initiator": label.initiator,
        "kind": label.kind,
    }


def _message(folder: CareFolder, message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "message": message.message,
        "date_creation": write_offset(message.moment),
        "attachments": [
            {
                "id": message.id * 10 + place,
                "attachment": _CDN + _attachment_path(folder, message, place),
                "date_creation": write_offset(message.moment),
            }
            for place in range(len(message.attachments))
        ],
        "initiator": message.initiator,
        "kind": f"{message.initiator.upper()}_TO_ALL",
        "is_informative": message.is_informative,
    }


def _attachment_path(folder: CareFolder, message: Message, place: int) -> str:
    return f"/care/{folder.id}/{message.id}-{place}/{message.attachments[place].filename}"


def _orderline(order: Document, line: dict[str, Any], listing: Listing | None) -> dict[str, Any]:
    return {
        "id": line["id"],
        "order": {
            "order_id": order["order_id"],
            "shipping_address": _address(order, "shipping_address"),
            "billing_address": _address(order, "billing_address"),
            "shipper": 7,
            **{name: order[name] for name in (*_ORDER_FIELDS, *_ORDER_DATES)},
        },
        "snapshot": {
            "id": 0,
            "product": {
                "product_id": line["product_id"],
                "category_3": {"category_name": _category_name(listing), "parent": None},
            },
            "listing": line["listing_id"],
            "sku": line["listing"],
            "snowden": False,
            "image": f"{_CDN}/products/{line['product_id']}.jpg",
        },
        "quantity": line["quantity"],
        "price": line["price"],
        "state": line["state"],
        "trust_pack_plus": False,
    }


def _category_name(listing: Listing | None) -> str:
    return "Smartphones" if listing is None or listing.takes_imei else "Others"


def _address(order: Document, which: str) -> dict[str, Any]:
    """Give an address in the one spelling that folders know, whichever the order has."""
    address = order[which]
    found = {name: address.get(name, address.get(camel)) for name, camel in _ADDRESS_FIELDS.items()}
    return {**found, "email": found["email"] or f"customer-{order['order_id']}@example.com"}
