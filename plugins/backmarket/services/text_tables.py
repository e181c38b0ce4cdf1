"""Reads a file of the seller into texts, cell by cell: CSV, Excel workbooks, Parquet, JSON lines and JSON arrays.

Nothing passes through a number on its way: ``00123`` and ``1E5`` stay as they are. A workbook's own numbers come as
the workbook shows them, which is up to 15 digits.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Sequence  # noqa: TC003 - read at run time by the dataclass
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any

from backmarket.rules.file_kinds import WORKBOOK, ZIP, kind_of_bytes, kind_of_text
from backmarket.rules.seller_files import ecb
from backmarket.rules.seller_files.cells import AS_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

ROWS_AT_ONCE = 20_000
FIRST_ROWS = 30
# Of two that fit equally well the first counts.
_DELIMITERS = (",", ";", "\t", "|", "^", "~", "¦", "\x1f", ":")
_DIGITS = 15
_FIRST_UNSURE = 10**_DIGITS
_HEAD_BYTES = 2048
# So many bytes that are no UTF-8, for each letter that is, still leave a file UTF-8 that is broken.
_MOST_BROKEN = 10
# The only ones in use where capitals with accents, and blanks or marks after them, have their places.
_ROMANIAN = "ȘșȚț"
# In the order in which they are tried; the byte order marks tell the others.
_ENCODINGS = ("utf-8", "cp1252")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class FileFormatError(ValueError):
    """A file cannot be read at all; the message says why, for a person."""


@dataclass(frozen=True)
class TextTable:
    """A file as rows of texts.

    :param kind: what the file is, for a person.
    :param first_rows: its first rows, where the header stands.
    :param first_number: the number of the first row for a person; 0 where the header is no row of the file.
    :param frames: gives all rows from the beginning, each time it is called: frames of texts whose columns are numbered
        from 0. A row that is longer than the widest of the first rows has something in the last column.
    """

    kind: str
    first_rows: Sequence[Sequence[str]]
    frames: Callable[[], Iterator[pd.DataFrame]]
    first_number: int = 1


def read_table(content: IO[bytes], name: str, *, sheet: str = "") -> TextTable:
    """Find out what a file is, by its content, and make its rows readable.

    :param content: seekable; it stays open for as long as the table is used.
    :param name: the file's own name, to tell JSON lines from CSV.
    :param sheet: the sheet of a workbook that is read where there is one of this name; else the first that is shown.
    :raises FileFormatError: where it is none of the known formats, or broken.
    """
    start = content.read(_HEAD_BYTES)
    content.seek(0)
    if not start.strip():
        raise FileFormatError("it is empty")
    if start.startswith(b"PAR1"):
        return _read_parquet(content)
    kind = kind_of_bytes(content, start)
    if kind == WORKBOOK or (kind is None and start.startswith(ZIP)):
        return _read_workbook(content, sheet)
    if kind:
        raise FileFormatError(f"it is {kind}. Save the table as CSV or .xlsx")
    encoding = _encoding_of(content, start)
    first = _peek(content, encoding).lstrip()
    if first.startswith(("{", "[")) or name.lower().endswith((".jsonl", ".ndjson", ".json")):
        return _read_json(content, encoding, is_array=first.startswith("["))
    if kind := kind_of_text(first):
        raise FileFormatError(f"it is {kind}. Export the table anew")
    return _read_csv(content, encoding)


def exchange_rates(table: TextTable) -> TextTable:
    """Return a file of exchange rates with a row for each; one of the European Central Bank's has a column for each."""
    if not ecb.is_of_the_bank(table.first_rows):
        return table
    rows = chain.from_iterable(frame.itertuples(index=False, name=None) for frame in table.frames())
    return _of_rows(table.kind, [list(ecb.HEADER), *ecb.rates_of(rows)], first_number=0)


def _encoding_of(content: IO[bytes], start: bytes) -> str:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    # Without a mark, the zero bytes of its letters tell UTF-16.
    if start[1:2] == b"\0":
        return "utf-16-le"
    if start[:1] == b"\0":
        return "utf-16-be"
    for encoding in _ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while chunk := content.read(1 << 20):
                if b"\0" in chunk:
                    raise FileFormatError("it is no text: it has bytes of zero in it")
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            if encoding == "utf-8":
                _refuse_broken_utf8(content)
            continue
        finally:
            content.seek(0)
        return encoding
    raise FileFormatError("its encoding is none of UTF-8, UTF-16 and Windows-1252. Save it as UTF-8")


def _refuse_broken_utf8(content: IO[bytes]) -> None:
    """Refuse a file that is UTF-8 but for some bytes: read as Windows-1252, all of its other letters would be others.

    Windows-1252 hardly ever has what is a letter of UTF-8, such as ``ß“``: among many that are none it means nothing.

    :raises FileFormatError: saying where it breaks.
    """
    content.seek(0)
    first_broken = letters = broken = 0
    for number, line in enumerate(content, start=1):
        if line.isascii():
            continue
        text = line.decode("utf-8", errors="surrogateescape")
        odd = sum("\udc80" <= letter <= "\udcff" for letter in text)
        first_broken = first_broken or (number if odd else 0)
        broken += odd
        letters += sum(letter > "\x7f" and not _may_be_two(letter) for letter in text) - odd
    if letters * _MOST_BROKEN >= broken:
        raise FileFormatError(
            f"it is UTF-8 up to line {first_broken}, where a byte is not. Write the whole of it in one encoding"
        )


def _may_be_two(letter: str) -> bool:
    """Tell whether a letter of UTF-8 is rather a capital of Windows-1252 and a blank or mark after it, as in ``É»``."""
    code = ord(letter)
    return 0x180 <= code < 0x800 and (code < 0x370 or code % 64 == 0x20) and letter not in _ROMANIAN


def _text_of(content: IO[bytes], encoding: str) -> io.TextIOWrapper:
    content.seek(0)
    return io.TextIOWrapper(content, encoding=encoding, newline="")


@contextmanager
def _understanding(what: str) -> Iterator[None]:
    """Tell of whatever a library stumbles over as of a file that cannot be read: damage makes it raise anything."""
    try:
        yield
    except FileFormatError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise FileFormatError(f"it is no {what} that can be read ({type(error).__name__}). Export it anew") from None


def _peek(content: IO[bytes], encoding: str) -> str:
    text = _text_of(content, encoding)
    try:
        with _understanding(f"{encoding} text"):
            return text.read(1000)
    finally:
        text.detach()


def _read_csv(content: IO[bytes], encoding: str) -> TextTable:
    found = [(delimiter, _first_rows_by(content, encoding, delimiter)) for delimiter in _DELIMITERS]
    # The delimiter that cuts most of the first rows into equally many fields.
    delimiter, rows = max(found, key=lambda each: _regularity(each[1]))
    if not rows:
        raise FileFormatError(
            "it is no CSV that can be read: a quote in its first rows is never closed. Export it anew"
        )
    width = max((len(row) for row in rows), default=1)

    def frames() -> Iterator[pd.DataFrame]:
        import pandas as pd

        text = _text_of(content, encoding)
        try:
            with (
                _understanding("CSV"),
                pd.read_csv(
                    text,
                    sep=delimiter,
                    header=None,
                    names=range(width + 1),
                    index_col=False,
                    dtype=object,
                    na_filter=False,
                    keep_default_na=False,
                    skip_blank_lines=False,
                    engine="python",
                    on_bad_lines=lambda row: [*row[:width], "…"],
                    chunksize=ROWS_AT_ONCE,
                ) as reader,
            ):
                for frame in reader:
                    yield frame.fillna("")
        finally:
            text.detach()

    return TextTable("CSV", rows, frames)


def _first_rows_by(content: IO[bytes], encoding: str, delimiter: str) -> list[list[str]]:
    """Return the first rows as a delimiter cuts them; none where it makes a quote begin a field that never ends."""
    text = _text_of(content, encoding)
    try:
        with _understanding("CSV"), suppress(csv.Error):
            return list(islice(csv.reader(text, delimiter=delimiter), FIRST_ROWS))
    finally:
        text.detach()
    return []


def _regularity(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    widths = [len(row) for row in rows if any(cell.strip() for cell in row)]
    usual = max(set(widths), key=widths.count, default=1)
    return (widths.count(usual) if usual > 1 else 0, usual)


def _read_workbook(content: IO[bytes], sheet: str) -> TextTable:
    from openpyxl import load_workbook

    with _understanding("workbook"):
        book = load_workbook(content, read_only=True, data_only=True)
        sheets = [each for each in book.worksheets if each.sheet_state == "visible"] or book.worksheets
        chosen = next((each for each in book.worksheets if each.title.casefold() == sheet.casefold()), sheets[0])
        # Some programs write wrong dimensions, and rows beyond them would not be read.
        chosen.reset_dimensions()
        rows = [[_written(cell) for cell in row] for row in chosen.iter_rows()]
    return _of_rows("an Excel workbook", rows)


def _written(cell: Any) -> str:
    """Return what a cell of a workbook shows."""
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_percentage(cell.number_format):
        return f"{_of_double(value * 100)}%"
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_scientific(cell.number_format):
        # Whoever typed the SKU 1E5 has got this number, in this format.
        return _of_exponent(format(value, f".{_DIGITS}g"))
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= _FIRST_UNSURE:
            return _of_double(value)
        # A SKU formatted as 00000 shows zeros that its number has not.
        zeros = cell.number_format if set(cell.number_format or "") == {"0"} else ""
        return str(value).zfill(len(zeros))
    return _plain(value)


def _is_percentage(number_format: str | None) -> bool:
    """Tell whether a format shows a number a hundred times as large; a sign in quotes is only text."""
    return "%" in _without_texts(number_format)


def _is_scientific(number_format: str | None) -> bool:
    return "E+" in _without_texts(number_format).upper()


def _without_texts(number_format: str | None) -> str:
    return re.sub(r'"[^"]*"|\\.', "", number_format or "")


def _read_parquet(content: IO[bytes]) -> TextTable:
    import pyarrow.parquet as pq

    what = "Parquet file"
    with _understanding(what):
        file = pq.ParquetFile(content)
        header = [str(name) for name in file.schema_arrow.names]

    def frames() -> Iterator[pd.DataFrame]:
        yield _frame([header], len(header))
        with _understanding(what):
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                # Column by column: as dictionaries, rows would lose one of two columns of a name, and shift the rest.
                columns = [map(_plain, column.to_pylist()) for column in batch.columns]
                yield _frame(zip(*columns, strict=True), len(header))

    return TextTable("Parquet", [header], frames, first_number=0)


def _read_json(content: IO[bytes], encoding: str, *, is_array: bool) -> TextTable:
    text = _text_of(content, encoding)
    try:
        with _understanding("JSON"):
            documents = _of_array(text) if is_array else _of_lines(text)
    finally:
        text.detach()
    header = list(dict.fromkeys(name for document in documents for name in document))
    rows = [header, *([_plain(document.get(name)) for name in header] for document in documents)]
    return _of_rows("JSON", rows, first_number=0)


def _of_lines(text: Iterable[str]) -> list[dict[str, Any]]:
    documents = []
    for number, line in enumerate(text, start=1):
        try:
            # A blank line stays a row, so that all have the numbers that an editor shows.
            document = _parse_json(line) if line.strip() else {}
        except (ValueError, RecursionError):
            raise FileFormatError(f"line {number} is not JSON. Write one object a line") from None
        if not isinstance(document, dict):
            raise FileFormatError(f"line {number} is no JSON object. Write one object a line")
        documents.append(document)
    return documents


def _of_array(text: IO[str]) -> list[dict[str, Any]]:
    try:
        documents = _parse_json(text.read())
    except (ValueError, RecursionError):
        raise FileFormatError("it begins as a JSON array and is none. Write an array of objects") from None
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict):
            raise FileFormatError(f"entry {number} of its JSON array is no object. Write an array of objects")
    return list(documents)


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_int=_Number, parse_float=_Number)


class _Number(str):
    """A number of JSON as it is written."""

    __slots__ = ()


def _of_rows(kind: str, rows: list[list[str]], *, first_number: int = 1) -> TextTable:
    width = max((len(row) for row in rows), default=0)

    def frames() -> Iterator[pd.DataFrame]:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            yield _frame(rows[first : first + ROWS_AT_ONCE], width)

    return TextTable(kind, rows[:FIRST_ROWS], frames, first_number)


def _frame(rows: Iterable[Sequence[str]], width: int) -> pd.DataFrame:
    import pandas as pd

    padded = [[*row, *[""] * (width + 1 - len(row))] for row in rows]
    return pd.DataFrame(padded, columns=range(width + 1), dtype=object)


def _plain(value: Any) -> str:
    """Write a value as text: numbers without an exponent where all digits are known, times in ISO 8601."""
    return next((write(value) for kind, write in _WRITERS if isinstance(value, kind)), str(value))


def _of_exponent(number: str) -> str:
    """Write a number that has an exponent with one digit before it; one beyond all bounds stays as it is written."""
    try:
        return format(Decimal(number), "E")
    except InvalidOperation:
        return number


def _of_double(value: float) -> str:
    """Write a double with the 15 digits that it surely holds, as spreadsheets do; more of them are not made up."""
    shown = format(value, f".{_DIGITS}g")
    return shown.replace("e", "E") if "e" in shown or "n" in shown else _as_number(shown)


def _as_number(text: str) -> str:
    return text if text.lstrip("-").isdigit() else AS_NUMBER + text


# Of several that fit a value the first counts.
_WRITERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (type(None), lambda _: ""),
    (_Number, lambda value: _of_exponent(value) if "e" in value.lower() else _as_number(value)),
    (str, str),
    (bool, lambda value: str(value).lower()),
    (int, str),
    (float, _of_double),
    (Decimal, lambda value: _as_number(format(value, "f"))),
    ((date, time), lambda value: value.isoformat()),
    ((list, dict), lambda value: json.dumps(value, ensure_ascii=False)),
    (bytes, lambda value: value.decode("utf-8", errors="replace")),
)
