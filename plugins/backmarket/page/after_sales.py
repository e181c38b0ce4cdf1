"""Gathers how much of what comes after the sale is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from backmarket.warehouse.snapshot import Reader

_REFUNDS = ["planned", "awaiting_approval", "unknown"]


@dataclass(frozen=True)
class AfterSales:
    """What is open after the sale.

    :param for_seller: open care folders whose turn is the seller's.
    :param seller_since: since when the longest of them waits.
    :param for_customer: open care folders whose turn is the customer's.
    :param others: open care folders in which nobody has to answer.
    :param returns: parcels that have not reached the seller.
    :param planned: refunds that go out with the next run.
    :param asked: refunds that wait for a person.
    :param in_doubt: refunds of which it is not known whether they were applied.
    :param unserved: what Back Market does not serve.
    """

    for_seller: int
    seller_since: datetime | None
    for_customer: int
    others: int
    returns: int
    planned: int
    asked: int
    in_doubt: int
    unserved: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        counts = (
            self.for_seller,
            self.for_customer,
            self.others,
            self.returns,
            self.planned,
            self.asked,
            self.in_doubt,
        )
        return not any(counts) and not self.unserved


def gather(database: Reader) -> AfterSales:
    """Count what is open."""
    turns = {row["waits_for"]: row for row in database.rows("count_care_folders")}
    folders = {side: row["folders"] for side, row in turns.items()}
    refunds = {
        row["status"]: row["changes"]
        for row in database.rows("count_changes_waiting", statuses=_REFUNDS)
        if row["kind"] == "refund"
    }
    return AfterSales(
        for_seller=folders.get("seller", 0),
        seller_since=turns["seller"]["waits_since"] if "seller" in turns else None,
        for_customer=folders.get("customer", 0),
        others=folders.get(None, 0),
        returns=sum(row["returns"] for row in database.rows("count_returns_under_way")),
        planned=refunds.get("planned", 0),
        asked=refunds.get("awaiting_approval", 0),
        in_doubt=refunds.get("unknown", 0),
        unserved=tuple(row["subject"] for row in database.rows("needs_unserved_parts")),
    )
