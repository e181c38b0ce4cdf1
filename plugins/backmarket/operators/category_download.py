"""Keeps the category tree at hand: what a new product of each category needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_KEPT_FOR = timedelta(days=1)


class BackMarketCategoryDownloadOperator(BackMarketOperator):
    """Brings the leaves of the category tree into ``backmarket.categories``, once a day for each market that
    ``seller.catalog`` proposes products in.

    Where Back Market does not answer, the tree of earlier goes on being used.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, int]:
        """Return the number of leaf categories read by market; those that were fresh are left out."""
        from backmarket.api.errors import BackMarketError
        from backmarket.operators.catalog_markets import market_of, markets_of_platform
        from backmarket.rules.catalog import kind_of
        from backmarket.warehouse.catalog import Catalog
        from backmarket.warehouse.connection import connect

        read: dict[str, int] = {}
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            catalog = Catalog(connection, self.account)
            wanted = {
                market_of(row, client.config) for row in catalog.rows() if kind_of(row, products_on=True) == "product"
            }
            for market in sorted(wanted & markets_of_platform(client.config)):
                now = datetime.now(UTC)
                known_since = catalog.categories_read_at(market)
                if known_since is not None and now - known_since < _KEPT_FOR:
                    continue
                try:
                    tree = client.category_tree(market)
                except BackMarketError as error:
                    if known_since is None:
                        raise
                    self.log.warning("The tree of %s stays that of %s: %s", market, known_since, error)
                    continue
                for category in tree.left_out:
                    self.log.warning(
                        "Category %s is left out of the tree of %s, so no product can be created in it: %s",
                        category.key or "without an id",
                        market,
                        category.reason,
                    )
                read[market] = catalog.store_categories(market, tree, read_at=now)
        self.log.info("Category trees read: %s.", read or "none needed, or all fresh")
        return read
