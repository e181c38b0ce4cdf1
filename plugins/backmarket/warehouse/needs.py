"""What waits for a person: read by the page, and by the alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backmarket.concerns import INVENTORY_PRICES, LISTINGS, ORDERS, SETTLEMENTS, TRACKING_IMEI, kinds_of, task_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from backmarket.warehouse.snapshot import Reader, Row


@dataclass(frozen=True)
class Need:
    """A kind of thing that waits for a person.

    :param name: for an address.
    :param statement: the one in ``include/sql/page.sql`` that reads it.
    :param advice: what to do about it.
    :param stem: the concern whose readers may see it; empty where each change's own kind says so.
    :param task_id: the task of its DAG whose log tells more; empty where there is none, or each item has its own.
    :param parameters: of the statement, besides account, kinds and most.
    :param can_be_marked: whether a person may resolve or ignore it; what ends by itself or by an answer may not.
    :param total: how many there are; ``items`` are the first of them, each with ``story`` (order, sku or empty),
        ``subject``, ``detail``, ``since``, and ``topic``: what it is about, without the numbers that change; changes
        have ``kind`` and ``run_id`` too. ``state`` stands for the detail. What was done about it last, where that did
        not take it away: ``mark``, ``comment``, ``marked_by``, ``marked_at``.
    """

    name: str
    title: str
    statement: str
    advice: str
    stem: str = ""
    task_id: str = ""
    parameters: Mapping[str, bool] = field(default_factory=dict)
    can_be_marked: bool = True
    total: int = 0
    items: list[Row] = field(default_factory=list)


# The most pressing first.
_KINDS = (
    Need(
        "approvals",
        "Prices to approve",
        "needs_approvals",
        "Answer under Browse → Required Actions.",
        INVENTORY_PRICES.stem,
        can_be_marked=False,
    ),
    Need(
        "late",
        "Orders overdue",
        "needs_late_orders",
        "Each line says what can be done. Tell the customer where it takes longer.",
        ORDERS.stem,
        can_be_marked=False,
    ),
    Need(
        "refused",
        "Changes refused",
        "needs_changes",
        "Correct what the reason names; the next run plans anew.",
        parameters={"waiting": False},
    ),
    Need(
        "stuck",
        "Waiting for more than a day",
        "needs_changes",
        "They go by themselves once what the reason names is there. See that it comes.",
        parameters={"waiting": True},
    ),
    Need(
        "settlements",
        "Settlement differences",
        "needs_findings",
        "Check the order's story, then ask Back Market.",
        SETTLEMENTS.stem,
        "reconciliation",
    ),
    Need(
        "stock",
        "Stock and prices",
        "needs_stock_and_prices",
        "Correct seller.stock or seller.prices.",
        INVENTORY_PRICES.stem,
        "upload_summary",
    ),
    Need(
        "quarantine",
        "Not understood",
        "needs_quarantine",
        "Correct rows of seller tables. What Back Market sent is tried again when it is sent again.",
        ORDERS.stem,
        "quarantine_check",
    ),
)

NAMES = tuple(kind.name for kind in _KINDS)


def read_needs(database: Reader, stems: Collection[str], *, most: int | None, only: str = "") -> list[Need]:
    """Return what waits, the most pressing kind first; kinds without anything are left out, and what is worked off.

    :param stems: of the concerns to look at.
    :param most: items to return of each kind; None: all.
    :param only: the name of one kind; empty: all.
    """
    found = []
    for kind in _KINDS:
        if (kind.stem and kind.stem not in stems) or (only and only != kind.name):
            continue
        items = database.rows_within(
            "needs_left",
            kind.statement,
            need=kind.name,
            kinds=kinds_of(stems),
            most=None,
            most_left=most,
            **kind.parameters,
        )
        if items:
            found.append(replace(kind, total=items[0]["total_left"], items=items))
    return found


def kind_of(name: str) -> Need | None:
    """Return a kind of thing, without things; None where there is no such kind."""
    return next((kind for kind in _KINDS if kind.name == name), None)


def title_of(name: str) -> str:
    """Return what a kind of thing is called; empty where there is no such kind."""
    kind = kind_of(name)
    return kind.title if kind else ""


def stem_of_item(need: Need, item: Row) -> str:
    """Return the concern that a thing belongs to, and that looks at it again."""
    if need.statement == "needs_changes":
        return task_of(item["kind"])[0]
    if need.statement == "needs_quarantine":
        return _STEMS_OF_ENTITIES.get(item["topic"].partition("/")[0], ORDERS.stem)
    return need.stem


_STEMS_OF_ENTITIES = {
    "listing": LISTINGS.stem,
    "seller.catalog": LISTINGS.stem,
    "seller.stock": INVENTORY_PRICES.stem,
    "seller.prices": INVENTORY_PRICES.stem,
    "seller.shipments": TRACKING_IMEI.stem,
    "seller.devices": TRACKING_IMEI.stem,
    "seller.shipper_aliases": TRACKING_IMEI.stem,
    "settlement_file": SETTLEMENTS.stem,
}
"""The concern that reads what is in quarantine, by entity; orders read all others."""
