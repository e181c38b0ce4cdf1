"""Gathers the story of one order and of one SKU: what was seen, decided, sent and paid, by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.page.concerns import INVENTORY_DAG, ORDERS_DAG, SETTLEMENTS_DAG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.warehouse.reading import Reader, Row

LARGEST_BIGINT = 2**63 - 1


@dataclass(frozen=True)
class OrderStory:
    """One order.

    :param head: the order's own columns; None where no order of this number is stored.
    :param events: all that happened, newest first, each with ``at``, ``source``, ``what`` and ``detail``.
    """

    order_id: int
    head: Row | None
    lines: list[Row]
    events: list[Row]


@dataclass(frozen=True)
class SkuStory:
    """One SKU.

    :param stock: what the seller's system counted; None where it says nothing.
    :param plan: the arithmetic of the newest plan; None where there was none.
    :param sent: the quantity that Back Market confirmed last; None before the first.
    :param sold: units ordered in the last 30 days.
    :param markets: what each market shows, beside what is wanted there.
    """

    sku: str
    stock: Row | None
    plan: Row | None
    sent: Row | None
    sold: int
    markets: list[Row]
    events: list[Row]

    @property
    def known(self) -> bool:
        """Whether anything at all is known of it."""
        return bool(self.stock or self.plan or self.markets or self.events)


def order_story(database: Reader, order_id: int, readable: frozenset[str]) -> OrderStory:
    """Return all that this database knows of an order; settlements for who may see them."""
    statements = ["order_events", "order_quarantine", "order_shipments", "order_changes"]
    if SETTLEMENTS_DAG in readable:
        statements += ["order_settlement", "order_findings"]
    return OrderStory(
        order_id,
        _first(database.rows("order_head", order_id=order_id)),
        database.rows("order_lines", order_id=order_id),
        _by_time(row for name in statements for row in database.rows(name, order_id=order_id)),
    )


def sku_story(database: Reader, sku: str, readable: frozenset[str]) -> SkuStory:
    """Return all that this database knows of a SKU; orders, and stock, prices and changes, for who may see them."""
    spellings = [row["sku"] for row in database.rows("sku_spellings", sku=sku)]
    skus = list(dict.fromkeys([sku, *spellings, sku.upper(), sku.lower()]))
    sales: list[Row] = []
    sold = 0
    if ORDERS_DAG in readable:
        sales = database.rows("sku_sales", skus=skus)
        sold = sum(row["units"] for row in database.rows("sku_sold", skus=skus))
    if INVENTORY_DAG not in readable:
        return SkuStory(sku, None, None, None, sold, [], _by_time(sales))
    events = [row for name in ("sku_changes", "sku_history") for row in database.rows(name, skus=skus)]
    return SkuStory(
        sku,
        _first(database.rows("sku_stock", skus=skus)),
        _first(database.rows("sku_plan", skus=skus)),
        _first(database.rows("sku_sent", skus=skus)),
        sold,
        database.rows("sku_markets", skus=skus),
        _by_time([*sales, *events]),
    )


def _first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _by_time(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["at"], reverse=True)
