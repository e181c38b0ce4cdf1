"""Reads the listings of markets to their end, and stores them."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backmarket.api.errors import BackMarketError, FirewallError, OutOfTimeError, ShortReadError
from backmarket.api.page_requests import COSTS_ONE_PAGE
from backmarket.rules.listing_review import unknown_parts
from backmarket.rules.market_turns import time_for_all, time_for_one
from backmarket.services.item_failures import ItemFailures
from backmarket.services.odd_fields import OddFields
from backmarket.services.progress import unseen
from backmarket.warehouse import listings as stored_listings
from backmarket.warehouse import quarantine, sync_state
from backmarket.warehouse.jsonb import dump
from backmarket.warehouse.prices import count_offers
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing, ListingPage, Unreadable
    from backmarket.services.log import Log
    from backmarket.services.progress import Advance
    from backmarket.warehouse.connection import Connection

CONCERN = "listings"


@dataclass
class OddListings:
    """What is odd in the listings of one market.

    :param unreadable: documents that could not be understood, by market and id.
    :param unknown: grades, states and fields that this version does not know, and how often each occurs.
    :param nameless: keys of unreadable documents that have no usable id.
    """

    market: str
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    odd_fields: OddFields = field(default_factory=OddFields)
    nameless: set[str] = field(default_factory=set)

    def note_read(self, listings: Sequence[Listing], *, new: Sequence[Listing]) -> None:
        """Note listings that were read.

        :param listings: all of a page: one that could not be understood before is no longer set aside.
        :param new: those of them that no page before held.
        """
        for listing in listings:
            self.unreadable.pop(f"{self.market}/{listing.id}", None)
        for listing in new:
            self.odd_fields.note(listing.all_odd_fields, listing.id)
            fields = set(type(listing).model_fields)
            self.unknown.update(
                unknown_parts(listing.grade, listing.publication_state, listing.document, known_fields=fields)
            )

    def set_aside(self, document: Unreadable) -> UUID | None:
        """Set a document aside for the quarantine, under its id; under its content where it has no usable one.

        :return: its id.
        """
        try:
            listing_id = UUID(document.key or "")
        except ValueError:
            key = f"sha256:{sha256(dump(document.document).encode()).hexdigest()}"
            self.nameless.add(key)
            self.unreadable[f"{self.market}/{key}"] = document
            return None
        self.unreadable[f"{self.market}/{listing_id}"] = document
        return listing_id

    def log_all(self, log: Log) -> None:
        """Write to the log what a person should see."""
        self.odd_fields.tell(log, "listing", where=f" of {self.market}")
        for key, document in self.unreadable.items():
            log.warning("Listing %s could not be understood and is kept in quarantine: %s", key, document.reason)
        for what, times in sorted(self.unknown.items()):
            where = f"{counted(times, 'listing')} of {self.market}"
            log.warning("Unknown to this version, kept as sent: %s (%s).", what, where)
        if self.nameless:
            log.warning("Some documents came without a usable id, so no listing of %s is marked as gone.", self.market)


@dataclass
class ListingReading:
    """The reading of one market into staging.

    :param seen: the listings read, those that could not be understood included.
    :param began_at: Back Market's time when reading began; None before it.
    :param failure: what a page failed with, so that the list is not complete.
    :param progress: is told of each page how many listings have been read, and how many there are.
    """

    client: BackMarketClient
    staging: stored_listings.ListingStaging
    market: str
    seen: set[UUID] = field(default_factory=set)
    began_at: datetime | None = None
    failure: BackMarketError | None = None
    progress: Advance = unseen
    _is_proven: bool = False

    def __post_init__(self) -> None:
        self.odd = OddListings(self.market)

    def read(self) -> bool:
        """Read the list to its end.

        A page that cannot be read costs no other: what it failed with is kept in ``failure``.

        :return: whether every listing was read that was in the list when reading began and still is.
        :raises BackMarketError: what other pages would fail with, too, such as a refused token.
        """
        listings = self.client.moving_listings(self.market)
        try:
            with closing(listings.pages()) as pages:
                for page in pages:
                    self.began_at = self.began_at or page.asked_at
                    self._stage(page)
                    self.progress(len(self.seen), page.count)
        except COSTS_ONE_PAGE as error:
            self.failure = error
        self._is_proven = listings.is_proven
        return listings.is_complete

    @property
    def tells_what_is_missing(self) -> bool:
        """Whether a listing that was not read is surely gone: its page cannot have been missed, nor its id."""
        return self._is_proven and not self.odd.nameless

    def store(self, markets: Sequence[str], *, complete: bool) -> dict[str, int]:
        """Store what was read, what is gone, and the success, in one transaction.

        :param markets: all markets that are read.
        :param complete: what :meth:`read` returned; without it nothing is marked as gone.
        :return: the market's offers new, changed, unchanged, gone and quarantined.
        """
        connection, account = self.staging.connection, self.staging.account
        gone = 0
        with connection.transaction():
            merged = self.staging.merge()
            quarantine.keep(connection, account, "listing", self.odd.unreadable)
            if complete and self.tells_what_is_missing and self.began_at:
                gone = stored_listings.mark_gone(
                    connection, account, self.market, markets=markets, seen=self.seen, since=self.began_at
                )
            counts = {**merged._asdict(), "gone": gone, "quarantined": len(self.odd.unreadable)}
            if complete:
                sync_state.record_success(connection, account, CONCERN, counts, market=self.market)
        return counts

    def _stage(self, page: ListingPage) -> None:
        new = [listing for listing in page.listings if listing.id not in self.seen]
        self.staging.add(page.listings, self.market, read_at=page.asked_at)
        self.seen.update(listing.id for listing in new)
        self.odd.note_read(page.listings, new=new)
        set_aside = map(self.odd.set_aside, page.unreadable)
        self.seen.update(listing_id for listing_id in set_aside if listing_id)


@dataclass(frozen=True)
class MarketRead:
    """What became of one market.

    :param counts: offers new, changed, unchanged, gone and quarantined.
    :param listings: how many were seen.
    :param is_whole: whether all were read.
    :param failure: what a page failed with, though others were served.
    """

    counts: dict[str, int]
    listings: int
    is_whole: bool
    failure: BackMarketError | None


@dataclass(frozen=True)
class MarketReading:
    """Reads markets of one account.

    :param markets: all markets that are read: a listing is gone when none of them has an offer of it.
    :param progress: is told of each page how many listings of a market have been read, and how many there are.
    """

    client: BackMarketClient
    connection: Connection
    account: str
    markets: Sequence[str]
    log: Log
    progress: Advance = unseen

    def read(self, market: str) -> MarketRead:
        """Read and store one market.

        Listings that a short reading lacks keep their older reading, and are not marked as gone.

        :raises BackMarketError: where nothing could be read, or other pages would fail, too; what was read is stored.
        """
        staging = stored_listings.ListingStaging(self.connection, self.account)
        reading = ListingReading(self.client, staging, market, progress=self.progress)
        refusal: BackMarketError | None = None
        try:
            complete = reading.read()
        except BackMarketError as error:
            complete, refusal = False, error
        counts = reading.store(list(dict.fromkeys([*self.markets, market])), complete=complete)
        reading.odd.log_all(self.log)
        self.log.info("Listings of %s: %s.", market, tally(counts))
        if refusal:
            raise refusal
        if reading.failure and not reading.seen:
            raise reading.failure
        if not complete:
            self.log.warning(
                "The list of %s did not come out whole: this run leaves the listings that it lacks as they were. %s",
                market,
                reading.failure or "It moved too much.",
            )
        return MarketRead(counts, len(reading.seen), is_whole=complete, failure=reading.failure)

    def read_whole(self, market: str) -> dict[str, int]:
        """Read and store one market, and fail where it did not come out whole; what was read is stored all the same.

        :return: the market's offers new, changed, unchanged, gone and quarantined.
        :raises ShortReadError: where the list moved, or lacked rows, for as long as it was read.
        :raises BackMarketError: what a page could not be read for.
        """
        read = self.read(market)
        if read.failure:
            raise read.failure
        if not read.is_whole:
            raise ShortReadError(
                f"{counted(read.listings, 'listing')} of {market} came, others may be missing; what came is stored, "
                "none is marked as gone",
                method="GET",
                path="/ws/listings",
            )
        return read.counts

    def read_each(self, markets: Sequence[str], *, was_answered: bool = False) -> dict[str, Any]:
        """Read and store markets, each in the time that it may take, as :func:`read_each_market`.

        :return: how many ``listings`` were seen and ``quarantined``; and the markets that could not be read whole, as
            ``markets_left``.
        """
        reads: list[MarketRead] = []

        def read(market: str) -> int:
            with self.client.within(time_for_one(self._known(market))):
                reads.append(self.read(market))
            if failure := reads[-1].failure:
                raise failure
            return reads[-1].listings

        _, left = read_each_market(markets, read, self.log, was_answered=was_answered)
        quarantined = sum(each.counts["quarantined"] for each in reads)
        return {
            "listings": sum(each.listings for each in reads),
            "quarantined": quarantined,
            "markets_left": list(left),
        }

    def time_for(self, markets: Iterable[str]) -> timedelta:
        """Return how long these markets may take, all together, where quantities wait for their end."""
        return time_for_all(sum(map(self._known, markets)))

    def _known(self, market: str) -> int:
        return count_offers(self.connection, self.account, market)

    def was_read(self, market: str, since: datetime | None) -> bool:
        """Tell whether a market was read to its end since a moment; None counts as never."""
        read_at = sync_state.read(self.connection, self.account, CONCERN, market).succeeded_at
        return read_at is not None and since is not None and read_at >= since


def read_each_market(
    markets: Sequence[str], read: Callable[[str], int], log: Log, *, was_answered: bool = False
) -> tuple[dict[str, int], dict[str, str]]:
    """Read and store markets; one that refuses or fails is named, and the others are read.

    A firewall judges the sender: where it refuses two markets and none was answered, or all there are, it refuses this
    account. Where other markets answer, it refuses that one market. A market that the time did not suffice for says
    nothing of the others.

    :param read: reads and stores a market, and returns how many rows it has.
    :param was_answered: whether another market has answered in this run.
    :return: how many rows each market has that was read, and why the others could not be read.
    :raises BackMarketError: where it concerns all markets alike.
    """
    rows: dict[str, int] = {}
    failures = ItemFailures()
    refusals: list[FirewallError] = []
    for market in failures.each(markets):
        try:
            rows[market] = read(market)
        except FirewallError as error:
            refusals.append(error)
            failures.failed[market] = str(error)
            log.warning("Market %s is left as it was: %s", market, error)
            if len(refusals) > 1 and not was_answered:
                raise
        except OutOfTimeError as error:
            failures.failed[market] = str(error)
            log.warning("Market %s is left to the next run: %s", market, error)
        except BackMarketError as error:
            failures.note(market, error)
            log.warning("Market %s is left as it was: %s", market, error)
        else:
            was_answered = True
            failures.passed(market)
    if refusals and not was_answered:
        raise refusals[0]
    return rows, failures.failed
