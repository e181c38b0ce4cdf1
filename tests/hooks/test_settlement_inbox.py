"""The inbox: any storage, any folder, packed or not, only ever read; what cannot be listed says what to do."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from backmarket.hooks.settlement_inbox import UNPACKING_ERRORS, InboxError, InboxFile, list_inbox
from backmarket.operators.items_check import BackMarketItemsCheckOperator, ItemsLeftError
from backmarket.operators.settlement_download import BackMarketSettlementDownloadOperator

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

CONTENT = b"invoice_key,value_date,sku,order_id,designation,amount,currency\n"


@pytest.fixture(params=["file", "memory"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoragePath:
    """An empty folder, on a disk and in a storage that is none."""
    if request.param == "file":
        return ObjectStoragePath(tmp_path.as_uri())
    attach("memory", fs=MemoryFileSystem())
    folder = ObjectStoragePath(f"memory://{uuid4().hex}/inbox")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def put(inbox: ObjectStoragePath, name: str, content: bytes) -> None:
    """Write a file as a seller's export does."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # type: ignore[no-untyped-call]
        file.write(content)


def zipped(*members: tuple[str, bytes]) -> bytes:
    """An archive of these files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def test_files_are_found_in_folders_and_archives_and_read_alike(inbox: ObjectStoragePath) -> None:
    """Plain, .gz, .zip with folders and with .gz in it; the same content has the same hash; others are left alone."""
    put(inbox, "a.csv", CONTENT)
    put(inbox, "2026/09/b.CSV", CONTENT)
    put(inbox, "2026/c.csv.gz", gzip.compress(CONTENT))
    members = [
        ("folder/d.csv", CONTENT),
        ("e.csv.gz", gzip.compress(CONTENT)),
        ("__MACOSX/._d.csv", b"x"),
        ("f.txt", b""),
    ]
    put(inbox, "2026/all.zip", zipped(*members))
    put(inbox, "notes.txt", b"not a statement")
    put(inbox, ".hidden.csv", b"half written")
    files = list_inbox(str(inbox))
    assert sorted(file.name for file in files) == ["a.csv", "b.CSV", "c.csv.gz", "d.csv", "e.csv.gz"]
    hashes = set()
    for file in files:
        with file.content() as (content, sha256):
            assert content.read() == CONTENT
            hashes.add(sha256)
        assert file.size > 0
        assert file.modified_at.tzinfo is not None
    assert len(hashes) == 1
    assert [file.path for file in list_inbox(str(inbox))] == [file.path for file in files]


def damaged(content: bytes) -> bytes:
    """The same with some bytes in the middle turned round."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 9]) + content[middle + 9 :]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.zip", b"PK\x03\x04 cut off"),
        ("broken.csv.gz", b"not packed"),
        ("broken.csv.gz", gzip.compress(CONTENT, mtime=0)[:-12]),
        ("broken.csv.gz", damaged(gzip.compress(CONTENT * 50, mtime=0))),
    ],
)
def test_a_broken_archive_is_a_file_that_cannot_be_read(inbox: ObjectStoragePath, name: str, content: bytes) -> None:
    """It is listed, so that the run can say what is wrong with it, and does not hide the others."""
    put(inbox, name, content)
    put(inbox, "good.csv", CONTENT)
    broken, good = sorted(list_inbox(str(inbox)), key=lambda file: file.name)
    with pytest.raises(UNPACKING_ERRORS), broken.content():
        pass
    with good.content() as (unpacked, _):
        assert unpacked.read() == CONTENT


@pytest.mark.parametrize("url", ["file:///does/not/exist", "nosuch://bucket/folder"])
def test_an_inbox_that_is_not_there_says_what_to_do(url: str) -> None:
    """Never taken for an empty one: then nothing would ever be loaded, without a word."""
    with pytest.raises(InboxError, match="inbox"):
        list_inbox(url)


def test_a_file_that_the_storage_keeps_back_does_not_stop_the_others(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others are loaded, and it is named, so that the last task of the run turns red."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    for name in ("1", "2", "3"):
        row = f"sales,2026-09-08,S,{name},Phone,{name}.00,EUR\n"
        (tmp_path / f"20260914-EU-H-{name}.csv").write_bytes(CONTENT + row.encode())
    readable = InboxFile.content

    def content(self: InboxFile) -> Any:
        if self.name == "20260914-EU-H-2.csv":
            raise PermissionError("Access Denied")
        return readable(self)

    monkeypatch.setattr(InboxFile, "content", content)
    counts = BackMarketSettlementDownloadOperator(task_id="settlement_download").execute({})
    assert counts["files_left"] == [f"{tmp_path.as_uri()}/20260914-EU-H-2.csv"]
    with pytest.raises(ItemsLeftError, match=r"20260914-EU-H-2\.csv"):
        BackMarketItemsCheckOperator(task_id="quarantine_check", counts=[counts]).execute({})
    stored = warehouse.execute("select order_id from backmarket.settlement_lines order by 1").fetchall()
    assert stored == [(1,), (3,)]
