"""Counters and gauges, through Airflow's own metrics: by StatsD, Datadog or OpenTelemetry, whatever is switched on.

No tag ever holds a SKU, an order or a person.
"""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

log = logging.getLogger(__name__)


class Metric(NamedTuple):
    """What is sent of one thing.

    :param tags: besides ``account``, which every metric has.
    """

    kind: Literal["counter", "gauge"]
    tags: tuple[str, ...] = ()


# By name, without ``backmarket.``. docs/operations/metrics.md says of each what it means.
METRICS = {
    "requests": Metric("counter"),
    "orders": Metric("counter", ("outcome",)),
    "changes_waiting": Metric("gauge", ("kind", "status")),
    "changes_ended": Metric("gauge", ("kind", "status")),
    "needs": Metric("gauge", ("kind",)),
    "findings": Metric("gauge", ("kind",)),
    "backbox": Metric("gauge", ("market", "outcome")),
    "sku_lines_left": Metric("gauge"),
    "watermark_age": Metric("gauge", ("concern",)),
    "success_age": Metric("gauge", ("concern",)),
}


def are_on() -> bool:
    """Tell whether this Airflow sends metrics."""
    return any(_is_set(option) for option in ("statsd_on", "statsd_datadog_enabled", "otel_on"))


def send(name: str, value: int, *, account: str, **tags: str) -> None:
    """Count, or set a gauge; a counter that would not move is not sent.

    Where it cannot be sent, the log says so, and nothing fails: no task's work depends on it.

    :param name: one of :data:`METRICS`.
    :param tags: exactly those of the metric.
    """
    metric = METRICS[name]
    values = {"account": account, **{tag: tags.pop(tag) for tag in metric.tags}}
    if tags:
        raise TypeError(f"Metric {name} has no tags {', '.join(tags)}.")
    if metric.kind == "counter" and not value:
        return
    try:
        _send(metric.kind, f"backmarket.{name}", value, values)
    except Exception as error:  # noqa: BLE001 - whatever a client of StatsD or OpenTelemetry raises
        log.warning("Metric backmarket.%s could not be sent: %s.", name, type(error).__name__)


def _send(kind: str, name: str, value: int, tags: dict[str, str]) -> None:
    # The one name that Airflow 3.2 and 3.3 both have for it.
    from airflow.sdk.observability.stats import Stats

    if not _carry_tags():
        name = ".".join((name, *tags.values()))
    if kind == "counter":
        Stats.incr(name, value, tags=tags)
    else:
        Stats.gauge(name, value, tags=tags)


def _carry_tags() -> bool:
    """Tell whether tags arrive. Plain StatsD drops them, and gauges that differ in tags alone would overwrite each
    other; so there the tags' values become part of the name, as in Airflow's own metrics.
    """
    if _is_set("statsd_datadog_enabled"):
        return _is_set("statsd_datadog_metrics_tags", default=True)
    return _is_set("statsd_influxdb_enabled") if _is_set("statsd_on") else True


def _is_set(option: str, *, default: bool = False) -> bool:
    from airflow.sdk import conf

    return bool(conf.getboolean("metrics", option, fallback=default))
