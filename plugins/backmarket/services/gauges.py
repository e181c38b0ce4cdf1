"""Reads how things stand, as numbers for a monitoring system."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backmarket.concerns import STEMS
from backmarket.warehouse.ledger import KINDS
from backmarket.warehouse.needs import NAMES, read_needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pyrate_limiter import Rate

    from backmarket.warehouse.snapshot import Reader

_WAITING = ("planned", "awaiting_approval", "sent", "unknown")
_ENDED = ("confirmed", "refused")


class Gauge(NamedTuple):
    """One number, by the name and tags that :mod:`backmarket.metrics` knows."""

    name: str
    value: int
    tags: dict[str, str]


def read_gauges(database: Reader, now: datetime, sku_lines: Rate, *, answer_hours: int) -> Iterator[Gauge]:
    """Yield every gauge, those that are zero too: one that is not sent keeps its last value where it is shown.

    :param sku_lines: how many may be written within which time.
    :param answer_hours: a customer who has waited longer for an answer needs a person.
    """
    needs = {need.name: need.total for need in read_needs(database, STEMS, most=1, answer_hours=answer_hours)}
    for name in NAMES:
        yield Gauge("needs", needs.get(name, 0), {"kind": name})
    for row in database.rows("count_findings"):
        yield Gauge("findings", row["findings"], {"kind": row["kind"]})
    yield from _changes(database)
    for row in database.rows("count_backbox"):
        counts = {"won": row["won"], "lost": row["competing"] - row["won"]}
        for outcome, listings in counts.items():
            yield Gauge("backbox", listings, {"market": row["market"], "outcome": outcome})
    spent = database.units_since("sku_lines", sku_lines.interval / 1000) or 0
    yield Gauge("sku_lines_left", max(0, sku_lines.limit - spent), {})
    for row in database.rows("select_successes"):
        for name, moment in (("success_age", row["succeeded_at"]), ("watermark_age", row["watermark"])):
            if moment is not None:
                yield Gauge(name, max(0, round((now - moment).total_seconds())), {"concern": row["concern"]})


def _changes(database: Reader) -> Iterator[Gauge]:
    for name, statement, statuses in (
        ("changes_waiting", "count_changes_waiting", _WAITING),
        ("changes_ended", "count_changes_ended", _ENDED),
    ):
        rows = database.rows(statement, statuses=list(statuses))
        counts = {(row["kind"], row["status"]): row["changes"] for row in rows}
        for kind in KINDS:
            for status in statuses:
                yield Gauge(name, counts.get((kind, status), 0), {"kind": kind, "status": status})
