"""Reads the European Central Bank's files of reference rates: a row a day, a column a currency, base EUR."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from backmarket.rules.seller_files.cells import AS_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HEADER = ("day", "from_currency", "to_currency", "rate")
"""The columns of ``seller.fx_rates``, in the order of :func:`rates_of`."""

CURRENCIES = ("GBP", "SEK", "USD", "JPY", "AUD")
"""Those of Back Market's markets; the Bank's files have some thirty."""

_BASE = "EUR"
_NONE = frozenset({"", "N/A"})
_MONTHS = dict(
    zip(
        "january february march april may june july august september october november december".split(),
        range(1, 13),
        strict=True,
    )
)
_IN_WORDS = re.compile(r"([0-9]{1,2}) ([A-Za-z]+) ([0-9]{4})")
_CODE = re.compile(r"[A-Z]{3}")


def is_of_the_bank(first_rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether a file is one of these, by its first row: ``Date, USD, JPY, ...``."""
    head = [cell.strip() for cell in first_rows[0]] if first_rows else []
    codes = [cell for cell in head[1:] if cell]
    return head[:1] == ["Date"] and "USD" in codes and all(map(_CODE.fullmatch, codes))


def rates_of(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Yield day, EUR, currency and rate for each rate of a market's currency there is; a day that is none stays so.

    :param rows: of the file, the header first.
    """
    lines = iter(rows)
    places = {cell.strip(): place for place, cell in enumerate(next(lines, ()))}
    for row in lines:
        if not any(cell.strip() for cell in row):
            continue
        for currency in CURRENCIES:
            rate = row[places[currency]].strip() if places.get(currency, len(row)) < len(row) else ""
            if rate not in _NONE:
                # The Bank writes decimals with a dot: 1.084 is not a thousand.
                yield [_day(row[0]), _BASE, currency, f"{AS_NUMBER}{rate}"]


def _day(text: str) -> str:
    """Write ``26 November 2026`` as ISO 8601 has it."""
    found = _IN_WORDS.fullmatch(text.strip())
    try:
        return date(int(found[3]), _MONTHS[found[2].lower()], int(found[1])).isoformat() if found else text.strip()
    except (KeyError, ValueError):
        return text.strip()
