"""Asks where listings stand in the competition for a BackBox, one by one, within the hour's requests."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError, UnreadableDocumentError
from backmarket.api.markets import market_of
from backmarket.api.models.document import Unreadable
from backmarket.rules.backbox import SOLD_WITHIN, choose_listings
from backmarket.services.item_failures import MOST_IN_A_ROW, ItemFailures
from backmarket.services.odd_fields import OddFields
from backmarket.services.progress import Advance, unseen
from backmarket.services.side_by_side import work_side_by_side
from backmarket.warehouse import backbox, quarantine, sync_state
from backmarket.warehouse.jsonb import dump
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Competitors
    from backmarket.services.listing_reading import MarketReading
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection

CONCERN = "backbox"

# So long "not found" alone is not believed of listings that took part, where all of them are answered so.
_BELIEVED_AFTER = timedelta(days=1)
_WHY_DOUBTED = (
    "Back Market finds no BackBox for any listing on sale that had one: what was known stays, and counts as over only "
    "after a day of this"
)

# What Back Market calls a market by: anything else in its place would make an odd key.
_NAME = re.compile(r"[A-Za-z]{2}(-[A-Za-z]{2})?")


class RequestsSpentError(Exception):
    """The hour's requests are spent: nothing more is asked in this run."""


@dataclass
class BackboxReading:
    """The reading of competitors by one task.

    :param listings: reads the listings, where none is known.
    :param most: so many requests an hour, those that are repeated among them.
    :param progress: is told after each listing how many were asked for, and how many are to be.
    """

    client: BackMarketClient
    connection: Connection
    account: str
    listings: MarketReading
    most: int
    log: Log
    progress: Advance = unseen
    counts: Counter[str] = field(default_factory=Counter)
    _failures: ItemFailures = field(default_factory=ItemFailures)
    _odd: OddFields = field(default_factory=OddFields)
    _began: dict[UUID, datetime] = field(default_factory=dict)
    _found: dict[UUID, Competitors] = field(default_factory=dict)
    _is_spent: bool = False
    # Those on sale that took part lately; those of them that are not found, as long as nothing is.
    _expected: set[UUID] = field(default_factory=set)
    _doubted: list[Competitors] = field(default_factory=list)
    _was_found: bool = False
    # Requests are counted in the threads that make them: none may be lost with a transaction of this one.
    _turn: Lock = field(default_factory=Lock)

    def download(self, *, now: datetime) -> dict[str, Any]:
        """Ask for the listings where it matters most, as many as the hour's requests allow, and store the answers.

        :return: how many listings were asked for, and have a BackBox or none; in how many of their markets something is
            new, changed, unchanged, gone and quarantined; ``unread`` ids, and requests made.
        :raises BackMarketError: what asking for all others would fail with; what was read is stored.
        """
        known = backbox.candidates(self.connection, self.account, sold_since=now - SOLD_WITHIN)
        if not known:
            # Nobody has read them yet: on the first day, or where nothing else is switched on.
            self.listings.read(self.client.config.market)
            known = backbox.candidates(self.connection, self.account, sold_since=now - SOLD_WITHIN)
        on_sale = {each.listing_id for each in known if each.is_on_sale}
        self._expected = on_sale & backbox.taking_part(self.connection, self.account, since=now - _BELIEVED_AFTER)
        left = self.most - backbox.requests_made(self.connection, self.account)
        chosen = choose_listings(known, now=now, most=left)
        self._tell_plan(len(known), len(chosen), left)
        stopped_by = self._ask_for(chosen)
        self._settle_doubted()
        self._odd.tell(self.log, "competitor")
        for name, reason in self._failures.failed.items():
            self.log.warning("Listing %s could not be asked for, and is asked for again: %s", name, reason)
        if self._is_spent:
            self.log.info("This hour's requests are spent: the next hour goes on.")
        self.log.info("Competitors: %s.", tally(self.counts, none="nothing was asked"))
        if stopped_by:
            raise stopped_by
        counts = {"asked": 0, "new": 0, "changed": 0, "gone": 0, "quarantined": 0, **self.counts}
        if not self._failures.failed:
            sync_state.record_success(self.connection, self.account, CONCERN, counts)
        return {**counts, "unread": list(self._failures.failed), "requests": self.client.requests_made}

    def _tell_plan(self, known: int, chosen: int, left: int) -> None:
        if not known:
            self.log.info("This account has no listings.")
        elif left <= 0:
            self.log.info("The %s of this hour are spent: the next hour goes on.", counted(self.most, "request"))
        else:
            self.log.info("%s to be asked for, of %s.", counted(chosen, "listing"), counted(known, "listing"))

    def _ask_for(self, listings: list[UUID]) -> BackMarketError | None:
        """Ask for listings side by side, and store each answer; one that Back Market fails on costs no other.

        :return: what asking for more would have failed with.
        """

        def tell(listing_id: UUID, outcome: Callable[[], None]) -> None:
            try:
                outcome()
            except RequestsSpentError:
                self._is_spent = True
                return
            except UnreadableDocumentError as error:
                self._set_answer_aside(listing_id, error)
            except BackMarketError as error:
                self._failures.note(str(listing_id), error)
                self._note_asking(listing_id, self._began[listing_id], None, str(error))
                return
            else:
                self._settle(self._found.pop(listing_id))
            self._failures.passed(str(listing_id))
            self.counts["asked"] += 1
            self.progress(self.counts["asked"], len(listings))

        rows = ([listing_id] for listing_id in listings)
        try:
            work_side_by_side(rows, self._ask, tell, self._failures, at_once=self.client.config.concurrency)
        except BackMarketError as error:
            return error
        return None

    def _ask(self, listing_id: UUID) -> None:
        """Ask for one listing, in a thread."""
        self._began[listing_id] = datetime.now(UTC)
        self._found[listing_id] = self.client.get_competitors(listing_id, before_each=self._count_request)

    def _count_request(self) -> None:
        """Count a request before it is made, so that a run that is killed makes none that nobody knows of.

        :raises RequestsSpentError: where the hour's requests are spent.
        """
        with self._turn:
            if self._is_spent or not backbox.count_request(self.connection, self.account, most=self.most):
                raise RequestsSpentError

    def _settle(self, found: Competitors) -> None:
        """Store an answer; but "not found" of one that took part lately only once another one is found.

        An address that is no more, or a gateway, answers 404 to all: prices would rise as if nobody competed.
        """
        if found.competitors or found.unreadable:
            self._was_found = True
            self._store_doubted()
        if found.listing_id in self._expected and not self._was_found:
            self._doubted.append(found)
        else:
            self._store(found)

    def _settle_doubted(self) -> None:
        """Store that single listings are not found; name them where they are too many to be believed."""
        if len(self._doubted) < MOST_IN_A_ROW:
            self._store_doubted()
        for found in self._doubted:
            self._note_asking(found.listing_id, found.asked_at, None, _WHY_DOUBTED)
            self._failures.failed[str(found.listing_id)] = _WHY_DOUBTED

    def _store_doubted(self) -> None:
        for found in self._doubted:
            self._store(found)
        self._doubted.clear()

    def _store(self, found: Competitors) -> None:
        """Store one answer in one transaction, with what of it could not be read."""
        set_apart = _by_key(found)
        has_backbox = True if found.competitors else None if set_apart else False
        reason = "; ".join(f"{key}: {each.reason}" for key, each in set_apart.items()) or None
        with self._turn, self.connection.transaction():
            if not self._note_asking(found.listing_id, found.asked_at, has_backbox, reason):
                return
            merged = backbox.merge_competitors(
                self.connection,
                self.account,
                found,
                unread=[market.code for each in found.unreadable if (market := market_of(each.key or ""))],
                is_whole=all(_name_of(each) for each in found.unreadable),
            )
            self._keep(found.listing_id, set_apart)
        self.counts["with_backbox" if found.competitors else "without_backbox"] += 1
        self.counts.update(merged._asdict())
        for competitor in found:
            self._odd.note(competitor.all_odd_fields, (found.listing_id, competitor.market))

    def _set_answer_aside(self, listing_id: UUID, error: UnreadableDocumentError) -> None:
        """Keep a whole answer that cannot be understood; what is known of the listing stays."""
        key = str(listing_id)
        with self._turn, self.connection.transaction():
            if self._note_asking(listing_id, self._began[listing_id], None, error.detail):
                self._keep(listing_id, {key: Unreadable(error.document, error.detail, key)})

    def _note_asking(self, listing_id: UUID, asked_at: datetime, has_backbox: bool | None, reason: str | None) -> bool:
        return backbox.note_asking(
            self.connection, self.account, listing_id, asked_at=asked_at, has_backbox=has_backbox, reason=reason
        )

    def _keep(self, listing_id: UUID, set_apart: Mapping[str, Unreadable]) -> None:
        """Make this all that quarantine has of a listing."""
        backbox.release(self.connection, self.account, listing_id, kept=set_apart.keys())
        quarantine.keep(self.connection, self.account, backbox.ENTITY, set_apart)
        self.counts["quarantined"] += len(set_apart)
        for key, document in set_apart.items():
            self.log.warning(
                "What Back Market says of competition for %s could not be understood and is kept in quarantine: %s",
                key,
                document.reason,
            )


def _by_key(found: Competitors) -> dict[str, Unreadable]:
    """Return what could not be read by its key in quarantine: listing and market, or content where that says no market
    or another has that key.
    """
    set_apart: dict[str, Unreadable] = {}
    for each in found.unreadable:
        key = f"{found.listing_id}/{_name_of(each)}"
        if key in set_apart or _name_of(each) is None:
            key = f"{found.listing_id}/sha256:{sha256(dump(each.document).encode()).hexdigest()}"
        set_apart[key] = each
    return set_apart


def _name_of(unreadable: Unreadable) -> str | None:
    """Return the market that a document names, known here or not; None where it names none."""
    return unreadable.key if _NAME.fullmatch(unreadable.key or "") else None
