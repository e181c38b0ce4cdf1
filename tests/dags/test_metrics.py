"""What Airflow's StatsD receives: the same names, types and tags as the page on metrics promises."""

from __future__ import annotations

import re
import socket
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from backmarket import metrics
from backmarket.rules.batches import SKU_LINES_AN_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    RunDag = Callable[..., Run]
    SwitchOn = Callable[..., None]

_TYPES = {"c": "counter", "g": "gauge"}


class StatsD:
    """A StatsD server on this machine, which keeps what it is sent."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])

    def received(self) -> dict[str, list[tuple[str, int]]]:
        """Return types and values of what has come of this project since the last call, by name and tags."""
        found: dict[str, list[tuple[str, int]]] = defaultdict(list)
        while True:
            try:
                packet = self.socket.recv(65_536).decode()
            except BlockingIOError:
                return dict(found)
            for line in packet.splitlines():
                if match := re.fullmatch(r"airflow\.backmarket\.(\S+):(\d+)\|([cg])", line):
                    name, value, kind = match.groups()
                    found[name].append((_TYPES[kind], int(value)))


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsD]:
    """Where Airflow's metrics go, with tags in the style of InfluxDB; a test may set other options of [metrics]."""
    server = StatsD()
    for option, value in {
        "statsd_on": True,
        "statsd_host": "127.0.0.1",
        "statsd_port": server.port,
        "statsd_influxdb_enabled": True,
    }.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{option.upper()}", str(value))
    with _as_before_a_task():
        yield server
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "False")
    server.socket.close()


@contextmanager
def _as_before_a_task() -> Iterator[None]:
    """Let Airflow read section [metrics], as it does before each task, and close what it opens."""
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    opened = []

    def open_backend() -> Any:
        opened.append(get_stats_factory()())
        return opened[-1]

    stats.initialize(factory=open_backend, export_legacy_names=True)
    yield
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
    for backend in opened:
        backend.statsd.close()


def _promised(received: dict[str, list[tuple[str, int]]]) -> set[str]:
    """Return the names received, after comparing type and tags of each with the promise."""
    names = set()
    for key, values in received.items():
        name, *tags = key.split(",")
        metric = metrics.METRICS[name]
        assert tuple(tag.partition("=")[0] for tag in tags) == ("account", *metric.tags)
        assert {kind for kind, _ in values} == {metric.kind}
        names.add(name)
    return names


def test_everything_that_is_promised_is_sent(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, statsd: StatsD, warehouse: psycopg.Connection[Any]
) -> None:
    """Orders are counted by the task that reads them, and how things stand is told with nobody to alert."""
    switch_on("order_download")
    orders = run_dag("backmarket_orders").xcoms["order_download"]
    counted = statsd.received()
    assert counted["orders,account=default,outcome=new"] == [("counter", orders["new"])]
    assert "orders,account=default,outcome=changed" not in counted
    assert sum(value for _, value in counted["requests,account=default"]) >= orders["requests"]

    warehouse.execute(
        "insert into backmarket.changes (kind, account, subject, payload, status, sent_at) values "
        "('accept', 'default', '1', '{}', 'refused', now()), ('price', 'default', 'A', '{}', 'unknown', now()), "
        "('quantity', 'default', 'A', '{}', 'confirmed', now() - interval '25 hours')"
    )
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) "
        "values ('default', 'order', '7', '{}', 'price: not a number')"
    )
    warehouse.execute(
        "insert into backmarket.settlement_findings (account, kind, subject, day, currency, detail, documents, status) "
        "values ('default', 'missing_sale', '7', current_date, 'EUR', '', '[]', 'open')"
    )
    warehouse.execute(
        "insert into backmarket.backbox (account, id, market, currency, is_winning, document, read_at, gone_at) select "
        "'default', md5(n::text)::uuid, market, 'EUR', n < 3, '{}', now(), case when market = 'es-es' then now() end "
        "from generate_series(1, 5) as n, unnest(array['fr-fr', 'es-es']) as market"
    )
    warehouse.execute("update backmarket.sync_state set watermark = now() - interval '1 hour' where concern = 'orders'")
    run = run_dag("backmarket_alerts")
    assert run.tasks["attention_alert"] == "skipped"
    standing = statsd.received()
    assert len([key for key in standing if not key.startswith("requests")]) == run.xcoms["report_metrics"]
    assert _promised(counted) | _promised(standing) == set(metrics.METRICS)
    assert standing["changes_ended,account=default,kind=accept,status=refused"] == [("gauge", 1)]
    assert standing["changes_ended,account=default,kind=quantity,status=confirmed"] == [("gauge", 0)]
    assert standing["changes_waiting,account=default,kind=price,status=unknown"] == [("gauge", 1)]
    assert standing["needs,account=default,kind=quarantine"] == [("gauge", 1)]
    assert standing["findings,account=default,kind=missing_sale"] == [("gauge", 1)]
    shares = [standing[f"backbox,account=default,market=fr-fr,outcome={outcome}"] for outcome in ("won", "lost")]
    assert shares == [[("gauge", 2)], [("gauge", 3)]]
    assert standing["backbox,account=default,market=es-es,outcome=won"] == [("gauge", 0)], "a market that is over"
    assert standing["sku_lines_left,account=default"] == [("gauge", SKU_LINES_AN_HOUR)]
    ((_, age),) = standing["watermark_age,account=default,concern=orders"]
    assert 3600 <= age < 3700


def test_requests_of_a_task_that_fails_are_counted(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, statsd: StatsD
) -> None:
    """They count for the rate limit as all others do."""
    switch_on("order_download")
    connected.fault("401", times=20)
    assert run_dag("backmarket_orders").tasks["order_download"] == "failed"
    assert sum(value for _, value in statsd.received()["requests,account=default"]) > 0


def test_nothing_is_looked_at_where_metrics_or_all_is_off(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, statsd: StatsD, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads them then."""
    assert run_dag("backmarket_alerts").tasks["report_metrics"] == "skipped"
    switch_on()
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "False")
    assert run_dag("backmarket_alerts").tasks["report_metrics"] == "skipped"
    assert [key for key in statsd.received() if not key.startswith("requests")] == []


def test_plain_statsd_has_the_tags_in_the_name(statsd: StatsD, monkeypatch: pytest.MonkeyPatch) -> None:
    """It drops tags: gauges that differ in tags alone would overwrite each other."""
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "False")
    metrics.send("needs", 3, account="us", kind="late")
    metrics.send("requests", 5, account="us")
    assert statsd.received() == {"needs.us.late": [("gauge", 3)], "requests.us": [("counter", 5)]}


@pytest.mark.parametrize(
    ("options", "carried"),
    [
        ({"otel_on": True}, True),
        ({"statsd_datadog_enabled": True}, True),
        ({"statsd_datadog_enabled": True, "statsd_datadog_metrics_tags": False}, False),
        ({"statsd_on": True}, False),
        ({"statsd_on": True, "statsd_influxdb_enabled": True}, True),
        ({"statsd_on": True, "otel_on": True}, False),
    ],
)
def test_tags_arrive_where_the_backend_has_them(
    options: dict[str, bool], carried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that are on, Airflow takes Datadog before StatsD, and StatsD before OpenTelemetry."""
    for option, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{option.upper()}", str(value))
    assert metrics.are_on()
    assert metrics._carry_tags() is carried


def test_a_metric_that_cannot_be_sent_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which, and nothing of what the client said."""
    from airflow.sdk.observability.stats import Stats

    def fail(*_: object, **__: object) -> None:
        raise OSError("s3cr3t")

    monkeypatch.setattr(Stats, "gauge", fail)
    metrics.send("sku_lines_left", 1, account="default")
    assert caplog.messages == ["Metric backmarket.sku_lines_left could not be sent: OSError."]


def test_a_tag_that_is_not_promised_is_a_mistake() -> None:
    """It would never reach the page on metrics, and might name a SKU."""
    with pytest.raises(TypeError, match="has no tags sku"):
        metrics.send("needs", 1, account="default", kind="late", sku="A")
    with pytest.raises(KeyError):
        metrics.send("needs", 1, account="default")
