"""Sends lines to Back Market in batches, and finds out how each line ended."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.batch_end import End, Line, end_of, next_look
from backmarket.rules.batch_result import LONGEST_REASON, CreatedListing, differences, errors_by_key, told
from backmarket.services.item_failures import raise_what_concerns_all
from backmarket.services.listing_reading import Look, look_up_each

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.api.errors import RefusedError
    from backmarket.api.models import Listing
    from backmarket.rules.batch_end import BatchState
    from backmarket.warehouse.ledger import Ledger, RecordedChange
    from backmarket.warehouse.sku_line_budget import SkuLineBudget


@dataclass(frozen=True)
class BatchSending:
    """Sends batches of one kind of change.

    :param refused: lines of batches that Back Market refused as a whole.
    """

    ledger: Ledger
    client: BackMarketClient
    budget: SkuLineBudget
    log: Any
    refused: list[RecordedChange] = field(default_factory=list)

    def send(self, market: str, batch: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> int:
        """Send one batch, or as much of it as the budget grants; the rest stays planned.

        Its lines are marked as sent before it leaves. How they ended is for a later look to find out, even where the
        answer was lost or this process was killed.

        Where Back Market refuses it as a whole, its halves are sent, and theirs, so that one line which it does not
        take keeps none of the others away. After as many refusals as two such lines need, the batch itself must be
        wrong. What was refused, and what of it the budget does not grant to send again, is told in the log; it waits
        for another try, and is refused with the reason once it had as many as a line may have.

        :param batch: changes of this market, at most as many as a batch may have lines.
        :param columns: what is sent of each, as text by column, by change id.
        :return: how many lines went out, those of a lost answer included; 0 for a batch that was refused.
        :raises BackMarketError: where the batch surely was not applied; its lines are planned again.
        """
        from backmarket.api.errors import RefusedError

        parts, sent, refusals_left = deque([batch]), 0, 2 * len(batch).bit_length()
        refusal: RefusedError | None = None
        while parts:
            part = parts.popleft()
            granted = self.budget.take(len(part))
            if refusal and granted < len(part):
                self._settle_unsent(part[granted:], refusal)
            lines = self._mark_sent(part[:granted])
            if not lines:
                continue
            try:
                self._submit(market, lines, columns)
            except RefusedError as error:
                refusal = error
                refusals_left -= 1
                if len(lines) == 1 or refusals_left <= 0:
                    self._settle_refusal(lines, error)
                else:
                    self.ledger.take_back(
                        _ids(lines), f"refused in a batch, sent in halves: {error.api_message or error}"
                    )
                    middle = len(lines) // 2
                    parts.extendleft((lines[middle:], lines[:middle]))
            else:
                sent += len(lines)
        return sent

    def _mark_sent(self, lines: list[RecordedChange]) -> list[RecordedChange]:
        """Mark lines as sent, and return those that may be sent."""
        taken = self.ledger.mark_sent(lines, in_batch=True)
        return [change for change in lines if change.change_id in taken]

    def _submit(self, market: str, lines: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> None:
        """Hand a batch in; a lost answer leaves its lines unknown.

        :raises RefusedError: where Back Market refuses it as a whole; its lines stay marked as sent.
        :raises BackMarketError: where it surely was not applied; its lines are planned again.
        """
        from backmarket.api.errors import BackMarketError, RefusedError
        from backmarket.rules.catalog_csv import write_catalog

        ids = _ids(lines)
        try:
            batch_id = self.client.submit_batch(write_catalog(columns[change_id] for change_id in ids), market)
        except RefusedError:
            raise
        except BackMarketError as error:
            if error.surely_not_applied:
                self.ledger.take_back(ids, str(error))
                raise
            self.ledger.settle(ids, "unknown", f"the answer to the batch was lost: {error}")
            self.log.warning("The answer to a batch of %d lines was lost; reading settles it: %s", len(ids), error)
            return
        self.ledger.record_batch(ids, batch_id)
        self.log.info("Back Market took batch %d: %d lines for %s.", batch_id, len(lines), market)

    def _settle_unsent(self, lines: list[RecordedChange], error: RefusedError) -> None:
        """Settle lines of a refused batch that cannot be sent again within the hour: that refusal was their try."""
        with self.ledger.connection.transaction():
            what = "the batch was refused, and the hour has no lines left to find out for which of its own"
            self._settle_refusal(self._mark_sent(lines), error, what)

    def _settle_refusal(
        self, lines: list[RecordedChange], error: RefusedError, what: str = "the batch was refused"
    ) -> None:
        from backmarket.rules.batch_end import again_or_refused

        self.refused.extend(lines)
        ends: dict[End, list[int]] = {}
        for change in lines:
            end = again_or_refused(change.attempts + 1, f"{what}: {error.api_message or error}")
            ends.setdefault(end, []).append(change.change_id)
        for end, change_ids in ends.items():
            self.ledger.settle(change_ids, end.status, end.reason)
            self.log.warning("A batch of %d lines: %s.", len(lines), end.reason)


def _ids(changes: list[RecordedChange]) -> list[int]:
    return [change.change_id for change in changes]


@dataclass(frozen=True)
class BatchReport:
    """Where a batch is.

    :param error: why it failed as a whole.
    :param errors: what it says of single lines, by SKU or EAN in lower case.
    """

    state: BatchState
    error: str = ""
    errors: dict[str, str] = field(default_factory=dict)


def read_report(client: BackMarketClient, batch_id: int | None, log: Any) -> BatchReport:
    """Read a batch's report.

    A report that cannot be read says no more than one that is not over yet: ``running``; the log says why.

    :return: ``lost`` where Back Market knows no such batch, or never told its number.
    :raises BackMarketError: where the failure concerns all batches alike.
    """
    from backmarket.api.errors import BackMarketError, NotFoundError

    if batch_id is None:
        return BatchReport("lost")
    try:
        batch = client.get_task(batch_id)
    except NotFoundError:
        return BatchReport("lost")
    except BackMarketError as error:
        raise_what_concerns_all(error)
        log.warning("Batch %d counts as not finished, as its report cannot be read: %s", batch_id, error)
        return BatchReport("running")
    if batch.has_failed:
        return BatchReport("failed", told(batch.last_action_error)[:LONGEST_REASON])
    return BatchReport("done", errors=errors_by_key(batch.result)) if batch.is_done else BatchReport("running")


def by_batch(changes: list[RecordedChange]) -> dict[int | None, list[RecordedChange]]:
    """Sort sent lines by their batch; None for those whose batch is not known."""
    batches: dict[int | None, list[RecordedChange]] = {}
    for change in changes:
        batches.setdefault(change.batch_id, []).append(change)
    return batches


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
