"""Small questions about single values that people and other systems type."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit
from uuid import UUID


def decimals(amount: Decimal) -> int:
    """Count the digits after the point that mean something: 9.90 has one."""
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def is_number(text: str) -> bool:
    """Tell whether a text is a finite decimal number."""
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def is_web_address(text: str) -> bool:
    """Tell whether a text is an http or https URL with a host, and without blanks."""
    if text != text.strip() or any(character.isspace() for character in text):
        return False
    try:
        address = urlsplit(text)
        return address.scheme in {"http", "https"} and bool(address.hostname)
    except ValueError:
        return False
