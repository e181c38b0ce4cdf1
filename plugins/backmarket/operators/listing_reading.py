"""Reads all listings of one market until nothing can be missing, although pages shift while they are read."""

from __future__ import annotations

from collections import Counter
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
    from backmarket.api.models import ListingPage, Unreadable
    from backmarket.warehouse.listings import ListingStaging, MergeCounts

MOST_PASSES = 3
CONCERN = "listings"


@dataclass
class ListingReading:
    """What has been read of one market into staging.

    :param seen: the listings of the newest pass, those that could not be understood included.
    :param began_at: Back Market's time when that pass began; None before it.
    :param unreadable: documents that could not be understood, by market and id.
    :param unknown: grades, states and fields that this version does not know, and how often each occurs.
    """

    client: BackMarketClient
    staging: ListingStaging
    market: str
    seen: set[UUID] = field(default_factory=set)
    began_at: datetime | None = None
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    odd: OddFields = field(default_factory=OddFields)
    _nameless: set[str] = field(default_factory=set)
    _lengths: set[int] = field(default_factory=set)

    def read(self) -> bool:
        """Read the list to its end, again where it did not stand still.

        :return: whether one pass held as many different listings as each of its pages counted.
        """
        return any(self._read_pass() for _ in range(MOST_PASSES))

    @property
    def tells_what_is_missing(self) -> bool:
        """Whether a listing that a complete pass did not hold is surely gone: none came in without an id."""
        return not self._nameless

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
        if not self.tells_what_is_missing:
            log.warning("Some documents came without a usable id, so no listing of %s is marked as gone.", self.market)
        log.info(
            "Listings of %s: %d new, %d changed, %d unchanged, %d gone, %d quarantined.",
            self.market,
            *(counts[name] for name in ("new", "changed", "unchanged", "gone", "quarantined")),
        )

    def _read_pass(self) -> bool:
        """Page through the list once; complete when its length stood still and that many listings were seen.

        A listing that arrives or vanishes meanwhile moves others across the borders between pages.
        """
        for page in self.client.listing_pages(self.market):
            if page.number == 1:
                self._begin_pass(page)
            self._take(page)
        return self._lengths == {len(self.seen) + len(self._nameless)}

    def _begin_pass(self, page: ListingPage) -> None:
        """Forget the last pass."""
        self.began_at = page.server_time
        self.seen.clear()
        self._nameless.clear()
        self._lengths.clear()
        self.unreadable.clear()
        self.unknown.clear()

    def _take(self, page: ListingPage) -> None:
        new = [listing for listing in page.listings if listing.id not in self.seen]
        self.staging.add(page.listings, self.market, read_at=page.server_time)
        self.seen.update(listing.id for listing in new)
        self._lengths.add(page.count)
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
