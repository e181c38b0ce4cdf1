"""Tells which order an invoice file is for, and whether it can be sent."""

from __future__ import annotations

import re
from functools import cache

from backmarket.words import counted

ORDER_ID = "{order_id}"

MOST_BYTES = 10 * 1024 * 1024
"""A larger file is no invoice: it is refused before it is read. Back Market names no limit of its own."""

_PDF = b"%PDF-"
_NUMBER = re.compile(r"(?<![0-9])[1-9][0-9]{0,17}(?![0-9])")


class InvoiceError(ValueError):
    """A file cannot be sent; the message is a sentence for a person, without the file's name."""


def order_id_in(name: str, pattern: str) -> int:
    """Return the order that a file is for.

    :param pattern: a file name in which ``{order_id}`` stands for the number, and ``*`` for anything.
    :raises InvoiceError: where the name does not fit the pattern, or fits it with several numbers: an invoice must not
        reach another customer.
    """
    found = {int(number[0]) for number in _NUMBER.finditer(name) if _fits(name, pattern, number[0])}
    if not found:
        raise InvoiceError(f"the file's name is not like {pattern}")
    if len(found) > 1:
        raise InvoiceError(
            f"the file's name fits {pattern} with {counted(len(found), 'number')}: which is the order's?"
        )
    return found.pop()


def check_size(size: int) -> None:
    """Refuse a file that is too large, or empty.

    :param size: in bytes.
    :raises InvoiceError: then.
    """
    if size > MOST_BYTES:
        raise InvoiceError(f"the file has {size:,} bytes; at most {MOST_BYTES:,} are sent")
    if size == 0:
        raise InvoiceError("the file is empty")


def check_content(head: bytes) -> None:
    """Refuse what is no PDF, whatever its name says.

    :param head: how it begins.
    :raises InvoiceError: then.
    """
    if not head.startswith(_PDF):
        raise InvoiceError("the file is no PDF document")


def _fits(name: str, pattern: str, number: str) -> bool:
    return _expression(pattern, number).fullmatch(name) is not None


@cache
def _literal(pattern: str) -> list[str]:
    return [".*".join(map(re.escape, part.split("*"))) for part in pattern.split(ORDER_ID)]


def _expression(pattern: str, number: str) -> re.Pattern[str]:
    between = f"(?<![0-9]){number}(?![0-9])"
    return re.compile(between.join(_literal(pattern)), re.IGNORECASE | re.DOTALL)
