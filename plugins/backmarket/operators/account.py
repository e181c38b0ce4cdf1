"""Operators of ``backmarket_account``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.lineage import SELLER_TABLES
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketAccountCheckOperator(BackMarketOperator):
    """Asks every market of the platform how many listings it shows, and once how many orders there are.

    By hand it runs whatever the toggles say: it is what a new user runs before switching anything on. Scheduled,
    it skips while ``backmarket_enabled`` is off.

    :raises AuthenticationError: where the token is no longer valid; the message says how to renew it.
    """

    reads = ("ws/orders", "ws/listings", *SELLER_TABLES)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the platform, visible orders, listings by market, markets refused, milliseconds a call, and how many
        rows of the seller's tables are meant for this account and read by none."""
        from airflow import __version__

        from backmarket.services.account import check_account, untried_version
        from backmarket.services.unclaimed_rows import report_unclaimed_rows
        from backmarket.settings import key_of, read_variable
        from backmarket.warehouse.connection import connect

        if context["dag_run"].run_type == "scheduled" and not read_variable(self.account, "enabled"):
            raise AirflowSkipException(f"{key_of(self.account, 'enabled')} is off.")
        if warning := untried_version(__version__):
            self.log.warning("%s", warning)
        hook = self.hook
        with connect(self.warehouse_conn_id) as connection, hook as client:
            found = check_account(client, connection, self.account, hook.config.platform, self.log)
            return {**found, "unclaimed_rows": report_unclaimed_rows(connection, self.account, self.log)}
