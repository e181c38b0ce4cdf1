"""Finds out how the prices ended that went out in batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.batch_waiting import BackMarketBatchWaitingOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.operators.price_batches import PriceBatches
    from backmarket.warehouse.connection import Connection


class BackMarketPriceBatchResultsOperator(BackMarketBatchWaitingOperator):
    """Waits for the batches for a short while, reads their markets back, and settles their prices.

    A run must not keep the next one's quantities waiting: what Back Market has not finished after ``[backmarket]
    price_batch_wait_seconds``, the next run settles. What is under way stands in ``backmarket.changes`` alone, so
    this task may be killed, cleared or repeated at any moment.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many prices were confirmed, refused, planned again, and are not known yet, or skip."""
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            batches = self._batches(connection, client)
            if not batches.under_way():
                raise AirflowSkipException("No price is under way in a batch.")
            reports = batches.reports()
            running = [batch_id for batch_id, report in reports.items() if batch_id and report.state == "running"]
        if running:
            look_at = datetime.now(UTC) + wait_of("price_batch_wait_seconds")
            self.log.info("Back Market is at work on %d batches; looking again by %s.", len(running), look_at)
            self.wait_for_batches(running, look_at, {})
        return self.look_again({})

    def look_again(self, ended: dict[str, int]) -> dict[str, int]:
        """Read the markets of the batches that are over, and settle."""
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            batches = self._batches(connection, client)
            reports = batches.reports()
            over = {batch_id for batch_id, report in reports.items() if report.state != "running"}
            for market in dict.fromkeys(change.market for change in batches.under_way() if change.batch_id in over):
                self._read(connection, client, market)
            counts = batches.settle(reports)
        self.log.info(
            "Prices sent in batches: %(confirmed)d confirmed, %(refused)d refused, %(planned)d to be sent again, "
            "%(unknown)d not known yet.",
            counts,
        )
        return counts

    def _batches(self, connection: Connection, client: BackMarketClient) -> PriceBatches:
        from backmarket.operators.price_batches import PriceBatches

        return PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)

    def _read(self, connection: Connection, client: BackMarketClient, market: str) -> None:
        """Read a market's listings and store what they show; a short reading marks nothing as gone.

        :raises BackMarketError: what a page could not be read for; all others are stored.
        """
        from backmarket.operators.listing_reading import ListingReading
        from backmarket.warehouse.listings import ListingStaging

        reading = ListingReading(client, ListingStaging(connection, self.account), market)
        stored = reading.store([market], complete=reading.read())
        reading.tell(self.log, stored)
        if reading.failure:
            raise reading.failure
