"""What the page shows a row for: each concern's switch, DAG and places in the database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from backmarket.warehouse.ledger import Kind


@dataclass(frozen=True)
class Concern:
    """One thing a person can switch on.

    :param toggle: its Variable without ``backmarket_``.
    :param title: what a person calls it.
    :param dag_id: the DAG that does it.
    :param sync_names: what its successes are recorded under in ``sync_state``.
    :param kind: what its changes are called in the ledger; empty for one that only reads.
    """

    toggle: str
    title: str
    dag_id: str
    sync_names: tuple[str, ...] = ()
    kind: Kind | Literal[""] = ""


_ALL = (
    Concern("order_download", "Orders in", "backmarket_orders", ("orders", "open_orders")),
    Concern("order_acceptance", "Orders accepted", "backmarket_orders", kind="accept"),
    Concern("active_listing_download", "Listings in", "backmarket_listings", ("listings",)),
    Concern("listing_creation", "New listings", "backmarket_listings", kind="listing"),
    Concern("product_creation", "New products", "backmarket_listings", kind="product"),
    Concern("inventory_upload", "Quantities out", "backmarket_inventory_prices", kind="quantity"),
    Concern("prices_upload", "Prices out", "backmarket_inventory_prices", kind="price"),
    Concern("tracking_upload", "Tracking out", "backmarket_tracking_imei", kind="tracking"),
    Concern("imei_update", "IMEI and serial numbers out", "backmarket_tracking_imei", kind="imei"),
    Concern("settlement_download", "Settlements in", "backmarket_settlements"),
)

ORDERS_DAG = "backmarket_orders"
SETTLEMENTS_DAG = "backmarket_settlements"
INVENTORY_DAG = "backmarket_inventory_prices"


@cache
def concerns() -> tuple[Concern, ...]:
    """Return the concerns whose Variables this version knows, in the order of an order's life."""
    from backmarket.settings import CONCERNS

    known = {field for settings in CONCERNS for field in settings.model_fields}
    return tuple(concern for concern in _ALL if concern.toggle in known)


def kinds_of(readable: Collection[str]) -> list[str]:
    """Return the kinds of changes that belong to these DAGs."""
    return [concern.kind for concern in _ALL if concern.kind and concern.dag_id in readable]


def task_of(kind: str) -> tuple[str, str]:
    """Return the DAG and the task that send a kind of change."""
    return next((concern.dag_id, concern.toggle) for concern in _ALL if concern.kind == kind)


def dag_ids() -> set[str]:
    """Return the DAGs of all concerns, and those that have no switch of their own."""
    return {concern.dag_id for concern in _ALL} | {"backmarket_account", "backmarket_price_approval"}
