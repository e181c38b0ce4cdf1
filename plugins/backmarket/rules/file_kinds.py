"""Tells by its content, whatever its name says, what a file is that is no plain text."""

from __future__ import annotations

import zipfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GZIP = b"\x1f\x8b"
ZIP = b"PK"
NO_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError)
"""What :class:`zipfile.ZipFile` raises of content that is no archive, or a damaged one."""
_PICTURE = "a picture"
# A library for this knows thousands of kinds and calls them by media types; people need a word and what to do.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind (.xls) or another old Office file"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"II*\0", _PICTURE),
    (b"MM\0*", _PICTURE),
    (b"RIFF", _PICTURE),
    (GZIP, "packed with gzip more than once"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
)
_TEXTS: tuple[tuple[str, str], ...] = (
    ("<!doctype html", "a web page (HTML), such as a login page"),
    ("<html", "a web page (HTML), such as a login page"),
    ("<", "XML or HTML"),
    ("{", "JSON, such as the error message of a web service"),
    ("[", "JSON, such as the error message of a web service"),
)
WORKBOOK = "an Excel workbook"
_ARCHIVE = "a ZIP archive that holds no file, lies in another archive or is not named .zip"
# By what stands at the top of a ZIP archive that is a document.
_DOCUMENTS: tuple[tuple[str, str], ...] = (
    ("xl/", WORKBOOK),
    ("word/", "a Word document"),
    ("Index/Document.iwa", "a Numbers spreadsheet or another document of Apple's"),
    ("content.xml", "a spreadsheet or another document of LibreOffice's"),
)


def document_of(names: Iterable[str]) -> str | None:
    """Return what a ZIP archive is that is a document, by the names of what is in it; None for a plain archive."""
    names = list(names)
    return next((what for top, what in _DOCUMENTS if any(name.startswith(top) for name in names)), None)


def kind_of_bytes(content: IO[bytes], head: bytes) -> str | None:
    """Return what a file is that is no text, for a person; None where it may be one.

    :param content: seekable, at its beginning, and there again afterwards.
    :param head: what it begins with.
    """
    if head.startswith(ZIP):
        try:
            with zipfile.ZipFile(content) as archive:
                return document_of(archive.namelist()) or _ARCHIVE
        except NO_ZIP:
            pass
        finally:
            content.seek(0)
    if head[4:8] == b"ftyp":
        return "a picture or a film"
    return next((what for start, what in _SIGNATURES if head.startswith(start)), None)


def kind_of_text(text: str) -> str | None:
    """Return what a text is that is no table, by its beginning, for a person; None where it may be one."""
    lowered = text.lstrip().lower()
    return next((what for start, what in _TEXTS if lowered.startswith(start)), None)
