"""What is new in a listing is named."""

from __future__ import annotations

import pytest

from backmarket.rules.listing_review import unknown_parts


@pytest.mark.parametrize(
    ("grade", "state", "fields", "named"),
    [
        ("GOOD", 2, ["sku", "price"], []),
        (None, None, [], []),
        ("SHINY", 2, ["sku"], ["grade SHINY"]),
        ("GOOD", 0, ["sku"], []),
        ("GOOD", 5, ["sku"], ["publication_state 5"]),
        ("GOOD", 2, ["sku", "colour", "statuscode", "shippings_response"], ["field colour"]),
        ("SHINY", 9, ["colour", "size"], ["grade SHINY", "publication_state 9", "field colour", "field size"]),
    ],
)
def test_what_this_version_does_not_know_is_named(
    grade: str | None, state: int | None, fields: list[str], named: list[str]
) -> None:
    """A new grade, state or field is told by name; what is missing, and what only surrounds a listing, is not."""
    assert list(unknown_parts(grade, state, fields, known_fields={"sku", "price"})) == named
