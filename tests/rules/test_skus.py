"""When two SKUs are one."""

from __future__ import annotations

import pytest

from backmarket.rules.skus import BLANKS, clean_sku, sku_key


@pytest.mark.parametrize(
    "text", ["A-1", "a-1", " A-1", "A-1\u00a0", "\ta-1\r\n", "\ufeffA-1", "A-1\u200b", "\u3000A-1"]
)
def test_blanks_around_it_and_case_make_no_other_sku(text: str) -> None:
    """As copied from a page, a file or a spreadsheet."""
    assert sku_key(text) == "a-1"
    assert clean_sku(text) in {"A-1", "a-1"}


@pytest.mark.parametrize(
    ("one", "other"), [("A-1", "A-2"), ("A 1", "A1"), ("00123", "123"), ("1E5", "100000"), ("É", "E")]
)
def test_what_stands_inside_makes_another_sku(one: str, other: str) -> None:
    """Blanks inside, zeros and accents belong to it."""
    assert sku_key(one) != sku_key(other)


def test_every_blank_is_taken_off_as_python_would() -> None:
    """No blank that Python knows stays, besides the separators of files."""
    known = {chr(code) for code in range(0x3001) if chr(code).isspace()} - {"\x1c", "\x1d", "\x1e", "\x1f"}
    assert known <= set(BLANKS)
