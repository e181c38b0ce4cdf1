"""Reads the rows of a statement file in blocks, column by column, so that a value many rows share is read once."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TextIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COLUMNS = ("invoice_key", "value_date", "sku", "order_id", "designation", "amount", "currency")
_DELIMITERS = (",", ";", "\t", "|")
# What a row of nothing is made of, in a file of whichever delimiter; spreadsheets leave them at the end.
_NOTHING = "".join(_DELIMITERS) + " \r\n\v\f\u00a0\u202f\ufeff\"'"
# A block that fits a processor's cache is read twice as fast as one of ten thousand rows.
_ROWS_AT_ONCE = 500
_NOT_UTF8 = "it is not UTF-8 text: export it again, or save it as CSV UTF-8"

Read = TypeVar("Read")


class StatementError(ValueError):
    """A file is no statement that can be understood without guessing; the message says why, for a person."""


class Dialect(NamedTuple):
    """How a file's rows are laid out.

    :param places: where each of ``COLUMNS`` stands.
    :param width: how many fields a row has.
    """

    delimiter: str
    places: tuple[int, ...]
    width: int


class Block(NamedTuple):
    """Some rows as they are written, column by column.

    :param first: the number of the first row, from 1, header and blank rows not counted.
    """

    first: int
    invoice_key: Sequence[str]
    value_date: Sequence[str]
    sku: Sequence[str]
    order_id: Sequence[str]
    designation: Sequence[str]
    amount: Sequence[str]
    currency: Sequence[str]

    def values(self, column: Sequence[str], read: Callable[[str], Read]) -> dict[str, Read]:
        """Read each text of a column once.

        :param read: raises ValueError with what is wrong, for a person.
        :raises StatementError: with the row that is wrong.
        """
        values: dict[str, Read] = {}
        for text in dict.fromkeys(column):
            try:
                values[text] = read(text)
            except ValueError as error:
                raise StatementError(f"row {self.first + column.index(text)}: {error}") from None
        return values

    def each(self, column: Sequence[str], read: Callable[[str], Read]) -> list[Read]:
        """Read a column into as many values as it has rows, as :meth:`values` does."""
        values = self.values(column, read)
        return [values[text] for text in column]


def read_header(text: TextIO) -> Dialect:
    """Read the first line and decide from it how rows are laid out.

    :param text: at its beginning.
    :raises StatementError: where it is not a statement's.
    """
    try:
        header = text.readline()
    except UnicodeDecodeError:
        raise StatementError(_NOT_UTF8) from None
    named: set[str] = set()
    for delimiter in _DELIMITERS:
        try:
            names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter, strict=True), [])]
        except csv.Error:
            continue
        if set(COLUMNS) <= set(names):
            if doubles := [name for name in COLUMNS if names.count(name) > 1]:
                raise StatementError(
                    f"its first line names {', '.join(doubles)} twice, and which is meant is not guessed: export it "
                    "again, unedited"
                )
            return Dialect(delimiter, tuple(names.index(name) for name in COLUMNS), len(names))
        named |= set(names).intersection(COLUMNS)
    if missing := [name for name in COLUMNS if named and name not in named]:
        raise StatementError(
            f"its first line does not name the columns {', '.join(missing)}: export it again, unedited"
        )
    raise StatementError(f"it is no statement: its first line does not name the columns {', '.join(COLUMNS)}")


def read_blocks(text: TextIO, dialect: Dialect) -> Iterator[Block]:
    """Give all rows after the header but blank ones: those of nothing but delimiters and blanks, however many.

    :raises StatementError: where a row has more or fewer fields than the header, or is broken.
    """
    reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
    first = 1
    while rows := _take(reader):
        # Nearly all blocks are of rows that begin with a key, so that none is blank.
        if set(map(len, rows)) != {dialect.width} or not all(map(str.isidentifier, {row[0] for row in rows})):
            rows = [row for row in rows if not _is_blank(row)]
            for number, row in enumerate(rows, start=first):
                if len(row) != dialect.width:
                    raise StatementError(f"row {number} has {len(row)} fields, the header {dialect.width}")
        if rows:
            columns = list(zip(*rows, strict=True))
            yield Block(first, *(columns[place] for place in dialect.places))
        first += len(rows)


def _is_blank(row: list[str]) -> bool:
    return not "".join(row).strip(_NOTHING)


def _take(reader: Iterator[list[str]]) -> list[list[str]]:
    try:
        return list(islice(reader, _ROWS_AT_ONCE))
    except csv.Error as error:
        line = getattr(reader, "line_num", 0)
        raise StatementError(f"the row that ends in line {line + 1} of the file is not CSV: {error}") from None
    except UnicodeDecodeError:
        raise StatementError(_NOT_UTF8) from None
