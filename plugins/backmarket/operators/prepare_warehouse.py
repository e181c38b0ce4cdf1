"""Prepares the operational database: its schema, and whose account it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from backmarket.operators.base import BackMarketOperator
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from backmarket.warehouse.accounts import KnownThing


class BackMarketPrepareWarehouseOperator(BackMarketOperator):
    """Creates or migrates the schema, and holds this account name to one Back Market account.

    Each DAG begins with it, so whichever runs first sets the database up; two at once take turns. A new token is taken
    over once it shows an order or a listing that is stored here, for which Back Market is asked.

    :param main_switch: which runs skip while the main switch is off, where no gate stands before this task: those of
        the schedule, or all.
    :raises PoolerModeError: where the database is reached through a pooler that does not keep sessions.
    :raises AccountMixUpError: where the data of two accounts would be mixed, or one account run twice.
    """

    def __init__(self, *, main_switch: Literal["scheduled", "all"] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.main_switch = main_switch

    def execute(self, context: Context) -> list[str]:
        """Return the migrations that were applied now."""
        from backmarket.warehouse import accounts
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate
        from backmarket.warehouse.pooler import require_session

        if self.main_switch and self.main_switch in {"all", context["dag_run"].run_type}:
            self._skip_while_off()
        require_session(self.warehouse_conn_id)
        config = self.hook.config
        with connect(self.warehouse_conn_id) as connection:
            applied = migrate(connection)
            accounts.claim(
                connection,
                self.account,
                self.backmarket_conn_id,
                config.account_host,
                config.token.get_secret_value(),
                shows_any=self._token_shows_any,
            )
        news = f"; {counted(len(applied), 'migration')} applied now, up to {applied[-1]}" if applied else ""
        self.log.info("The schema is up to date%s.", news)
        return applied

    def _skip_while_off(self) -> None:
        """Skip where the main switch is off; the tasks behind this one say so of a switch that cannot be understood."""
        from backmarket.settings import VariableError

        with suppress(VariableError):
            self.skip_unless_enabled("Nothing is looked at.")

    def _token_shows_any(self, known: Sequence[KnownThing]) -> bool:
        """Ask Back Market; most runs need not, and open no client."""
        from backmarket.services.account import shows_any

        with self.hook as client:
            return shows_any(client, known)
