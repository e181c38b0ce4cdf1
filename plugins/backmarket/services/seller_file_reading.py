"""Judges the rows of one file of the seller: each as a row of the table that it fills."""

from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING, Any

from backmarket.rules.seller_files.cells import (
    AS_NUMBER,
    Column,
    MomentColumn,
    NumberColumn,
    PercentageColumn,
    as_shown,
    why_ruined,
)
from backmarket.rules.seller_files.headers import ACCOUNT, CONSTANT
from backmarket.rules.settlements.styles import StyleError
from backmarket.warehouse.jsonb import cleaned
from backmarket.warehouse.seller_rows import amount, cost, day, moment, percentage, rate, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from backmarket.rules.seller_files.headers import Header
    from backmarket.services.text_tables import TextTable
    from backmarket.warehouse.seller_files import Differences, Target

MOST_KEPT = 1000
"""So many rows of a file are kept in quarantine; all of them stand in the file beside it."""

FIRST_ROWS = 20
"""So many rows of a file are shown before it is loaded."""

_STYLES: dict[Any, type[Column]] = {
    **dict.fromkeys((amount, whole_number, cost, rate), NumberColumn),
    percentage: PercentageColumn,
    **dict.fromkeys((moment, day), MomentColumn),
}


class Reading:
    """Judges the rows of one file.

    :param counted_at: when a count without a time was made.
    :ivar counted_without_time: how many rows of a stock file say no time, so that they are as new as the file.
    :ivar columns: which column of the table each of the file's headers is.
    :ivar unknown: the headers that are none.
    :ivar first_rows: the first rows that can be used, as they are understood, each with its number in the file.
    :ivar kept: the first rows that cannot be used, by a name that begins with their number, each with the reason.
    :ivar differences: what the rows change; None before that is known.
    """

    def __init__(self, target: Target, account: str, *, counted_at: datetime) -> None:
        self.target = target
        self.counted_at = counted_at
        self.row_count = 0
        self.rejected = 0
        self.counted_without_time = 0
        self.rejected_keys: list[str] = []
        self.rejected_without_key = 0
        self.kept: dict[str, tuple[Mapping[str, Any], str]] = {}
        self.first_reason = ""
        self.columns: dict[str, str] = {}
        self.unknown: tuple[str, ...] = ()
        self.first_rows: list[tuple[int, Mapping[str, Any]]] = []
        self.differences: Differences | None = None
        self._account = account
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        self._names: Sequence[str] = ()

    def rows(self, table: TextTable, header: Header) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield the rows that can be used, each with its number in the file, and take down the others.

        :raises StyleError: where a column can be read in two ways.
        """
        self._names = [cleaned(name.strip()) for name in table.first_rows[header.row]]
        self.columns = {self._names[place]: column for column, place in header.places.items()}
        self.columns |= {f"{CONSTANT}{value}": column for column, value in header.constants.items()}
        self.unknown = tuple(map(cleaned, header.unknown))
        write = self._styles(table, header)
        form = self.target.form
        for number, cells in _data_rows(table, header):
            self.row_count += 1
            texts: dict[str, str | None] = dict.fromkeys(form.columns)
            texts.update(header.constants)
            for column, place in header.places.items():
                text = as_shown(cells[place])
                texts[column] = (write[column](text) if column in write else text).removeprefix(AS_NUMBER)
            account = (texts.pop(ACCOUNT, "") or "").strip()
            if self.target.name == "stock" and not (texts["counted_at"] or "").strip():
                texts["counted_at"] = self.counted_at.isoformat()
                self.counted_without_time += 1
            values, reasons = form.values_of(texts)
            values, reasons = _without_refused(values, reasons)
            # What a spreadsheet has made of a key may stand for any.
            ruined = {column: why for column, text in texts.items() if text and (why := why_ruined(column, text))}
            values = {column: value for column, value in values.items() if column not in ruined} if ruined else values
            problems = self._problems(cells, header, account, values, reasons, ruined)
            if problems:
                self._reject(number, cells, texts, self.target.keys_meant(values), problems)
            else:
                if len(self.first_rows) < FIRST_ROWS:
                    self.first_rows.append((number, values))
                yield number, values

    def reject_doubles(self, table: TextTable, header: Header, numbers: Collection[int]) -> None:
        """Reject rows, by their numbers in the file, that contradict others of the same key."""
        self.first_rows = [row for row in self.first_rows if row[0] not in numbers]
        said = header.places.keys() | header.constants.keys()
        names = " and ".join(name for name in self.target.keys if name in said)
        for number, cells in _data_rows(table, header):
            if number in numbers:
                given = {
                    column: as_shown(cells[place]).removeprefix(AS_NUMBER) for column, place in header.places.items()
                }
                texts = {**header.constants, **given}
                texts.pop(ACCOUNT, None)
                key = self.target.key_of(self.target.form.values_of(dict.fromkeys(self.target.columns) | texts)[0])
                reason = f"{names} {key} stands in several rows that differ: which is meant is not guessed"
                self._reject(number, cells, texts, [key] if key else [], [reason])

    def rejected_text(self) -> str:
        """Return the rows that cannot be used as CSV, each with its reason; empty where there is none."""
        if not self.rejected:
            return ""
        head = io.StringIO(newline="")
        csv.writer(head).writerow([*self._names, "reason"])
        return head.getvalue() + self._text.getvalue()

    def _styles(self, table: TextTable, header: Header) -> dict[str, Callable[[str], str]]:
        styles = {
            column: _STYLES[read]()
            for column in header.places
            if column != ACCOUNT and (read := self.target.form.columns[column].read) in _STYLES
        }
        if styles:
            for frame in table.frames():
                for column, style in styles.items():
                    style.look_at(frame[header.places[column]].unique())
        decided = {}
        for column, style in styles.items():
            try:
                decided[column] = style.decide()
            except StyleError as error:
                raise StyleError(f"column {self._names[header.places[column]]!r}: {error}") from None
        return decided

    def _problems(
        self,
        cells: Sequence[str],
        header: Header,
        account: str,
        values: Mapping[str, Any],
        reasons: Mapping[str, str],
        ruined: Mapping[str, str],
    ) -> list[str]:
        found = list(reasons.values())
        if any(cell.strip() for cell in cells[header.width :]):
            found.append(f"it has more fields than the header, which has {header.width}")
        if account and account != self._account:
            found.append(f"account is '{account[:40]}': this inbox is that of account {self._account}")
        found += [
            f"{column} is missing"
            for column in self.target.required
            if values.get(column) is None and column not in reasons and column not in ruined
        ]
        return list(dict.fromkeys([*found, *ruined.values()]))

    def _reject(
        self,
        number: int,
        cells: Sequence[str],
        texts: Mapping[str, str | None],
        keys: Sequence[str],
        problems: Sequence[str],
    ) -> None:
        reason = cleaned("; ".join(problems))
        self.rejected += 1
        self.first_reason = self.first_reason or f"Row {number}: {reason}"
        self.rejected_keys += keys
        self.rejected_without_key += not keys
        self._writer.writerow([*(cell.removeprefix(AS_NUMBER) for cell in cells[: len(self._names)]), reason])
        if len(self.kept) < MOST_KEPT:
            name = f"row {number} ({cleaned(keys[0])})" if len(keys) == 1 else f"row {number}"
            self.kept[name] = (cleaned(dict(texts)), reason)


def _without_refused(values: dict[str, Any], reasons: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Take out what no database holds: what it stands for is not known, and a key of it is none."""
    refused = [
        column for column, value in values.items() if isinstance(value, str | list | dict) and cleaned(value) != value
    ]
    if not refused:
        return values, reasons
    why = "has a character in it that is none (U+0000, or half of one): export it anew"
    return (
        {column: value for column, value in values.items() if column not in refused},
        {**reasons, **{column: f"{column} {why}" for column in refused}},
    )


def _data_rows(table: TextTable, header: Header) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rows below the header but blank ones, each with its number in the file."""
    rows = chain.from_iterable(frame.itertuples(index=False, name=None) for frame in table.frames())
    for place, cells in enumerate(rows):
        if place > header.row and any(cell and not cell.isspace() for cell in cells):
            yield place + table.first_number, cells
