"""Forgets addresses and quarantined documents once they are old enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPurgePersonalDataOperator(BackMarketOperator):
    """Deletes personal data older than ``backmarket_pii_retention_days``; skips while that Variable is empty.

    It needs no concern to be on, and so brings the schema up to date itself; the main switch alone stops it.

    Addresses of open orders stay: they are needed to ship.
    """

    ui_color = "#f8d7da"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many addresses and quarantined documents were deleted."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate
        from backmarket.warehouse.orders import purge_personal_data

        if not read_variable("enabled"):
            raise AirflowSkipException("backmarket_enabled is off: nothing is touched.")
        days = read_variable("pii_retention_days")
        if days is None:
            raise AirflowSkipException("backmarket_pii_retention_days is empty: personal data is kept.")
        with connect(self.warehouse_conn_id) as connection:
            migrate(connection)
            addresses, documents = purge_personal_data(connection, self.account, days=days)
        self.log.info(
            "Older than %d days, deleted: %d addresses, %d quarantined documents.", days, addresses, documents
        )
        return {"addresses": addresses, "quarantined_documents": documents}
