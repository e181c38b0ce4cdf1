"""Tells people of a task that failed for good, where ``backmarket_alert_conn_id`` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier

from backmarket.seller_account import DEFAULT_ACCOUNT, DEFAULT_WAREHOUSE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.services.alerts import Message

_REPEAT_HOURS = 1


class BackMarketFailureAlert(BaseNotifier):
    """Sends what failed, why and what to do; the same failure of the same task at most once an hour.

    It never fails itself: what goes wrong stands in the task's log. Only the words of this project's own errors
    are passed on, as others may quote data.

    :param account: whose Variables say how people are told.
    :param warehouse_conn_id: the database that knows what they were told of.
    """

    def __init__(self, account: str = DEFAULT_ACCOUNT, warehouse_conn_id: str = DEFAULT_WAREHOUSE) -> None:
        super().__init__()
        self.account = account
        self.warehouse_conn_id = warehouse_conn_id

    def notify(self, context: Context) -> None:
        """Answer Airflow, which calls this once a task has used up its retries."""
        from backmarket.alert_channels import AlertChannelError
        from backmarket.settings import VariableError, read_variable

        try:
            conn_id = read_variable(self.account, "alert_conn_id")
            if not conn_id:
                return
            is_told = self._tell_once(conn_id, failure_message(context, self.account))
        except (VariableError, AlertChannelError) as error:
            self.log.warning("%s", error)
            return
        if is_told:
            self.log.info("People were told by connection %s.", conn_id)
        else:
            self.log.info("People were told of this within the last hour.")

    def _tell_once(self, conn_id: str, message: Message) -> bool:
        """Send a message unless the same failure was told lately; return whether it went out.

        Where the database cannot say, people are rather told twice than never.
        """
        import psycopg
        from airflow.sdk.exceptions import AirflowNotFoundException

        from backmarket.alert_channels import send
        from backmarket.warehouse.alerts import note_told
        from backmarket.warehouse.connection import WarehouseUnavailableError, connect

        subject = f"failure:{message.facts['dag']}.{message.facts['task']}:{message.facts['error']}"
        try:
            with connect(self.warehouse_conn_id) as connection, connection.transaction():
                if not note_told(connection, self.account, [subject], repeat_hours=_REPEAT_HOURS):
                    return False
                send(conn_id, message)
        except (psycopg.Error, WarehouseUnavailableError, AirflowNotFoundException):
            send(conn_id, message)
        return True


def failure_message(context: Context, account: str) -> Message:
    """Say what failed, why and where to look."""
    from backmarket.configuration import ui_url
    from backmarket.services.alerts import Message

    ti: Any = context["ti"]
    error = context.get("exception")
    name = type(error).__name__ if isinstance(error, BaseException) else "Failure"
    is_ours = isinstance(error, BaseException) and type(error).__module__.startswith("backmarket.")
    why = f"{name}: {error}" if is_ours else f"{name}. The task's log says more."
    url = ui_url(f"/dags/{quote(ti.dag_id)}/runs/{quote(ti.run_id, safe='')}/tasks/{quote(ti.task_id)}")
    return Message(
        title=f"Back Market: {ti.task_id} failed",
        text=f"{why}\nDAG {ti.dag_id}, run {ti.run_id}\nLog: {url}\nTo repeat it, clear the task: that is always safe.",
        facts={
            "kind": "failure",
            "account": account,
            "dag": ti.dag_id,
            "run": ti.run_id,
            "task": ti.task_id,
            "error": name,
            "url": url,
        },
    )
