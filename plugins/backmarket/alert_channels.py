"""Sends a message to people through Airflow's own notifiers; the connection's type decides which."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from backmarket.environment import where_connection_is

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Connection, Context

    from backmarket.services.alerts import Message

_WEBHOOK_SECONDS = 30


class AlertChannelError(Exception):
    """The alert connection cannot be used, or what it leads to did not take the message."""


def send(conn_id: str, message: Message) -> None:
    """Send a message now.

    :raises AlertChannelError: saying what is wrong with the connection, never what is secret in it.
    """
    if "/" in conn_id:
        # The address of a webhook is a secret: who has it can write to the channel.
        raise AlertChannelError(
            "backmarket_alert_conn_id holds an address, and needs the id of a connection. Add one under Admin → "
            "Connections, of type HTTP or Slack Incoming Webhook, put the address there, and its id into the Variable."
        )
    try:
        _notifier(BaseHook.get_connection(conn_id), message).notify({})
    except AlertChannelError:
        raise
    except Exception as error:  # noqa: BLE001 - notifiers raise anything, and their words may hold the webhook's secret
        raise AlertChannelError(
            f"Nobody could be told by connection {conn_id}: {type(error).__name__}. Check it "
            f"{where_connection_is(conn_id)}."
        ) from None


def slack_text(message: Message) -> str:
    """Write a message for Slack, which takes what stands between < and > for a link, or for people to be called."""
    return escape(f"*{message.title}*\n{message.text}", quote=False)


def _notifier(connection: Connection, message: Message) -> BaseNotifier:
    conn_id, extra = connection.conn_id, connection.extra_dejson
    if connection.conn_type == "http":
        body = {"title": message.title, "text": f"{message.title}\n{message.text}", **message.facts}
        # Without a limit, a webhook that never answers would keep the task, and with it all later runs of its DAG.
        return _webhook(conn_id, body, {"timeout": extra.get("timeout", _WEBHOOK_SECONDS)})
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


def _webhook(conn_id: str, body: dict[str, Any], options: dict[str, Any]) -> BaseNotifier:
    from airflow.providers.http.notifications.http import HttpNotifier

    class Webhook(HttpNotifier):
        """Tells of a redirection that turned the message into a question for another page: 200, and nobody was told."""

        def notify(self, context: Context) -> None:  # noqa: ARG002 - as Airflow calls it
            answer = self.hook.run(json=self.json, extra_options=self.extra_options)
            if answer.request.method != self.method:
                raise AlertChannelError(
                    f"Nobody was told by connection {conn_id}: its address leads on to another one, and the message "
                    "is lost on the way. Put that other address into it as host, often the same with https://."
                )

    return Webhook(http_conn_id=conn_id, json=body, extra_options=options)
