"""Sends lines of the ledger in a batch; each line once, whatever becomes of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.warehouse.ledger import Ledger, RecordedChange
    from backmarket.warehouse.sku_line_budget import SkuLineBudget


@dataclass(frozen=True)
class BatchSending:
    """Sends batches of one kind of change."""

    ledger: Ledger
    client: BackMarketClient
    budget: SkuLineBudget
    log: Any

    def send(self, market: str, batch: list[RecordedChange], columns: Mapping[int, Mapping[str, str]]) -> int:
        """Send one batch, or as much of it as the budget grants.

        Its lines are marked as sent before it leaves. How they ended is for a later look to find out, even where the
        answer was lost or this process was killed.

        :param batch: changes of this market, at most as many as a batch may have lines.
        :param columns: what is sent of each, as text by column, by change id.
        :return: how many lines went out, those of a lost answer included.
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
                self.ledger.settle(ids, "planned", str(error))
                raise
            if error.surely_not_applied:
                self.ledger.take_back(ids, str(error))
                raise
            self.ledger.settle(ids, "unknown", f"the answer to the batch was lost: {error}")
            self.log.warning("The answer to a batch of %d lines was lost; reading settles it: %s", len(ids), error)
            return len(lines)
        self.ledger.record_batch(ids, batch_id)
        self.log.info("Back Market took batch %d: %d lines for %s.", batch_id, len(lines), market)
        return len(lines)
