"""Reads all listings of one market so that none is missing, although the list moves while it is read."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backmarket.operators.odd_fields import OddFields
from backmarket.rules.listing_review import unknown_parts
from backmarket.warehouse.jsonb import dump

if TYPE_CHECKING:
    from datetime import datetime

    from backmarket.api.client import BackMarketClient
    from backmarket.api.errors import BackMarketError
    from backmarket.api.models import ListingPage, Unreadable
    from backmarket.warehouse.listings import ListingStaging, MergeCounts

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
