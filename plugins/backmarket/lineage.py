"""Names what tasks read and write as OpenLineage's naming wants it; its packages are imported only where it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

ORDER_TABLES = ("backmarket.orders", "backmarket.order_lines", "backmarket.order_addresses")
SELLER_TABLES = (
    "seller.stock",
    "seller.stock_by_warehouse",
    "seller.prices",
    "seller.shipments",
    "seller.devices",
    "seller.catalog",
    "seller.sku_map",
    "seller.refunds",
    "seller.costs",
    "seller.device_costs",
    "seller.fx_rates",
    "seller.vat_rates",
    "seller.shipper_aliases",
)
LISTING_TABLES = ("backmarket.listings", "backmarket.listing_offers", "backmarket.listing_offer_history")

CARE_TABLES = ("backmarket.care_folders", "backmarket.care_messages", "backmarket.care_folders_unread")

_API = "ws/"
_INBOX = "inbox/"
_VARIABLES = {"settlements": "settlement_inbox", "seller": "seller_inbox", "invoices": "invoice_folder"}


@dataclass(frozen=True)
class Lineage:
    """The datasets of one account."""

    backmarket_conn_id: str
    warehouse_conn_id: str
    account: str

    def of(self, reads: Iterable[str], writes: Iterable[str]) -> OperatorLineage[Any, Any]:
        """Return what a task has read and written.

        :param reads: tables with their schema, paths of the seller API, or ``inbox/settlements``, ``inbox/seller``
            and ``inbox/invoices``.
        :param writes: likewise.
        """
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(inputs=[*map(self._dataset, reads)], outputs=[*map(self._dataset, writes)])

    def _dataset(self, name: str) -> Dataset:
        from openlineage.client.event_v2 import Dataset

        if name.startswith(_INBOX):
            namespace, name = self._inbox(name.removeprefix(_INBOX))
        elif name.startswith(_API):
            from backmarket.hooks.backmarket import BackMarketHook

            namespace = BackMarketHook(self.backmarket_conn_id).config.base_url
        else:
            namespace, name = self._table(name)
        return Dataset(namespace=namespace, name=name)

    def _table(self, name: str) -> tuple[str, str]:
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        hook = PostgresHook(postgres_conn_id=self.warehouse_conn_id)
        database = hook.get_openlineage_database_info(hook.connection)
        return f"{database.scheme}://{database.authority}", f"{database.database}.{name}"

    def _inbox(self, folder: str) -> tuple[str, str]:
        from backmarket.hooks.inbox import open_inbox
        from backmarket.settings import read_variable

        inbox = open_inbox(read_variable(self.account, _VARIABLES[folder]), folder)
        return inbox.namespace, inbox.key if inbox.bucket else inbox.path
