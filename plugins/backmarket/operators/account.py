"""Operators of ``backmarket_account``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator
from backmarket.services.account import count_visible

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketAccountCheckOperator(BackMarketOperator):
    """Asks every market of the platform how many listings it shows, and once how many orders there are.

    By hand it runs whatever the toggles say: it is what a new user runs before switching anything on. Scheduled,
    it skips while ``backmarket_enabled`` is off.

    :raises AuthenticationError: where the token is no longer valid; the message says how to renew it.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the platform, visible orders, listings by market, markets refused, and milliseconds a call."""
        from backmarket.api.errors import AuthenticationError
        from backmarket.api.markets import MARKETS
        from backmarket.settings import read_variable
        from backmarket.warehouse import accounts
        from backmarket.warehouse.connection import connect

        if context["dag_run"].run_type == "scheduled" and not read_variable("enabled"):
            raise AirflowSkipException("backmarket_enabled is off.")
        hook = self.hook
        with connect(self.warehouse_conn_id) as connection, hook as client:
            try:
                found = count_visible(
                    client, [code for code, each in MARKETS.items() if each.platform == hook.config.platform]
                )
            except AuthenticationError:
                accounts.record_check(
                    connection, self.account, platform=hook.config.platform, token_valid=False, details={}
                )
                raise
            accounts.record_check(
                connection, self.account, platform=hook.config.platform, token_valid=True, details=found
            )
        self._tell(hook.config.platform, found)
        return {"platform": hook.config.platform, **found}

    def _tell(self, platform: str, found: dict[str, Any]) -> None:
        self.log.info("The token is valid. Platform %s, %d orders visible.", platform, found["orders"])
        for market, listings in found["listings"].items():
            self.log.info("Market %s answers: %d listings.", market, listings)
        for market, reason in found["refused"].items():
            self.log.warning("Market %s does not answer: %s", market, reason)
        self.log.info(
            "%d calls, %d milliseconds a call. Switch concerns on one by one under Admin → Variables.",
            found["calls"],
            found["milliseconds_a_call"],
        )
