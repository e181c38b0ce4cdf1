"""Tables as files, CSV or XLSX: read row by row, and nothing in them can run in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fastapi import Request
    from openpyxl import Workbook
    from openpyxl.cell import Cell

FORMATS = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)
_CHUNK = 64 * 1024
_MOST_ROWS_OF_A_SHEET = 2**20
# Excel keeps no more digits of a number.
_MOST_DIGITS = 15
# What a spreadsheet takes for the beginning of a formula; a full-width sign counts in some languages. Where the comma
# marks decimals, files are parted by semicolons: what follows one within a text begins a cell there.
_FORMULA = re.compile(r"^(?=[\t\r\n]|\s*[=+\-@＝＋－＠])|(?<=[;\t\r\n])(?=\s*[=+\-@＝＋－＠])")  # noqa: RUF001 - the very signs
# What XML cannot say.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class Heading(NamedTuple):
    """What stands above a column."""

    title: str
    is_time: bool = False


@dataclass(frozen=True)
class Download:
    """A table to be saved.

    :param name: of the file, without account, day and ending.
    :param rows: values in the order of the headings.
    """

    name: str
    headings: Sequence[Heading]
    rows: Iterable[Sequence[Any]]


def table(name: str, titles: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> Download:
    """Return a download of rows that were read.

    :param titles: by the names of the rows' values.
    """
    return Download(name, [Heading(title) for title in titles.values()], ([row[key] for key in titles] for row in rows))


def figure(given: str | None) -> Decimal | str | None:
    """Return the number that a seller's text is, or the text where it is none."""
    return Decimal(given) if given and _PLAIN_NUMBER.fullmatch(given) else given


def answer_if_asked(request: Request, tables: Mapping[str, Download], account: str) -> StreamingResponse | None:
    """Answer with the table that an address asks for as a file; None where it asks for none.

    :param tables: that the page shows, by the name that parameter ``table`` has.
    """
    ending, wanted = request.query_params.get("format", ""), request.query_params.get("table", "")
    return answer(tables[wanted], ending, account) if ending in FORMATS and wanted in tables else None


def answer(download: Download, ending: str, account: str) -> StreamingResponse:
    """Answer with a file to be saved.

    What cannot be read is told as on any page: the first part of a file is made before this returns.

    :param ending: one of :data:`FORMATS`.
    """
    whose = re.sub(r"[^A-Za-z0-9_-]", "_", account)
    name = f"backmarket-{whose}-{download.name}-{datetime.now(UTC):%Y-%m-%d}.{ending}"
    content: Iterator[str] | Iterator[bytes] = csv_file(download) if ending == "csv" else xlsx_file(download)
    return StreamingResponse(
        content,
        media_type=FORMATS[ending],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def csv_file(download: Download) -> Iterator[str]:
    """Yield a CSV file, some rows at a time; the first row is read before this returns."""
    parts = _csv_parts(download)
    return chain([next(parts)], parts)


def _csv_parts(download: Download) -> Iterator[str]:
    text = io.StringIO()
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    text.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([heading.title for heading in download.headings])
    for row in download.rows:
        writer.writerow(map(csv_cell, row))
        if text.tell() > _CHUNK:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def csv_cell(value: Any) -> Any:
    """Write a value for a file that a spreadsheet may open; a text that it would take for a formula gets a quote."""
    value = _plain(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def xlsx_file(download: Download) -> Iterator[bytes]:
    """Make an XLSX file, then yield it: numbers as numbers, texts as texts, times in UTC, as Excel knows no zones.

    Rows go through a file on the way, so that a large table takes no more memory than a small one.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    file = TemporaryFile()  # noqa: SIM115 - closed when its last part was sent
    try:
        _fill(book, download)
        book.save(file)
    except BaseException:
        _discard(book)
        file.close()
        raise
    file.seek(0)
    return _parts(file)


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(partial(file.read, _CHUNK), b"")


def _fill(book: Workbook, download: Download) -> None:
    """Write all rows, onto further sheets where one is full."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    titles = [f"{each.title} (UTC)" if each.is_time else each.title for each in download.headings]
    rows = iter(download.rows)
    first = next(rows, None)
    number = 1
    while first is not None or number == 1:
        sheet = book.create_sheet(download.name[:25] if number == 1 else f"{download.name[:25]} {number}")
        make_cell = partial(WriteOnlyCell, sheet)
        sheet.freeze_panes = "A2"
        heads = [make_cell(title) for title in titles]
        for place, head in enumerate(heads):
            sheet.column_dimensions[get_column_letter(place + 1)].width = max(18, len(titles[place]) + 2)
            head.font = Font(bold=True)
        sheet.append(heads)
        for row in islice(chain([] if first is None else [first], rows), _MOST_ROWS_OF_A_SHEET - 1):
            sheet.append([_xlsx_cell(make_cell, value) for value in row])
        first = next(rows, None)
        number += 1


def _xlsx_cell(make_cell: Callable[[Any], Cell], value: Any) -> Any:
    """Return what a sheet keeps of a value: the value, or a cell that says what kind it is."""
    value = _plain(value)
    if isinstance(value, str):
        value = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        # Of what begins so, openpyxl would make a formula, or an error such as #N/A.
        return _text(make_cell(value)) if value.startswith("#") or _FORMULA.match(value) else value
    if isinstance(value, datetime):
        cell = make_cell(value.astimezone(UTC).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
        return cell
    if isinstance(value, int) and len(str(abs(value))) > _MOST_DIGITS:
        return _text(make_cell(str(value)))
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        if len(digits) > _MOST_DIGITS:
            return _text(make_cell(str(value)))
        cell = make_cell(value)
        cell.number_format = "0." + "0" * max(2, -int(exponent))
        return cell
    return value


def _text(cell: Cell) -> Cell:
    """Have a cell be a text whatever it looks like, also once a person has edited it."""
    cell.data_type = "s"
    cell.quotePrefix = True
    return cell


def _plain(value: Any) -> Any:
    """Return a value as one of those that files know: a number, a text, a day, a time, or nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value)
    return value


def _discard(book: Workbook) -> None:
    """Delete the files in which the sheets were written so far; openpyxl does so only where it saves them."""
    for sheet in book.worksheets:
        writer = sheet._writer  # type: ignore[attr-defined] # noqa: SLF001 - it has no other way
        # What has failed may be the disk that they are on.
        with suppress(OSError, ValueError):
            if writer is not None:
                if not sheet.closed:
                    sheet.close()
                writer.cleanup()
