"""Sends lines to Back Market in batches, and asks for the status of batches."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backmarket.api.errors import BackMarketError, NotFoundError, RefusedError
from backmarket.rules.batch_result import LONGEST_REASON, errors_by_key, told
from backmarket.rules.batches import End, again_or_refused
from backmarket.rules.catalog_csv import write_catalog
from backmarket.services.item_failures import raise_what_concerns_all
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.batches import BatchState
    from backmarket.services.log import Log
    from backmarket.warehouse.ledger import Ledger, RecordedChange
    from backmarket.warehouse.sku_line_budget import SkuLineBudget

_MOST_REMARKS_LOGGED = 100


@dataclass(frozen=True)
class BatchSending:
    """Sends batches of one kind of change.

    :param refused: lines of batches that Back Market refused as a whole.
    :param unsent: lines of batches that surely were not applied for another reason; they stay planned.
    :param markets_left: why a batch for a market stays planned, by its code.
    """

    ledger: Ledger
    client: BackMarketClient
    budget: SkuLineBudget
    log: Log
    refused: list[RecordedChange] = field(default_factory=list)
    unsent: list[RecordedChange] = field(default_factory=list)
    markets_left: dict[str, str] = field(default_factory=dict)

    def send(self, market: str, batch: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> int:
        """Send one batch, or as much of it as the budget grants; the rest stays planned.

        Its lines are marked as sent before it leaves. Results are read later, also where the answer was lost or this
        process was killed.

        Where Back Market refuses a batch as a whole, its halves are sent, and theirs, so that one line which it does
        not take keeps none of the others away. After as many refusals as two such lines need, the batch itself must be
        wrong. Lines of a refused batch, and those that the budget does not grant to send again, are named in the log;
        they wait for another try, and are refused with the reason once they had as many tries as a line may have.

        :param batch: changes of this market, at most as many as a batch may have lines.
        :param columns: what is sent of each, as text by column, by change id.
        :return: how many lines went out, those of a lost answer included; 0 for a batch that stays planned.
        :raises BackMarketError: where sending others would fail alike.
        """
        try:
            return self._send_parts(market, batch, columns)
        except BackMarketError as error:
            raise_what_concerns_all(error)
            size = counted(len(batch), "line")
            self.log.warning("A batch of %s for %s stays planned: %s", size, market, error)
            self.unsent.extend(batch)
            self.markets_left[market] = str(error)
            return 0

    def _send_parts(self, market: str, batch: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> int:
        parts, sent, refusals_left = deque([batch]), 0, 2 * len(batch).bit_length()
        refusal: RefusedError | None = None
        while parts:
            part = parts.popleft()
            granted = self.budget.take(len(part))
            if refusal and granted < len(part):
                self._settle_unsent(part[granted:], refusal)
            # Until this batch is handed in, or its lines are back in the queue, nobody else settles them.
            with self.ledger.sending():
                lines = self._mark_sent(part[:granted])
                if not lines:
                    continue
                try:
                    self._submit(market, lines, columns)
                except RefusedError as error:
                    refusal = error
                    refusals_left -= 1
                    parts.extendleft(self._halves(lines, error, may_go_on=refusals_left > 0))
                else:
                    sent += len(lines)
        return sent

    def _halves(
        self, lines: list[RecordedChange], error: RefusedError, *, may_go_on: bool
    ) -> tuple[list[RecordedChange], ...]:
        """Put the lines of a refused batch back into the queue, and return its halves, the second one first.

        :return: nothing for a line that was alone, or where no further try is left: it is settled.
        """
        if len(lines) == 1 or not may_go_on:
            self._settle_refusal(lines, error)
            return ()
        self.ledger.take_back(_ids(lines), f"refused in a batch, sent in halves: {error.api_message or error}")
        middle = len(lines) // 2
        return lines[middle:], lines[:middle]

    def _mark_sent(self, lines: list[RecordedChange]) -> list[RecordedChange]:
        """Mark lines as sent, and return those that may be sent."""
        taken = self.ledger.mark_sent(lines, in_batch=True)
        return [change for change in lines if change.change_id in taken]

    def _submit(self, market: str, lines: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> None:
        """Hand a batch in; a lost answer leaves its lines unknown.

        :raises RefusedError: where Back Market refuses it as a whole; its lines stay marked as sent.
        :raises BackMarketError: where it surely was not applied; its lines are planned again.
        """
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
            size = counted(len(ids), "line")
            self.log.warning("The answer to a batch of %s was lost; reading settles it: %s", size, error)
            return
        self.ledger.record_batch(ids, batch_id)
        self.log.info("Back Market took batch %s: %s for %s.", batch_id, counted(len(lines), "line"), market)

    def _settle_unsent(self, lines: list[RecordedChange], error: RefusedError) -> None:
        """Settle lines of a refused batch that cannot be sent again within the hour: that refusal was their try."""
        with self.ledger.connection.transaction():
            what = "the batch was refused, and the hour has no lines left to find out for which of its own"
            self._settle_refusal(self._mark_sent(lines), error, what)

    def _settle_refusal(
        self, lines: list[RecordedChange], error: RefusedError, what: str = "the batch was refused"
    ) -> None:
        self.refused.extend(lines)
        ends: dict[End, list[int]] = {}
        for change in lines:
            end = again_or_refused(change.attempts + 1, f"{what}: {error.api_message or error}")
            ends.setdefault(end, []).append(change.change_id)
        for end, change_ids in ends.items():
            self.ledger.settle(change_ids, end.status, end.reason)
            self.log.warning("A batch of %s: %s.", counted(len(lines), "line"), end.reason)


def _ids(changes: list[RecordedChange]) -> list[int]:
    return [change.change_id for change in changes]


@dataclass(frozen=True)
class BatchStatus:
    """How a batch is doing.

    :param error: why it failed as a whole.
    :param errors: what Back Market reports of single lines, by SKU or EAN in lower case.
    """

    state: BatchState
    error: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def error_of(self, *keys: str) -> str:
        """Return what went wrong with a line, or with the batch as a whole; empty where nothing did.

        :param keys: SKU and EAN of the line.
        """
        own = (self.errors[key.lower()] for key in keys if key.lower() in self.errors)
        return self.error or next(own, "")


def read_status(client: BackMarketClient, batch_id: int | None, log: Log) -> BatchStatus:
    """Read the status of a batch.

    A batch whose status cannot be read counts as ``running``; the log says why.

    :return: ``lost`` where Back Market knows no such batch, or never told its number.
    :raises BackMarketError: where the failure concerns all batches alike.
    """
    if batch_id is None:
        return BatchStatus("lost")
    try:
        batch = client.get_task(batch_id)
    except NotFoundError:
        return BatchStatus("lost")
    except BackMarketError as error:
        raise_what_concerns_all(error)
        log.warning("Batch %s counts as not finished, as its status cannot be read: %s", batch_id, error)
        return BatchStatus("running")
    if batch.has_failed:
        return BatchStatus("failed", told(batch.last_action_error)[:LONGEST_REASON])
    return BatchStatus("done", errors=errors_by_key(batch.result)) if batch.is_done else BatchStatus("running")


def by_batch(changes: list[RecordedChange]) -> dict[int | None, list[RecordedChange]]:
    """Group sent lines by their batch; None for those whose batch is not known."""
    batches: dict[int | None, list[RecordedChange]] = {}
    for change in changes:
        batches.setdefault(change.batch_id, []).append(change)
    return batches


def log_remarks(log: Log, remarks: Sequence[str], table: str) -> None:
    """Write remarks about single lines to the log, the first ones only.

    :param table: where all of them stand.
    """
    for remark in remarks[:_MOST_REMARKS_LOGGED]:
        log.warning("%s", remark)
    if len(remarks) > _MOST_REMARKS_LOGGED:
        log.warning("All %s remarks stand in %s.", f"{len(remarks):,}", table)
