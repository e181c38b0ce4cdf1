"""Keeps the category tree at hand: what a new product of each category needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.warehouse.catalog import Catalog

_KEPT_FOR = timedelta(days=1)


class BackMarketCategoryDownloadOperator(BackMarketOperator):
    """Brings the leaves of the category tree into ``backmarket.categories``, once a day for each market that
    ``seller.catalog`` proposes products in.

    Where Back Market does not answer, the tree of earlier goes on being used. A market of which none is kept is named,
    and its new products wait; the trees of all others are read.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of leaf categories by market, 0 where the earlier tree goes on being used; those that
        were fresh are left out. And the markets of which no tree is known, as ``markets_left``.

        :raises BackMarketError: where it concerns all markets alike.
        """
        from backmarket.operators.catalog_markets import market_of, markets_of_platform
        from backmarket.operators.market_reading import read_each_market
        from backmarket.rules.catalog import kind_of
        from backmarket.warehouse.catalog import Catalog
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            catalog = Catalog(connection, self.account)
            wanted = {
                market_of(row, client.config) for row in catalog.rows() if kind_of(row, products_on=True) == "product"
            }
            known_since = {
                market: catalog.categories_read_at(market)
                for market in sorted(wanted & markets_of_platform(client.config))
            }
            now = datetime.now(UTC)
            due = [market for market, read_at in known_since.items() if read_at is None or now - read_at >= _KEPT_FOR]
            found = read_each_market(
                due,
                lambda market: self._read(market, client, catalog, known_since[market]),
                self.log,
                was_answered=len(due) < len(known_since),
            )
        self.log.info("Category trees read: %s.", found.rows or "none needed, or all fresh")
        return {"leaves": found.rows, "markets_left": list(found.left)}

    def _read(self, market: str, client: BackMarketClient, catalog: Catalog, known_since: datetime | None) -> int:
        """Read and store the tree of a market, and return its number of leaves; 0 where that of earlier stays.

        :raises BackMarketError: where Back Market refused or failed, and no tree is kept.
        """
        from backmarket.api.errors import BackMarketError

        read_at = datetime.now(UTC)
        try:
            tree = client.category_tree(market)
        except BackMarketError as error:
            if known_since is None:
                raise
            self.log.warning("The tree of %s stays that of %s: %s", market, known_since, error)
            return 0
        for category in tree.left_out:
            self.log.warning(
                "Category %s is left out of the tree of %s, so no product can be created in it: %s",
                category.key or "without an id",
                market,
                category.reason,
            )
        return catalog.store_categories(market, tree, read_at=read_at)
