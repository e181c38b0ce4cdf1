"""What waits for a person: read by the page, and by the alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backmarket.concerns import ACCOUNT, INVENTORY_PRICES, ORDERS, SETTLEMENTS, kinds_of

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
    :param total: how many there are; ``items`` are the first of them, each with ``story`` (order, sku or empty),
        ``subject``, ``detail``, ``since``, and ``topic``: what it is about, without the numbers that change; changes
        have ``kind`` and ``run_id`` too.
    """

    name: str
    title: str
    statement: str
    advice: str
    stem: str = ""
    task_id: str = ""
    parameters: Mapping[str, bool] = field(default_factory=dict)
    total: int = 0
    items: list[Row] = field(default_factory=list)


# The most pressing first.
_KINDS = (
    Need(
        "feeds",
        "Tables that cannot be used",
        "needs_feeds",
        "Correct the table, or the view in its place; the next run reads it anew.",
    ),
    Need(
        "approvals",
        "Prices to approve",
        "needs_approvals",
        "Answer under Browse → Required Actions.",
        INVENTORY_PRICES.stem,
    ),
    Need("late", "Orders overdue", "needs_late_orders", "Accept or ship them, or tell the customer.", ORDERS.stem),
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
        "unclaimed",
        "Rows of no account",
        "needs_unclaimed_rows",
        "Nothing reads them. Correct column account; the next run of the account's check looks again.",
        ACCOUNT.stem,
        "account_check",
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


def read_needs(database: Reader, stems: Collection[str], *, most: int, only: str = "") -> list[Need]:
    """Return what waits, the most pressing kind first; kinds without anything are left out.

    :param stems: of the concerns to look at.
    :param most: items to return of each kind.
    :param only: the name of one kind; empty: all.
    """
    found = []
    for kind in _KINDS:
        if (kind.stem and kind.stem not in stems) or (only and only != kind.name):
            continue
        items = database.rows(kind.statement, kinds=kinds_of(stems), most=most, **kind.parameters)
        if items:
            found.append(replace(kind, total=items[0]["total"], items=items))
    return found


def title_of(name: str) -> str:
    """Return what a kind of thing is called; empty where there is no such kind."""
    return next((kind.title for kind in _KINDS if kind.name == name), "")
