"""Reads what names a statement, and what ties its lines to orders."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

_INVOICE = re.compile(r"(\d{8})-[A-Z]+-[A-Z]-\d+")
# Three zeros after a comma would rather be thousands.
_ORDER_ID = re.compile(r"(?:BM)?[\s_#-]*(\d{1,18})(?:\.0+|,00?)?", re.IGNORECASE)
_NO_ORDER_ID = frozenset({"", "none", "null", "nan", "n/a", "-"})
_ROUNDED = re.compile(r"[-+]?\d+(?:[.,]\d+)?\s*E\s*[-+]?\d+", re.IGNORECASE)
# "avoir_commission_order_id_123", "accelerator_offer_order_id_123_FR", "… order id 123"
_IN_DESIGNATION = re.compile(r"order[\s_]*id[\s_:#]*(?:BM)?(\d{1,18})(?:\.0+)?(?:[\s_-]*[A-Z]{2})?\s*$", re.IGNORECASE)
_TRACKING = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*\d{6})[A-Za-z0-9]{8,40}(?![A-Za-z0-9])")


def invoice_reference(file_name: str, sha256: str) -> str:
    """Return the invoice a file holds: ``20260915-EU-H-10047685`` anywhere in its name, else its content's hash."""
    found = _INVOICE.search(file_name)
    return found.group(0) if found else sha256


def issue_date(invoice_ref: str) -> date | None:
    """Return the day on which an invoice was issued, as its reference begins; None where it does not say."""
    found = _INVOICE.fullmatch(invoice_ref)
    try:
        return datetime.strptime(found.group(1), "%Y%m%d").date() if found else None  # noqa: DTZ007 - a day
    except ValueError:
        return None


def order_number(text: str) -> int | None:
    """Read the column ``order_id``: digits, also as ``BM123``, ``123.0`` or ``123,0``; None for anything else.

    :raises ValueError: for a number that a spreadsheet has rounded, such as ``7.48E+07``: it names other orders.
    """
    text = text.strip()
    if text.isdecimal() and text.isascii() and len(text) <= 18:
        return int(text)
    if found := _ORDER_ID.fullmatch(text):
        return int(found.group(1))
    if _ROUNDED.fullmatch(text):
        raise ValueError(f"{text!r} is an order id that a spreadsheet has rounded; export the file again")
    return None


def order_reference(text: str) -> str | None:
    """Return what the column ``order_id`` says where it is no order id, such as a UUID; None for one, or nothing.

    It may be personal, as whatever people type: it is stored, and shown in no log.
    """
    text = text.strip()
    return None if text.lower() in _NO_ORDER_ID or order_number(text) is not None else text


def number_in_designation(designation: str) -> int | None:
    """Return the order id, or orderline id, that a designation ends with; None where it names none."""
    found = _IN_DESIGNATION.search(designation) if "order" in designation.lower() else None
    return int(found.group(1)) if found else None


@lru_cache(maxsize=4096)
def tracking_in_designation(designation: str) -> str | None:
    """Return the tracking number that a shipping line names: the longest word with six digits in a row or more."""
    return max(_TRACKING.findall(designation), key=len, default=None)
