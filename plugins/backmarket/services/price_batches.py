"""Sends many prices of a market at once, and settles them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from backmarket.api.paging import PAGE_SIZE
from backmarket.rules.batches import (
    MOST_LINES_OF_A_BATCH,
    End,
    Line,
    columns_of_price,
    end_of_price,
    takes_fewer_requests,
)
from backmarket.services.batches import BatchStatus, by_batch, log_remarks, read_status
from backmarket.services.item_failures import named
from backmarket.services.offers import name_of
from backmarket.warehouse.ledger import Ledger, RecordedChange
from backmarket.warehouse.prices import count_offers, shown_prices, skus_and_grades
from backmarket.words import tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from backmarket.api.client import BackMarketClient
    from backmarket.services.listing_reading import MarketReading
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection


class MarketsLeftError(Exception):
    """Markets could not be read back; the prices that were sent to them in batches are not settled yet."""


class PriceBatch(NamedTuple):
    """Prices of one market that go out together.

    :param columns: what is sent of each, by change id.
    """

    market: str
    changes: list[RecordedChange]
    columns: dict[int, dict[str, str]]


class Looked(NamedTuple):
    """The prices that were under way in batches when these were looked at.

    :param changes: as they were then, by id: one that was settled or sent since is another.
    :param statuses: of their batches.
    """

    changes: dict[int, RecordedChange]
    statuses: dict[int | None, BatchStatus]


@dataclass(frozen=True)
class PriceBatches:
    """The batches of an account's prices.

    :param deadline: how long after sending a price may still appear.
    """

    connection: Connection
    account: str
    client: BackMarketClient
    deadline: timedelta
    log: Log

    @property
    def ledger(self) -> Ledger:
        """The changes of prices."""
        return Ledger(self.connection, self.account, "price")

    def under_way(self) -> list[RecordedChange]:
        """Return the prices that went out in batches and are not settled, once no batch is being handed in."""
        with self.ledger.without_senders():
            return self._unsettled()

    def look(self) -> Looked:
        """Read the status of each batch that is under way; to be called before the listings are read that settle it."""
        changes = self.under_way()
        statuses = {batch_id: read_status(self.client, batch_id, self.log) for batch_id in by_batch(changes)}
        return Looked({change.change_id: change for change in changes}, statuses)

    def settle(self, looked: Looked) -> dict[str, int]:
        """Settle prices by the status of their batches and by what the stored readings show.

        What another DAG is handing in, or has settled or handed in since it was looked at, is that one's to settle.

        :return: how many were confirmed, refused, planned again, and are not known yet.
        """
        shown = shown_prices(self.connection, self.account)
        ends: dict[End, list[RecordedChange]] = {}
        with self.ledger.without_senders():
            unchanged = [each for each in self._unsettled() if each == looked.changes.get(each.change_id)]
            for change in unchanged:
                price, read_at = shown.get((change.payload["id"], change.market), (None, None))
                end = self._end(change, looked.statuses[change.batch_id], price, read_at)
                ends.setdefault(end, []).append(change)
            for end, changes in ends.items():
                self.ledger.settle((change.change_id for change in changes), end.status, end.reason or None)
        counts = dict.fromkeys(("confirmed", "refused", "planned", "unknown"), 0)
        remarks = []
        for end, changes in ends.items():
            counts[end.status] += len(changes)
            if end.status in {"refused", "planned"}:
                remarks += [f"{name_of(change)}: {end.reason}" for change in changes]
        log_remarks(self.log, remarks, "backmarket.changes")
        return counts

    def settle_ended(self, reading: MarketReading) -> dict[str, int]:
        """Read the markets of the batches that are over, and settle.

        :return: as :meth:`settle`.
        :raises MarketsLeftError: where markets could not be read; the prices of all others are settled.
        """
        with reading.client.within(reading.time_for(reading.markets)):
            looked = self.look()
            over = {batch_id for batch_id, status in looked.statuses.items() if status.state != "running"}
            markets = list(dict.fromkeys(each.market for each in looked.changes.values() if each.batch_id in over))
            left = reading.read_each(markets)["markets_left"]
        counts = self.settle(looked)
        self.log.info("Prices sent in batches: %s.", tally(counts))
        if left:
            raise MarketsLeftError(
                f"The markets {named(left)} could not be read back after their batches; the log says why. "
                "Their prices are settled by the next run; all others are."
            )
        return counts

    def choose(self, planned: list[RecordedChange]) -> Iterator[PriceBatch]:
        """Yield the batches that need fewer requests than their prices one by one.

        A price that a batch did not apply before goes alone, and so does one whose listing has no known grade: a line
        without a grade would change it.
        """
        markets: dict[str, list[RecordedChange]] = {}
        for change in planned:
            if change.attempts == 0:
                markets.setdefault(change.market, []).append(change)
        for market, changes in markets.items():
            columns = self._columns(changes)
            fit = [change for change in changes if change.change_id in columns]
            pages = ceil(count_offers(self.connection, self.account, market) / PAGE_SIZE)
            if takes_fewer_requests(len(fit), pages):
                for start in range(0, len(fit), MOST_LINES_OF_A_BATCH):
                    yield PriceBatch(market, fit[start : start + MOST_LINES_OF_A_BATCH], columns)

    def _unsettled(self) -> list[RecordedChange]:
        return [change for change in self.ledger.unsettled() if change.in_batch]

    def _end(self, change: RecordedChange, status: BatchStatus, price: Decimal | None, read_at: datetime | None) -> End:
        if read_at and change.sent_at and read_at <= change.sent_at:
            # Its market has not been read since: what it shows says nothing about this price.
            return End("unknown", "sent in a batch; the market was not read since")
        now = datetime.now(UTC)
        line = Line(
            batch=status.state,
            sent_at=change.sent_at or now,
            attempts=change.attempts,
            is_shown=price == Decimal(change.payload["price"]),
            error=status.error_of(change.subject),
        )
        return end_of_price(line, now=now, deadline=self.deadline)

    def _columns(self, changes: list[RecordedChange]) -> dict[int, dict[str, str]]:
        """Return what is sent of each price whose listing has a known grade, by change id."""
        listings = skus_and_grades(self.connection, self.account, [change.payload["id"] for change in changes])
        found = {}
        for change in changes:
            if change.payload["id"] in listings:
                sku, grade = listings[change.payload["id"]]
                found[change.change_id] = columns_of_price(
                    sku, change.payload["price"], change.payload["currency"], grade
                )
        return found
