"""The sentence at the top of the page: the most pressing thing to know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backmarket.page.verdict import Standing, verdict

WELL = Standing(
    account_dag="backmarket_account",
    problem="",
    token_valid=True,
    has_run=True,
    is_enabled=True,
    is_dry_run=False,
    failed=0,
    stopped=0,
    waiting=0,
)


@pytest.mark.parametrize(
    ("changed", "level", "headline"),
    [
        ({}, "good", "All is well"),
        ({"waiting": 1}, "warn", "1 thing to look at"),
        ({"waiting": 1200}, "warn", "1,200 things to look at"),
        ({"token_valid": None, "has_run": False}, "off", "Ready to start"),
        ({"token_valid": None}, "good", "All is well"),
        ({"is_dry_run": True, "waiting": 3}, "dry", "Dry run: nothing is sent"),
        ({"stopped": 1, "is_dry_run": True}, "bad", "1 DAG not running"),
        ({"failed": 2, "stopped": 1, "waiting": 3}, "bad", "2 tasks failed"),
        (
            {"unusable": ("seller.stock cannot be used: 2 of 2 rows",), "failed": 2},
            "bad",
            "seller.stock cannot be used: 2 of 2 rows",
        ),
        ({"is_enabled": False, "failed": 2, "unusable": ("x",)}, "off", "Switched off"),
        ({"token_valid": False, "is_enabled": False}, "bad", "Back Market refuses the token"),
        ({"problem": "no answer", "token_valid": False}, "bad", "The database cannot be read"),
    ],
)
def test_the_most_pressing_thing_comes_first(changed: dict[str, object], level: str, headline: str) -> None:
    """What keeps everything from working, then what keeps a part, then what waits."""
    found = verdict(replace(WELL, **changed))  # type: ignore[arg-type]
    assert (found.level, found.headline) == (level, headline)
    assert found.text


def test_a_refused_token_is_renewed_where_its_connection_is() -> None:
    """With several accounts, and where the environment holds connections, "the connection" is not enough."""
    standing = replace(WELL, token_valid=False, token_place="backmarket_us in the environment")
    assert verdict(standing).text.startswith("Put a new one into connection backmarket_us in the environment, then run")
