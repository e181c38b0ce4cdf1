"""Reads a settlement statement: any dialect seen, in two passes, a row in memory at a time."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

from backmarket.rules.settlement_keys import LOGISTICS, meaning_of
from backmarket.rules.settlement_references import number_in_designation, order_number, tracking_in_designation
from backmarket.rules.settlement_styles import StyleError, choose_amount_style, choose_dates, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

COLUMNS = ("invoice_key", "value_date", "sku", "order_id", "designation", "amount", "currency")
_DELIMITERS = (",", ";", "\t", "|")
_CURRENCY_LENGTH = 3


class StatementError(ValueError):
    """A file is no statement that can be understood without guessing; the message says why, for a person."""


class StatementLine(NamedTuple):
    """One row of a statement.

    :param line_no: from 1, header not counted.
    :param number: the order id, or orderline id, that the row names.
    :param tracking_number: what a shipping row without an order names.
    :param amount: signed decimal text with a dot, in ``currency``; what the seller pays is negative.
    :param occurrence: of identical rows of the file, the first, the second …: both can be true.
    """

    line_no: int
    invoice_key: str
    category: str
    role: str
    value_date: date
    sku: str | None
    number: int | None
    tracking_number: str | None
    designation: str
    amount: str
    currency: str
    occurrence: int


@dataclass
class Survey:
    """What the first pass over a file finds: its dialect, and how its rows write dates and amounts.

    :param totals: Σ amounts by currency, filled while lines are read.
    :param counts: rows by currency, likewise.
    """

    delimiter: str
    places: tuple[int, ...]
    width: int
    dates: Mapping[str, date]
    read_amount: Callable[[str], str]
    totals: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    counts: Counter[str] = field(default_factory=Counter)


def survey(text: TextIO, issued_on: date | None = None) -> Survey:
    """Read a whole file once and decide how it is written.

    :param text: opened with ``newline=""``.
    :param issued_on: the date in the invoice reference, where the name has one.
    :raises StatementError: where the header is not a statement's, a row is broken, or a style is ambiguous.
    """
    delimiter, places, width = _read_header(text)
    dates: set[str] = set()
    shapes: set[str] = set()
    date_place, amount_place = places[1], places[5]
    try:
        for number, row in enumerate(_rows(text, delimiter, width), start=1):
            dates.add(row[date_place])
            shape = shape_of(row[amount_place])
            if not shape:
                raise StatementError(f"row {number} has no amount")
            shapes.add(shape)
        if not dates:
            raise StatementError("there is a header and not one row")
        amounts = choose_amount_style(shapes)
        return Survey(delimiter, places, width, choose_dates(dates, issued_on), amounts.reader(shapes))
    except StyleError as error:
        raise StatementError(str(error)) from None


def read_lines(text: TextIO, found: Survey) -> Iterator[StatementLine]:
    """Read the rows of a surveyed file from its beginning.

    :raises StatementError: where an order id or currency cannot be understood.
    """
    _read_header(text)
    occurrences: dict[int, int] = {}
    places, dates, totals, counts = found.places, found.dates, found.totals, found.counts
    order_numbers = lru_cache(maxsize=1024)(order_number)

    @lru_cache(maxsize=65536)
    def read_exactly(amount: str) -> tuple[str, Decimal, str]:
        """Read an amount once for all rows that have it; the last text is the same for 12.50 and 12.5."""
        text = found.read_amount(amount)
        exact = Decimal(text)
        return text, exact, f"{exact.normalize() + 0:f}"

    for line_no, row in enumerate(_rows(text, found.delimiter, found.width), start=1):
        key, day, sku, order_id, designation, amount, currency = [row[place] for place in places]
        key, currency, designation = key.strip().lower(), currency.strip().upper(), designation.strip()
        if len(currency) != _CURRENCY_LENGTH or not currency.isalpha() or not key:
            raise StatementError(f"row {line_no} has {'no invoice_key' if not key else 'no currency of three letters'}")
        try:
            number = order_numbers(order_id)
        except ValueError as error:
            raise StatementError(f"row {line_no}: {error}") from None
        meaning = meaning_of(key)
        tracking = None
        if number is None:
            number = number_in_designation(designation)
            if number is None and meaning.category == LOGISTICS:
                tracking = tracking_in_designation(designation)
        value, exact, canonical = read_exactly(amount)
        totals[currency] += exact
        counts[currency] += 1
        sku = sku.strip()
        # The hash alone, since rows themselves would fill the memory.
        content = hash((currency, key, dates[day], sku, number, designation, canonical))
        occurrences[content] = occurrence = occurrences.get(content, 0) + 1
        yield StatementLine(
            line_no,
            key,
            meaning.category,
            meaning.role,
            dates[day],
            sku or None,
            number,
            tracking,
            designation,
            value,
            currency,
            occurrence,
        )


def _read_header(text: TextIO) -> tuple[str, tuple[int, ...], int]:
    try:
        header = text.readline()
    except UnicodeDecodeError as error:
        raise StatementError(f"it is not UTF-8 text: {error.reason}. Save the file as UTF-8") from None
    for delimiter in _DELIMITERS:
        try:
            names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter, strict=True), [])]
        except csv.Error:
            continue
        if set(COLUMNS) <= set(names):
            return delimiter, tuple(names.index(name) for name in COLUMNS), len(names)
    raise StatementError(f"the first line does not name the columns {', '.join(COLUMNS)}")


def _rows(text: TextIO, delimiter: str, width: int) -> Iterator[list[str]]:
    """Give all rows but empty ones.

    :raises StatementError: where a row has more or fewer fields than the header.
    """
    number = 0
    try:
        for row in csv.reader(text, delimiter=delimiter, strict=True):
            if not row:
                continue
            number += 1
            if len(row) != width:
                raise StatementError(f"row {number} has {len(row)} fields, the header {width}")
            yield row
    except csv.Error as error:
        raise StatementError(f"row {number + 1} is not CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise StatementError(f"row {number + 1} is not UTF-8 text: {error.reason}. Save the file as UTF-8") from None
