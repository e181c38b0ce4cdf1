"""Sends a message to people through Airflow's own notifiers; the connection's type decides which."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Connection

    from backmarket.services.alerts import Message


class AlertChannelError(Exception):
    """The alert connection cannot be used, or what it leads to did not take the message."""


def send(conn_id: str, message: Message) -> None:
    """Send a message now.

    :raises AlertChannelError: saying what is wrong with the connection, never what is secret in it.
    """
    try:
        _notifier(BaseHook.get_connection(conn_id), message).notify({})
    except AlertChannelError:
        raise
    except Exception as error:  # noqa: BLE001 - notifiers raise anything, and their words may hold the webhook's secret
        raise AlertChannelError(
            f"Nobody could be told by connection {conn_id}: {type(error).__name__}. Check it under Admin → Connections."
        ) from None


def slack_text(message: Message) -> str:
    """Write a message for Slack, which takes what stands between < and > for a link, or for people to be called."""
    return escape(f"*{message.title}*\n{message.text}", quote=False)


def _notifier(connection: Connection, message: Message) -> BaseNotifier:
    conn_id, extra = connection.conn_id, connection.extra_dejson
    if connection.conn_type == "http":
        from airflow.providers.http.notifications.http import HttpNotifier

        body = {"title": message.title, "text": f"{message.title}\n{message.text}", **message.facts}
        return HttpNotifier(http_conn_id=conn_id, json=body)
    if connection.conn_type == "smtp":
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        if not extra.get("to") or not extra.get("from_email"):
            raise AlertChannelError(f'Connection {conn_id} needs "to" and "from_email" in its extra fields.')
        return SmtpNotifier(
            smtp_conn_id=conn_id,
            to=extra["to"],
            from_email=extra["from_email"],
            subject=message.title,
            html_content=f"<pre style='white-space: pre-wrap; font: inherit'>{escape(message.text)}</pre>",
        )
    if connection.conn_type == "slackwebhook":
        try:
            from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
        except ImportError:
            raise AlertChannelError("Install apache-airflow-providers-slack in the workers for Slack alerts.") from None
        notifier: BaseNotifier = SlackWebhookNotifier(slack_webhook_conn_id=conn_id, text=slack_text(message))
        return notifier
    raise AlertChannelError(
        f"Connection {conn_id} is of type {connection.conn_type}. Accepted: http (a webhook), slackwebhook, smtp."
    )
