"""What Back Market writes of a person never reaches a log."""

from __future__ import annotations

import json
from time import process_time

import pytest

from backmarket.api.answers import api_message
from backmarket.api.redaction import repeats, without_contacts, without_values


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("jane.doe+bm@mail.example.com is invalid", "(e-mail) is invalid"),
        ("call +33 6 12 34 56 78 first", "call (phone) first"),
        ("call 0612345678", "call (phone)"),
        ("call (0)6.12.34.56.78", "call (0)6.12.34.56.78"),
        ("order 29784512: sku not found", "order 29784512: sku not found"),
        ("new_state 7 must be in 2,3,4,5,6", "new_state 7 must be in 2,3,4,5,6"),
        ("imei 356938035643809 is taken", "imei 356938035643809 is taken"),
        ("price 0.99 at 2026-09-15T10:11:12Z", "price 0.99 at 2026-09-15T10:11:12Z"),
    ],
)
def test_contacts_are_taken_out_and_nothing_else(text: str, clean: str) -> None:
    """E-mail addresses and telephone numbers; ids, amounts and times stay."""
    assert without_contacts(text) == clean


def test_an_apis_reason_carries_no_contact() -> None:
    """Whatever envelope it comes in."""
    body = json.dumps({"error": {"code": "bad", "message": "contact jane@example.com"}})
    assert api_message(body.encode()) == "bad: contact (e-mail)"


def test_a_reason_of_one_long_word_takes_no_time() -> None:
    """An error that repeats an image, say, holds no task up."""
    body = json.dumps({"error": "a" * 100_000})
    began = process_time()
    assert api_message(body.encode()) == "a" * 300
    assert process_time() - began < 5


def test_known_values_are_taken_out_as_whole_words() -> None:
    """In any case of letters; what is shorter than three characters says nothing of anybody."""
    text = "Cannot deliver to JANE Doe, 1 Main Street (Doering is another)"
    assert without_values(text, ["Jane", "Doe", "1 Main Street", "1", None]) == (
        "Cannot deliver to (personal) (personal), (personal) (Doering is another)"
    )


@pytest.mark.parametrize(
    ("text", "sent", "expected"),
    [
        ("bad text: Dear  Mr\nHugo", "dear mr hugo", True),
        ("bad text: Dear Mr Hugo, your bat", "Dear Mr Hugo, your battery is on its way", True),
        ("your battery is unknown", "Dear Mr Hugo, your battery is on its way", False),
        ("Cannot declare problem", "", False),
        ("", "Dear Mr Hugo", False),
    ],
)
def test_a_text_that_repeats_what_was_sent(text: str, sent: str, expected: bool) -> None:
    """All of a short text, or 20 characters of a longer one; single words may be common to both."""
    assert repeats(text, sent) is expected
