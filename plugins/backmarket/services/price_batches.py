"""Sends many prices of a market at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.api.paging import PAGE_SIZE
from backmarket.rules.batch_end import End
from backmarket.rules.price_batches import PriceLine, columns_of_price, end_of_price, takes_fewer_requests
from backmarket.services.batches import BatchReport, by_batch, read_report
from backmarket.warehouse import sql
from backmarket.warehouse.ledger import Ledger, RecordedChange
from backmarket.warehouse.sku_line_budget import MOST_LINES_OF_A_BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from backmarket.api.client import BackMarketClient
    from backmarket.warehouse.connection import Connection


Reports = dict[int | None, BatchReport]


class PriceBatch(NamedTuple):
    """Prices of one market that go out together.

    :param columns: what is sent of each, by change id.
    """

    market: str
    changes: list[RecordedChange]
    columns: dict[int, dict[str, str]]


_MOST_REMARKS_LOGGED = 100


@dataclass(frozen=True)
class PriceBatches:
    """The batches of an account's prices.

    :param deadline: how long after sending a price may still appear.
    """

    connection: Connection
    account: str
    client: BackMarketClient
    deadline: timedelta
    log: Any

    @property
    def ledger(self) -> Ledger:
        """The changes of prices."""
        return Ledger(self.connection, self.account, "price")

    def under_way(self) -> list[RecordedChange]:
        """Return the prices that went out in batches and are not settled."""
        return [change for change in self.ledger.unsettled() if change.in_batch]

    def reports(self) -> Reports:
        """Ask where each batch is that is under way; to be called before the listings are read that settle it."""
        return {batch_id: read_report(self.client, batch_id, self.log) for batch_id in by_batch(self.under_way())}

    def settle(self, reports: Reports) -> dict[str, int]:
        """Settle the lines of these batches by their reports and by what the stored readings show.

        :return: how many were confirmed, refused, planned again, and are not known yet.
        """
        shown = {
            (str(listing_id), market): (price, read_at)
            for listing_id, market, price, read_at in self.connection.execute(
                sql.statement("inventory_prices/select_shown_prices"), {"account": self.account}
            )
        }
        ends: dict[End, list[RecordedChange]] = {}
        for batch_id, changes in by_batch(self.under_way()).items():
            if batch_id in reports:
                for change in changes:
                    price, read_at = shown.get((change.payload["id"], change.market), (None, None))
                    if read_at and change.sent_at and read_at <= change.sent_at:
                        # Its market has not been read since: what it shows says nothing about this price.
                        end = End("unknown", "sent in a batch; the market was not read since")
                    else:
                        line = _line(change, reports[batch_id], shown=price == Decimal(change.payload["price"]))
                        end = end_of_price(line, now=datetime.now(UTC), deadline=self.deadline)
                    ends.setdefault(end, []).append(change)
        for end, changes in ends.items():
            self.ledger.settle((change.change_id for change in changes), end.status, end.reason or None)
        self._tell(ends)
        counts = dict.fromkeys(("confirmed", "refused", "planned", "unknown"), 0)
        for end, changes in ends.items():
            counts[end.status] += len(changes)
        return counts

    def choose(self, planned: list[RecordedChange]) -> Iterator[PriceBatch]:
        """Yield the batches that need fewer requests than their prices one by one.

        What a batch did not apply before goes alone, and so does what has no grade here: a line without one would
        change it.
        """
        markets: dict[str, list[RecordedChange]] = {}
        for change in planned:
            if change.attempts == 0:
                markets.setdefault(change.market, []).append(change)
        for market, changes in markets.items():
            columns = self._columns(changes)
            fit = [change for change in changes if change.change_id in columns]
            if takes_fewer_requests(len(fit), self._pages(market)):
                for start in range(0, len(fit), MOST_LINES_OF_A_BATCH):
                    yield PriceBatch(market, fit[start : start + MOST_LINES_OF_A_BATCH], columns)

    def _columns(self, changes: list[RecordedChange]) -> dict[int, dict[str, str]]:
        parameters = {"account": self.account, "ids": [change.payload["id"] for change in changes]}
        rows = self.connection.execute(sql.statement("inventory_prices/select_batch_columns"), parameters)
        listings = {str(listing_id): (sku, grade) for listing_id, sku, grade in rows}
        found = {}
        for change in changes:
            if change.payload["id"] in listings:
                sku, grade = listings[change.payload["id"]]
                found[change.change_id] = columns_of_price(
                    sku, change.payload["price"], change.payload["currency"], grade
                )
        return found

    def _pages(self, market: str) -> int:
        parameters = {"account": self.account, "market": market}
        row = self.connection.execute(sql.statement("inventory_prices/count_offers"), parameters).fetchone()
        return ceil(row[0] / PAGE_SIZE) if row else 0

    def _tell(self, ends: dict[End, list[RecordedChange]]) -> None:
        """Write what a person wants to know of single SKUs."""
        remarks = [
            f"{change.subject} {change.market}: {end.reason}"
            for end, changes in ends.items()
            if end.status in {"refused", "planned"}
            for change in changes
        ]
        for remark in remarks[:_MOST_REMARKS_LOGGED]:
            self.log.warning("%s", remark)
        if len(remarks) > _MOST_REMARKS_LOGGED:
            self.log.warning("All %d remarks stand in backmarket.changes.", len(remarks))


def _line(change: RecordedChange, report: BatchReport, *, shown: bool) -> PriceLine:
    error = report.error or report.errors.get(change.subject.lower(), "")
    sent_at = change.sent_at or datetime.now(UTC)
    return PriceLine(report.state, sent_at, change.attempts, shown, error)
