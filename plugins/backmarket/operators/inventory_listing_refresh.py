"""Reads all listings anew before anything is planned: a quantity is only ever raised on a fresh reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketInventoryListingRefreshOperator(BackMarketOperator):
    """Reads listings, compares them with what was known, and settles changes whose answer was lost.

    The home market is always read, for the quantities; the other markets where prices are uploaded. A reading that
    comes out short raises nothing: what it did not hold keeps its older reading.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, int]:
        """Return the listings read, requests made, what was settled, and quantities raised outside."""
        from backmarket.operators.inventory_settling import settle_from_readings
        from backmarket.operators.listing_reading import ListingReading
        from backmarket.operators.markets import chosen_markets
        from backmarket.operators.price_batches import PriceBatches
        from backmarket.settings import InventorySettings
        from backmarket.warehouse import inventory
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.listings import ListingStaging

        settings, hook = InventorySettings.load(), self.hook
        markets = chosen_markets(settings, hook.config)
        home = hook.config.market
        wanted = [home, *(market for market in markets if market != home and settings.prices_upload)]
        counts = {"listings": 0}
        with connect(self.warehouse_conn_id) as connection, hook as client:
            batches = PriceBatches(connection, self.account, client, wait_of("batch_deadline_seconds"), self.log)
            reports = batches.reports()
            for market in wanted:
                reading = ListingReading(client, ListingStaging(connection, self.account), market)
                complete = reading.read()
                stored = reading.store(list(dict.fromkeys([*markets, home])), complete=complete)
                reading.tell(self.log, stored)
                counts["listings"] += len(reading.seen)
                if not complete:
                    self.log.warning(
                        "The list of %s did not come out complete: listings that it lacks are raised by no plan until "
                        "they are read again.",
                        market,
                    )
            now, hold = datetime.now(UTC), timedelta(hours=settings.pending_hold_hours)
            lag = settings.stock_policy.intake_lag
            lines = inventory.lines_by_sku(connection, self.account, now=now, hold=hold, intake_lag=lag)
            found = inventory.note_readings(
                connection, self.account, inventory.stored_readings(connection, self.account), lines, since=now - hold
            )
            inventory.record_findings(connection, self.account, found)
            counts |= settle_from_readings(connection, self.account)
            in_batches = batches.settle(reports)
            counts["batch_prices_settled"] = sum(in_batches.values()) - in_batches["unknown"]
            counts["requests"] = client.requests_made
        for finding in found:
            self.log.warning("%s %s. Two integrations on one account sell wrong stock.", finding.sku, finding.detail)
        return {**counts, "quantity_changed_outside": len(found)}
