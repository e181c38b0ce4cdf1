"""Prepares the operational database: its schema, and whose account it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator
from backmarket.services.account import shows_any

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPrepareWarehouseOperator(BackMarketOperator):
    """Creates or migrates the schema, and holds this account name to one Back Market account.

    Each DAG begins with it, so whichever runs first sets the database up; two at once take turns. A new token is taken
    over once it shows an order or a listing that is stored here.

    :raises AccountMixUpError: where the data of two accounts would be mixed, or one account run twice.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> list[str]:
        """Return the migrations that were applied now."""
        from backmarket.warehouse import accounts
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate

        hook = self.hook
        config = hook.config
        with connect(self.warehouse_conn_id) as connection:
            applied = migrate(connection)
            accounts.claim(
                connection,
                self.account,
                config.base_url,
                config.token.get_secret_value(),
                shows_any=lambda known: shows_any(hook, known),
            )
        self.log.info("Schema up to date%s.", f"; applied now: {', '.join(applied)}" if applied else "")
        return applied
