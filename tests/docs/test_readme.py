"""The README tells the truth: its tables and commands are those of the code."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from backmarket.hooks.backmarket import BackMarketHook
from backmarket.settings import PREFIX, VARIABLES

if TYPE_CHECKING:
    import pytest

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def _variables_table() -> dict[str, str]:
    rows = re.findall(r"^\| `(backmarket_[a-z_]+)` \|[^|]*\| ([^|]*) \|", README, flags=re.MULTILINE)
    return {name: default.strip() for name, default in rows}


def test_every_variable_stands_in_the_table() -> None:
    """Exactly the Variables that the code reads, so that nobody has to read code to find a switch."""
    read = {PREFIX + name for name in VARIABLES}
    assert len(read) > 5
    assert set(_variables_table()) == read


def test_defaults_are_as_the_table_says() -> None:
    """``false`` and numbers literally, ``empty`` for nothing."""
    table = _variables_table()
    for name, settings in VARIABLES.items():
        told = table[PREFIX + name].strip("`")
        default = settings.model_fields[name].get_default()
        if isinstance(default, bool | int | str | Decimal) and default != "":
            assert told == str(default).lower() if isinstance(default, bool) else told == str(default), name
        else:
            assert not told.replace(".", "").isdigit(), name


def test_the_variables_that_set_no_limit_where_they_are_empty_are_named() -> None:
    """All others take their default then."""
    (sentence,) = re.findall(r"So does an empty one, but for (.+?): empty, these two set no limit", README, re.DOTALL)
    named = {PREFIX + field for settings in VARIABLES.values() for field in settings.empty_means_none}
    assert set(re.findall("`(.+?)`", sentence)) == named


def test_the_example_connection_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies into the environment makes a client once token and company are theirs."""
    example = re.search(r"AIRFLOW_CONN_BACKMARKET_DEFAULT='(.+?)'", README, flags=re.DOTALL)
    assert example is not None
    filled_in = re.sub("(?i)yourcompany", "Acme", example.group(1))
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", filled_in)
    assert json.loads(example.group(1))["conn_type"] == "backmarket"
    assert BackMarketHook(warehouse_conn_id=None).config.platform == "EU"


def test_every_make_target_and_link_exists() -> None:
    """Commands and relative links in the README lead somewhere."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z]+)\b", README))
    assert {"demo", "up"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []
