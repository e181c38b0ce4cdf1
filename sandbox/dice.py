"""Reproducible chance: the same parts give the same numbers, on every machine."""

import uuid
from random import Random

_PRIME = 1_000_003


def dice(seed: int, purpose: int) -> Random:
    """Give a generator for one purpose (an order id, a table's number) under one seed."""
    return Random(seed * _PRIME + purpose)  # noqa: S311 - reproducible on purpose, nothing secret


def random_uuid(rng: Random) -> str:
    """Draw a version 4 UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def luhn_digit(digits: str) -> int:
    """Compute the check digit that makes `digits` + itself pass the Luhn test, as an IMEI must."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


def ean_digit(digits: str) -> int:
    """Compute the check digit of an EAN-13 that begins with these 12 digits."""
    return -sum(int(char) * (3 if place % 2 else 1) for place, char in enumerate(digits)) % 10


def random_imei(rng: Random) -> str:
    """Draw a valid 15-digit IMEI."""
    body = f"35{rng.randrange(10**12):012d}"
    return f"{body}{luhn_digit(body)}"


def is_imei(text: str) -> bool:
    """Tell whether a text is 15 digits with a right check digit."""
    return len(text) == 15 and text.isascii() and text.isdecimal() and luhn_digit(text[:14]) == int(text[14])
