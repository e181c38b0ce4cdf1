"""The Airflow Variables that the local stack starts with; from then on they are the user's to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Switched on for the sandbox; `make demo` needs them on. Everything else takes the package's defaults.
TOGGLES = (
    "backmarket_enabled",
    "backmarket_order_download",
    "backmarket_order_acceptance",
    "backmarket_active_listing_download",
    "backmarket_listing_creation",
    "backmarket_product_creation",
    "backmarket_inventory_upload",
    "backmarket_prices_upload",
    "backmarket_backbox_download",
    "backmarket_repricing",
    "backmarket_tracking_upload",
    "backmarket_imei_update",
    "backmarket_settlement_download",
    "backmarket_seller_files",
    "backmarket_care_download",
    "backmarket_returns_download",
    "backmarket_refund_upload",
    "backmarket_invoice_upload",
)

SETTLEMENTS, SELLER, INVOICES = "settlements", "seller", "invoices"
"""The inboxes below a stack's own: where statements land, the seller's files, and customers' invoices."""


def variables_of(inbox: Path) -> dict[str, str]:
    """Return the Variables of a stack.

    :param inbox: the folder that holds the stack's inboxes.
    """
    return {
        **dict.fromkeys(TOGGLES, "true"),
        "backmarket_markets": '["fr-fr", "de-de", "en-gb"]',
        "backmarket_settlement_inbox": (inbox / SETTLEMENTS).as_uri(),
        "backmarket_seller_inbox": (inbox / SELLER).as_uri(),
        "backmarket_invoice_folder": (inbox / INVOICES).as_uri(),
        # Two requests a second: a demo does not wait for all listings.
        "backmarket_backbox_requests_an_hour": "40",
        "backmarket_repricing_auto_margin_pct": "20",
        "backmarket_repricing_ask_margin_pct": "10",
        # Small enough that a device's whole price is shown to a person.
        "backmarket_refund_approval_above": "25",
        # The sandbox's past holds orders that nobody shipped in time: no reason to end the demo in alarm.
        "backmarket_ship_by_alert_hours": "-10000",
    }


# What stands beside each under Admin → Variables.
DESCRIPTIONS = {
    "backmarket_enabled": "The main switch: everything.",
    "backmarket_order_download": "Orders in.",
    "backmarket_order_acceptance": "Accept paid order lines that the stock covers.",
    "backmarket_active_listing_download": "Listings in.",
    "backmarket_listing_creation": "New listings of products that Back Market knows.",
    "backmarket_product_creation": "New products, each with its listing.",
    "backmarket_inventory_upload": "Quantities out.",
    "backmarket_prices_upload": "Prices out.",
    "backmarket_backbox_download": "Competitors in: where listings stand in the competition for a BackBox.",
    "backmarket_repricing": "Prices follow the competition, between a floor and a ceiling.",
    "backmarket_tracking_upload": "Tracking numbers out.",
    "backmarket_imei_update": "IMEIs and serial numbers out.",
    "backmarket_settlement_download": "Settlements in.",
    "backmarket_seller_files": "Files fill the seller's tables.",
    "backmarket_care_download": "Customers' messages in.",
    "backmarket_returns_download": "Parcels of Back Market's own shipping in: deliveries and returns.",
    "backmarket_refund_upload": "Refunds out.",
    "backmarket_invoice_upload": "Customers' invoices out.",
    "backmarket_markets": "A JSON list of the markets that are read and priced.",
    "backmarket_settlement_inbox": "Where statement files land: a folder or an object-storage URL.",
    "backmarket_seller_inbox": "Where the seller's files land: a folder or an object-storage URL.",
    "backmarket_invoice_folder": "Where invoices lie, PDF files named by order id: a folder or an object-storage URL.",
    "backmarket_backbox_requests_an_hour": "So many requests are spent on competitors, where they matter most.",
    "backmarket_repricing_auto_margin_pct": "A lower price that leaves less, in per cent, waits for a person.",
    "backmarket_repricing_ask_margin_pct": "A price that leaves less, in per cent, is not wanted.",
    "backmarket_refund_approval_above": "A larger refund waits for a person, in the order's currency.",
    "backmarket_ship_by_alert_hours": "An order that has fewer hours left to be shipped raises an alarm.",
}
