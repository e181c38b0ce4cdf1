"""Sends the planned prices of all markets, in batches and one by one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError
from backmarket.services.batches import BatchSending
from backmarket.services.item_failures import ItemFailures, raise_what_concerns_all
from backmarket.services.offers import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backmarket.services.offers import OfferSending
    from backmarket.services.price_batches import PriceBatches
    from backmarket.warehouse.ledger import RecordedChange


@dataclass
class PriceSending:
    """Sends the planned prices of all markets; a market that refuses does not stop the others.

    :param sending: sends single prices.
    :param in_batches: how many went out in batches.
    :param markets_left: why nothing more was sent to a market, by its code.
    """

    sending: OfferSending
    batches: PriceBatches
    in_batches: int = 0
    markets_left: dict[str, str] = field(default_factory=dict)
    _refused: list[RecordedChange] = field(default_factory=list)
    _failures: dict[str, ItemFailures] = field(default_factory=dict)

    def send(self) -> dict[str, Any]:
        """Send batches, then single prices; what surely was not applied the first time goes once more.

        :return: the outcomes, how many went out in batches and how many wait; and the prices that could not be sent, as
            ``not_sent``, with the ``markets_left``.
        :raises BackMarketError: where sending more would fail alike in all markets.
        """
        self._send_batches()
        if self._send_singly():
            self._send_singly()
        return {
            **self.sending.counts,
            "in_batches": self.in_batches,
            "waiting": self.sending.log_waiting(self.sending.prices),
            "not_sent": self._not_sent(),
            "markets_left": list(self.markets_left),
        }

    def _not_sent(self) -> list[str]:
        """Return the prices that Back Market failed on, and those of refused batches that wait, by SKU and market."""
        waiting = {change.change_id for change in self.sending.prices.planned()}
        failed = [name for failures in self._failures.values() for name in failures.failed]
        refused = [name_of(each) for each in self._refused if each.change_id in waiting]
        return list(dict.fromkeys([*failed, *refused]))

    def _send_batches(self) -> None:
        """Send the batches among the prices that the hour's budget grants."""
        sending = self.sending
        turn = sending.prices.planned()[: sending.budget.left()]
        batch_sending = BatchSending(sending.prices, sending.client, sending.budget, sending.log)
        failures = ItemFailures(self.markets_left)
        for batch in self.batches.choose(turn):
            try:
                self.in_batches += batch_sending.send(*batch)
            except BackMarketError as error:
                failures.note(batch.market, error)
                sending.log.warning("The batch for %s stays planned: %s", batch.market, error)
        self._refused += batch_sending.refused

    def _send_singly(self) -> bool:
        """Send what is still planned, market by market in turns, and tell whether some of it may go once more."""
        sending = self.sending
        again = False
        queues = deque(self._queues())
        while queues:
            market, queue = queues.popleft()
            try:
                change = next(queue, None)
                if change is None:
                    continue
                sending.failures = self._failures[market]
                outcome = sending.send_price(change)
            except BackMarketError as error:
                raise_what_concerns_all(error)
                self.markets_left[market] = str(error)
                sending.log.warning("The prices of %s stay planned: %s", market, error)
                continue
            if outcome == "waits":
                return False
            again |= outcome == "again"
            queues.append((market, queue))
        return again

    def _queues(self) -> Iterator[tuple[str, Iterator[RecordedChange]]]:
        """Yield each market that is not left, with its planned prices, the longest waiting first."""
        markets: dict[str, list[RecordedChange]] = {}
        for change in self.sending.prices.planned():
            if change.market not in self.markets_left:
                markets.setdefault(change.market, []).append(change)
        for market, changes in markets.items():
            yield market, self._failures.setdefault(market, ItemFailures()).each(changes)
