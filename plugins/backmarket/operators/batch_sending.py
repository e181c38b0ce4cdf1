"""Sends lines of the ledger in a batch; each line once, whatever becomes of the answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.api.errors import RefusedError
    from backmarket.rules.batch_end import End
    from backmarket.warehouse.ledger import Ledger, RecordedChange
    from backmarket.warehouse.sku_line_budget import SkuLineBudget


@dataclass(frozen=True)
class BatchSending:
    """Sends batches of one kind of change.

    :param refused: the subjects of batches that Back Market refused as a whole.
    """

    ledger: Ledger
    client: BackMarketClient
    budget: SkuLineBudget
    log: Any
    refused: list[str] = field(default_factory=list)

    def send(self, market: str, batch: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> int:
        """Send one batch, or as much of it as the budget grants.

        Its lines are marked as sent before it leaves. How they ended is for a later look to find out, even where the
        answer was lost or this process was killed.

        Where Back Market refuses it as a whole, its halves are sent, and theirs, so that one line which it does not
        take keeps none of the others away. After as many refusals as two such lines need, the batch itself must be
        wrong. What was refused is told in the log; it waits for another try, and is refused with the reason once it
        had as many as a line may have.

        :param batch: changes of this market, at most as many as a batch may have lines.
        :param columns: what is sent of each, as text by column, by change id.
        :return: how many lines went out, those of a lost answer included; 0 for a batch that was refused.
        :raises BackMarketError: where the batch surely was not applied; its lines are planned again.
        """
        from backmarket.api.errors import RefusedError

        parts, sent, refusals_left = deque([batch]), 0, 2 * len(batch).bit_length()
        while parts:
            lines = self._mark_sent(parts.popleft())
            if not lines:
                continue
            try:
                self._submit(market, lines, columns)
            except RefusedError as error:
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

    def _mark_sent(self, batch: list[RecordedChange]) -> list[RecordedChange]:
        """Mark as sent as many lines as the budget grants, and return those that may be sent."""
        granted = batch[: self.budget.take(len(batch))]
        taken = self.ledger.mark_sent(_ids(granted), in_batch=True)
        return [change for change in granted if change.change_id in taken]

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

    def _settle_refusal(self, lines: list[RecordedChange], error: RefusedError) -> None:
        from backmarket.rules.batch_end import again_or_refused

        self.refused.extend(change.subject for change in lines)
        ends: dict[End, list[int]] = {}
        for change in lines:
            end = again_or_refused(change.attempts + 1, f"the batch was refused: {error.api_message or error}")
            ends.setdefault(end, []).append(change.change_id)
        for end, change_ids in ends.items():
            self.ledger.settle(change_ids, end.status, end.reason)
            self.log.warning("A batch of %d lines: %s.", len(lines), end.reason)


def _ids(changes: list[RecordedChange]) -> list[int]:
    return [change.change_id for change in changes]
