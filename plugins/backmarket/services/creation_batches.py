"""Sends new listings and products in batches, and finds out how each line ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.rules.batch_result import CreatedListing, differences
from backmarket.rules.batches import MOST_LINES_OF_A_BATCH, End, Line, end_of_creation, next_poll
from backmarket.services.batches import BatchSending, by_batch, log_remarks, read_status
from backmarket.services.item_failures import named
from backmarket.services.listing_lookup import look_up_absent_again, look_up_each, store_found
from backmarket.words import counted, tally, time_of_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.services.batches import BatchStatus
    from backmarket.services.listing_lookup import Lookup
    from backmarket.services.log import Log
    from backmarket.warehouse.ledger import Ledger, RecordedChange
    from backmarket.warehouse.listings import Catalog
    from backmarket.warehouse.sku_line_budget import SkuLineBudget

_MOST_NAMED = 100
_COUNTED = ("confirmed", "different", "refused", "planned")
_ENDS = {"confirmed": "created as sent", "different": "created with differences"}


class ListingsNotCreatedError(Exception):
    """Back Market refused lines, failed a batch, or did not finish in time; everything else is settled."""


@dataclass
class CreationSending:
    """Sends the planned listings or products, the longest waiting first.

    :param not_sent: SKUs that stay planned or were refused unsent.
    """

    ledger: Ledger
    catalog: Catalog
    client: BackMarketClient
    budget: SkuLineBudget
    log: Log
    not_sent: list[str] = field(default_factory=list)

    def send(self) -> dict[str, Any]:
        """Send as much as the hour's budget of SKU lines grants.

        :return: how many lines were sent in how many batches, were listed already, and wait for the next run; and the
            SKUs that could not be sent, as ``not_sent``.
        :raises BackMarketError: where sending more would fail alike.
        """
        queue = self.ledger.planned()
        turn = queue[: self.budget.left()]
        unlisted = self._without_listed(turn)
        counts = {"sent": 0, "batches": 0, "listed_already": len(turn) - len(unlisted) - len(self.not_sent)}
        sending = BatchSending(self.ledger, self.client, self.budget, self.log)
        for batch in batches_of(unlisted):
            columns = {change.change_id: change.payload["columns"] for change in batch}
            sent = sending.send(batch[0].payload["market"], batch, columns)
            counts["sent"] += sent
            counts["batches"] += bool(sent)
        self.not_sent += [change.subject for change in [*sending.unsent, *sending.refused]]
        waiting = len(queue) - counts["listed_already"] - counts["sent"]
        if waiting:
            waits = counted(waiting, "line waits", "lines wait")
            self.log.info("%s; the next may go at %s.", waits, time_of_day(self.budget.free_at()))
        self.log.info(
            "Sent %s in %s; %s listed already.",
            counted(counts["sent"], "line"),
            counted(counts["batches"], "batch", "batches"),
            counted(counts["listed_already"], "SKU was", "SKUs were"),
        )
        return {**counts, "waiting": waiting, "not_sent": self.not_sent[:_MOST_NAMED]}

    def _without_listed(self, changes: list[RecordedChange]) -> list[RecordedChange]:
        """Return the changes whose SKUs have no listing, and store the listings of the others.

        A SKU that Back Market could not look up, or whose 404 is not to be believed, is neither: sending it might
        overwrite a listing. It comes last in the next run, so that the others have their turn.
        """
        read_at = datetime.now(UTC)
        lookups = look_up_absent_again(self.client, changes, look_up_each(self.client, changes))
        store_found(self.ledger.connection, self.ledger.account, changes, lookups, read_at=read_at)
        pairs = list(zip(changes, lookups, strict=True))
        listed = [change for change, lookup in pairs if lookup.exists]
        if listed:
            self.catalog.settle_listed(change.change_id for change in listed)
            self.log.info(
                "%s listed already; what is listed stays as it is.", counted(len(listed), "SKU is", "SKUs are")
            )
        for change, lookup in pairs:
            if lookup.failure:
                self.not_sent.append(change.subject)
                self.log.warning("SKU %s stays planned, as it cannot be looked up: %s", change.subject, lookup.failure)
        asked = [change.change_id for change, lookup in pairs if lookup.failure and lookup.was_asked]
        self.ledger.put_last(asked, "it cannot be looked up")
        return [change for change, lookup in pairs if lookup.exists is False]


def batches_of(changes: Iterable[RecordedChange]) -> Iterator[list[RecordedChange]]:
    """Split the queue into batches of one market and category each, the longest waiting first within each."""
    groups: dict[tuple[str, str], list[RecordedChange]] = {}
    for change in changes:
        key = change.payload["market"], change.payload["columns"].get("category_id", "")
        groups.setdefault(key, []).append(change)
    for group in groups.values():
        for start in range(0, len(group), MOST_LINES_OF_A_BATCH):
            yield group[start : start + MOST_LINES_OF_A_BATCH]


@dataclass
class BatchResults:
    """What became of the lines that were under way.

    :param counts: lines created, created with differences, refused, to be sent again, and not known yet.
    :param remarks: what a person should know about single SKUs.
    :param running: batches that Back Market is at work on, in time.
    :param look_at: when to read results again; None where waiting does not help.
    """

    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    look_at: datetime | None = None

    def wait_until(self, moment: datetime, now: datetime) -> None:
        """Read results again at this moment, unless it has passed or an earlier one is set."""
        if moment > now:
            self.look_at = min(moment, self.look_at or moment)


@dataclass(frozen=True)
class CreationResults:
    """Reads the results of the batches under way, and settles their lines.

    :param poll: the shortest time between two readings.
    :param patience: how long after sending it helps to wait for results; after that the next run reads them.
    :param deadline: how long after sending a batch may take and a listing may appear.
    """

    ledger: Ledger
    client: BackMarketClient
    poll: timedelta
    patience: timedelta
    deadline: timedelta
    log: Log

    def settle(self) -> BatchResults:
        """Read the status of each batch, read back the SKUs of those that are over, and settle.

        SKUs are not read back while their batch is at work in time.
        """
        results = BatchResults()
        for batch_id, changes in by_batch(self.ledger.unsettled()).items():
            now = datetime.now(UTC)
            status = read_status(self.client, batch_id, self.log)
            sent_at = max(change.sent_at for change in changes if change.sent_at)
            if status.state == "running" and batch_id is not None and now < sent_at + self.deadline:
                results.running.append(batch_id)
                results.wait_until(sent_at + self.patience, now)
                results.counts["unknown"] += len(changes)
            else:
                self._settle_batch(changes, status, results)
        log_remarks(self.log, results.remarks, "backmarket.catalog_readiness")
        return results

    def _settle_batch(self, changes: list[RecordedChange], status: BatchStatus, results: BatchResults) -> None:
        read_at = datetime.now(UTC)
        lookups = look_up_each(self.client, changes)
        store_found(self.ledger.connection, self.ledger.account, changes, lookups, read_at=read_at)
        now = datetime.now(UTC)
        ends: dict[End, list[int]] = {}
        for change, lookup in zip(changes, lookups, strict=True):
            if lookup.failure:
                end = End("unknown", f"it could not be read back: {lookup.failure}")
            else:
                end = end_of_creation(_line(change, lookup, status), now=now, deadline=self.deadline)
            ends.setdefault(end, []).append(change.change_id)
            results.counts["different" if end.status == "confirmed" and end.reason else end.status] += 1
            sent_at = change.sent_at or now
            if end.reason and end.status != "unknown":
                results.remarks.append(f"SKU {change.subject}: {end.reason}")
            elif end.status == "unknown" and status.state != "running" and now < sent_at + self.patience:
                results.wait_until(next_poll(sent_at, now=now, poll=self.poll, deadline=self.patience), now)
        for end, change_ids in ends.items():
            self.ledger.settle(change_ids, end.status, end.reason or None)


def final_counts(ended: Mapping[str, int], unknown: int, log: Log) -> dict[str, int]:
    """Log and return how many lines ended how, and, as ``new``, how many listings there are more.

    :param unknown: how many lines it is not known of yet.
    """
    counts = {name: ended.get(name, 0) for name in _COUNTED}
    counts |= {"unknown": unknown, "new": counts["confirmed"] + counts["different"]}
    log.info(
        "Listings: %s.",
        tally({_ENDS.get(name, name): number for name, number in counts.items() if name != "new"}),
    )
    return counts


def fail_if_not_created(leftovers: Mapping[str, int], results: Mapping[str, int], not_sent: list[str]) -> None:
    """Fail where lines that were sent did not become listings.

    :param leftovers: the counts of what earlier runs had sent.
    :param results: the counts of what this run sent.
    :param not_sent: SKUs that stay planned or were refused unsent.
    :raises ListingsNotCreatedError: saying how many, and where to look.
    """
    refused = leftovers["refused"] + results["refused"]
    again, unknown = results["planned"], results["unknown"]
    if refused or again or unknown:
        ends = tally({"refused": refused, "planned": again, "not known in time": unknown})
        raise ListingsNotCreatedError(
            f"Not all lines sent to Back Market became listings: {ends}. backmarket.catalog_readiness has the reason "
            "of each SKU. Correct refused rows of seller.catalog; the next run settles the rest by itself."
        )
    if not_sent:
        raise ListingsNotCreatedError(
            f"The SKUs {named(not_sent)} could not be sent: they could not be looked up, or Back Market refused "
            "their batch as a whole; backmarket.changes says why. All others are settled. These go into the next "
            "run until they had as many tries as a line may have."
        )


def _line(change: RecordedChange, lookup: Lookup, status: BatchStatus) -> Line:
    columns = change.payload["columns"]
    return Line(
        batch=status.state,
        sent_at=change.sent_at or datetime.now(UTC),
        attempts=change.attempts,
        is_shown=bool(lookup.exists),
        error=status.error_of(change.subject, columns.get("ean", "")),
        differences=tuple(differences(columns, _created(lookup.listing))) if lookup.listing else (),
    )


def _created(listing: Listing) -> CreatedListing:
    return CreatedListing(
        product_id=str(listing.product_id) if listing.product_id else None,
        backmarket_id=listing.backmarket_id,
        price=listing.price,
        currency=listing.currency,
        quantity=listing.quantity,
        grade=listing.grade,
    )
