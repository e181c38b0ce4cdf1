"""Rows written as text arrive in PostgreSQL as they were."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backmarket.warehouse.copy_text import as_copy_text

if TYPE_CHECKING:
    import psycopg

WORST = [
    "\\",
    "\\N",
    "\\.",
    "a\\tb",
    "tab\there",
    "line\nbreak",
    "return\r\n",
    "é\u2028\u00a0",
    "x\0",
    "\ud83d",
    "\"'",
    " ",
]


def test_every_value_arrives_as_it_was(warehouse: psycopg.Connection[Any]) -> None:
    """Each kind of value; of texts also those that COPY has a meaning for, and those that no column can hold."""
    moment = datetime(2026, 9, 1, 12, 0, 0, 123456, tzinfo=UTC)
    rows = [(text, None, -7, Decimal("1E+2"), True, moment) for text in WORST] + [("", None, None, None, None, None)]
    warehouse.execute("create temporary table kept (a text, b text, c bigint, d numeric, e boolean, f timestamptz)")
    with warehouse.cursor().copy("copy kept from stdin (null '')") as copy:
        copy.write(as_copy_text(rows))
    read = warehouse.execute("select * from kept").fetchall()
    texts = [text.replace("\0", "\ufffd").replace("\ud83d", "\ufffd") for text in WORST]
    assert read == [(text, None, -7, Decimal(100), True, moment) for text in texts] + [(None,) * 6]
