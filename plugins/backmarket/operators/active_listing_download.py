"""Downloads all listings of one market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketActiveListingDownloadOperator(BackMarketOperator):
    """Brings one market's listings into ``backmarket.listings``, ``listing_offers`` and ``listing_offer_history``.

    A complete read is a snapshot: what it does not hold is marked as gone. What a short or failed read brings is
    stored, and marks nothing. Running again repeats nothing.

    :param market: the market, such as ``fr-fr``.
    :raises ShortReadError: where the list moved, or lacked rows, for as long as it was read.
    :raises BackMarketError: what a page could not be read for; all others are stored.
    """

    template_fields = (*BackMarketOperator.template_fields, "market")
    ui_color = "#d4edda"

    def __init__(self, *, market: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.market = market

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts: offers new, changed, unchanged, gone and quarantined, requests made."""
        from backmarket.api.errors import ShortReadError
        from backmarket.operators.listing_reading import ListingReading
        from backmarket.operators.markets import chosen_markets
        from backmarket.settings import MarketSettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.listings import ListingStaging

        hook = self.hook
        markets = chosen_markets(MarketSettings.load(), hook.config)
        with connect(self.warehouse_conn_id) as connection, hook as client:
            reading = ListingReading(client, ListingStaging(connection, self.account), self.market)
            complete = reading.read()
            counts = reading.store(markets, complete=complete) | {"requests": client.requests_made}
        reading.tell(self.log, counts)
        if reading.failure:
            raise reading.failure
        if not complete:
            raise ShortReadError(
                f"{len(reading.seen)} listings of {self.market} were read, and others may be missing; what was read is "
                "stored, none is marked as gone",
                method="GET",
                path="/ws/listings",
            )
        return counts
