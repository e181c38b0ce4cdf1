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
    it skips while ``backmarket_enabled`` is off. Its log says first where the connections and each Variable that is set
    come from, and which Variables nobody reads.

    :raises AuthenticationError: where the token is no longer valid; the message says how to renew it.
    """

    reads = ("ws/orders", "ws/listings", *SELLER_TABLES)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the platform, visible orders, listings by market, markets refused, milliseconds a call, the Variables
        that nobody reads, and how many rows of the seller's tables are meant for this account and read by none."""
        from airflow import __version__

        from backmarket.services.account import check_account, untried_version
        from backmarket.services.unclaimed_rows import report_unclaimed_rows
        from backmarket.settings import key_of, read_variable
        from backmarket.warehouse.connection import connect

        if context["dag_run"].run_type == "scheduled" and not read_variable(self.account, "enabled"):
            raise AirflowSkipException(f"{key_of(self.account, 'enabled')} is off.")
        if warning := untried_version(__version__):
            self.log.warning("%s", warning)
        unread = self._log_sources()
        hook = self.hook
        with connect(self.warehouse_conn_id) as connection, hook as client:
            found = check_account(client, connection, self.account, hook.config.platform, self.log)
            unclaimed = report_unclaimed_rows(connection, self.account, self.log)
        return {**found, "unread_variables": unread, "unclaimed_rows": unclaimed}

    def _log_sources(self) -> list[str]:
        """Log where connections and Variables come from; return the Variables that nobody reads."""
        from airflow.sdk import Variable
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

        from backmarket import environment, sources

        # Airflow 3.2 cannot list them.
        stored = list(Variable.keys()) if hasattr(Variable, "keys") else []
        conn_ids = [self.backmarket_conn_id, self.warehouse_conn_id]
        for sentence in sources.sentences(self.account, conn_ids, ensure_secrets_backend_loaded(), stored):
            self.log.info("%s", sentence)
        unread = sources.unread_variables([*stored, *environment.keys_of_variables()])
        for each in unread:
            meant = f" Did you mean {each.nearest}?" if each.nearest else ""
            self.log.warning("Nobody reads Variable %s.%s", each.key, meant)
        return [each.key for each in unread]
