"""Small questions about values that people type."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backmarket.rules.text_checks import decimals, is_web_address


@pytest.mark.parametrize(
    ("amount", "digits"),
    [("9", 0), ("9.90", 1), ("9.99", 2), ("0.001", 3), ("100", 0), ("1E+2", 0), ("NaN", 0), ("Infinity", 0)],
)
def test_only_digits_that_mean_something_count(amount: str, digits: int) -> None:
    """Zeros at the end do not, before or after the point; what is no number has none."""
    assert decimals(Decimal(amount)) == digits


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://images.example.com/1.jpg", True),
        ("http://images.example.com/1.jpg", True),
        ("ftp://images.example.com/1.jpg", False),
        ("//images.example.com/1.jpg", False),
        ("https:///1.jpg", False),
        ("https://images.example.com/a b.jpg", False),
        (" https://images.example.com/1.jpg", False),
        ("https://images.example.com/1.jpg\n", False),
        ("https://[images/1.jpg", False),
        ("", False),
    ],
)
def test_a_web_address_can_be_fetched(text: str, is_one: bool) -> None:
    """It names http or https and a host, and holds no blank."""
    assert is_web_address(text) is is_one
