"""Sends lines of the ledger in a batch; each line once, whatever becomes of the answer."""

from __future__ import annotations

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

        A batch that Back Market refuses as a whole is told in the log. Its lines wait for another try, and are refused
        with the reason once they had as many as a line may have.

        :param batch: changes of this market, at most as many as a batch may have lines.
        :param columns: what is sent of each, as text by column, by change id.
        :return: how many lines went out, those of a lost answer included; 0 for a batch that was refused.
        :raises BackMarketError: where the batch surely was not applied; its lines are planned again.
        """
        from backmarket.api.errors import BackMarketError, RefusedError
        from backmarket.rules.catalog_csv import write_catalog

        granted = batch[: self.budget.take(len(batch))]
        taken = self.ledger.mark_sent((change.change_id for change in granted), in_batch=True)
        lines = [change for change in granted if change.change_id in taken]
        if not lines:
            return 0
        ids = [change.change_id for change in lines]
        try:
            batch_id = self.client.submit_batch(write_catalog(columns[change_id] for change_id in ids), market)
        except BackMarketError as error:
            if isinstance(error, RefusedError):
                self._settle_refusal(lines, error)
                return 0
            if error.surely_not_applied:
                self.ledger.take_back(ids, str(error))
                raise
            self.ledger.settle(ids, "unknown", f"the answer to the batch was lost: {error}")
            self.log.warning("The answer to a batch of %d lines was lost; reading settles it: %s", len(ids), error)
            return len(lines)
        self.ledger.record_batch(ids, batch_id)
        self.log.info("Back Market took batch %d: %d lines for %s.", batch_id, len(lines), market)
        return len(lines)

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
