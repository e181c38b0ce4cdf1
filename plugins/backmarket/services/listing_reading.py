"""Reads listings, by market and by SKU, and stores them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from backmarket.api.errors import BackMarketError, FirewallError
from backmarket.rules.listing_review import unknown_parts
from backmarket.services.item_failures import ItemFailures, raise_what_concerns_all
from backmarket.services.odd_fields import OddFields
from backmarket.warehouse.jsonb import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing, ListingPage, Unreadable
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange
    from backmarket.warehouse.listings import ListingStaging, MergeCounts


_LOOKS_AT_ONCE = 8

_HANDFUL = 16


class Look(NamedTuple):
    """What a look found.

    :param exists: whether there is a listing of the SKU; None where Back Market could not say.
    :param listing: the listing; None where there is none, or where it could not be understood.
    :param failure: why Back Market could not say.
    """

    exists: bool | None
    listing: Listing | None
    failure: BackMarketError | None = None


def look_up_each(client: BackMarketClient, changes: Sequence[RecordedChange]) -> list[Look]:
    """Look for the listings of all these changes' SKUs, several at a time; one that fails keeps none of the others.

    Where a whole handful fails, no more is asked of that market, and the rest of it counts as failed alike.

    :return: a look for each change, in their order.
    :raises BackMarketError: where a failure concerns all SKUs alike.
    """
    markets: dict[str, list[RecordedChange]] = {}
    for change in changes:
        markets.setdefault(change.payload["market"], []).append(change)
    looks: dict[int, Look] = {}
    with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="backmarket-lookup") as threads:
        for of_market in markets.values():
            for change, look in zip(of_market, _look_up_market(client, threads, of_market), strict=True):
                looks[change.change_id] = look
    return [looks[change.change_id] for change in changes]


def _look_up_market(
    client: BackMarketClient, threads: ThreadPoolExecutor, changes: Sequence[RecordedChange]
) -> list[Look]:
    looks: list[Look] = []
    for start in range(0, len(changes), _HANDFUL):
        handful = list(threads.map(lambda change: look_up(client, change), changes[start : start + _HANDFUL]))
        looks += handful
        failures = [look.failure for look in handful if look.failure]
        for failure in failures:
            raise_what_concerns_all(failure)
        if len(failures) == _HANDFUL:
            looks += [Look(None, None, failures[0])] * (len(changes) - len(looks))
            break
    return looks


def look_up(client: BackMarketClient, change: RecordedChange) -> Look:
    """Look for the listing of a change's SKU, in its market."""
    from backmarket.api.errors import BackMarketError, UnreadableDocumentError

    try:
        listing = client.find_listing(change.subject, change.payload["market"])
    except UnreadableDocumentError:
        return Look(exists=True, listing=None)
    except BackMarketError as error:
        return Look(exists=None, listing=None, failure=error)
    return Look(exists=listing is not None, listing=listing)


CONCERN = "listings"


@dataclass
class ListingReading:
    """What has been read of one market into staging.

    :param seen: the listings read, those that could not be understood included.
    :param began_at: Back Market's time when reading began; None before it.
    :param unreadable: documents that could not be understood, by market and id.
    :param unknown: grades, states and fields that this version does not know, and how often each occurs.
    :param failure: what a page failed with, so that the list is not complete; to be raised once the rest is stored.
    """

    client: BackMarketClient
    staging: ListingStaging
    market: str
    seen: set[UUID] = field(default_factory=set)
    began_at: datetime | None = None
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    odd: OddFields = field(default_factory=OddFields)
    failure: BackMarketError | None = None
    _nameless: set[str] = field(default_factory=set)
    _is_proven: bool = False

    def read(self) -> bool:
        """Read the list to its end.

        A page that cannot be read costs no other: what it failed with is kept in ``failure``.

        :return: whether every listing was read that the list had when reading began, and has still.
        :raises BackMarketError: what other pages would fail with, too, such as a refused token.
        """
        from backmarket.api.page_requests import COSTS_ONE_PAGE

        listings = self.client.moving_listings(self.market)
        try:
            with closing(listings.pages()) as pages:
                for page in pages:
                    self.began_at = self.began_at or page.server_time
                    self._take(page)
        except COSTS_ONE_PAGE as error:
            self.failure = error
        self._is_proven = listings.is_proven
        return listings.is_complete

    @property
    def tells_what_is_missing(self) -> bool:
        """Whether a listing that was not read is surely gone: its page cannot have been missed, nor its id."""
        return self._is_proven and not self._nameless

    def store(self, markets: list[str], *, complete: bool) -> dict[str, int]:
        """Store what was read, what is gone, and the success, in one transaction.

        :param markets: all markets that are read.
        :param complete: what :meth:`read` answered; without it nothing is marked as gone.
        :return: the market's offers new, changed, unchanged, gone and quarantined.
        """
        from backmarket.warehouse import listings, quarantine, sync_state

        connection, account = self.staging.connection, self.staging.account
        gone = 0
        with connection.transaction():
            merged: MergeCounts = self.staging.merge()
            quarantine.keep(connection, account, "listing", self.unreadable)
            if complete and self.tells_what_is_missing and self.began_at:
                gone = listings.mark_gone(
                    connection, account, self.market, markets=markets, seen=self.seen, since=self.began_at
                )
            counts = {**merged._asdict(), "gone": gone, "quarantined": len(self.unreadable)}
            if complete:
                sync_state.record_success(connection, account, CONCERN, counts, market=self.market)
        return counts

    def tell(self, log: Any, counts: dict[str, int]) -> None:
        """Write what a person wants to know at the end of the task's log."""
        self.odd.tell(log, f"listings of {self.market}")
        for key, document in self.unreadable.items():
            log.warning("Listing %s could not be understood and is kept in quarantine: %s", key, document.reason)
        for what, times in sorted(self.unknown.items()):
            log.warning("Unknown to this version, kept as sent: %s (%d listings of %s).", what, times, self.market)
        if self._nameless:
            log.warning("Some documents came without a usable id, so no listing of %s is marked as gone.", self.market)
        log.info(
            "Listings of %s: %d new, %d changed, %d unchanged, %d gone, %d quarantined.",
            self.market,
            *(counts[name] for name in ("new", "changed", "unchanged", "gone", "quarantined")),
        )

    def _take(self, page: ListingPage) -> None:
        new = [listing for listing in page.listings if listing.id not in self.seen]
        self.staging.add(page.listings, self.market, read_at=page.server_time)
        self.seen.update(listing.id for listing in new)
        for listing in page.listings:
            self.unreadable.pop(f"{self.market}/{listing.id}", None)
        for listing in new:
            self.odd.note(listing.all_odd_fields, listing.id)
            fields = set(type(listing).model_fields)
            self.unknown.update(
                unknown_parts(listing.grade, listing.publication_state, listing.document, known_fields=fields)
            )
        for document in page.unreadable:
            self._set_aside(document)

    def _set_aside(self, document: Unreadable) -> None:
        """Keep a document for the quarantine under its id, or under its content where it has no usable one."""
        try:
            key = str(UUID(document.key or ""))
            self.seen.add(UUID(key))
        except ValueError:
            key = f"sha256:{sha256(dump(document.document).encode()).hexdigest()}"
            self._nameless.add(key)
        self.unreadable[f"{self.market}/{key}"] = document


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
