"""What people put where a number belongs."""

from __future__ import annotations

import pytest

from backmarket.rules.given_texts import is_plain_run, tidy, why_no_number, why_not_one


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("=A2&B2", "is a spreadsheet's formula"),
        ("https://t.example/1", "is a web address"),
        ("someone@example.com", "is an e-mail address"),
        (
            "6.11E+12",
            "went through a spreadsheet that made a number of it: digits may be lost; format the column as text",
        ),
        ("6X\n123", "contains characters that cannot be printed"),
        ("TEST123", "is a placeholder"),
        ("serial123456", "is a placeholder"),
        ("xxx123", "is a placeholder"),
        ("SN0042", None),
        ("6\u00c41234567", "contains characters other than plain letters and digits"),
        ("6X123", None),
    ],
)
def test_a_person_reads_what_a_text_is(text: str, reason: str | None) -> None:
    """The words go behind the name of the field."""
    assert why_no_number(text) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("6X123", None),
        ("6X123 6X124", "is more than one number"),
        ("6X12 AND 7", "is more than one number"),
        ("12345678 12345679", "is more than one number"),
        ("1234567 1234568", None),
        ("12345678 red", "contains words"),
        ("12345678 FR", None),
        ("1234567 red", None),
        ("left at the door", "contains words"),
    ],
)
def test_groups_that_are_not_one_number_are_told(text: str, reason: str | None) -> None:
    """Two numbers, joined or of eight characters each, and words; short groups and a country are parts of one."""
    assert why_not_one(text) == reason


@pytest.mark.parametrize(
    ("digits", "is_plain"), [("", True), ("7", True), ("777", True), ("4567", True), ("3210", True), ("1212", False)]
)
def test_a_plain_run_is_no_number(digits: str, is_plain: bool) -> None:
    """None, one over and over, or counting up or down."""
    assert is_plain_run(digits) is is_plain


def test_blanks_of_all_kinds_become_one() -> None:
    """Within a text; around it they go."""
    assert tidy(" QA\u00a0 \u2009 1234  56 ") == "QA 1234 56"
