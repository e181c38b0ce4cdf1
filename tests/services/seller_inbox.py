"""An inbox of the seller that is no more than a list of files, and files to put into it."""

from __future__ import annotations

import hashlib
import io
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

import openpyxl
import pandas as pd

from backmarket.services.seller_files import FileRules, SellerFileLoading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

STORED_AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


@dataclass
class File:
    """A file in an inbox that is no more than this."""

    path: str
    data: bytes
    modified_at: datetime = STORED_AT
    older_by: timedelta = timedelta(0)
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.rpartition("/")[2]

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    @contextmanager
    def content(self) -> Iterator[tuple[IO[bytes], str]]:
        """What is in it."""
        yield io.BytesIO(self.data), hashlib.sha256(self.data).hexdigest()

    def write_beside(self, ending: str, text: str) -> None:
        """Keep what is written beside it."""
        self.beside[ending] = text


@dataclass
class Inbox:
    """Loads files and looks at what came of it.

    :param now: when the files are listed.
    """

    connection: psycopg.Connection[Any]
    account: str = "default"
    now: datetime = STORED_AT + timedelta(days=30)
    runs: int = 0

    def load(self, *files: File, run_id: str = "", **rules: Any) -> SellerFileLoading:
        """Load what is in the inbox now, in a run of its own unless one is given."""
        self.runs += 1
        run_id = run_id or f"run {self.runs}"
        log = logging.getLogger("test")
        loading = SellerFileLoading(self.connection, self.account, FileRules(**rules), log, run_id, now=self.now)
        self.counts = loading.load(files)
        return loading

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database holds."""
        return self.connection.execute(query.encode()).fetchall()

    @property
    def stock(self) -> dict[str, int]:
        """Units by SKU."""
        return dict(self.rows("select sku, quantity from seller.stock order by sku"))


def csv_file(text: str, path: str = "in/stock.csv", **values: Any) -> File:
    """A file of text."""
    return File(path, text.encode(), **values)


def workbook(*rows: list[Any], path: str = "in/stock.xlsx", formats: dict[str, str] | None = None) -> File:
    """An Excel workbook."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for cell, number_format in (formats or {}).items():
        sheet[cell].number_format = number_format
    data = io.BytesIO()
    book.save(data)
    return File(path, data.getvalue())


STOCK = "sku,quantity,counted_at\nA,1,2026-11-26T07:00:00Z\nB,2,2026-11-26T07:00:00Z\n"


def parquet() -> bytes:
    """The stock as Parquet."""
    data = io.BytesIO()
    frame = pd.DataFrame({"sku": ["A", "B"], "quantity": [1, 2], "counted_at": ["2026-11-26T07:00:00Z"] * 2})
    frame.to_parquet(data)
    return data.getvalue()
