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
        taken = self.ledger.mark_sent(_ids(lines), in_batch=True)
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
