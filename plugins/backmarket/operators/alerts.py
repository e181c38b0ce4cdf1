"""Operators of ``backmarket_alerts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator
from backmarket.services.alerts import attention_message, keys_of

if TYPE_CHECKING:
    from airflow.sdk import Context


_MOST_ITEMS = 200


class BackMarketAttentionAlertOperator(BackMarketOperator):
    """Sends one message about all that is new since the last one; skips while nobody is to be told.

    A thing is known by its kind and its subject, whatever numbers it speaks of, and is told again where it still waits
    after ``backmarket_alert_repeat_hours``. What was told is noted in the transaction of the sending: a failure to send
    is made good by the next run.

    :raises AlertChannelError: where the message could not be sent.
    """

    ui_color = "#fff3cd"

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many things wait, and how many of them people were told of now."""
        from backmarket.alert_channels import send
        from backmarket.settings import read_variable
        from backmarket.warehouse import sql
        from backmarket.warehouse.connection import DEFAULT_CONN_ID, connect
        from backmarket.warehouse.ledger import KINDS
        from backmarket.warehouse.needs import read_needs
        from backmarket.warehouse.snapshot import reader

        conn_id = read_variable("alert_conn_id")
        if not conn_id or not read_variable("enabled"):
            raise AirflowSkipException("backmarket_enabled is off, or backmarket_alert_conn_id names no connection.")
        with reader(self.account, self.warehouse_conn_id or DEFAULT_CONN_ID) as database:
            needs = read_needs(database, KINDS, most=_MOST_ITEMS)
        with connect(self.warehouse_conn_id) as connection, connection.transaction():
            connection.execute(sql.statement("alerts/purge_told"), {"account": self.account})
            parameters = {
                "account": self.account,
                "subjects": [key for need in needs for key in keys_of(need)],
                "repeat_hours": read_variable("alert_repeat_hours"),
            }
            new = {row[0] for row in connection.execute(sql.statement("alerts/insert_told"), parameters).fetchall()}
            if new:
                send(conn_id, attention_message(self.account, needs, new))
        waiting = sum(need.total for need in needs)
        self.log.info("%d things wait for a person; told of %d now.", waiting, len(new))
        return {"waiting": waiting, "told": len(new)}
