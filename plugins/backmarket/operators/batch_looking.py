"""Looks at everything that was sent and not settled, and settles what can be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.batch_reports import by_batch, read_report
from backmarket.operators.listing_lookup import Look, look_up_each
from backmarket.rules.batch_end import End, Line, end_of, next_look
from backmarket.rules.batch_result import CreatedListing, differences

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.operators.batch_reports import BatchReport
    from backmarket.warehouse.ledger import Ledger, RecordedChange


@dataclass
class Findings:
    """What one look found.

    :param counts: lines created, created with differences, refused, to be sent again, and not known yet.
    :param remarks: what a person wants to read about single SKUs.
    :param running: batches that Back Market is at work on, in time.
    :param look_at: when to look again; None where waiting does not help.
    """

    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    look_at: datetime | None = None


@dataclass(frozen=True)
class BatchLooking:
    """Looks at the sent lines of one kind.

    :param poll: the shortest time between two looks.
    :param patience: how long after sending it helps to wait for another look; then the next run looks.
    :param deadline: how long after sending a batch may take and a SKU may appear.
    """

    ledger: Ledger
    client: BackMarketClient
    poll: timedelta
    patience: timedelta
    deadline: timedelta
    log: Any

    def look(self) -> Findings:
        """Read the batches' reports, read back the SKUs of those that are over, and settle.

        SKUs are not read back while their batch is at work in time.
        """
        findings = Findings()
        for batch_id, changes in by_batch(self.ledger.unsettled()).items():
            now = datetime.now(UTC)
            report = read_report(self.client, batch_id, self.log)
            if report.state == "running" and batch_id is not None and not self._is_overdue(changes, now):
                findings.running.append(batch_id)
                self._wait_until(findings, _sent_at(changes) + self.patience, now)
                findings.counts["unknown"] += len(changes)
            else:
                self._settle(changes, report, findings)
        return findings

    def _settle(self, changes: list[RecordedChange], report: BatchReport, findings: Findings) -> None:
        looks = self._read_back(changes)
        now = datetime.now(UTC)
        ends: dict[End, list[int]] = {}
        for change, look in zip(changes, looks, strict=True):
            if look.failure:
                end = End("unknown", f"it could not be read back: {look.failure}")
            else:
                end = end_of(_line(change, look, report), now=now, deadline=self.deadline)
            ends.setdefault(end, []).append(change.change_id)
            name = "different" if end.status == "confirmed" and end.reason else end.status
            findings.counts[name] += 1
            if end.reason and end.status != "unknown":
                findings.remarks.append(f"SKU {change.subject}: {end.reason}")
            if end.status == "unknown" and report.state != "running":
                sent_at = change.sent_at or now
                if now < sent_at + self.patience:
                    look_at = next_look(sent_at, now=now, poll=self.poll, deadline=self.patience)
                    self._wait_until(findings, look_at, now)
        for end, change_ids in ends.items():
            self.ledger.settle(change_ids, end.status, end.reason or None)

    def _read_back(self, changes: list[RecordedChange]) -> list[Look]:
        """Look for each SKU, and store the listings found."""
        from backmarket.warehouse.listings import store_readings

        read_at = datetime.now(UTC)
        looks = look_up_each(self.client, changes)
        found: dict[str, list[Listing]] = {}
        for change, look in zip(changes, looks, strict=True):
            if look.listing is not None:
                found.setdefault(change.payload["market"], []).append(look.listing)
        for market, listings in found.items():
            store_readings(self.ledger.connection, self.ledger.account, market, listings, read_at=read_at)
        return looks

    def _is_overdue(self, changes: list[RecordedChange], now: datetime) -> bool:
        return now >= _sent_at(changes) + self.deadline

    def _wait_until(self, findings: Findings, moment: datetime, now: datetime) -> None:
        if moment > now:
            findings.look_at = min(moment, findings.look_at or moment)


def _sent_at(changes: list[RecordedChange]) -> datetime:
    return max(change.sent_at for change in changes if change.sent_at)


def _line(change: RecordedChange, look: Look, report: BatchReport) -> Line:
    columns = change.payload["columns"]
    keys = (change.subject.lower(), columns.get("ean", "").lower())
    error = report.error or next((report.errors[key] for key in keys if key in report.errors), "")
    return Line(
        batch=report.state,
        sent_at=change.sent_at or datetime.now(UTC),
        attempts=change.attempts,
        exists=bool(look.exists),
        error=error,
        differences=tuple(differences(columns, _created(look.listing))) if look.listing else (),
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
