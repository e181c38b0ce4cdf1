"""Tells people of a task that failed for good, where ``backmarket_alert_conn_id`` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier, conf

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.alert_channels import Message


class BackMarketFailureAlert(BaseNotifier):
    """Sends what failed, why and what to do; the same failure of the same task at most once an hour.

    It never fails itself: what goes wrong stands in the task's log. Only the words of this project's own errors
    are passed on, as others may quote data.
    """

    def notify(self, context: Context) -> None:
        """Answer Airflow, which calls this once a task has used up its retries."""
        from backmarket.settings import VariableError, read_variable

        try:
            conn_id = read_variable("alert_conn_id")
        except VariableError as error:
            self.log.warning("%s", error)
            return
        if conn_id:
            self._tell(conn_id, context)

    def _tell(self, conn_id: str, context: Context) -> None:
        from backmarket.alert_channels import AlertChannelError, send

        message = failure_message(context)
        task: Any = context["task"]
        account = getattr(task, "account", "default")
        subject = f"failure:{message.facts['dag']}.{message.facts['task']}:{message.facts['error']}"
        if _told_lately(account, subject):
            self.log.info("People were told of this within the last hour.")
            return
        try:
            send(conn_id, message)
        except AlertChannelError as error:
            self.log.warning("%s", error)
            return
        _note(account, subject)
        self.log.info("People were told by connection %s.", conn_id)


def failure_message(context: Context) -> Message:
    """Say what failed, why and where to look."""
    from urllib.parse import quote

    from backmarket.alert_channels import Message

    ti: Any = context["ti"]
    error = context.get("exception")
    name = type(error).__name__ if isinstance(error, BaseException) else "Failure"
    is_ours = isinstance(error, BaseException) and type(error).__module__.startswith("backmarket.")
    why = f"{name}: {error}" if is_ours else f"{name}. The task's log says more."
    path = f"/dags/{quote(ti.dag_id)}/runs/{quote(ti.run_id, safe='')}/tasks/{quote(ti.task_id)}"
    url = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}{path}"
    return Message(
        title=f"Back Market: {ti.task_id} failed",
        text=f"{why}\nDAG {ti.dag_id}, run {ti.run_id}\nLog: {url}\nTo repeat it, clear the task: that is always safe.",
        facts={"kind": "failure", "dag": ti.dag_id, "run": ti.run_id, "task": ti.task_id, "error": name, "url": url},
    )


def _told_lately(account: str, subject: str) -> bool:
    """Ask the database; where it cannot say, people are rather told twice than never."""
    import psycopg

    from backmarket.warehouse import sql
    from backmarket.warehouse.connection import WarehouseUnavailableError, connect

    try:
        with connect() as connection:
            parameters = {"account": account, "subject": subject}
            return connection.execute(sql.statement("alerts/select_told"), parameters).fetchone() is not None
    except (psycopg.Error, WarehouseUnavailableError):
        return False


def _note(account: str, subject: str) -> None:
    import psycopg

    from backmarket.warehouse import sql
    from backmarket.warehouse.connection import WarehouseUnavailableError, connect

    try:
        with connect() as connection:
            connection.execute(sql.statement("alerts/upsert_told"), {"account": account, "subject": subject})
    except (psycopg.Error, WarehouseUnavailableError):
        return
