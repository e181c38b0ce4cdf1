"""Reads a settlement statement: any dialect seen, in two passes, a block of rows in memory at a time.

A statement needs only what its totals need: every row has a key, an amount and a currency. A row whose order id is of
another kind, or that has no date, is kept as it is and marked. What would change the meaning of a number refuses the
whole file: order ids that a spreadsheet has rounded, amounts or dates that can be read in two ways.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

from backmarket.rules.settlements.blocks import Block, Dialect, StatementError, read_blocks, read_header
from backmarket.rules.settlements.keys import LOGISTICS, meaning_of
from backmarket.rules.settlements.references import (
    number_in_designation,
    order_number,
    order_reference,
    tracking_in_designation,
)
from backmarket.rules.settlements.styles import StyleError, choose_amount_style, choose_dates, says_no_date, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

_CURRENCY_LENGTH = 3
# The longest known has 25 characters; days are added up by key, which an index holds.
_LONGEST_KEY = 200


class StatementLines(NamedTuple):
    """Some rows of a statement in their order, column by column.

    :param line_no: from 1, header not counted.
    :param role: what the row is compared with in its order.
    :param value_date: of a row without one, the day of the statement.
    :param is_undated: whether the row has no date.
    :param number: the order id, or orderline id, that the row names.
    :param order_reference: what the row says in place of an order id; it may be personal.
    :param tracking_number: what a shipping row without an order names.
    :param amount: signed decimal text with a dot, in ``currency``; what the seller pays is negative.
    """

    line_no: Sequence[int]
    invoice_key: Sequence[str]
    category: Sequence[str]
    role: Sequence[str]
    value_date: Sequence[date]
    is_undated: Sequence[bool]
    sku: Sequence[str | None]
    number: Sequence[int | None]
    order_reference: Sequence[str | None]
    tracking_number: Sequence[str | None]
    designation: Sequence[str]
    amount: Sequence[str]
    currency: Sequence[str]


@dataclass
class Survey:
    """What the first pass over a file finds: its dialect, how its rows write dates and amounts, what they name.

    :param dates: the day of each date text; of those that say no date, the day of the statement.
    :param undated: the date texts that say no date.
    :param numbers: every order id or orderline id that a row names.
    :param parcels: every tracking number that a shipping row without an order names.
    :param rows: how many there are.
    :param totals: Σ amounts by currency, filled while lines are read.
    :param counts: rows by currency, likewise.
    :param days: value dates by currency, likewise; without those of rows that have none.
    """

    dialect: Dialect
    dates: Mapping[str, date]
    undated: frozenset[str]
    read_amount: Callable[[str], str]
    numbers: set[int]
    parcels: set[str]
    rows: int
    totals: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    counts: Counter[str] = field(default_factory=Counter)
    days: dict[str, set[date]] = field(default_factory=lambda: defaultdict(set))


def survey(text: TextIO, issued_on: date | None = None) -> Survey:
    """Read a whole file once and decide how it is written; what passes here, :func:`read_lines` can read.

    :param text: opened with ``newline=""``.
    :param issued_on: the date in the invoice reference, where the name has one.
    :raises StatementError: where the header is not a statement's, a row is broken, or a style is ambiguous.
    """
    dialect = read_header(text)
    dates: set[str] = set()
    shapes: set[str] = set()
    numbers: set[int | None] = set()
    parcels: set[str | None] = set()
    rows = 0
    for block in read_blocks(text, dialect):
        rows += len(block.value_date)
        dates.update(block.value_date)
        shapes.update(block.values(block.amount, _shape).values())
        block.values(block.currency, _currency)
        keys, ids = block.values(block.invoice_key, _key), block.values(block.order_id, order_number)
        numbers.update(ids.values())
        without = {order_id for order_id, number in ids.items() if number is None}
        rest = zip(block.order_id, block.designation, block.invoice_key, strict=True)
        for designation, key in {(designation, key) for order_id, designation, key in rest if order_id in without}:
            number, parcel = _named_in(designation, keys[key])
            numbers.add(number)
            parcels.add(parcel)
    if not dates:
        raise StatementError("it has a header and not one row: download the statement again")
    try:
        read_amount = choose_amount_style(shapes).reader(shapes)
        read_dates, undated = _read_dates(dates, issued_on)
    except StyleError as error:
        raise StatementError(str(error)) from None
    return Survey(
        dialect,
        read_dates,
        undated,
        read_amount,
        {number for number in numbers if number is not None},
        {parcel for parcel in parcels if parcel is not None},
        rows,
    )


def _read_dates(texts: set[str], issued_on: date | None) -> tuple[dict[str, date], frozenset[str]]:
    """Return the day of each date text, and the texts that say none.

    Rows without a date count on the day of issue, which is the same in every export of a statement; where the file's
    name does not tell it, on the latest day of the file.
    """
    undated = frozenset(filter(says_no_date, texts))
    dated = texts - undated
    days = dict(choose_dates(dated, issued_on)) if dated else {}
    instead = issued_on or max(days.values(), default=None)
    if undated and instead is None:
        raise StyleError("no row has a date, and the file's name no invoice reference that begins with one")
    if undated and instead:
        days |= dict.fromkeys(undated, instead)
    return days, undated


def read_lines(text: TextIO, found: Survey) -> Iterator[StatementLines]:
    """Read the rows of a surveyed file from its beginning, block by block."""
    read_header(text)
    for block in read_blocks(text, found.dialect):
        keys = block.each(block.invoice_key, _key)
        meanings = [meaning_of(key) for key in keys]
        days = [found.dates[day] for day in block.value_date]
        skus = block.each(block.sku, _text)
        designations = block.each(block.designation, _text)
        numbers, references, tracking_numbers = _names(block, keys, designations)
        amounts = block.each(block.amount, found.read_amount)
        currencies = block.each(block.currency, _currency)
        _add_up(found, currencies, block.value_date, amounts)
        yield StatementLines(
            range(block.first, block.first + len(keys)),
            keys,
            [meaning.category for meaning in meanings],
            [meaning.role for meaning in meanings],
            days,
            [text in found.undated for text in block.value_date] if found.undated else [False] * len(keys),
            [sku or None for sku in skus],
            numbers,
            references,
            tracking_numbers,
            designations,
            amounts,
            currencies,
        )


def _names(
    block: Block, keys: Sequence[str], designations: Sequence[str]
) -> tuple[list[int | None], list[str | None], list[str | None]]:
    """Return the number that each row names and, where it has none, what it says instead and the parcel it names."""
    numbers = block.each(block.order_id, order_number)
    references: list[str | None] = [None] * len(numbers)
    parcels: list[str | None] = [None] * len(numbers)
    if None in numbers:
        for place, number in enumerate(numbers):
            if number is None:
                if text := block.order_id[place]:
                    references[place] = _reference(text)
                numbers[place], parcels[place] = _named_in(designations[place], keys[place])
    return numbers, references, parcels


def _named_in(designation: str, key: str) -> tuple[int | None, str | None]:
    number = number_in_designation(designation)
    if number is None and meaning_of(key).category == LOGISTICS:
        return None, tracking_in_designation(designation)
    return number, None


def _add_up(found: Survey, currencies: Sequence[str], dates: Sequence[str], amounts: Sequence[str]) -> None:
    # Most amounts of a block are those of a few fees: each is made a number once.
    rows = Counter(zip(currencies, amounts, strict=True))
    for currency in set(currencies):
        found.totals[currency] += sum(
            Decimal(amount) * count for (each, amount), count in rows.items() if each == currency
        )
    found.counts.update(currencies)
    for currency, text in set(zip(currencies, dates, strict=True)):
        if text not in found.undated:
            found.days[currency].add(found.dates[text])


def _key(text: str) -> str:
    key = _text(text).lower()
    if not key:
        raise ValueError("it has no invoice_key")
    if len(key) > _LONGEST_KEY:
        raise ValueError(f"its invoice_key has {len(key):,} characters, which is no key: export it again, unedited")
    return key


def _currency(text: str) -> str:
    currency = text.strip().upper()
    if len(currency) != _CURRENCY_LENGTH or not (currency.isascii() and currency.isalpha()):
        raise ValueError("it has no currency of three letters")
    return currency


@lru_cache(maxsize=1024)
def _reference(text: str) -> str | None:
    reference = order_reference(text)
    return reference and _text(reference)


def _shape(text: str) -> str:
    if shape := shape_of(text):
        return shape
    raise ValueError("it has no amount")


def _text(text: str) -> str:
    """Strip a text, and replace what no database holds."""
    return text.strip().replace("\0", "\ufffd")
