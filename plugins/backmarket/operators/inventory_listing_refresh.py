"""Reads all listings anew before quantities are planned: a quantity is only ever raised on a fresh reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketInventoryListingRefreshOperator(BackMarketOperator):
    """Reads the listings of the home market, compares them with what was known, and settles lost answers.

    What was sent last without an answer is waited for before reading: it may still arrive, also after a newer one.
    Quantities are the same in all markets, so no other one is read, or can stand in their way. Where the list comes out
    short, as where a page cannot be read, what it did not hold keeps its older reading, on which nothing is raised; all
    others go on.

    :raises BackMarketError: where nothing could be read.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the listings read and quarantined, requests made, what was settled, and quantities raised outside; and
        the market, as ``lists_short``, where its list did not come out whole."""
        from backmarket.operators.in_flight import let_arrive
        from backmarket.operators.inventory_settling import settle_quantities
        from backmarket.operators.market_reading import MarketReading
        from backmarket.operators.markets import markets_for_marking
        from backmarket.settings import QuantitySettings
        from backmarket.warehouse import inventory
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger

        settings, hook = QuantitySettings.load(), self.hook
        home = hook.config.market
        with connect(self.warehouse_conn_id) as connection, hook as client:
            let_arrive(Ledger(connection, self.account, "quantity").unsettled(), wait_of("in_flight_seconds"), self.log)
            markets = markets_for_marking(hook.config)
            read = MarketReading(client, connection, self.account, markets, self.log).read(home)
            now, hold = datetime.now(UTC), timedelta(hours=settings.pending_hold_hours)
            lag = settings.stock_policy.intake_lag
            lines = inventory.lines_by_sku(connection, self.account, now=now, hold=hold, intake_lag=lag)
            found = inventory.note_readings(
                connection, self.account, inventory.stored_readings(connection, self.account), lines, since=now - hold
            )
            inventory.record_findings(connection, self.account, found)
            counts: dict[str, Any] = {"listings": read.listings, "quarantined": read.quarantined}
            counts |= settle_quantities(connection, self.account)
            counts |= {"requests": client.requests_made, "lists_short": [] if read.is_whole else [home]}
        for finding in found:
            self.log.warning("%s %s. Two integrations on one account sell wrong stock.", finding.sku, finding.detail)
        return {**counts, "quantity_changed_outside": len(found)}
