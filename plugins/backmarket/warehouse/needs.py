"""What waits for a person: read by the page, and by the alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from backmarket.warehouse.snapshot import Reader, Row

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class _Kind(NamedTuple):
    """A kind of thing that waits: where it is read, whose it is, and what to do about it.

    :param statement: in ``include/sql/page.sql``.
    :param dag_id: whose readers may see it; empty where each change's own kind says so.
    :param task_id: whose log tells more; empty where each thing has its own.
    """

    name: str
    title: str
    statement: str
    dag_id: str
    task_id: str
    advice: str


_KINDS = (
    _Kind(
        "approvals",
        "Prices to approve",
        "needs_approvals",
        "backmarket_inventory_prices",
        "",
        "Answer under Browse → Required Actions.",
    ),
    _Kind(
        "late",
        "Orders overdue",
        "needs_late_orders",
        "backmarket_orders",
        "",
        "Accept or ship them, or tell the customer.",
    ),
    _Kind(
        "refused",
        "Changes refused",
        "needs_refused",
        "",
        "",
        "Correct what the reason names; the next run plans anew.",
    ),
    _Kind(
        "stuck",
        "Waiting for more than a day",
        "needs_stuck",
        "",
        "",
        "They go by themselves once what the reason names is there. See that it comes.",
    ),
    _Kind(
        "settlements",
        "Settlement differences",
        "needs_findings",
        "backmarket_settlements",
        "reconciliation",
        "Check the order's story, then ask Back Market.",
    ),
    _Kind(
        "stock",
        "Stock and prices",
        "needs_stock_and_prices",
        "backmarket_inventory_prices",
        "upload_summary",
        "Correct seller.stock or seller.prices.",
    ),
    _Kind(
        "quarantine",
        "Not understood",
        "needs_quarantine",
        "backmarket_orders",
        "quarantine_check",
        "Correct rows of seller tables. What Back Market sent is tried again when it is sent again.",
    ),
)


@dataclass(frozen=True)
class Need:
    """A kind of thing that waits for a person.

    :param name: for an address.
    :param advice: what to do about it.
    :param dag_id: the DAG, and ``task_id`` its task, whose log tells more; empty where each item has a run of its own.
    :param total: how many there are; ``items`` are the first of them, each with ``story`` (order, sku or empty),
        ``subject``, ``detail``, ``since``, and ``topic``: what it is about, without the numbers that change; changes
        have ``kind`` and ``run_id`` too.
    """

    name: str
    title: str
    advice: str
    dag_id: str
    task_id: str
    total: int
    items: list[Row]


def read_needs(
    database: Reader,
    kinds: Collection[str],
    *,
    most: int,
    readable: Collection[str] | None = None,
    only: str = "",
) -> list[Need]:
    """Return what waits, the most pressing kind first; kinds without anything are left out.

    :param kinds: of changes to look at.
    :param most: items to return of each.
    :param readable: DAGs whose concerns to look at; None: all.
    :param only: the name of one kind; empty: all.
    """
    found = []
    for kind in _KINDS:
        if kind.dag_id and readable is not None and kind.dag_id not in readable:
            continue
        if only and only != kind.name:
            continue
        items = database.rows(kind.statement, kinds=list(kinds), since=_LONG_AGO, most=most)
        if items:
            total = items[0]["total"]
            found.append(Need(kind.name, kind.title, kind.advice, kind.dag_id, kind.task_id, total, items))
    return found


def title_of(name: str) -> str:
    """Return what a kind of thing is called; empty where there is no such kind."""
    return next((kind.title for kind in _KINDS if kind.name == name), "")
