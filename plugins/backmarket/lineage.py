"""Names what tasks read and write as OpenLineage's naming wants it; imported only where its provider asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

_API = "ws/"
_INBOX = "inbox/settlements"


@dataclass(frozen=True)
class Lineage:
    """The datasets of one account."""

    backmarket_conn_id: str
    warehouse_conn_id: str
    account: str

    def of(self, reads: Iterable[str], writes: Iterable[str]) -> OperatorLineage[Any, Any]:
        """Return what a task has read and written.

        :param reads: tables with their schema, paths of the seller API, or ``inbox/settlements``.
        :param writes: likewise.
        """
        return OperatorLineage(inputs=[*map(self._dataset, reads)], outputs=[*map(self._dataset, writes)])

    def _dataset(self, name: str) -> Dataset:
        if name == _INBOX:
            return self._inbox()
        if name.startswith(_API):
            from backmarket.hooks.backmarket import BackMarketHook

            return Dataset(namespace=BackMarketHook(self.backmarket_conn_id).config.base_url, name=name)
        return self._table(name)

    def _table(self, name: str) -> Dataset:
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        hook = PostgresHook(postgres_conn_id=self.warehouse_conn_id)
        database = hook.get_openlineage_database_info(hook.connection)
        namespace = f"{database.scheme}://{database.authority}"
        return Dataset(namespace=namespace, name=f"{database.database}.{name}")

    def _inbox(self) -> Dataset:
        from backmarket.hooks.settlement_inbox import open_inbox
        from backmarket.settings import read_variable

        inbox = open_inbox(read_variable(self.account, "settlement_inbox"))
        return Dataset(namespace=inbox.namespace, name=inbox.key if inbox.bucket else inbox.path)
