"""Makes the operational database ready: schema up to date, account claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPrepareWarehouseOperator(BackMarketOperator):
    """Creates or migrates the schema, and holds this account name to one Back Market account.

    Each DAG begins with it, so whichever runs first sets the database up; two at once take turns.

    :raises AccountMixUpError: where the data of two accounts would be mixed, or one account run twice.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> list[str]:
        """Return the migrations that were applied now."""
        from backmarket.warehouse import accounts
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate

        config = self.hook.config
        with connect(self.warehouse_conn_id) as connection:
            applied = migrate(connection)
            accounts.claim(connection, self.account, config.base_url, config.token.get_secret_value())
        self.log.info("Schema up to date%s.", f"; applied now: {', '.join(applied)}" if applied else "")
        return applied
