"""Validates an account: does the token work, which markets answer, what is visible."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient


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
                found = _ask(client, [code for code, each in MARKETS.items() if each.platform == hook.config.platform])
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


def _ask(client: BackMarketClient, markets: Iterable[str]) -> dict[str, Any]:
    from backmarket.api.errors import BackMarketError
    from backmarket.operators.item_failures import raise_what_concerns_all

    began = monotonic()
    orders = client.count_orders()
    listings: dict[str, int] = {}
    refused: dict[str, str] = {}
    for market in markets:
        try:
            listings[market] = client.count_listings(market)
        except BackMarketError as error:
            raise_what_concerns_all(error)
            refused[market] = str(error)
    calls = 1 + len(listings) + len(refused)
    return {
        "orders": orders,
        "listings": listings,
        "refused": refused,
        "calls": calls,
        "milliseconds_a_call": round((monotonic() - began) * 1000 / calls),
    }
