"""Refuses, by its content, what is no CSV export of a statement, whatever its name says."""

from __future__ import annotations

from typing import IO

from backmarket.rules.file_kinds import kind_of_bytes, kind_of_text
from backmarket.rules.settlements.blocks import StatementError

DOWNLOAD = "download the statement as CSV in the Back Office"
_HEAD_BYTES = 2048
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def refuse_other_content(content: IO[bytes]) -> None:
    """Pass for text that may be CSV.

    :param content: seekable, at its beginning, and there again afterwards.
    :raises StatementError: saying what it is instead, and what to do.
    """
    head = content.read(_HEAD_BYTES)
    content.seek(0)
    if head.startswith(_UTF16):
        raise StatementError("it is UTF-16 text, as Excel's “Unicode Text”: save it as CSV UTF-8")
    if what := kind_of_bytes(content, head):
        raise StatementError(f"it is {what}, not a CSV export: {DOWNLOAD}")
    text = head.decode("utf-8-sig", "replace").strip()
    if not text:
        raise StatementError(f"it is empty: {DOWNLOAD} again")
    if what := kind_of_text(text):
        raise StatementError(f"it is {what}, not a CSV export: {DOWNLOAD}")
