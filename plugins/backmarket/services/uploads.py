"""Decides what an uploaded file is for: one of the seller's tables, or the statements."""

from __future__ import annotations

import io
import zipfile
from typing import IO, NamedTuple

from backmarket.concerns import SELLER_FILES, SETTLEMENTS
from backmarket.rules.file_kinds import GZIP, NO_ZIP, ZIP, document_of
from backmarket.rules.settlements.blocks import StatementError, read_header
from backmarket.rules.settlements.contents import refuse_other_content
from backmarket.services.seller_files import REJECTED, target_of
from backmarket.warehouse.seller_files import TARGETS

MOST_BYTES = 64 * 1024 * 1024
"""A larger file is not taken by the page, which reads it while a person waits."""

STATEMENT = "statement"
"""What a person chooses for a file that fills no table."""

_MOST_UNPACKED_BYTES = 8 * MOST_BYTES


class UploadRefusedError(ValueError):
    """An uploaded file is not taken; the message says why, and what to do."""


class Purpose(NamedTuple):
    """What a file is for.

    :param stem: of the concern that loads it.
    :param name: what it is to be called, so that the concern knows it.
    """

    stem: str
    name: str


def purpose_of(content: IO[bytes], name: str, chosen: str) -> Purpose:
    """Tell what a file is for.

    :param content: seekable; at its beginning afterwards.
    :param name: a safe one.
    :param chosen: the table that a person has chosen for it, or :data:`STATEMENT`; empty: the file says it.
    :raises UploadRefusedError: where it does not, or where the file is packed or empty.
    """
    _refuse_packed(content)
    if chosen == STATEMENT or (not chosen and _is_statement(content)):
        return Purpose(SETTLEMENTS.stem, name)
    if name.lower().endswith(REJECTED):
        raise UploadRefusedError(
            "It is a list of rows that could not be used: correct them in your own file, and give that as a whole."
        )
    target = target_of(name)
    if not chosen:
        if target is None:
            raise UploadRefusedError(
                f"Neither its name nor its first row says what {name} is. Choose what it fills, or give it a name that "
                f"begins with {', '.join(TARGETS)}."
            )
        return Purpose(SELLER_FILES.stem, name)
    if chosen not in TARGETS:
        raise UploadRefusedError("There is no such table.")
    return Purpose(SELLER_FILES.stem, name if target is TARGETS[chosen] else f"{chosen}-{name}")


def _refuse_packed(content: IO[bytes]) -> None:
    start = content.read(len(GZIP))
    content.seek(0)
    if not start:
        raise UploadRefusedError("No file was chosen, or it is empty.")
    unpacked = 0
    is_packed = start == GZIP
    if start == ZIP:
        try:
            with zipfile.ZipFile(content) as archive:
                is_packed = not document_of(archive.namelist())
                unpacked = sum(member.file_size for member in archive.infolist())
        except NO_ZIP:
            # Reading it will say what is wrong with it.
            pass
        finally:
            content.seek(0)
    if is_packed:
        raise UploadRefusedError("It is packed: unpack it first, or put it into the inbox as it is.")
    if unpacked > _MOST_UNPACKED_BYTES:
        raise UploadRefusedError("This workbook is too large to be looked at here: put it into the inbox.")


def _is_statement(content: IO[bytes]) -> bool:
    try:
        refuse_other_content(content)
        text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
        try:
            read_header(text)
        finally:
            text.detach()
    except StatementError:
        return False
    finally:
        content.seek(0)
    return True
