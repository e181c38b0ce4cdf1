"""The Airflow Variables that the local stack starts with; from then on they are the user's to change."""

from __future__ import annotations

from local.bootstrap import STATE

# Switched on for the sandbox; `make demo` needs them on. Everything else takes the package's defaults.
TOGGLES = (
    "backmarket_enabled",
    "backmarket_order_download",
    "backmarket_active_listing_download",
    "backmarket_listing_creation",
    "backmarket_product_creation",
    "backmarket_inventory_upload",
    "backmarket_prices_upload",
    "backmarket_settlement_download",
)

SETTLEMENT_INBOX = STATE / "inbox" / "settlements"

VARIABLES = {
    **dict.fromkeys(TOGGLES, "true"),
    "backmarket_markets": '["fr-fr", "de-de", "en-gb"]',
    "backmarket_settlement_inbox": SETTLEMENT_INBOX.as_uri(),
}
