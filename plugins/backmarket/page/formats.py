"""How the page says times, states and numbers to a person."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from markupsafe import Markup, escape

ORDER_STATES = {
    0: "new",
    1: "paid, to accept",
    3: "to ship",
    8: "not paid",
    9: "processed",
    10: "payment pending",
}
LINE_STATES = {
    0: "new",
    1: "paid",
    2: "accepted",
    3: "shipped",
    4: "cancelled",
    5: "refunded before shipping",
    6: "refunded after shipping",
    7: "not paid",
    8: "payment pending",
    9: "on hold",
}
PUBLICATION_STATES = {
    0: "price or comment missing",
    1: "pending validation",
    2: "online",
    3: "offline",
    4: "deactivated",
}
_PATH = re.compile(r"\S*/\S*/\S*")
_WORD_END = re.compile(r"[/_](?=\w)")
TASK_STATES = {
    "upstream_failed": "not reached: a task before it failed",
    "deferred": "waiting for Back Market",
    "awaiting_input": "waiting for a person",
    "up_for_retry": "to be tried again",
}
_STARTS_WITHIN = timedelta(minutes=2)
_TIMINGS = ("seconds", "pages", "calls")


def time_ago(moment: datetime | None, now: datetime) -> Markup:
    """Write how long ago, or in how long; the exact time, in UTC, stands in the title."""
    if moment is None:
        return Markup('<span class="quiet">never</span>')
    moment = moment.astimezone(UTC)
    words = pendulum.instance(moment).diff_for_humans(pendulum.instance(now))
    words = words.replace(" before", " ago").replace(" after", " from now")
    words = f"in {words.removesuffix(' from now')}" if words.endswith(" from now") else words
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S}", words
    )


def time_to_come(moment: datetime, now: datetime, *, is_under_way: bool = False) -> Markup:
    """Write when the next run comes; one that should have begun is overdue, or waits for the one that is under way."""
    if moment > now:
        return time_ago(moment, now)
    if is_under_way:
        return Markup("after this run")
    if moment > now - _STARTS_WITHIN:
        return Markup("now")
    late = pendulum.instance(now).diff_for_humans(pendulum.instance(moment.astimezone(UTC)), absolute=True)
    return Markup('<span class="state failed" title="{} UTC">overdue by {}</span>').format(
        f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}", late
    )


def exact_time(moment: datetime) -> Markup:
    """Write a time to the minute, in UTC."""
    moment = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), f"{moment:%Y-%m-%d %H:%M}")


def day_only(moment: datetime) -> Markup:
    """Write a day alone, where the time of day is not known."""
    return Markup('<time datetime="{0}">{0}</time>').format(f"{moment.astimezone(UTC):%Y-%m-%d}")


def breakable(text: str) -> Markup:
    """Let the paths in a text break between their words, after ``/`` and ``_``, and not within."""
    return Markup(_PATH.sub(lambda path: _WORD_END.sub(r"\g<0><wbr>", path[0]), str(escape(text))))  # noqa: S704 - escaped


def counts_in_words(values: dict[str, Any] | None) -> str:
    """Write what a run counted, without zeros and without requests, pages and seconds."""
    told = [
        f"{value:,} {name.replace('_', ' ')}"
        for name, value in (values or {}).items()
        if isinstance(value, int) and value and name not in _TIMINGS and name != "requests"
    ]
    return ", ".join(told)
