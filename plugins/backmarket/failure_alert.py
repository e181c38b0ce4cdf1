"""Keeps why a task failed for good, for the page, and tells people, where ``backmarket_alert_conn_id`` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier

from backmarket.seller_account import DEFAULT_ACCOUNT, DEFAULT_WAREHOUSE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.services.alerts import Message

CAUSE = "cause"
"""The XCom of a failed task that says why; Airflow keeps it even while the operational database is down, and forgets it
when the task is run again."""

_REPEAT_HOURS = 1
_LONGEST_CAUSE = 2000


class BackMarketFailureAlert(BaseNotifier):
    """Keeps and sends what failed, why and what to do; the same failure of the same task is sent at most once an hour.

    A failure in a backfill is another than the same in a scheduled run, and a Variable that cannot be used is one
    failure, whichever tasks it fails. It never fails itself: what goes wrong stands in the task's log. Only the words
    of this project's own errors are passed on, as others may quote data.

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

        self._keep_cause(context)
        try:
            conn_id = read_variable(self.account, "alert_conn_id")
            if not conn_id:
                return
            is_told = self._tell_once(conn_id, failure_message(context, self.account), failure_subject(context))
        except (VariableError, AlertChannelError) as error:
            self.log.warning("%s", error)
            return
        if is_told:
            self.log.info("People were told by connection %s.", conn_id)
        else:
            self.log.info("People were told of this within the last hour.")

    def _keep_cause(self, context: Context) -> None:
        """Store why the task failed, for the page; without a trace, and without the words of others."""
        try:
            context["ti"].xcom_push(key=CAUSE, value=_cause(context)[:_LONGEST_CAUSE])
        except Exception as error:  # noqa: BLE001 - a failure of Airflow's own API must not keep people from being told
            self.log.warning("Why this task failed could not be kept for the page: %s.", type(error).__name__)

    def _tell_once(self, conn_id: str, message: Message, subject: str) -> bool:
        """Send a message unless the same failure was told lately; return whether it went out.

        Where the database cannot say, people are rather told twice than never.
        """
        from backmarket.alert_channels import AlertChannelError, send
        from backmarket.warehouse.alerts import note_told
        from backmarket.warehouse.connection import connect

        try:
            with connect(self.warehouse_conn_id) as connection, connection.transaction():
                if not note_told(connection, self.account, [subject], repeat_hours=_REPEAT_HOURS):
                    return False
                send(conn_id, message)
        except AlertChannelError:
            raise
        except Exception as error:  # noqa: BLE001 - a cloud's login to the database, say, fails in words of its own
            self.log.warning("The database cannot say whether people know of this: %s.", type(error).__name__)
            send(conn_id, message)
        return True


def failure_subject(context: Context) -> str:
    """Return what makes two failures the same."""
    from backmarket.settings import VariableError

    ti: Any = context["ti"]
    error = context.get("exception")
    if isinstance(error, VariableError):
        return f"failure:{error.key}"
    backfill = "backfill:" if _is_backfill(context) else ""
    return f"failure:{backfill}{ti.dag_id}.{ti.task_id}:{_name(error)}"


def failure_message(context: Context, account: str) -> Message:
    """Say what failed, why and where to look."""
    from backmarket.configuration import ui_url
    from backmarket.services.alerts import Message

    ti: Any = context["ti"]
    where = " in a backfill" if _is_backfill(context) else ""
    whose = "" if account == DEFAULT_ACCOUNT else f" ({account})"
    mapped = f"/mapped/{ti.map_index}" if ti.map_index >= 0 else ""
    url = ui_url(f"/dags/{quote(ti.dag_id)}/runs/{quote(ti.run_id, safe='')}/tasks/{quote(ti.task_id)}{mapped}")
    return Message(
        title=f"Back Market{whose}: {ti.task_id} failed{where}",
        text=f"{_cause(context)}\nDAG {ti.dag_id}, run {ti.run_id}\nLog: {url}\n"
        "To repeat it, clear the task: that is always safe.",
        facts={
            "kind": "failure",
            "account": account,
            "dag": ti.dag_id,
            "run": ti.run_id,
            "task": ti.task_id,
            "error": _name(context.get("exception")),
            "url": url,
        },
    )


def _cause(context: Context) -> str:
    """Say why the task failed: in the words of this project's own errors alone, as others may quote data."""
    error = context.get("exception")
    is_ours = isinstance(error, BaseException) and type(error).__module__.startswith("backmarket.")
    return f"{_name(error)}: {error}" if is_ours else f"{_name(error)}. The task's log says more."


def _name(error: object) -> str:
    return type(error).__name__ if isinstance(error, BaseException) else "Failure"


def _is_backfill(context: Context) -> bool:
    run: Any = context.get("dag_run")
    return run is not None and run.run_type == "backfill"
