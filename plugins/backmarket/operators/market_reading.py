"""Reads and stores markets, so that one market which refuses keeps none of the others away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError, FirewallError
from backmarket.operators.item_failures import ItemFailures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backmarket.api.client import BackMarketClient
    from backmarket.warehouse.connection import Connection


@dataclass(frozen=True)
class MarketReading:
    """Reads markets of one account.

    :param markets: all markets that are read: a listing is gone when none of them has an offer of it.
    """

    client: BackMarketClient
    connection: Connection
    account: str
    markets: Sequence[str]
    log: Any

    def read(self, market: str) -> int:
        """Read and store one market, and return how many listings were seen.

        What a short reading lacks keeps its older reading, and is not marked as gone.

        :raises BackMarketError: where Back Market refused or failed on a page; what was read besides is stored.
        """
        from backmarket.operators.listing_reading import ListingReading
        from backmarket.warehouse.listings import ListingStaging

        reading = ListingReading(self.client, ListingStaging(self.connection, self.account), market)
        refusal: BackMarketError | None = None
        try:
            complete = reading.read()
        except BackMarketError as error:
            complete, refusal = False, error
        stored = reading.store(list(dict.fromkeys([*self.markets, market])), complete=complete)
        reading.tell(self.log, stored)
        if failure := refusal or reading.failure:
            raise failure
        if not complete:
            self.log.warning(
                "The list of %s did not come out complete: what it lacks is left as it was by this run.", market
            )
        return len(reading.seen)

    def read_each(self, markets: Sequence[str], *, was_answered: bool = False) -> MarketsRead:
        """Read and store markets, as :func:`read_each_market`."""
        return read_each_market(markets, self.read, self.log, was_answered=was_answered)


def read_each_market(
    markets: Sequence[str], read: Callable[[str], int], log: Any, *, was_answered: bool = False
) -> MarketsRead:
    """Read and store markets; one that refuses or fails is named, and the others are read.

    A firewall looks at the sender: where it refuses two markets and none was answered, or all there are, it
    refuses this account's. Beside markets that answer, it refuses that one market.

    :param read: reads and stores a market, and returns how many rows it has.
    :param was_answered: whether another market has answered in this run.
    :raises BackMarketError: where it concerns all markets alike.
    """
    found = MarketsRead()
    failures = ItemFailures(found.left)
    refusals: list[FirewallError] = []
    for market in failures.each(markets):
        try:
            found.rows[market] = read(market)
        except FirewallError as error:
            refusals.append(error)
            found.left[market] = str(error)
            log.warning("Market %s is left as it was: %s", market, error)
            if len(refusals) > 1 and not was_answered:
                raise
        except BackMarketError as error:
            failures.note(market, error)
            log.warning("Market %s is left as it was: %s", market, error)
        else:
            was_answered = True
            failures.passed(market)
    if refusals and not was_answered:
        raise refusals[0]
    return found


@dataclass
class MarketsRead:
    """What became of some markets.

    :param rows: how many a market has that was read, by its code.
    :param left: why a market could not be read, by its code.
    """

    rows: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
