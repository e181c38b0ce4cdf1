"""What a file is that is no CSV export, told by its content: a person reads what it is and what to do."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from backmarket.rules.settlements.blocks import StatementError
from backmarket.rules.settlements.contents import refuse_other_content


def zipped(*names: str) -> bytes:
    """An archive of empty files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a Word document"),
        (zipped("mimetype", "content.xml"), "a spreadsheet or another document of LibreOffice's"),
        (zipped("Index/Document.iwa"), "a Numbers spreadsheet or another document of Apple's"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook of the old kind (.xls)"),
        (b"%PDF-1.4\n%\xe2\xe3", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture"),
        (b"\0\0\0\x18ftypheic", "a picture or a film"),
        (gzip.compress(b"a"), "packed with gzip more than once"),
        (zipped(), "a ZIP archive that holds no file, lies in another archive or is not named .zip"),
        (b"Rar!\x1a\x07\0", "a RAR archive"),
        (b"\n <!DOCTYPE html><title>Sign in</title>", "a web page (HTML), such as a login page"),
        (b"\xef\xbb\xbf<html>", "a web page (HTML), such as a login page"),
        (b"<?xml version='1.0'?>", "XML or HTML"),
        (b'{"error": {"code": 401}}', "JSON, such as the error message of a web service"),
    ],
    # Named by what they are: an archive holds the time of its packing, which two test workers would not agree on.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_kind_of_file_is_called_what_it_is(content: bytes, what: str) -> None:
    """With what to do about it, and nothing of its content."""
    with pytest.raises(StatementError) as refusal:
        refuse_other_content(io.BytesIO(content))
    assert str(refusal.value).startswith(f"it is {what}")
    assert str(refusal.value).endswith(", not a CSV export: download the statement as CSV in the Back Office")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\r\n"])
def test_an_empty_file_is_called_empty(content: bytes) -> None:
    """Also one of nothing but a byte order mark or line ends."""
    with pytest.raises(StatementError, match=r"^it is empty: download the statement as CSV in the Back Office again$"):
        refuse_other_content(io.BytesIO(content))


def test_text_in_another_width_says_how_to_save_it() -> None:
    """What Excel calls Unicode Text."""
    with pytest.raises(StatementError, match=r"it is UTF-16 text.*save it as CSV UTF-8"):
        refuse_other_content(io.BytesIO("invoice_key".encode("utf-16")))


def test_text_may_be_a_statement_and_is_read_from_its_beginning() -> None:
    """In any encoding: the columns decide. A text that begins like an archive is none."""
    for content in (
        b"invoice_key,amount\n",
        b"\xef\xbb\xbfinvoice_key",
        "invoice_key;é".encode("latin-1"),
        b"PK;amount\n",
    ):
        file = io.BytesIO(content)
        refuse_other_content(file)
        assert file.read() == content
