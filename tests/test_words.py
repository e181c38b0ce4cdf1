"""How counts, times and spans are said; and that no line for people is written past that."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from backmarket.words import about, changes_counted, counted, minute, tally, time_of_day
from tests.plain_words import faults, our_lines

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(PROJECT / "plugins" / "backmarket").rglob("*.py"), *(PROJECT / "local").rglob("*.py")])
_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 requests"), (1, "1 request"), (2, "2 requests"), (1204, "1,204 requests")]
)
def test_a_count(number: int, words: str) -> None:
    assert counted(number, "request") == words


def test_a_count_of_what_has_a_plural_of_its_own() -> None:
    """The verb may come along."""
    assert counted(1, "batch", "batches") == "1 batch"
    assert counted(3, "order waits", "orders wait") == "3 orders wait"
    assert changes_counted(1, "quantity") == "1 quantity"
    assert changes_counted(2000, "quantity") == "2,000 quantities"
    assert changes_counted(2, "of another version") == "2 changes"


def test_a_tally_names_no_zeros() -> None:
    """Nothing at all is said in words, too."""
    assert tally({"confirmed": 1204, "refused": 0, "unknown": 1}) == "1,204 confirmed, 1 not known yet"
    assert tally({}) == "none"
    assert tally({"confirmed": 0}, none="nothing was sent") == "nothing was sent"


def test_times_are_in_utc() -> None:
    moment = datetime(2026, 3, 1, 12, 5, 9, 123, tzinfo=timezone(timedelta(hours=2)))
    assert minute(moment) == "2026-03-01 10:05 UTC"
    assert time_of_day(moment) == "10:05:09 UTC"
    assert minute(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01 00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 10 seconds"),
        (34, "about 40 seconds"),
        (58, "about 1 minute"),
        (170, "about 3 minutes"),
        (89 * 60, "about 89 minutes"),
        (9000, "about 2.5 hours"),
    ],
)
def test_a_span_is_said_roughly(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.parametrize(
    "line",
    [
        "Reading orders Incremental(modified_since=datetime.datetime(2026, 1, 1)).",
        "Wanted: 2 (accept); ended: {}; held: 2.",
        "Quantities sent: {'confirmed': 3}; 3 requests.",
        "Markets left: ['fr-fr'].",
        "Markets left: [].",
        "The tree of fr-fr stays that of None.",
        "Is it on? True.",
        "Price Decimal('3.00') goes.",
        "Looking again at 2026-11-26 13:06:13.894981+00:00.",
        "Orders: 3 new; 1 requests in 2.0 seconds.",
        "1 new rows.",
        "1 open orders wait for acceptance.",
        "1 batches went.",
        "1 quantities wait.",
        "2 order wait.",
        "1,204 row was read.",
        "1204 rows were read.",
        "12400 new rows.",
        "Sent by <backmarket.services.log.Log object at 0x7f>.",
    ],
)
def test_a_bad_line_is_found(line: str) -> None:
    """What the issue shows of logs, and its kind."""
    assert faults(line)


@pytest.mark.parametrize(
    "line",
    [
        "Orders: 1,204 new, 1 changed; 24 requests in 3.1 seconds.",
        "Order 20041234, SKU A-1 is not accepted: stock: 2 needed, 0 of 1 left after older promises.",
        "1 address, 1 SKU, 1 batch and 1 business day.",
        "There is no order 1204; its rows wait.",
        "Order 1204: shipment sent.",
        "10001 is the first of 3 orders.",
        "All that Back Market changed up to 2026-11-26 13:05 UTC is stored.",
    ],
)
def test_a_good_line_passes(line: str) -> None:
    assert faults(line) == []


def test_only_our_loggers_are_judged() -> None:
    """Airflow's own lines are Airflow's; ours are those of modules and of operators."""
    console = [
        "2026-11-26T13:06:22Z [info     ] Pushing xcom                   [task] loc=task_runner.py:1 ti=X(id=1)",
        "2026-11-26T13:06:23Z [info     ] Ours. [airflow.task.operators.backmarket.operators.any.Any] loc=any.py:1",
        "2026-11-26T13:06:23Z [warning  ] A row, too.  [backmarket.warehouse.seller_rows] loc=seller_rows.py:1",
    ]
    assert list(our_lines(console)) == ["Ours.", "A row, too."]


def test_no_log_call_writes_a_bare_number() -> None:
    """``%d`` knows neither separators nor plurals, ``%r`` is Python: a count is :func:`counted`, an id is ``%s``."""
    bare = [
        f"{file.relative_to(PROJECT)}:{part.lineno}: {part.value}"
        for file in SOURCES
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _LOG_METHODS
        for part in ast.walk(call.args[0] if call.args else call)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
        if re.search(r"%(?:\(\w+\))?[-+0-9.]*[dfr]", part.value)
    ]
    assert bare == []
