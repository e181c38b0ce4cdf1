"""Sends planned prices."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.operators.item_failures import ItemFailures, raise_what_concerns_all
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from backmarket.operators.listing_upload import ListingUpload
    from backmarket.operators.price_batches import PriceBatches
    from backmarket.warehouse.ledger import RecordedChange


class BackMarketPricesUploadOperator(BackMarketOperator):
    """Sends prices, the longest waiting first; those sent along with a quantity are done already.

    Where many prices of a market change they go out in a batch, if that needs fewer requests; else one by one, at
    once. How a batch ended is for the task that follows, or the next run, to find out. A market that refuses, and a
    listing that Back Market fails on, are named and stay planned; all others are sent.
    """

    ui_color = "#f5c6cb"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the outcomes, how many went out in batches, how many wait, requests made; and the prices that could
        not be sent, as ``not_sent``, with the ``markets_left``."""
        from backmarket.operators.listing_upload import open_upload, skip_unless_sending
        from backmarket.operators.price_batches import PriceBatches
        from backmarket.settings import PriceSettings

        settings = PriceSettings.load()
        skip_unless_sending(settings, "prices_upload")
        with open_upload(self, hold=None, keep_for_quantities=True) as upload:
            batches = PriceBatches(
                upload.connection, self.account, upload.client, wait_of("batch_deadline_seconds"), self.log
            )
            sending = PriceSending(upload, batches)
            sending.send()
            waiting, not_sent = upload.tell_what_waits(upload.prices), sending.not_sent()
            requests = upload.client.requests_made
        self.log.info(
            "Prices sent one by one: %s; in batches: %d; %d requests.",
            dict(upload.counts) or "none",
            sending.in_batches,
            requests,
        )
        return {
            **upload.counts,
            "in_batches": sending.in_batches,
            "waiting": waiting,
            "requests": requests,
            "not_sent": not_sent,
            "markets_left": list(sending.markets_left),
        }


@dataclass
class PriceSending:
    """Sends the planned prices of all markets, so that a market that refuses keeps none of the others away.

    :param in_batches: how many went out in batches.
    :param markets_left: why nothing more was sent to a market, by its code.
    """

    upload: ListingUpload
    batches: PriceBatches
    in_batches: int = 0
    markets_left: dict[str, str] = field(default_factory=dict)
    _refused: list[RecordedChange] = field(default_factory=list)
    _failures: dict[str, ItemFailures] = field(default_factory=dict)

    def not_sent(self) -> list[str]:
        """Return the prices that Back Market failed on, and those of refused batches that wait, by SKU and market."""
        waiting = {change.change_id for change in self.upload.prices.planned()}
        failed = [name for failures in self._failures.values() for name in failures.failed]
        refused = [f"{each.subject} {each.market}" for each in self._refused if each.change_id in waiting]
        return list(dict.fromkeys([*failed, *refused]))

    def send(self) -> None:
        """Send batches, then single prices; what surely was not applied the first time goes once more.

        :raises BackMarketError: where sending more would fail alike in all markets.
        """
        self._send_batches()
        for _ in range(2):
            if not self._send_singly():
                return

    def _send_batches(self) -> None:
        """Send the batches among those whose turn it is within the hour's budget."""
        from backmarket.api.errors import BackMarketError
        from backmarket.operators.batch_sending import BatchSending

        upload = self.upload
        turn = upload.prices.planned()[: upload.budget.left()]
        sending = BatchSending(upload.prices, upload.client, upload.budget, upload.log)
        failures = ItemFailures(self.markets_left)
        for batch in self.batches.choose(turn):
            try:
                self.in_batches += sending.send(*batch)
            except BackMarketError as error:
                failures.note(batch.market, error)
                upload.log.warning("The batch for %s stays planned: %s", batch.market, error)
        self._refused += sending.refused

    def _send_singly(self) -> bool:
        """Send what is still planned, market by market in turns, and tell whether some of it may go once more."""
        from backmarket.api.errors import BackMarketError

        upload = self.upload
        again = False
        queues = deque(self._queues())
        while queues:
            market, queue = queues.popleft()
            try:
                change = next(queue, None)
                if change is None:
                    continue
                upload.failures = self._failures[market]
                outcome = upload.send_price(change)
            except BackMarketError as error:
                raise_what_concerns_all(error)
                self.markets_left[market] = str(error)
                upload.log.warning("The prices of %s stay planned: %s", market, error)
                continue
            if outcome == "waits":
                return False
            again |= outcome == "again"
            queues.append((market, queue))
        return again

    def _queues(self) -> Iterator[tuple[str, Iterator[RecordedChange]]]:
        """Yield each market that is not left, with its planned prices, the longest waiting first."""
        markets: dict[str, list[RecordedChange]] = {}
        for change in self.upload.prices.planned():
            if change.market not in self.markets_left:
                markets.setdefault(change.market, []).append(change)
        for market, changes in markets.items():
            yield market, self._failures.setdefault(market, ItemFailures()).each(changes)
