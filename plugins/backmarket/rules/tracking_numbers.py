"""Tells a parcel's number from all else that is put into its column, and cleans the link that is made of it."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, urlsplit

from backmarket.rules.carriers import OTHER, find_carrier
from backmarket.rules.given_texts import letters_and_digits, tidy, why_no_number, why_not_one

# The longest as in the spec; a number of three characters is nobody's.
_SHORTEST, _LONGEST = 4, 200
_LONGEST_URL = 300
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*")
_LABEL = re.compile(
    r"(?:(?:tracking|track|trk|parcel|shipment|consignment|waybill|awb|barcode|colis|suivi|sendungs?|paket|seguimiento|"
    r"envio|spedizione|zending)[ _-]?(?:number|num|no|nr|id|code|nummer)?|(?:n[°º]|num[eé]ro) ?de ?(?:suivi|colis)|"
    r"n[uú]mero de seguimiento|no|nr|n[°º])(?: *[:#=]+ *|\.? +)|#",
    re.IGNORECASE,
)
# What begins a number though it is three letters: Amazon's and DHL's.
_PREFIXES = frozenset({"TBA", "TBM", "TBC", "JJD"})
_BLANK_IN_URL = r"(?:\s|\+|%20|%C2%A0)*"


class TrackingNumberError(ValueError):
    """A text is no tracking number, or not beyond doubt; the message says why."""


def clean_tracking_number(text: str | None) -> str | None:
    """Return a tracking number without a label or its carrier in front and without blanks; None where there is none.

    :raises TrackingNumberError: for whatever may be something else.
    """
    number = _without_label(tidy(text))
    if not number:
        return None
    if reason := why_no_number(number):
        advice = ": it belongs into tracking_url" if reason == "is a web address" else ""
        raise TrackingNumberError(f"the tracking number {reason}{advice}")
    if not any(letter.isdigit() for letter in number):
        raise TrackingNumberError("the tracking number has no digit: it is a word, or a placeholder")
    if not _FORM.fullmatch(number):
        raise TrackingNumberError(
            "the tracking number contains characters that no number has, or is more than one: an order has one"
        )
    first, *others = number.split(" ")
    if reason := why_not_one(" ".join(others) if others and first.upper() in _PREFIXES else number):
        raise TrackingNumberError(f"the tracking number {reason}")
    number = number.replace(" ", "")
    if len(number) < _SHORTEST:
        raise TrackingNumberError(f"the tracking number has fewer than {_SHORTEST} characters")
    if len(number) > _LONGEST:
        raise TrackingNumberError(f"the tracking number has more than {_LONGEST} characters")
    return number


def is_same_parcel(one: str, other: str) -> bool:
    """Tell whether two texts name one parcel: case, blanks, punctuation and labels do not matter."""
    return letters_and_digits(_without_label(tidy(one))) == letters_and_digits(_without_label(tidy(other)))


def clean_tracking_url(url: str | None, given: str | None, number: str | None) -> str | None:
    """Return a tracking URL that Back Market takes; None where there is none: no parcel is held up for its link.

    :param given: the tracking number as it was given: where it stands in the URL, so it is cleaned there.
    :param number: the tracking number as it is sent.
    """
    found = tidy(url)
    if number:
        for spelling in {given or "", quote(given or "", safe=""), quote_plus(given or "")} - {"", number}:
            found = found.replace(spelling, number)
        spaced = _BLANK_IN_URL.join(map(re.escape, number))
        found = re.sub(spaced, number, found, flags=re.IGNORECASE)
    if not found or len(found) > _LONGEST_URL or not found.isprintable() or " " in found:
        return None
    try:
        parts = urlsplit(found)
    except ValueError:
        return None
    return found if parts.scheme in {"http", "https"} and parts.netloc else None


def _without_label(text: str) -> str:
    """Take off what says that a number follows: a label, the carrier's name, or both."""
    before, after = None, text
    while after != before:
        before = after
        if label := _LABEL.match(after):
            after = tidy(after[label.end() :]) or after
        first, *others = re.split(r"[ :]+", after, maxsplit=1)
        if others and first.isalpha() and find_carrier(first, {}) not in {None, OTHER}:
            after = tidy(others[0])
    return after
