"""A long load says how far it is every ten seconds, in the log and in the database; a short one says nothing."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.services.progress import Progress
from tests.plain_words import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backmarket.warehouse.connection import Connection


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 500.0

    def __call__(self) -> float:
        return self.now


class Setting:
    """A load of orders, and how often it asked for a connection of its own."""

    def __init__(self, uri: str) -> None:
        self.uri, self.clock, self.opened = uri, Clock(), 0

    @contextmanager
    def open_database(self) -> Iterator[Connection]:
        self.opened += 1
        with closing(psycopg.connect(self.uri, autocommit=True)) as connection:
            yield connection

    def progress(self, part: str = "") -> Progress:
        log = logging.getLogger("backmarket.test")
        return Progress(log, self.open_database, "default", "order_download", "run", "order", part, self.clock)


@pytest.fixture
def setting(warehouse_uri: str, warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture) -> Setting:
    caplog.set_level(logging.INFO)
    return Setting(warehouse_uri)


def test_a_short_load_says_nothing(
    setting: Setting, warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """And asks for no connection."""
    with setting.progress() as progress:
        setting.clock.now += 9.9
        progress.at(50, 100)
    assert caplog.messages == []
    assert setting.opened == 0


def test_a_long_load_says_every_ten_seconds_how_far_it_is(
    setting: Setting, warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """By a clock that is never set; what the page reads goes when the load ends."""
    query = (
        "select task, part, thing, done, total, run_id, round(extract(epoch from updated_at - started_at))::int "
        "from backmarket.progress"
    )
    with setting.progress() as progress:
        for page in range(1, 26):
            setting.clock.now += 1
            progress.at(50 * page, 10_000)
        assert warehouse.execute(query).fetchall() == [("order_download", "", "order", 1_000, 10_000, "run", 20)]
    assert caplog.messages == [
        "Loading: 500 of 10,000 orders, about 3 minutes left.",
        "Loading: 1,000 of 10,000 orders, about 3 minutes left.",
    ]
    assert [fault for line in caplog.messages for fault in faults(line)] == []
    assert warehouse.execute(query).fetchall() == []
    assert setting.opened == 1


def test_markets_that_load_at_the_same_time_are_told_apart(
    setting: Setting, warehouse: psycopg.Connection[Any]
) -> None:
    """One that ends takes nothing of the others away; one that breaks off goes, too."""
    with setting.progress("fr-fr") as french:
        german = setting.progress("de-de")
        setting.clock.now += 11
        french.at(1, 3)
        german.at(1, 3)
        german.__exit__(KeyError, KeyError(), None)
        assert warehouse.execute("select part from backmarket.progress").fetchall() == [("fr-fr",)]


def test_no_load_fails_because_its_progress_cannot_be_shown(
    setting: Setting, warehouse: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once; the log goes on telling."""
    warehouse.execute("drop table backmarket.progress")
    with setting.progress() as progress:
        for done in (1, 2):
            setting.clock.now += 11
            progress.at(done, 2)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["The page cannot show how far this is: UndefinedTable."]
    assert len(caplog.messages) == 3
