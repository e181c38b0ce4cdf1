"""Operators of ``backmarket_backbox``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.lineage import LISTING_TABLES
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketBackboxDownloadOperator(BackMarketOperator):
    """Reads where listings stand in the competition for a BackBox: those on sale first, then those that sell most.

    All runs together make no more requests in an hour than ``backmarket_backbox_requests_an_hour``. A listing that
    Back Market fails on costs no other: it is named, and asked for again. What is said of one market and cannot be
    understood costs no other market: it is kept in quarantine. Where no listing is known yet, their list is read first.

    :raises BackMarketError: what all listings would fail with; what was read is stored.
    """

    reads = (
        "ws/backbox/v1/competitors",
        "ws/listings",
        "backmarket.listings",
        "backmarket.listing_offers",
        "backmarket.order_lines",
    )
    writes = (
        "backmarket.backbox",
        "backmarket.backbox_history",
        "backmarket.backbox_askings",
        "backmarket.backbox_requests",
        *LISTING_TABLES,
    )

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: listings asked for, with and without a BackBox; markets new, changed, unchanged, gone and
        quarantined; requests; and the ids of listings that could not be asked for, as ``unread``."""
        from backmarket.services.backbox import BackboxReading
        from backmarket.services.listing_reading import MarketReading
        from backmarket.settings import BackboxSettings, markets_for_marking
        from backmarket.warehouse.connection import connect

        most = BackboxSettings.load(self.account).backbox_requests_an_hour
        with (
            connect(self.warehouse_conn_id) as connection,
            self.hook as client,
            self.progress(context, "listing") as progress,
        ):
            markets = markets_for_marking(self.account, client.config)
            listings = MarketReading(client, connection, self.account, markets, self.log)
            reading = BackboxReading(client, connection, self.account, listings, most, self.log, progress)
            return reading.download(now=datetime.now(UTC))
