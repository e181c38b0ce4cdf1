"""The Airflow Variables that the local stack starts with; from then on they are the user's to change."""

from __future__ import annotations

# Switched on for the sandbox; `make demo` needs them on. Everything else takes the package's defaults.
TOGGLES = (
    "backmarket_enabled",
    "backmarket_order_download",
)
