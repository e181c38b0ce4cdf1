"""Sends planned prices."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPricesUploadOperator(BackMarketOperator):
    """Sends prices one by one, the longest waiting first; those sent along with a quantity are done already."""

    ui_color = "#f5c6cb"

    def execute(self, context: Context) -> dict[str, int]:
        """Return the outcomes, how many changes wait, and requests made."""
        from backmarket.operators.listing_upload import ListingUpload
        from backmarket.settings import InventorySettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.sku_line_budget import open_sku_line_budget

        settings = InventorySettings.load()
        if not settings.prices_upload:
            raise AirflowSkipException("backmarket_prices_upload is off.")
        if settings.dry_run:
            raise AirflowSkipException("backmarket_dry_run is on: the plan is recorded, nothing is sent.")
        hook, hold = self.hook, timedelta(hours=settings.pending_hold_hours)
        with (
            connect(self.warehouse_conn_id) as connection,
            hook as client,
            open_sku_line_budget(self.warehouse_conn_id, self.account) as budget,
        ):
            upload = ListingUpload(connection, self.account, client, budget, hook.config.market, hold, self.log)
            # What surely was not applied the first time goes once more.
            for _ in range(2):
                outcomes = []
                for change in upload.prices.planned():
                    outcomes.append(upload.send_price(change))
                    if outcomes[-1] == "waits":
                        break
                if "again" not in outcomes or "waits" in outcomes:
                    break
            waiting = upload.tell_what_waits(upload.prices)
            requests = client.requests_made
        self.log.info("Prices sent: %s; %d requests.", dict(upload.counts) or "none", requests)
        return {**upload.counts, "waiting": waiting, "requests": requests}
