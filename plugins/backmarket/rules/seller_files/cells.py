"""Brings what a file writes into the plain form that the seller's tables are judged in, a style a column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backmarket.rules.settlements.styles import choose_amount_style, choose_dates, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# 3.5E+14, and 1,2E+05: what a spreadsheet shows of a long number. 1E5 may be a SKU.
_RUINED = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?[eE]\+\d+\s*")
# What a workbook shows where a formula has failed.
_FAILED = re.compile(r"\s*#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!)\s*")
# 356938035643810.0: a number that should have been a text, and that may have been rounded on its way.
_FRACTION = re.compile(r"\s*\d{8,}[.,]0+\s*")
# 2026-03-04T00:00:00, and 01:30:00: what a workbook has made of 3-4 or 1:30.
_MADE_A_TIME = re.compile(r"\s*(\d{4}-\d{2}-\d{2}T)?\d{2}:\d{2}:\d{2}(\.\d+)?\s*")
_IDENTIFIERS = frozenset({"imei", "serial_number", "imei_or_serial", "tracking_number", "ean"})
_NAMES = _IDENTIFIERS | {"sku", "listing_sku"}
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,'\u00a0\u202f\u2009\u2019 ]*-?")
_WHOLE = re.compile(r"-?[0-9]+")
_DAY = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_TIME = r"(?:[T ]\s*(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?"
_MOMENT = re.compile(rf"\s*({_DAY}|\d{{8}}){_TIME}\s*")
_ISO = re.compile(r"\s*\d{4}-\d{2}-\d{2}.*")

# ="00123": how CSV tells a spreadsheet to leave a text of digits alone.
_TEXT_FORMULA = re.compile(r'\s*="([^"]*)"\s*')

AS_NUMBER = "\ue000"
"""Stands before a number that a file holds as such, not as a text: it can be read in one way alone."""


def as_shown(text: str) -> str:
    """Return what a spreadsheet shows of a cell of CSV: of ``="00123"`` that is ``00123``."""
    found = _TEXT_FORMULA.fullmatch(text) if '="' in text else None
    return found[1] if found else text


def why_ruined(column: str, text: str) -> str | None:
    """Return why a text is no more than a spreadsheet's ruin of a value, for a person; None where it is none."""
    if "#" in text and _FAILED.fullmatch(text):
        return f"{column} is '{text.strip()}': a formula has failed. Correct it, or put the value itself there"
    if ":" in text and column in _NAMES and _MADE_A_TIME.fullmatch(text):
        return (
            f"{column} is '{text.strip()}': a spreadsheet has made a date or a time of it. Format the column as text "
            "before the values are put in"
        )
    is_ruined = "+" in text and _RUINED.fullmatch(text) is not None
    if not is_ruined and (column not in _IDENTIFIERS or _FRACTION.fullmatch(text) is None):
        return None
    return (
        f"{column} is '{text.strip()}': a spreadsheet has made a number of it, whose digits may be lost. Format the "
        "column as text before the values are put in"
    )


class Column:
    """One column of one file while it is read: first all its texts are looked at, then each is written plainly.

    It stands for the style of the whole column: no row is read by a style of its own.
    """

    def look_at(self, texts: Iterable[str]) -> None:
        """Take texts of the column into account."""

    def decide(self) -> Callable[[str], str]:
        """Return what writes a text of this column plainly; one that is no value of its kind stays as it is.

        :raises StyleError: where the column can be read in two ways.
        """
        return _as_it_is


class NumberColumn(Column):
    """Numbers: ``1.299,00`` and ``1,299.00`` both become ``1299.00``."""

    def __init__(self) -> None:
        self._shapes: set[str] = set()

    def look_at(self, texts: Iterable[str]) -> None:
        """Note how numbers are written."""
        self._shapes.update(shape_of(text) for text in texts if _WHOLE.fullmatch(text) is None and _is_number(text))

    def decide(self) -> Callable[[str], str]:
        """Return what writes a number with a dot and without groups.

        :raises StyleError: as :func:`backmarket.rules.settlements.styles.choose_amount_style`.
        """
        if not self._shapes:
            return _as_it_is
        read = choose_amount_style(self._shapes).reader(self._shapes)
        return lambda text: read(text) if _is_number(text) else text


class PercentageColumn(NumberColumn):
    """Numbers that may carry their sign: ``19,6 %`` becomes ``19.6``."""

    def look_at(self, texts: Iterable[str]) -> None:
        """Note how numbers are written."""
        super().look_at(map(_without_sign, texts))

    def decide(self) -> Callable[[str], str]:
        """Return what writes a number with a dot and without its sign; raises as :meth:`NumberColumn.decide`."""
        write = super().decide()
        return lambda text: write(_without_sign(text))


class MomentColumn(Column):
    """Days and times: ``24/11/2026 14:30`` becomes ``2026-11-24T14:30``."""

    def __init__(self) -> None:
        self._days: set[str] = set()

    def look_at(self, texts: Iterable[str]) -> None:
        """Note the days."""
        self._days.update(found[1] for text in texts if (found := self._other(text)))

    def decide(self) -> Callable[[str], str]:
        """Return what writes a time as ISO 8601 has it.

        :raises StyleError: as :func:`backmarket.rules.settlements.styles.choose_dates`.
        """
        if not self._days:
            return _as_it_is
        days = choose_dates(self._days)

        def write(text: str) -> str:
            found = self._other(text)
            if found is None:
                return text
            hour, colon, rest = (found[2] or "").partition(":")
            clock = f"T{hour:0>2}:{rest}{found[3] or ''}" if colon else ""
            return f"{days[found[1]].isoformat()}{clock}"

        return write

    @staticmethod
    def _other(text: str) -> re.Match[str] | None:
        """Return the parts of a time that is not written as ISO 8601 has it, which can be read in one way alone."""
        return None if _ISO.fullmatch(text) else _MOMENT.fullmatch(text)


def _without_sign(text: str) -> str:
    return text.strip().removesuffix("%").rstrip()


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _as_it_is(text: str) -> str:
    return text
