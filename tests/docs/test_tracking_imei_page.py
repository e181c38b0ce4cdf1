"""What ``tracking_imei.md`` promises of each example is what the rules do with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backmarket.rules.carriers import OTHER, find_carrier
from backmarket.rules.identifiers import clean_imei
from backmarket.rules.serial_numbers import clean_serial_number
from backmarket.rules.tracking_numbers import clean_tracking_number

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations" / "tracking_imei.md").read_text("utf-8")
RULES: dict[str, Callable[[str], str | None]] = {
    "shipper": lambda name: find_carrier(name, {}) or OTHER,
    "tracking_number": clean_tracking_number,
    "imei": clean_imei,
    "serial_number": clean_serial_number,
}
COLUMNS = {
    "seller.shipments": ("tracking_number", "shipper"),
    "seller.devices": ("imei", "serial_number"),
}


def _examples() -> list[tuple[str, str, str]]:
    """Return (column, example, what is said of it) of every row of the tables "In … | Goes out as"."""
    found = []
    for column, rows in re.findall(
        r"^\| In `(\w+)` \| Goes out as \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE
    ):
        for given, told in re.findall(r"^\| (.+) \| (.+) \|$", rows, re.MULTILINE):
            found += [(column, example, told.strip("`")) for example in re.findall("`([^`]+)`", given)]
    return found


def _inserted() -> list[tuple[str, str]]:
    """Return (column, text) of what the SQL examples insert and a rule cleans."""
    found = []
    statement = r"insert into (seller\.\w+) \(([^)]*)\)\s*values \((.*)\);"
    for table, columns, values in re.findall(statement, PAGE):
        texts = re.findall(r"'[^']*'|[^,\s][^,]*", values)
        row = dict(zip(columns.split(", "), (text.strip("'") for text in texts), strict=True))
        found += [(column, row[column]) for column in COLUMNS.get(table, ()) if column in row]
    return found


def test_the_page_has_examples_of_every_kind() -> None:
    """All four columns have a table, and the SQL examples are found: no example escapes these tests."""
    assert {column for column, _, _ in _examples()} == set(RULES)
    assert len(_examples()) == sum(
        len(re.findall("`[^`]+`", row.split(" | ")[0]))
        for table in re.findall(r"\| Goes out as \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
        for row in table.splitlines()
    )
    assert [column for column, _ in _inserted()] == ["tracking_number", "shipper", "imei", "serial_number"]


@pytest.mark.parametrize(("column", "example", "told"), _examples())
def test_an_example_ends_as_the_page_says(column: str, example: str, told: str) -> None:
    """It goes out as the text beside it, or is refused in those words."""
    if told.startswith("refused: "):
        with pytest.raises(ValueError, match=re.escape(told.removeprefix("refused: "))):
            RULES[column](example)
    else:
        assert RULES[column](example) == told


@pytest.mark.parametrize(("column", "text"), _inserted())
def test_what_the_page_inserts_is_sent(column: str, text: str) -> None:
    """A reader who copies a statement meets no refusal of our own."""
    assert RULES[column](text) not in {None, OTHER}
