"""Uploads wait hidden in their inbox, on a disk and in a storage that is none, until they are moved in or discarded."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import ObjectStoragePath

from backmarket.hooks import uploads
from backmarket.hooks.inbox import SELLER, list_inbox

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def test_an_upload_is_read_once_it_was_moved_in(inbox: ObjectStoragePath) -> None:
    """In the place of another of its name; before that no run finds it, and the page sees it where it is to lie."""
    for content in (b"1", b"22"):
        upload = uploads.keep(inbox, "stock.csv", io.BytesIO(content), now=NOW)
        found = uploads.find(inbox, upload.sha256)
        assert found is not None
        before = found.file
        assert [file.size for file in list_inbox(str(inbox), SELLER)] == ([] if content == b"1" else [1])
        found.move_in()
        (file,) = list_inbox(str(inbox), SELLER)
        assert (file.path, file.size) == (before.path, before.size)
        with file.content() as (stored, sha256):
            assert (stored.read(), sha256) == (content, upload.sha256)
        assert uploads.find(inbox, upload.sha256) is None
        with pytest.raises(FileNotFoundError):
            _ = found.file


def test_a_discarded_upload_is_gone(inbox: ObjectStoragePath) -> None:
    """A second press finds nothing to do."""
    upload = uploads.keep(inbox, "stock.csv", io.BytesIO(b"1"), now=NOW)
    upload.discard()
    upload.discard()
    assert uploads.find(inbox, upload.sha256) is None
    assert list_inbox(str(inbox), SELLER) == []


def test_what_may_not_replace_gets_a_name_of_its_own(inbox: ObjectStoragePath) -> None:
    """Both are there afterwards."""
    for content in (b"1", b"2"):
        uploads.keep(inbox, "statement.csv", io.BytesIO(content), now=NOW, may_replace=False).move_in()
    assert len(list_inbox(str(inbox), SELLER)) == 2


def test_an_abandoned_upload_is_removed_by_a_later_one(inbox: ObjectStoragePath) -> None:
    """A day later; younger ones stay. What is no upload's name finds none."""
    stored_at = datetime.now(UTC)
    first = uploads.keep(inbox, "stock.csv", io.BytesIO(b"1"), now=stored_at)
    second = uploads.keep(inbox, "stock.csv", io.BytesIO(b"2"), now=stored_at + timedelta(hours=23))
    assert uploads.find(inbox, first.sha256) == first
    third = uploads.keep(inbox, "stock.csv", io.BytesIO(b"3"), now=stored_at + timedelta(hours=25))
    assert [uploads.find(inbox, each.sha256) for each in (first, second, third)] == [None, None, third]
    assert uploads.find(inbox, "../x") is None


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("stock.csv", "stock.csv"),
        ("../../etc/stock.csv", "stock.csv"),
        (r"C:\Users\kim\stock.xlsx", "stock.xlsx"),
        (".stock.csv", "stock.csv"),
        ("Précis (2).csv", "Précis (2).csv"),
        ("a\n<b>*?[#].csv", "a__b______.csv"),
        ("", "file"),
        ("..", "file"),
        ("stock.tmp", "upload-stock.tmp_"),
        ("readme.csv", "upload-readme.csv_"),
    ],
)
def test_a_name_leads_nowhere_else(given: str, safe: str) -> None:
    """Whatever a browser says, a file lies in its inbox, under a name that is read."""
    assert uploads.safe_name(given) == safe
    assert len(uploads.safe_name("ä" * 300 + ".csv").encode()) < 200


def test_no_run_reads_half_of_an_upload(tmp_path: Path) -> None:
    """On a disk it is the same file under another name: nothing is written where runs look."""
    inbox = ObjectStoragePath(tmp_path.as_uri())
    upload = uploads.keep(inbox, "stock.csv", io.BytesIO(b"1"), now=NOW)
    (stored,) = (tmp_path / uploads.FOLDER).rglob("*.csv")
    number = stored.stat().st_ino
    upload.move_in()
    assert (tmp_path / "stock.csv").stat().st_ino == number
