"""A tracking number leaves clean, or stays here."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.tracking_numbers import (
    TrackingNumberError,
    clean_tracking_number,
    clean_tracking_url,
    is_same_parcel,
)


@pytest.mark.parametrize("text", [None, "", "  ", "\u200b", "''"])
def test_nothing_is_nothing(text: str | None) -> None:
    """Empty fields name no parcel."""
    assert clean_tracking_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("QA 1234 5678 9GB", "QA123456789GB"),
        ("QA 123456789 GB", "QA123456789GB"),
        ("1234567890.", "1234567890"),
        ("1234567890,", "1234567890"),
        ("1234567890;", "1234567890"),
        ("'1234567890", "1234567890"),
        ('"1234567890"', "1234567890"),
        ("\u201e1234567890\u201c", "1234567890"),
        ("*1234567890*", "1234567890"),
        ("\u200b12345\u00a067890\ufeff", "1234567890"),
        ("1234567890\r\n", "1234567890"),
        ("tracking: 6X123", "6X123"),
        ("Tracking number: 6X123", "6X123"),
        ("Tracking No. 6X123", "6X123"),
        ("TRACKING_NUMBER=6X123", "6X123"),
        ("N° de suivi : 6X123", "6X123"),
        ("Sendungsnummer 6X123456", "6X123456"),
        ("#6X123", "6X123"),
        ("DHL 1234567890", "1234567890"),
        ("DHL: 1234567890", "1234567890"),
        ("DHL 1234 5678 90", "1234567890"),
        ("Tracking: DHL 1234567890", "1234567890"),
        ("1Z 999 AA1 01 2345 6784", "1Z999AA10123456784"),
        ("JJD 0003 9000 7882 2234 56", "JJD000390007882223456"),
        ("JJD 000390007882223456", "JJD000390007882223456"),
        ("TBA 305512345678", "TBA305512345678"),
        ("99.60.123456.12345678", "99.60.123456.12345678"),
        ("RR-123456785-FR", "RR-123456785-FR"),
        ("6a12345678901", "6a12345678901"),
        ("00340434161234567890", "00340434161234567890"),
        ("7712 3456 7890", "771234567890"),
        ("6X12", "6X12"),
        ("6X" * 100, "6X" * 100),
    ],
)
def test_what_surrounds_a_number_is_taken_off(text: str, number: str) -> None:
    """Blanks of all kinds, labels, the carrier's name, quotes and trailing punctuation; case stays."""
    assert clean_tracking_number(text) == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://track.example/AB12", "belongs into tracking_url"),
        ("www.track.example/AB12", "belongs into tracking_url"),
        ("track.example/AB12", "belongs into tracking_url"),
        ("dpd.de/1234567890", "belongs into tracking_url"),
        ("someone@example.com", "e-mail"),
        ("YOUR_TRACKING_NUMBER", "placeholder"),
        ("N/A", "placeholder"),
        ("n.a.", "placeholder"),
        ("None", "placeholder"),
        ("null", "placeholder"),
        ("TBD", "placeholder"),
        ("test123", "placeholder"),
        ("pending", "placeholder"),
        ("in transit", "placeholder"),
        ("tracking: n/a", "placeholder"),
        ("tracking:", "placeholder"),
        ("XXXXXXXX", "placeholder"),
        ("1234XXXX", "placeholder"),
        ("-", "placeholder"),
        ("0", "placeholder"),
        ("000000", "placeholder"),
        ("collected by hand", "no digit"),
        ("LETTERBOX", "no digit"),
        ("6.11E+12", "spreadsheet"),
        ("6,11E+12", "spreadsheet"),
        ("6.11e+12", "spreadsheet"),
        ("611000000000.0", "spreadsheet"),
        ("=A2&B2", "formula"),
        ('="1234567890"', "formula"),
        ("6X123, 6X124", "more than one"),
        ("6X123,6X124", "more than one"),
        ("6X123/6X124", "more than one"),
        ("6X123;6X124", "more than one"),
        ("6X123 & 6X124", "more than one"),
        ("6X123+6X124", "more than one"),
        ("6X123|6X124", "more than one"),
        ("6X123 6X124", "more than one"),
        ("6X123 and 6X124", "more than one"),
        ("6X123 und 6X124", "more than one"),
        ("6X1234567890 6X1234567891", "more than one"),
        ("123456789012 123456789013", "more than one"),
        ("6X123\n6X124", "cannot be printed"),
        ("1234567890 left at door", "words"),
        ("+49 170 1234567", "characters that no"),
        ("${6X1234567}", "characters that no"),
        ("6Ä1234567", "plain letters"),
        ("12", "fewer than 4"),
        ("A1B", "fewer than 4"),
        ("6X1", "fewer than 4"),
        ("6" + "X1" * 100, "more than 200"),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason(text: str, words: str) -> None:
    """Links, placeholders, shortened numbers, two numbers and prose stay here."""
    with pytest.raises(TrackingNumberError, match=re.escape(words)):
        clean_tracking_number(text)


@given(st.text(max_size=60))
def test_what_goes_out_is_plain(text: str) -> None:
    """4 to 200 letters, digits and inner points or dashes, one digit at least."""
    try:
        number = clean_tracking_number(text)
    except TrackingNumberError:
        return
    if number is not None:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{3,199}", number)
        assert re.search("[0-9]", number)


def test_spellings_of_one_parcel_are_the_same() -> None:
    """Case, blanks, trailing punctuation and a label do not matter; a digit does."""
    for spelling in ("qa123456789gb", "QA 1234 5678 9GB", "QA123456789GB.", "tracking: QA123456789GB"):
        assert is_same_parcel("QA123456789GB", spelling)
    assert not is_same_parcel("QA123456789GB", "QA123456788GB")


NUMBER, SPACED = "QA123456789GB", "QA 1234 5678 9GB"


@pytest.mark.parametrize(
    ("url", "given", "number", "sent"),
    [
        (f"https://t.example/{SPACED}", SPACED, NUMBER, f"https://t.example/{NUMBER}"),
        ("https://t.example/QA%201234%205678%209GB?l=fr", SPACED, NUMBER, f"https://t.example/{NUMBER}?l=fr"),
        ("https://t.example/?n=QA+1234+5678+9GB", SPACED, NUMBER, f"https://t.example/?n={NUMBER}"),
        ("https://t.example/?n=qa%201234%205678%209gb", NUMBER, NUMBER, f"https://t.example/?n={NUMBER}"),
        ("https://t.example/1234567890.", "1234567890.", "1234567890", "https://t.example/1234567890"),
        ("https://t.example/tracking%3A%206X123", "tracking: 6X123", "6X123", "https://t.example/6X123"),
        (f"  https://t.example/{NUMBER}\u200b ", NUMBER, NUMBER, f"https://t.example/{NUMBER}"),
        ("https://t.example/1", "6X123", "6X123", "https://t.example/1"),
        ("http://t.example/1", None, None, "http://t.example/1"),
        ("https://t.example/?n=a%2Fb%206X123", "a/b 6X123", "6X123", "https://t.example/?n=6X123"),
        ("https://t.example/1", None, "6X123", "https://t.example/1"),
        ("https://t.example/" + "x" * 282, "6X123", "6X123", "https://t.example/" + "x" * 282),
        ("ftp://t.example/1", "6X123", "6X123", None),
        ("https:///1", "6X123", "6X123", None),
        ("https://t.example/a b", "6X123", "6X123", None),
        ("t.example/1", "6X123", "6X123", None),
        ("javascript:alert(1)", "6X123", "6X123", None),
        ("https://[", "6X123", "6X123", None),
        ("https://t.example/" + "x" * 300, "6X123", "6X123", None),
        ("N/A", "6X123", "6X123", None),
        (None, "6X123", "6X123", None),
    ],
)
def test_the_link_is_cleaned_with_its_number_or_left_out(
    url: str | None, given: str | None, number: str | None, sent: str | None
) -> None:
    """Blanks in the number are taken out of its link too; a parcel is not held up for its link."""
    assert clean_tracking_url(url, given, number) == sent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://t.example/AB12", "is a web address: it belongs into tracking_url"),
        ("someone@example.com", "is an e-mail address"),
        ("LETTERBOX", "has no digit: it is a word, or a placeholder"),
        ("${6X1234567}", "contains characters that no number has, or is more than one: an order has one"),
    ],
)
def test_a_person_reads_why_a_text_is_no_number(text: str, reason: str) -> None:
    """The whole message: what it is, and where it belongs if that is known."""
    with pytest.raises(TrackingNumberError) as refusal:
        clean_tracking_number(text)
    assert str(refusal.value) == f"the tracking number {reason}"
