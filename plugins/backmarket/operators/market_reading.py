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

    def read(self, market: str) -> MarketRead:
        """Read and store one market.

        What a short reading lacks keeps its older reading, and is not marked as gone.

        :raises BackMarketError: where nothing could be read, or other pages would fail, too; what was read is stored.
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
        if refusal:
            raise refusal
        if reading.failure and not reading.seen:
            raise reading.failure
        if not complete:
            self.log.warning(
                "The list of %s did not come out whole: what it lacks is left as it was by this run. %s",
                market,
                reading.failure or "It moved too much.",
            )
        return MarketRead(len(reading.seen), len(reading.unreadable), is_whole=complete, failure=reading.failure)

    def read_each(self, markets: Sequence[str], *, was_answered: bool = False) -> ListingsRead:
        """Read and store markets, as :func:`read_each_market`; one that was read in part counts as left, too."""
        reads: list[MarketRead] = []

        def read(market: str) -> int:
            reads.append(self.read(market))
            if failure := reads[-1].failure:
                raise failure
            return reads[-1].listings

        found = read_each_market(markets, read, self.log, was_answered=was_answered)
        return ListingsRead(sum(each.listings for each in reads), sum(each.quarantined for each in reads), found.left)


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


@dataclass(frozen=True)
class MarketRead:
    """What became of one market.

    :param listings: how many were seen.
    :param quarantined: how many of them could not be understood.
    :param is_whole: whether all were read.
    :param failure: what a page failed with, though others were served.
    """

    listings: int
    quarantined: int
    is_whole: bool
    failure: BackMarketError | None


@dataclass(frozen=True)
class ListingsRead:
    """What became of the listings of some markets.

    :param listings: how many were seen, all markets together.
    :param quarantined: how many of them could not be understood.
    :param left: why a market could not be read whole, by its code.
    """

    listings: int
    quarantined: int
    left: dict[str, str]


@dataclass
class MarketsRead:
    """What became of some markets.

    :param rows: how many a market has that was read, by its code.
    :param left: why a market could not be read, by its code.
    """

    rows: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
