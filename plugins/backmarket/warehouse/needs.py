"""What waits for a person: read by the page, and by the alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from backmarket.warehouse.reading import Reader, Row

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

# Title, statement in include/sql/page, the DAG that it belongs to (empty: told by the kind of change), what to do.
_NEEDS = (
    (
        "Prices to approve",
        "needs_approvals",
        "backmarket_inventory_prices",
        "Answer under Browse → Required Actions.",
    ),
    ("Orders overdue", "needs_late_orders", "backmarket_orders", "Accept or ship them, or tell the customer."),
    ("Changes refused", "needs_refused", "", "Correct what the reason names; the next run plans anew."),
    (
        "Settlement differences",
        "needs_findings",
        "backmarket_settlements",
        "Check the order's story, then ask Back Market.",
    ),
    (
        "Stock and prices",
        "needs_stock_and_prices",
        "backmarket_inventory_prices",
        "Correct seller.stock or seller.prices.",
    ),
    (
        "Not understood",
        "needs_quarantine",
        "backmarket_orders",
        "Kept whole in backmarket.quarantine, and tried again when it is sent again.",
    ),
)


@dataclass(frozen=True)
class Need:
    """A kind of thing that waits for a person.

    :param advice: what to do about it.
    :param total: how many there are; ``items`` are the first of them, each with ``story`` (order, sku or empty),
        ``subject``, ``detail`` and ``since``.
    """

    title: str
    advice: str
    total: int
    items: list[Row]


def read_needs(
    database: Reader, kinds: Collection[str], *, most: int, readable: Collection[str] | None = None
) -> list[Need]:
    """Return what waits, the most pressing kind first; kinds without anything are left out.

    :param kinds: of changes to look at.
    :param most: items to return of each.
    :param readable: DAGs whose concerns to look at; None: all.
    """
    found = []
    for title, statement, dag_id, advice in _NEEDS:
        if dag_id and readable is not None and dag_id not in readable:
            continue
        items = database.rows(statement, kinds=list(kinds), since=_LONG_AGO, most=most)
        if items:
            found.append(Need(title, advice, items[0]["total"], items))
    return found
