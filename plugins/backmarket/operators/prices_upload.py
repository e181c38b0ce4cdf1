"""Sends planned prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.operators.listing_upload import ListingUpload
    from backmarket.operators.price_batches import PriceBatches


class BackMarketPricesUploadOperator(BackMarketOperator):
    """Sends prices, the longest waiting first; those sent along with a quantity are done already.

    Where many prices of a market change they go out in a batch, if that needs fewer requests; else one by one, at
    once. How a batch ended is for the task that follows, or the next run, to find out.
    """

    ui_color = "#f5c6cb"

    def execute(self, context: Context) -> dict[str, int]:
        """Return the outcomes, how many went out in batches, how many wait, and requests made."""
        from backmarket.operators.listing_upload import open_upload, skip_unless_sending
        from backmarket.operators.price_batches import PriceBatches
        from backmarket.settings import InventorySettings

        settings = InventorySettings.load()
        skip_unless_sending(settings, "prices_upload")
        with open_upload(self, settings) as upload:
            batches = PriceBatches(
                upload.connection, self.account, upload.client, wait_of("batch_deadline_seconds"), self.log
            )
            in_batches = _send_batches(upload, batches)
            _send_singly(upload)
            waiting = upload.tell_what_waits(upload.prices)
            requests = upload.client.requests_made
        self.log.info(
            "Prices sent one by one: %s; in batches: %d; %d requests.",
            dict(upload.counts) or "none",
            in_batches,
            requests,
        )
        return {**upload.counts, "in_batches": in_batches, "waiting": waiting, "requests": requests}


def _send_batches(upload: ListingUpload, batches: PriceBatches) -> int:
    """Send the batches among those whose turn it is within the hour's budget, and return how many lines went out."""
    from backmarket.operators.batch_sending import BatchSending

    turn = upload.prices.planned()[: upload.budget.left()]
    sending = BatchSending(upload.prices, upload.client, upload.budget, upload.log)
    return sum(sending.send(*batch) for batch in batches.choose(turn))


def _send_singly(upload: ListingUpload) -> None:
    """Send what is still planned, one by one; what surely was not applied the first time goes once more."""
    for _ in range(2):
        outcomes = []
        for change in upload.prices.planned():
            outcomes.append(upload.send_price(change))
            if outcomes[-1] == "waits":
                return
        if "again" not in outcomes:
            return
