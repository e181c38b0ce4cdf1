"""People are told of failures and of what needs them, by the connection that one Variable names."""

from __future__ import annotations

import json
import threading
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.alert_channels import AlertChannelError, send, slack_text
from backmarket.services.alerts import Message
from tests.plain_words import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    RunDag = Callable[..., Run]
    SwitchOn = Callable[..., None]

MESSAGE = Message("Back Market: nothing failed", "why, what to do <b>", {"kind": "failure"})


class Webhook(HTTPServer):
    """Keeps what is posted to it, and answers with ``status``; 200 to what was redirected.

    :param answers: set only while it answers at all.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.received: list[dict[str, Any]] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()


class _Receiver(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        assert self.path.startswith(("/hooks/s3cr3t", "/services/T0"))
        self.server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.answers.wait()
        is_redirected = self.path.endswith("?moved")
        self.send_response(200 if is_redirected else self.server.status)
        self.send_header("Location", f"{self.path}?moved")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Sign in")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that ``backmarket_alert_conn_id`` leads to."""
    server = Webhook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/hooks/s3cr3t"}
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ALERT_CONN_ID", "alerts")
    yield server
    server.answers.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_revoked_token_is_told_once(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, webhook: Webhook, warehouse: psycopg.Connection[Any]
) -> None:
    """What failed, why, what to do and where the log is; not again for the same failure within the hour."""
    switch_on("order_download")
    connected.fault("401", times=20)
    assert run_dag("backmarket_orders").tasks["order_download"] == "failed"
    (told,) = webhook.received
    assert told["title"] == "Back Market: order_download failed"
    assert "AuthenticationError" in told["text"]
    assert "/dags/backmarket_orders/runs/" in told["url"]
    assert connected.token not in json.dumps(told)
    run_dag("backmarket_orders")
    assert len(webhook.received) == 1
    warehouse.execute("update backmarket.alerts set told_at = told_at - interval '61 minutes'")
    run_dag("backmarket_orders")
    assert len(webhook.received) == 2


def test_a_database_that_is_down_is_told(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be noted, people are rather told twice than never."""
    switch_on("order_download")
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:s3cr3t@127.0.0.1:1/nothing")
    run_dag("backmarket_orders")
    assert "WarehouseUnavailableError" in webhook.received[0]["text"]
    assert "s3cr3t" not in json.dumps(webhook.received)


def test_a_missing_connection_to_the_database_is_told(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new account whose database nobody connected is the likeliest failure of all."""
    switch_on("order_download")
    monkeypatch.delenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE")
    assert run_dag("backmarket_orders").tasks["prepare_warehouse"] == "failed"
    (told,) = webhook.received
    assert told["account"] == "default"
    assert told["title"] == "Back Market: prepare_warehouse failed"
    assert (
        "There is no connection backmarket_warehouse yet. Add it under Admin → Connections, type Postgres"
        in told["text"]
    )


def test_a_database_whose_login_comes_from_elsewhere_is_told(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud that gives no password raises its own errors, of which this project knows none."""
    switch_on("order_download")
    connection = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "extra": {"iam": True}}
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", json.dumps(connection))
    assert run_dag("backmarket_orders").tasks["prepare_warehouse"] == "failed"
    assert [told["task"] for told in webhook.received] == ["prepare_warehouse"]


def test_a_webhook_that_refuses_harms_nothing(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, webhook: Webhook
) -> None:
    """The task fails for its own reason, and the next failure tries again."""
    switch_on("order_download")
    connected.fault("401", times=20)
    webhook.status = 500
    assert run_dag("backmarket_orders").tasks["order_download"] == "failed"
    webhook.status = 200
    run_dag("backmarket_orders")
    assert len(webhook.received) == 2


def test_nobody_is_told_without_the_variable(run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn) -> None:
    """The default: failures stay in Airflow, and the alerts DAG skips."""
    switch_on("order_download")
    assert run_dag("backmarket_alerts").tasks["attention_alert"] == "skipped"


def test_the_daily_digest_is_told_once_a_day(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
) -> None:
    """By the channel of the alerts; not without an hour, and not lost where the channel fails."""
    switch_on(enabled=False, digest_hour="24")
    assert set(run_dag("backmarket_alerts").tasks.values()) == {"skipped"}
    switch_on(digest_hour="")
    assert run_dag("backmarket_alerts").tasks["daily_digest"] == "skipped"
    switch_on(digest_hour=0)
    webhook.status = 500
    assert run_dag("backmarket_alerts").tasks["daily_digest"] == "failed"
    webhook.status, webhook.received = 200, []
    assert run_dag("backmarket_alerts").xcoms["daily_digest"] == {"orders": 0, "units": 0, "waiting": 0}
    assert run_dag("backmarket_alerts").tasks["daily_digest"] == "skipped"
    (told,) = webhook.received
    assert told["kind"] == "digest"
    assert told["title"].startswith("Back Market (default): 0 orders on ")
    assert [fault for line in told["text"].splitlines() for fault in faults(line)] == []


def test_what_needs_a_person_is_told_once(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
) -> None:
    """New things in one message, old ones not again; no document and no person in it."""
    switch_on()
    insert = (
        "insert into backmarket.quarantine (account, entity, key, document, reason) values "
        "('default', 'order', %s, '{\"email\": \"jane@example.com\"}', 'price: not a number')"
    )
    warehouse.execute(insert, ["77"])
    warehouse.execute(insert, ["78"])
    assert run_dag("backmarket_alerts").xcoms["attention_alert"] == {"waiting": 2, "told": 2}
    (told,) = webhook.received
    assert told["title"] == "Back Market (default): 2 new things need a person"
    assert told["new"] == {"Not understood": 2}
    assert "price: not a number" in told["text"]
    assert "jane" not in json.dumps(told)
    assert run_dag("backmarket_alerts").xcoms["attention_alert"] == {"waiting": 2, "told": 0}
    warehouse.execute(insert, ["79"])
    run_dag("backmarket_alerts")
    assert [each["new"] for each in webhook.received[1:]] == [{"Not understood": 1}]


def test_the_same_thing_with_other_numbers_is_told_once_a_day(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
) -> None:
    """Known by its kind and its subject; where it still waits after a Variable's hours, people hear of it again."""
    switch_on(alert_repeat_hours=5)
    for units in (5, 6):
        warehouse.execute(
            b"insert into backmarket.inventory_findings (account, kind, sku, detail) "
            b"values ('default', 'promised_too_much', 'A', %s) "
            b"on conflict (account, kind, sku, market) do update set detail = excluded.detail",
            [f"{units} units are promised, 3 were counted"],
        )
        run_dag("backmarket_alerts")
    assert len(webhook.received) == 1
    warehouse.execute(
        b"insert into backmarket.inventory_findings (account, kind, sku, detail) "
        b"values ('default', 'stock_stale', 'A', 'old')"
    )
    run_dag("backmarket_alerts")
    assert len(webhook.received) == 2
    warehouse.execute(b"update backmarket.alerts set told_at = told_at - interval '6 hours'")
    assert run_dag("backmarket_alerts").xcoms["attention_alert"] == {"waiting": 2, "told": 2}


def _late_order(sandbox: Sandbox, warehouse: psycopg.Connection[Any]) -> int:
    """Make an order that should have been shipped, with a device that cannot be registered."""
    order_id: int = sandbox.create_order(lines=[{"sku": "LATE", "state": 2}], force=True)["order_id"]
    sandbox.patch_order(order_id, expected_dispatch_date="2026-01-01T00:00:00Z")
    warehouse.execute(b"insert into seller.devices (order_id, sku, imei) values (%s, 'LATE', '1')", [order_id])
    return order_id


def _set_aside(warehouse: psycopg.Connection[Any]) -> None:
    """Store a document that could not be understood."""
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) "
        "values ('default', 'order', '1', '{}', 'why')"
    )


def test_a_late_order_is_told_once(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
) -> None:
    """Before it is too late, by the run that sees it; the run stays green."""
    order_id = _late_order(connected, warehouse)
    switch_on("imei_update")
    for _ in range(2):
        run = run_dag("backmarket_tracking_imei")
        assert run.tasks["ship_by_alert"] == "success"
    (told,) = webhook.received
    assert told["orders"] == [order_id]
    assert "to ship by 2026-01-01 00:00 UTC" in told["text"]
    run_dag("backmarket_alerts")
    assert [each["new"] for each in webhook.received[1:]] == [{"Changes refused": 1}], "the IMEI, not the order"


def test_what_is_to_be_repeated_after_months_is_not_repeated_after_one(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
) -> None:
    """What people were told of is forgotten after a month, but not before its time."""
    switch_on(alert_repeat_hours=2000)
    _set_aside(warehouse)
    run_dag("backmarket_alerts")
    warehouse.execute(b"update backmarket.alerts set told_at = told_at - interval '1999 hours'")
    assert run_dag("backmarket_alerts").xcoms["attention_alert"] == {"waiting": 1, "told": 0}
    warehouse.execute(b"update backmarket.alerts set told_at = told_at - interval '1 hour'")
    assert run_dag("backmarket_alerts").xcoms["attention_alert"] == {"waiting": 1, "told": 1}


@pytest.mark.parametrize("name", ["alert_repeat_hours", "care_answer_hours"])
def test_a_wrong_limit_keeps_nobody_from_being_told(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
    name: str,
) -> None:
    """Its default holds, and the run is red, until it is corrected: what waits has nothing to do with it."""
    switch_on(**{name: "soon"})
    _set_aside(warehouse)
    for _ in range(2):
        assert run_dag("backmarket_alerts").tasks["attention_alert"] == "failed"
    assert [each["kind"] for each in webhook.received] == ["attention", "failure"]
    assert f"Variable backmarket_{name} is 'soon'" in webhook.received[1]["text"]


@pytest.mark.parametrize("name", ["alert_repeat_hours", "ship_by_alert_hours"])
def test_a_late_order_is_told_although_a_limit_is_wrong(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
    name: str,
) -> None:
    """It does not wait for a person to correct a Variable."""
    order_id = _late_order(connected, warehouse)
    switch_on("imei_update", **{name: "soon"})
    for _ in range(2):
        assert run_dag("backmarket_tracking_imei").tasks["ship_by_alert"] == "failed"
    assert [each["kind"] for each in webhook.received] == ["ship_by", "failure"]
    assert webhook.received[0]["orders"] == [order_id]


def test_what_could_not_be_told_is_told_later(
    run_dag: RunDag,
    connected: Sandbox,
    switch_on: SwitchOn,
    webhook: Webhook,
    warehouse: psycopg.Connection[Any],
) -> None:
    """A message that did not go out was not told."""
    switch_on()
    _set_aside(warehouse)
    webhook.status = 503
    assert run_dag("backmarket_alerts").tasks["attention_alert"] == "failed"
    webhook.status = 200
    assert run_dag("backmarket_alerts").xcoms["attention_alert"] == {"waiting": 1, "told": 1}


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_message_that_a_redirection_loses_was_not_told(webhook: Webhook, status: int) -> None:
    """Only a question arrives at the new address, which is answered with 200 all the same."""
    webhook.status = status
    with pytest.raises(AlertChannelError, match="Put that other address into it as host") as failed:
        send("alerts", MESSAGE)
    assert "s3cr3t" not in str(failed.value)


@pytest.mark.parametrize("status", [307, 308])
def test_a_message_that_a_redirection_keeps_was_told(webhook: Webhook, status: int) -> None:
    """It is posted again, to the new address."""
    webhook.status = status
    send("alerts", MESSAGE)
    assert len(webhook.received) == 2


def test_a_webhook_that_never_answers_is_not_waited_for(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep the task for hours, and with it every later run of its DAG."""
    monkeypatch.setattr("backmarket.alert_channels._WEBHOOK_SECONDS", 0.2)
    webhook.answers.clear()
    with pytest.raises(AlertChannelError, match="ReadTimeout"):
        send("alerts", MESSAGE)


def test_a_message_goes_to_slack(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slack webhook gets Slack's own form."""
    pytest.importorskip("airflow.providers.slack")
    connection = {
        "conn_type": "slackwebhook",
        "password": "T0/B0/secret",
        "host": f"http://127.0.0.1:{webhook.server_port}/services/",
    }
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", json.dumps(connection))
    send("alerts", MESSAGE)
    assert webhook.received[0]["text"] == slack_text(MESSAGE)


def test_slack_takes_nothing_of_a_message_for_a_call() -> None:
    """Whatever a SKU or a reason says, nobody is called and no link is made of it."""
    text = slack_text(Message(MESSAGE.title, "SKU <!channel> & more", {}))
    assert text == "*Back Market: nothing failed*\nSKU &lt;!channel&gt; &amp; more"


class _Mailbox(StreamRequestHandler):
    """Enough of SMTP to take one letter."""

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while command := self.rfile.readline().upper():
            if command.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.letters.append(b"".join(lines).decode())  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if command.startswith(b"QUIT") else b"250 ok\r\n")


def test_a_message_goes_by_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the addresses in the connection's extra fields."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Mailbox) as server:
        server.letters = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {
            "to": "ops@example.com",
            "from_email": "airflow@example.com",
            "disable_ssl": True,
            "disable_tls": True,
        }
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.server_address[1], "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ALERTS", json.dumps(connection))
        send("alerts", MESSAGE)
        server.shutdown()
        (letter,) = server.letters  # type: ignore[attr-defined]
    mail = message_from_string(letter, policy=policy.default)
    assert mail["Subject"] == MESSAGE.title
    assert mail["To"] == "ops@example.com"
    body = next(part for part in mail.walk() if part.get_content_type() == "text/html")
    assert "what to do &lt;b&gt;" in body.get_content()


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"conn_type": "ftp", "host": "x"}, "is of type ftp. Accepted: http"),
        ({"conn_type": "smtp", "host": "x"}, 'needs "to" and "from_email"'),
        ({"conn_type": "http", "host": "127.0.0.1", "port": 1, "password": "s3cr3t"}, r"\(AIRFLOW_CONN_ALERTS\)"),
    ],
)
def test_a_connection_that_cannot_be_used_is_explained(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], words: str
) -> None:
    """In words for a person, without what is secret in it."""
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS", json.dumps(connection))
    with pytest.raises(AlertChannelError, match=words) as failed:
        send("alerts", MESSAGE)
    assert "s3cr3t" not in str(failed.value)


def test_an_address_in_place_of_a_connection_is_not_repeated() -> None:
    """It is what people have at hand, and a secret."""
    with pytest.raises(AlertChannelError, match="needs the id of a connection") as failed:
        send("https://hooks.example.com/services/T0/B0/s3cr3t", MESSAGE)
    assert "s3cr3t" not in str(failed.value)


def test_a_missing_connection_is_explained() -> None:
    """The Variable may name what nobody has made yet."""
    with pytest.raises(AlertChannelError, match=r"nowhere: AirflowNotFoundException\. Check it under Admin"):
        send("nowhere", MESSAGE)
