"""What waits for a person: read by the page, and by the alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backmarket.concerns import INVENTORY_PRICES, ORDERS, SETTLEMENTS, kinds_of
from backmarket.warehouse.lists import Order, read_first

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from backmarket.warehouse.snapshot import Reader, Row


_NEWEST = Order("since", descending=True)
_OLDEST = Order("since")


@dataclass(frozen=True)
class Need:
    """A kind of thing that waits for a person.

    :param name: for an address.
    :param statement: the one in ``include/sql/page.sql`` that reads it.
    :param advice: what to do about it.
    :param stem: the concern whose readers may see it; empty where each change's own kind says so.
    :param task_id: the task of its DAG whose log tells more; empty where there is none, or each item has its own.
    :param order: the first of them come first.
    :param parameters: of the statement, besides account and kinds.
    :param total: how many there are; ``items`` are the first of them, each with ``story`` (order, sku or empty),
        ``subject``, ``kind``, ``market``, ``why``, ``detail`` (kind, market and why in one), ``amount``, ``currency``,
        ``since``, and ``topic``: what it is about, without the numbers that change; changes have ``run_id`` too.
    """

    name: str
    title: str
    statement: str
    advice: str
    stem: str = ""
    task_id: str = ""
    order: Order = _NEWEST
    parameters: Mapping[str, bool] = field(default_factory=dict)
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
        order=_OLDEST,
    ),
    Need(
        "late",
        "Orders overdue",
        "needs_late_orders",
        "Accept or ship them, or tell the customer.",
        ORDERS.stem,
        order=_OLDEST,
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
        order=_OLDEST,
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


def read_needs(database: Reader, stems: Collection[str], *, most: int) -> list[Need]:
    """Return what waits, the most pressing kind first; kinds without anything are left out.

    :param stems: of the concerns to look at.
    :param most: items to return of each kind.
    """
    found = []
    for kind in _KINDS:
        if kind.stem and kind.stem not in stems:
            continue
        parameters = {"kinds": kinds_of(stems), **kind.parameters}
        total, items = read_first(database, kind.statement, kind.order, most=most, parameters=parameters)
        if items:
            found.append(replace(kind, total=total, items=items))
    return found


def need_of(name: str) -> Need | None:
    """Return a kind of thing without its items; None where there is no such kind."""
    return next((kind for kind in _KINDS if kind.name == name), None)
