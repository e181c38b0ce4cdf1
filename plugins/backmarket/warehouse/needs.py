"""What waits for a person: read by the page, and by the alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.concerns import (
    ACCOUNT,
    AFTER_SALES,
    BACKBOX,
    INVENTORY_PRICES,
    LISTINGS,
    ORDERS,
    PRICE_APPROVAL,
    REFUND_APPROVAL,
    SELLER_FILES,
    SETTLEMENTS,
    TRACKING_IMEI,
    kinds_of,
    task_of,
)
from backmarket.warehouse.lists import Order, read_first

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from backmarket.warehouse.need_marks import Mark
    from backmarket.warehouse.snapshot import Reader, Row


_NEWEST = Order("since", descending=True)
_OLDEST = Order("since")


class Answer(NamedTuple):
    """What a person may answer to a thing that waits for a decision.

    :param action: what the form says.
    :param title: of the button.
    :param mark: how it is noted.
    """

    action: str
    title: str
    mark: Mark


APPROVE_OR_DECLINE = (Answer("approve", "Approve", "approved"), Answer("decline", "Decline", "declined"))


@dataclass(frozen=True)
class Need:
    """A kind of thing that waits for a person.

    :param name: for an address.
    :param statement: the one in ``include/sql/page.sql`` that reads it.
    :param advice: what to do about it.
    :param stem: the concern whose readers may see it; empty where each change's own kind says so.
    :param order: the first of them come first.
    :param parameters: of the statement, besides account, need, kinds and hours.
    :param can_be_marked: whether a person may resolve or ignore it; what ends by itself or by an answer may not.
    :param is_told_once: whether people are told of it but once a month while it stays.
    :param answers: those that a person may give; none where it waits for no decision.
    :param decided_by: the concern that asks people; whoever may answer its form in Airflow may give these answers.
    :param total: how many there are; ``items`` are the first of them, each with ``story`` (order, sku or empty),
        ``subject``, ``kind``, ``market``, ``why``, ``detail`` (kind, market and why in one), ``amount``, ``currency``,
        ``since``, and ``topic``: what it is about, without the numbers that change; ``value`` stands for topic and
        detail. Changes have ``run_id`` too. What was done about it last, where that did not take it away: ``mark``,
        ``comment``, ``marked_by``, ``marked_at``.
    """

    name: str
    title: str
    statement: str
    advice: str
    stem: str = ""
    order: Order = _NEWEST
    parameters: Mapping[str, bool] = field(default_factory=dict)
    can_be_marked: bool = True
    is_told_once: bool = False
    answers: tuple[Answer, ...] = ()
    decided_by: str = ""
    total: int = 0
    items: list[Row] = field(default_factory=list)

    @property
    def is_asked_in_airflow(self) -> bool:
        """Whether a form in Airflow asks the same."""
        return self.answers == APPROVE_OR_DECLINE

    def parameters_for(self, stems: Collection[str], answer_hours: int) -> dict[str, Any]:
        """Return what the statement needs, besides the account, for readers of some concerns.

        :param answer_hours: a customer who has waited longer for an answer needs a person.
        """
        return {"kinds": kinds_of(stems), "need": self.name, "answer_hours": answer_hours, **self.parameters}


APPROVALS = Need(
    "approvals",
    "Prices to approve",
    "needs_approvals",
    "What is approved goes out with the next run, if it still is the plan then. What is declined is not asked about "
    "again before the old or the new price changes.",
    INVENTORY_PRICES.stem,
    order=_OLDEST,
    can_be_marked=False,
    answers=APPROVE_OR_DECLINE,
    decided_by=PRICE_APPROVAL.stem,
)
REFUND_APPROVALS = Need(
    "refund_approvals",
    "Refunds to approve",
    "needs_refund_approvals",
    "What is approved goes out with the next run, if seller.refunds still asks for it and the order allows it. What is "
    "declined is asked about again after backmarket_refund_decision_days.",
    AFTER_SALES.stem,
    order=_OLDEST,
    can_be_marked=False,
    answers=APPROVE_OR_DECLINE,
    decided_by=REFUND_APPROVAL.stem,
)
REFUNDS_IN_DOUBT = Need(
    "refunds_in_doubt",
    "Refunds in doubt",
    "needs_refunds_in_doubt",
    "It is not known whether the money went: each line says why. Look at the order in the Back Office, then say what "
    "you saw. What was not paid back is planned anew.",
    AFTER_SALES.stem,
    order=_OLDEST,
    can_be_marked=False,
    answers=(
        Answer("paid_back", "It was paid back", "paid_back"),
        Answer("not_paid_back", "It was not", "not_paid_back"),
    ),
    decided_by=REFUND_APPROVAL.stem,
)
# The most pressing first.
_KINDS = (
    Need(
        "feeds",
        "Tables that cannot be used",
        "needs_feeds",
        "Correct the table, or the view in its place; the next run reads it anew.",
        order=_OLDEST,
        can_be_marked=False,
    ),
    REFUNDS_IN_DOUBT,
    APPROVALS,
    REFUND_APPROVALS,
    Need(
        "customers",
        "Customers who wait",
        "needs_customers",
        "Answer in the Back Office; the next run reads it. Resolve what needs no answer.",
        AFTER_SALES.stem,
        order=_OLDEST,
    ),
    Need(
        "late",
        "Orders overdue",
        "needs_late_orders",
        "Each line says what can be done. Tell the customer where it takes longer.",
        ORDERS.stem,
        order=_OLDEST,
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
        order=_OLDEST,
        parameters={"waiting": True},
    ),
    Need(
        "settlements",
        "Settlement differences",
        "needs_findings",
        "Check the order's story, then ask Back Market.",
        SETTLEMENTS.stem,
    ),
    Need(
        "stock",
        "Stock and prices",
        "needs_stock_and_prices",
        "Correct seller.stock or seller.prices.",
        INVENTORY_PRICES.stem,
    ),
    Need(
        "invoice_files",
        "Invoice files that cannot be sent",
        "needs_invoice_files",
        "Correct the file, or its name. backmarket.invoice_files has the paths, which may name a customer.",
        AFTER_SALES.stem,
    ),
    Need(
        "unclaimed",
        "Rows of no account",
        "needs_unclaimed_rows",
        "Nothing reads them. Correct column account; the next run of the account's check looks again.",
        ACCOUNT.stem,
    ),
    Need(
        "unserved",
        "Parts that Back Market does not serve",
        "needs_unserved_parts",
        "Ask Back Market to open them for the account, or ignore this. They are asked for once a day; nothing else "
        "depends on them.",
        AFTER_SALES.stem,
        is_told_once=True,
    ),
    Need(
        "quarantine",
        "Not understood",
        "needs_quarantine",
        "Correct rows of seller tables and of files. What Back Market sent is tried again when it is sent again.",
        ORDERS.stem,
    ),
)

NAMES = tuple(kind.name for kind in _KINDS)
WITHIN = ("needs_left",)
"""The statement that takes what is worked off out of any of these lists."""

_STEMS_OF_ENTITIES = {
    "listing": LISTINGS.stem,
    "seller.catalog": LISTINGS.stem,
    "seller.stock": INVENTORY_PRICES.stem,
    "seller.prices": INVENTORY_PRICES.stem,
    "seller.sku_map": INVENTORY_PRICES.stem,
    "seller.shipments": TRACKING_IMEI.stem,
    "seller.devices": TRACKING_IMEI.stem,
    "seller.shipper_aliases": TRACKING_IMEI.stem,
    "settlement_file": SETTLEMENTS.stem,
    "seller_file": SELLER_FILES.stem,
    "backbox": BACKBOX.stem,
    "seller.costs": BACKBOX.stem,
    "seller.device_costs": BACKBOX.stem,
    "seller.fx_rates": BACKBOX.stem,
    "seller.vat_rates": BACKBOX.stem,
    "seller.refunds": AFTER_SALES.stem,
    "care_folder": AFTER_SALES.stem,
    "delivery": AFTER_SALES.stem,
    "return": AFTER_SALES.stem,
}
"""The concern that reads what is in quarantine, by entity; orders read all others."""


def read_needs(database: Reader, stems: Collection[str], *, most: int, answer_hours: int) -> list[Need]:
    """Return what waits, the most pressing kind first; kinds without anything are left out, and what is worked off.

    :param stems: of the concerns to look at.
    :param most: items to return of each kind.
    :param answer_hours: a customer who has waited longer for an answer needs a person.
    """
    found = []
    for kind in _KINDS:
        if kind.stem and kind.stem not in stems:
            continue
        need = read_need(database, kind, stems, most=most, answer_hours=answer_hours)
        if need.items:
            found.append(need)
    return found


def read_need(database: Reader, kind: Need, stems: Collection[str], *, most: int | None, answer_hours: int) -> Need:
    """Return what waits of one kind, and nobody has worked off.

    :param most: items to return; None: all.
    :param answer_hours: as for :func:`read_needs`.
    """
    parameters = kind.parameters_for(stems, answer_hours)
    total, items = read_first(database, kind.statement, kind.order, most=most, parameters=parameters, within=WITHIN)
    return replace(kind, total=total, items=items)


def need_of(name: str) -> Need | None:
    """Return a kind of thing without its items; None where there is no such kind."""
    return next((kind for kind in _KINDS if kind.name == name), None)


def stem_of_item(need: Need, item: Row) -> str:
    """Return the concern that a thing belongs to, and that looks at it again."""
    if need.statement == "needs_changes":
        return task_of(item["kind"])[0]
    if need.statement == "needs_quarantine":
        return _STEMS_OF_ENTITIES.get(item["kind"], ORDERS.stem)
    return need.stem


def parameters_of_worked_off(stems: Collection[str]) -> dict[str, Any]:
    """Return what the statement ``worked_off`` needs, besides the account, for readers of some concerns."""
    return {"needs": [kind.name for kind in _KINDS if kind.stem in stems], "kinds": kinds_of(stems)}
