"""Decides how one statement file writes its dates and amounts, from all of its rows; it never guesses per row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from backmarket.rules.settlements.coverage import OLDEST_ROW_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y%m%d")
_TIME_OF_DAY = re.compile(r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?$")
# "00/00/0000", and "00/01/1900", which is a spreadsheet's date of nothing.
_ZERO_PART = re.compile(r"(^|[-/.])0+([-/.]|$)")
_ONE_WAY = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
_TO_SHAPE = _ONE_WAY | str.maketrans("123456789", "000000000")
_DOT = re.compile(r"[-+]?(0+|0{1,3}([,' ]000)+)(\.0+)?-?")
_COMMA = re.compile(r"[-+]?(0+|0{1,3}([.' ]000)+)(,0+)?-?")


class StyleError(ValueError):
    """The rows of a file fit no style, or more than one; the message says which and is fit for a person."""


def shape_of(amount: str) -> str:
    """Return an amount with every digit as 0: a file of a million rows has a handful of shapes."""
    return amount.strip().translate(_TO_SHAPE)


@dataclass(frozen=True)
class AmountStyle:
    """How a file writes amounts.

    :param decimal_comma: ``1.234,56`` rather than ``1,234.56``; spaces and apostrophes group in both.
    """

    decimal_comma: bool

    def reader(self, shapes: Iterable[str]) -> Callable[[str], str]:
        """Return what turns an amount of this file into decimal text with a dot, such as ``-1234.56``.

        :param shapes: all that occur: where they are plain, there is nothing to turn.
        """
        if all(set(shape) <= set("0.-") and not shape.endswith("-") for shape in shapes) and not self.decimal_comma:
            return _plain
        return self._read

    def _read(self, text: str) -> str:
        text = text.strip().translate(_ONE_WAY).replace(" ", "").replace("'", "").removeprefix("+")
        if text.endswith("-"):
            text = f"-{text[:-1]}"
        return text.replace(".", "").replace(",", ".") if self.decimal_comma else text.replace(",", "")


def _plain(text: str) -> str:
    """Read an amount that has nothing to turn but a typographic minus, which its shape does not tell."""
    return text.strip().replace("\u2212", "-")


def choose_amount_style(shapes: Iterable[str]) -> AmountStyle:
    """Choose the one reading that fits every amount of a file.

    :param shapes: see :func:`shape_of`.
    :raises StyleError: where no reading fits all, or two do and differ, as for ``1,234`` alone.
    """
    shapes = sorted(set(shapes))
    dot = [shape for shape in shapes if not _fits(_DOT, shape)]
    comma = [shape for shape in shapes if not _fits(_COMMA, shape)]
    if dot and comma:
        raise StyleError(
            f"amounts are written in a way that is not known: like {dot[0]!r} and {comma[0]!r} (digits shown as 0)"
        )
    if not dot and not comma and any("." in shape or "," in shape for shape in shapes):
        example = next(shape for shape in shapes if "." in shape or "," in shape)
        raise StyleError(
            f"amounts like {example!r} (digits shown as 0) may have decimals or thousands, and no row settles it"
        )
    return AmountStyle(decimal_comma=bool(dot))


def says_no_date(text: str) -> bool:
    """Tell whether a date column says nothing: it is empty, without a digit, or a part of its date is zero."""
    day = _day_part(text)
    return not any(digit in day for digit in "123456789") or _ZERO_PART.search(day) is not None


def choose_dates(texts: Iterable[str], issued_on: date | None = None) -> Mapping[str, date]:
    """Read all dates of a file by the one style that fits every row.

    Where day and month could change places in all rows alike, the statement's own date settles it if it can: a
    statement holds nothing later than itself and nothing older than 45 days.

    :param texts: every date text that occurs, but those that say no date.
    :param issued_on: the date in the invoice reference.
    :return: each text's date.
    :raises StyleError: where no style fits all rows, or several do and differ.
    """
    texts = set(texts)
    readings = [reading for style in _DATE_FORMATS if (reading := _read_all(texts, style)) is not None]
    readings = [reading for number, reading in enumerate(readings) if reading not in readings[:number]]
    if not readings:
        raise StyleError(f"no date style fits all rows, such as {_examples(texts)}")
    if len(readings) > 1 and issued_on is not None:
        ages = [{issued_on.toordinal() - day.toordinal() for day in reading.values()} for reading in readings]
        plausible = [
            reading
            for reading, age in zip(readings, ages, strict=True)
            if min(age) >= 0 and max(age) <= OLDEST_ROW_DAYS
        ]
        readings = plausible if len(plausible) == 1 else readings
    if len(readings) > 1:
        raise StyleError(f"day and month cannot be told apart in any row, such as {_examples(texts)}")
    return readings[0]


def _fits(pattern: re.Pattern[str], shape: str) -> bool:
    return bool(pattern.fullmatch(shape)) and not (shape[:1] in "+-" and shape.endswith("-"))


def _read_all(texts: set[str], style: str) -> dict[str, date] | None:
    try:
        return {text: datetime.strptime(_day_part(text), style).date() for text in texts}  # noqa: DTZ007 - a day
    except ValueError:
        return None


def _day_part(text: str) -> str:
    return _TIME_OF_DAY.sub("", text.strip())


def _examples(texts: set[str]) -> str:
    return ", ".join(repr(text) for text in sorted(texts)[:3])
