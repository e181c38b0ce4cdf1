"""Operators of ``backmarket_alerts``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketAttentionAlertOperator(BackMarketOperator):
    """Sends one message about all that is new since the last one; skips while nobody is to be told.

    A thing is known by its kind and its subject, whatever numbers it speaks of, and is told again where it still waits
    after ``backmarket_alert_repeat_hours``.

    :raises AlertChannelError: where the message could not be sent.
    """

    ui_color = "#fff3cd"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many things wait, and how many of them people were told of now."""
        from backmarket.alert_channels import send
        from backmarket.concerns import DAG_IDS
        from backmarket.configuration import page_url
        from backmarket.services.alerts import tell_what_is_new
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.needs import read_needs
        from backmarket.warehouse.snapshot import reader

        conn_id = read_variable("alert_conn_id")
        if not conn_id or not read_variable("enabled"):
            raise AirflowSkipException("backmarket_enabled is off, or backmarket_alert_conn_id names no connection.")
        repeat_hours = read_variable("alert_repeat_hours")
        with reader(self.account, self.warehouse_conn_id) as database:
            needs = read_needs(database, DAG_IDS, most=200)
        with connect(self.warehouse_conn_id) as connection:
            told = tell_what_is_new(
                connection, self.account, needs, partial(send, conn_id), repeat_hours=repeat_hours, url=page_url()
            )
        waiting = sum(need.total for need in needs)
        self.log.info("%d things wait for a person; told of %d now.", waiting, told)
        return {"waiting": waiting, "told": told}
