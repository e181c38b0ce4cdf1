"""Accounts run as often as each other, and not all in the same second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.schedules import spread

ACCOUNTS = [f"shop{number}" for number in range(500)]


def starts(cron: str, hours: int) -> list[datetime]:
    """When a cron expression fires in the hours after midnight."""
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    ticks = croniter(cron, begin - timedelta(seconds=1))
    found = []
    while (tick := ticks.get_next(datetime)) < begin + timedelta(hours=hours):
        found.append(tick)
    return found


@pytest.mark.parametrize(
    ("cron", "hours", "times"), [("*/10 * * * *", 5, 30), ("25 * * * *", 5, 5), ("0 6 * * *", 48, 2)]
)
def test_each_account_runs_as_often_as_the_others(cron: str, hours: int, times: int) -> None:
    """In every hour and on every day, whatever its second; what runs daily keeps its hour."""
    for account in ACCOUNTS:
        found = starts(spread(cron, account), hours)
        assert len(found) == times
        gaps = {later - earlier for earlier, later in pairwise(found)}
        assert len(gaps) == 1
        if cron.startswith("0 6"):
            assert {tick.hour for tick in found} == {6}


def test_500_accounts_do_not_start_at_once() -> None:
    """At most ten of 500 accounts begin in the same second, where each runs every ten minutes."""
    seconds = [starts(spread("*/10 * * * *", account), 1)[0] for account in ACCOUNTS]
    assert max(seconds.count(each) for each in set(seconds)) <= 10
    assert len(set(seconds)) > 300


@pytest.mark.parametrize("cron", ["5,35 * * * *", "*/7 * * * *", "0-30/5 9-17 * * 1-5"])
def test_what_is_no_plain_rhythm_keeps_its_minutes(cron: str) -> None:
    """Only the second moves: people may have chosen these minutes for a reason."""
    moved = spread(cron, "us").split()
    assert " ".join(moved[:5]) == cron
    assert 0 <= int(moved[5]) < 60


def test_who_says_the_second_is_left_alone() -> None:
    """Six fields are a choice of the user's."""
    assert spread("*/10 * * * * 5", "us") == "*/10 * * * * 5"


@given(st.text(min_size=1, max_size=32))
def test_a_name_always_means_the_same_time(account: str) -> None:
    """On every machine and after every restart: a schedule that wandered would skip and repeat intervals."""
    assert spread("*/15 * * * *", account) == spread("*/15 * * * *", account)
    assert croniter.is_valid(spread("*/15 * * * *", account))
