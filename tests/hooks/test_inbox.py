"""The inbox: any storage, any folder, packed or not, only ever read; what cannot be listed says what to do."""

from __future__ import annotations

import gzip
import io
import logging
import os
import re
import zipfile
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException
from airflow.sdk.io import attach
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from backmarket.hooks import inbox as inboxes
from backmarket.hooks.inbox import InboxError, InboxFile, list_inbox
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.settlements import BackMarketSettlementCheckOperator, BackMarketSettlementDownloadOperator
from backmarket.rules.settlements.blocks import StatementError
from backmarket.services.item_failures import ItemsLeftError
from backmarket.services.seller_files import FileRules, SellerFileLoading
from backmarket.services.settlement_check import SettlementsOffError

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

CONTENT = b"invoice_key,value_date,sku,order_id,designation,amount,currency\n"


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
    """Plain, .gz, .zip with folders and with .gz in it; the same content has the same hash, whatever the names say."""
    put(inbox, "a.csv", CONTENT)
    put(inbox, "2026/09/b.CSV", CONTENT)
    put(inbox, "2026/c.csv.gz", gzip.compress(CONTENT))
    members = [
        ("folder/d.csv", CONTENT),
        ("e.csv.gz", gzip.compress(CONTENT)),
        ("f.txt", CONTENT),
    ]
    put(inbox, "2026/all.zip", zipped(*members))
    put(inbox, "packed_by_name_only.csv.gz", CONTENT)
    put(inbox, "not_packed_by_name.csv", gzip.compress(CONTENT))
    put(inbox, "not_an_archive.zip", CONTENT)
    files = list_inbox(str(inbox))
    assert sorted(file.name for file in files) == [
        "a.csv", "b.CSV", "c.csv.gz", "d.csv", "e.csv.gz", "f.txt", "not_an_archive.zip", "not_packed_by_name.csv",
        "packed_by_name_only.csv.gz",
    ]  # fmt: skip
    hashes = set()
    for file in files:
        with file.content() as (content, sha256):
            assert content.read() == CONTENT
            hashes.add(sha256)
        assert file.size > 0
        assert file.modified_at.tzinfo is not None
    assert len(hashes) == 1
    assert [file.path for file in list_inbox(str(inbox))] == [file.path for file in files]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.csv",
        ".git/a.csv",
        "a.csv.tmp",
        "a.csv.part",
        "~$a.xlsx",
        ".~lock.a.csv#",
        "README.md",
        "Thumbs.db",
        "a.csv~",
    ],
)
def test_what_is_obviously_no_statement_is_left_alone(inbox: ObjectStoragePath, name: str) -> None:
    """In a folder and in an archive: half written, hidden, a lock, a README; the file beside it is found."""
    put(inbox, "a.csv", CONTENT)
    put(inbox, f"below/{name}", b"whatever")
    put(inbox, "all.zip", zipped(("b.csv", CONTENT), ("__MACOSX/._b.csv", b"x"), (name, b"whatever")))
    assert sorted(file.name for file in list_inbox(str(inbox))) == ["a.csv", "b.csv"]


def test_a_hidden_folder_may_hold_the_inbox_itself(tmp_path: Path) -> None:
    """Only what is hidden below the inbox is left alone."""
    inbox = tmp_path / ".state" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "a.csv").write_bytes(CONTENT)
    assert [file.name for file in list_inbox(inbox.as_uri())] == ["a.csv"]


def pointing_nowhere() -> bytes:
    """An archive whose directory would begin before the file does."""
    content = bytearray(zipped(("a.csv", CONTENT)))
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = (len(content) * 2).to_bytes(4, "little")
    return bytes(content)


def damaged_inside() -> bytes:
    """An archive whose packed content is damaged, in the packing whose errors have a name of their own."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.csv", CONTENT * 50)
    content = target.getvalue()
    return content[:50] + bytes(255 - byte for byte in content[50:59]) + content[59:]


def named_by_half_a_letter() -> bytes:
    """An archive that calls a file otherwise where it begins than in its directory, by what is no UTF-8."""
    return zipped(("bénéfices.csv", CONTENT)).replace("é".encode(), b"\xc3?", 1)


def damaged(content: bytes) -> bytes:
    """The same with some bytes in the middle turned round."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 9]) + content[middle + 9 :]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.zip", b"PK\x03\x04 cut off"),
        ("broken.csv.gz", gzip.compress(CONTENT)[:-12]),
        ("broken.csv.gz", damaged(gzip.compress(CONTENT * 50))),
        ("broken.zip", pointing_nowhere()),
        ("broken.zip", damaged_inside()),
        ("broken.zip", named_by_half_a_letter()),
    ],
    # Named here: an archive holds the time of its packing, which two test workers would not agree on.
    ids=[
        "cut_zip",
        "cut_gzip",
        "damaged_gzip",
        "zip_that_points_nowhere",
        "zip_damaged_inside",
        "zip_with_half_a_letter",
    ],
)
def test_a_broken_archive_is_a_file_that_cannot_be_read(inbox: ObjectStoragePath, name: str, content: bytes) -> None:
    """It is listed, so that the run can say what is wrong with it, and does not hide the others."""
    put(inbox, name, content)
    put(inbox, "good.csv", CONTENT)
    broken, good = sorted(list_inbox(str(inbox)), key=lambda file: file.name)
    with pytest.raises(StatementError, match="the archive cannot be unpacked"), broken.content():
        pass
    with good.content() as (unpacked, _):
        assert unpacked.read() == CONTENT


@pytest.mark.parametrize(
    ("name", "owner", "operation"),
    [("closed.zip", ObjectStoragePath, "open"), ("gone.csv", LocalFileSystem, "modified")],
)
def test_a_file_that_the_storage_keeps_back_is_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, owner: type, operation: str
) -> None:
    """Loading it says that it was kept back; the others are listed as ever."""
    given = getattr(owner, operation)

    def refuse(self: Any, *args: Any, **more: Any) -> Any:
        if name in f"{self} {args}":
            raise PermissionError("Access Denied")
        return given(self, *args, **more)

    for each in (name, "good.csv"):
        (tmp_path / each).write_bytes(CONTENT)
    monkeypatch.setattr(owner, operation, refuse)
    assert sorted(file.name for file in list_inbox(tmp_path.as_uri())) == sorted([name, "good.csv"])


class CloudError(Exception):
    """What a cloud's own client raises, which is no error of files."""


class Cloud(MemoryFileSystem):  # type: ignore[misc]
    """A storage that fails on what has "sick" in its name, each time in another way."""

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        if "sick" in path:
            raise CloudError(path)
        return super()._open(path, mode, **more)

    def modified(self, path: str) -> Any:
        if "timeless" in path:
            raise NotImplementedError
        return super().modified(path)

    def isdir(self, path: str) -> bool:
        if "nowhere" in path:
            raise AirflowNotFoundException("The conn_id `typo` isn't defined")
        return bool(super().isdir(path))


@pytest.fixture
def cloud() -> ObjectStoragePath:
    """An inbox in such a storage."""
    attach("memory", "cloud", fs=Cloud())
    inbox = ObjectStoragePath(f"memory://cloud@{uuid4().hex}/inbox")
    inbox.mkdir(parents=True, exist_ok=True)
    return inbox


def test_what_a_clouds_own_client_raises_costs_no_other_file(cloud: ObjectStoragePath) -> None:
    """Some raise errors that are none of files: the file is kept back, and tried again by the next run."""
    for name in ("sick.csv", "sick.zip", "timeless.csv", "good.csv"):
        # Its parent's writing is not what is tried here.
        MemoryFileSystem().pipe_file((cloud / name).path, CONTENT)
    listed = {file.name: file for file in list_inbox(str(cloud))}
    assert sorted(listed) == ["good.csv", "sick.csv", "sick.zip", "timeless.csv"]
    for name in ("sick.csv", "sick.zip", "timeless.csv"):
        with pytest.raises(OSError, match="the storage"), listed[name].content():
            pass
    with listed["good.csv"].content() as (copy, _):
        assert copy.read() == CONTENT


def test_an_inbox_of_a_connection_that_is_not_there_says_so(cloud: ObjectStoragePath) -> None:
    """A slip in its URL is an inbox that cannot be listed, and no error of Airflow's own."""
    with pytest.raises(InboxError, match=r"nowhere of Variable .* cannot be listed: The conn_id `typo` isn't defined"):
        list_inbox(str(cloud).replace("inbox", "nowhere"))


def keep_times_back(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the storage not say when files of these names were stored."""
    given = LocalFileSystem.modified

    def refuse(self: LocalFileSystem, path: str) -> Any:
        if path.endswith(names):
            raise PermissionError("Access Denied")
        return given(self, path)

    monkeypatch.setattr(LocalFileSystem, "modified", refuse)


def test_a_count_whose_time_is_kept_back_is_left_to_the_next_run(
    tmp_path: Path, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of two counts is the newer one is not known before; the other is loaded."""
    (tmp_path / "stock_1.csv").write_bytes(b"sku,quantity\nA,1\n")
    os.utime(tmp_path / "stock_1.csv", (1_700_000_000,) * 2)
    (tmp_path / "stock_2.csv").write_bytes(b"sku,quantity\nA,2\n")

    def load(run_id: str) -> tuple[list[str], int]:
        loading = SellerFileLoading(warehouse, "default", FileRules(), logging.getLogger(), run_id)
        loading.load(list_inbox(tmp_path.as_uri(), "seller"))
        ((quantity,),) = warehouse.execute("select quantity from seller.stock").fetchall()
        return [path.rpartition("/")[2] for path in loading.files_left], quantity

    with monkeypatch.context() as storage:
        keep_times_back(storage, "stock_2.csv")
        assert load("first") == (["stock_2.csv"], 1)
    assert load("second") == ([], 2)


def test_an_export_whose_time_is_kept_back_is_left_to_the_next_run(
    tmp_path: Path, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of two exports of a statement holds is not known before."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    for place, amount in enumerate(("1.00", "2.00")):
        file = tmp_path / f"{place}" / "20260914-EU-H-1.csv"
        file.parent.mkdir()
        file.write_bytes(CONTENT + f"sales,2026-09-08,S,1,Phone,{amount},EUR\n".encode())
        os.utime(file, (1_700_000_000 + place,) * 2)
    download = BackMarketSettlementDownloadOperator(task_id="settlement_download")
    with monkeypatch.context() as storage:
        keep_times_back(storage, "1/20260914-EU-H-1.csv")
        assert download.execute({"run_id": "run"})["files_left"] == [file.as_uri()]
    assert download.execute({"run_id": "run"})["new_lines"] == 1
    rows = warehouse.execute("select amount::text from backmarket.settlement_lines where not vanished").fetchall()
    assert rows == [("2.00",)]


def test_an_archive_that_opens_only_after_it_was_listed_is_left_for_the_next_run(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is whole, and so never called broken, nor a file of another kind: nobody knows what is in it."""
    whole = zipped(("a.csv", CONTENT))
    (tmp_path / "late.zip").write_bytes(whole[:50])
    (late,) = list_inbox(tmp_path.as_uri())
    (tmp_path / "late.zip").write_bytes(whole)
    with pytest.raises(OSError, match="only after"), late.content():
        pass
    with monkeypatch.context() as closed:
        closed.setattr(ObjectStoragePath, "open", lambda *_args: _raise(PermissionError("Access Denied")))
        (late,) = list_inbox(tmp_path.as_uri())
    with pytest.raises(OSError, match="what is in it"), late.content():
        pass
    loading = SellerFileLoading(warehouse, "default", FileRules(), logging.getLogger(), "run")
    assert loading.load([late])["unmatched"] == 0
    assert loading.files_left == [late.path]


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("url", ["file:///does/not/exist", "nosuch://bucket/folder"])
def test_an_inbox_that_is_not_there_says_what_to_do(url: str) -> None:
    """Never taken for an empty one: then nothing would ever be loaded, without a word."""
    with pytest.raises(InboxError, match="inbox"):
        list_inbox(url)


def test_a_worker_without_the_default_folder_says_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other workers may have one, and nothing of theirs would ever be loaded here: never an empty inbox."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", "")
    monkeypatch.setattr(inboxes, "_ROOT", tmp_path / "plugins")
    download = BackMarketSettlementDownloadOperator(task_id="settlement_download")
    with pytest.raises(AirflowSkipException, match=rf"{tmp_path}/inbox/settlements.* Set \S+ in the environment"):
        download.execute({})


def test_an_installed_package_looks_into_airflow_s_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside site-packages nobody would look for a folder of their own."""
    monkeypatch.setattr(inboxes, "_ROOT", tmp_path / "site-packages")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    inbox = tmp_path / "airflow" / "inbox" / "settlements"
    inbox.mkdir(parents=True)
    (inbox / "a.csv").write_bytes(CONTENT)
    assert [file.name for file in list_inbox(None)] == ["a.csv"]


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
    counts = BackMarketSettlementDownloadOperator(task_id="settlement_download").execute({"run_id": "run"})
    assert counts["files_left"] == [f"{tmp_path.as_uri()}/20260914-EU-H-2.csv"]
    with pytest.raises(ItemsLeftError, match=r"20260914-EU-H-2\.csv"):
        BackMarketItemsCheckOperator(task_id="quarantine_check", counts=[counts]).execute({})
    stored = warehouse.execute("select order_id from backmarket.settlement_lines order by 1").fetchall()
    assert stored == [(1,), (3,)]


def test_a_file_that_is_kept_back_stays_in_quarantine_if_it_was_there(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left neither the inbox nor its error."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    file = tmp_path / "20260914-EU-H-1.csv"
    file.write_bytes(b"no statement")
    download = BackMarketSettlementDownloadOperator(task_id="settlement_download")
    assert download.execute({"run_id": "run"})["unreadable"] == 1
    file.write_bytes(b"no statement either")
    monkeypatch.setattr(InboxFile, "content", lambda _file: _raise(PermissionError("Access Denied")))
    assert download.execute({"run_id": "run"})["files_left"] == [file.as_uri()]
    assert warehouse.execute("select count(*) from backmarket.quarantine").fetchone() == (1,)


def test_a_file_that_lies_deep_is_named_as_long_as_it_cannot_be_read(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its path is longer than a key of the quarantine: each run's check names it whole, until it is put right."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    file = tmp_path.joinpath(*["a folder of some length"] * 10) / "20260914-EU-H-1.csv"
    file.parent.mkdir(parents=True)
    download = BackMarketSettlementDownloadOperator(task_id="settlement_download")
    check = BackMarketSettlementCheckOperator(task_id="settlement_check")
    file.write_bytes(b"no statement")
    for _ in range(2):
        assert download.execute({"run_id": "run"})["unreadable"] == 1
        with pytest.raises(SettlementsOffError, match=re.escape(file.as_uri().replace("%20", " "))):
            check.execute({})
    file.write_bytes(CONTENT + b"cash_flow,2026-09-08,,,Payout,1.00,EUR\n")
    assert download.execute({"run_id": "run"})["loaded"] == 1
    check.execute({})


def test_a_file_of_another_kind_is_named_and_costs_no_other(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workbooks, a PDF, an archive without a statement: each is kept as what it is; the statement is loaded."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    workbook = zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b""), ("xl/a.csv", CONTENT))
    others = {
        "a.xlsx": (workbook, "an Excel workbook"),
        "a.csv": (workbook, "an Excel workbook"),
        "a.zip": (workbook, "an Excel workbook"),
        "b.csv": (b"%PDF-1.7 ...", "a PDF document"),
        "c.zip": (zipped(("README.txt", b"")), "a ZIP archive that holds no file, lies in"),
        "d.csv": (zipped(("d.csv", CONTENT)), "a ZIP archive that holds no file, lies in"),
        "e.zip": (zipped(("inner.zip", zipped(("e.csv", CONTENT)))), "a ZIP archive that holds no file, lies in"),
        "f.csv": (b"", "empty"),
    }
    for name, (content, _) in others.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "20260914-EU-H-1.csv").write_bytes(CONTENT + b"sales,2026-09-08,S,1,Phone,1.00,EUR\n")
    counts = BackMarketSettlementDownloadOperator(task_id="settlement_download").execute({"run_id": "run"})
    assert (counts["loaded"], counts["unreadable"], counts["files_left"]) == (1, len(others), [])
    kept = dict(warehouse.execute("select key, reason from backmarket.quarantine").fetchall())
    reasons = {key.removeprefix(f"{tmp_path.as_uri()}/").partition("!/")[0]: reason for key, reason in kept.items()}
    assert {name: reasons[name].startswith(f"it is {what}") for name, (_, what) in others.items()} == dict.fromkeys(
        others, True
    )


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("stock.xlsx", "stock.rejected.csv"),
        ("stock.2026.csv", "stock.2026.rejected.csv"),
        ("stock.csv.gz", "stock.rejected.csv"),
        ("stock", "stock.rejected.csv"),
        ("all.zip", "all.zip.stock.rejected.csv"),
    ],
)
def test_a_text_is_stored_beside_a_file(inbox: ObjectStoragePath, name: str, beside: str) -> None:
    """Under its name with another ending, whatever its own is; without a text none is there."""
    content = zipped(("stock.csv", CONTENT)) if name.endswith(".zip") else CONTENT
    put(inbox, name, content)
    (file,) = list_inbox(str(inbox))
    for text in ("sku,reason\né,…\n", "sku,reason\n"):
        file.write_beside(".rejected.csv", text)
        assert (inbox / beside).read_bytes().decode() == text
    file.write_beside(".rejected.csv", "")
    assert sorted(path.name for path in inbox.iterdir()) == [name]
    file.write_beside(".rejected.csv", "")


def test_a_name_that_is_no_text_is_one_where_it_is_stored(tmp_path: Path, warehouse: psycopg.Connection[Any]) -> None:
    """Names in Latin-1, as older systems write them: each is its own, is opened, and known when it is seen again."""
    for name in (b"stock_\xe9.csv", b"stock_\xe8.csv"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"sku,quantity\nA,1\nB\xe9,x\n")
    (tmp_path / "stock.jsonl").write_bytes(b'{"sku": "C\\ud83d", "quantity": "2"}\n{"sku": "D", "quantity": "2"}\n')
    for run_id in ("first", "second"):
        files = list_inbox(tmp_path.as_uri(), "seller")
        assert [file.name for file in files if file.name.endswith(".csv") and ".rejected" not in file.name] == [
            "stock_\\udce8.csv", "stock_\\udce9.csv"
        ]  # fmt: skip
        loading = SellerFileLoading(warehouse, "default", FileRules(is_snapshot=False), logging.getLogger(), run_id)
        assert loading.load(files)["loaded"] == (3 if run_id == "first" else 0)
    assert warehouse.execute("select count(*) from seller.stock").fetchone() == (2,)
    assert (tmp_path / os.fsdecode(b"stock_\xe9.rejected.csv")).exists()
    assert "C\\ud83d" in (tmp_path / "stock.rejected.csv").read_text()


def test_files_that_differ_by_their_ending_have_bad_rows_of_their_own(inbox: ObjectStoragePath) -> None:
    """Two files of one stem, packed ones, and two of one name in an archive: none writes over another's."""
    archive = zipped(("fr/prices.csv", b"a"), ("de/prices.csv", b"b"), ("de/stock.csv", b"c"))
    for name, content in (("stock.csv", b"a"), ("stock.csv.gz", b"b"), ("stock.xlsx", b"c"), ("all.zip", archive)):
        put(inbox, name, content)
    put(inbox, "devices.csv", b"d")
    put(inbox, "paris/stock.csv", b"e")
    for file in list_inbox(str(inbox)):
        file.write_beside(".rejected.csv", file.path)
    written = {path.name for path in inbox.rglob("*.rejected.csv")}
    assert written == {
        "stock.csv.rejected.csv",
        "stock.csv.gz.rejected.csv",
        "stock.xlsx.rejected.csv",
        "all.zip.fr.prices.csv.rejected.csv",
        "all.zip.de.prices.csv.rejected.csv",
        "all.zip.stock.rejected.csv",
        "devices.rejected.csv",
        "stock.rejected.csv",
    }
    assert len(list_inbox(str(inbox))) == 8 + len(written)


def test_an_archive_replaced_after_it_was_listed_is_left_to_the_next_run(
    tmp_path: Path, warehouse: psycopg.Connection[Any]
) -> None:
    """Its members are not there any more, and that stops no other file."""
    (tmp_path / "all.zip").write_bytes(zipped(("prices.csv", b"x"), ("devices.csv", b"x")))
    (tmp_path / "stock.csv").write_bytes(b"sku,quantity\nA,1\n")
    files = list_inbox(tmp_path.as_uri(), "seller")
    (tmp_path / "all.zip").write_bytes(zipped(("other.csv", b"x")))
    loading = SellerFileLoading(warehouse, "default", FileRules(), logging.getLogger(), "run")
    assert loading.load(files)["loaded"] == 1
    assert [path.rpartition("!/")[2] for path in loading.files_left] == ["devices.csv", "prices.csv"]


def test_a_folder_in_an_archive_may_be_parted_as_on_windows(inbox: ObjectStoragePath) -> None:
    """Else no table's name would stand at the beginning of the file's, and nobody would read it."""
    put(inbox, "all.zip", zipped(("export\\stock.csv", CONTENT)))
    (file,) = list_inbox(str(inbox))
    assert file.name == "stock.csv"
    with file.content() as (unpacked, _):
        assert unpacked.read() == CONTENT


def test_files_in_an_archive_keep_the_order_in_which_they_were_written(inbox: ObjectStoragePath) -> None:
    """By the archive's own times; those of one moment are alike."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, hour in (("a.csv", 9), ("b.csv", 11), ("c.csv", 10), ("d.csv", 10)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 9, 14, hour, 0, 0)), CONTENT)
    put(inbox, "all.zip", target.getvalue())
    found = {file.name: file.older_by for file in list_inbox(str(inbox))}
    instant = timedelta(microseconds=1)
    assert found == {"a.csv": 3 * instant, "b.csv": 0 * instant, "c.csv": instant, "d.csv": instant}


@pytest.mark.parametrize("is_kept_back", [False, True])
@pytest.mark.parametrize("mode", ["snapshot", "increment"])
def test_of_counts_in_an_archive_the_one_written_last_holds(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, is_kept_back: bool
) -> None:
    """Whatever they are called, and whichever the storage gives first."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, hour, quantity in (("stock.csv", 9, 5), ("stock (1).csv", 10, 0)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 9, 14, hour, 0, 0)), f"sku,quantity\nA,{quantity}\n")
    (tmp_path / "all.zip").write_bytes(target.getvalue())
    given = InboxFile.content

    def keep_back(file: InboxFile) -> Any:
        if file.name == "stock.csv":
            raise OSError("gone away")
        return given(file)

    rules = FileRules(is_snapshot=mode == "snapshot", may_drop_all=True)
    with monkeypatch.context() as storage:
        if is_kept_back:
            storage.setattr(InboxFile, "content", keep_back)
        SellerFileLoading(warehouse, "default", rules, logging.getLogger(), "run").load(list_inbox(tmp_path.as_uri()))
    SellerFileLoading(warehouse, "default", rules, logging.getLogger(), "run").load(list_inbox(tmp_path.as_uri()))
    assert warehouse.execute("select sku, quantity from seller.stock").fetchall() == [("A", 0)]


def test_a_folder_that_is_a_link_is_read_and_one_that_leads_back_is_not(tmp_path: Path) -> None:
    """A share that is linked into the inbox holds files like any folder."""
    share, inbox = tmp_path / "share", tmp_path / "inbox"
    share.mkdir()
    inbox.mkdir()
    (share / "a.csv").write_bytes(CONTENT)
    (inbox / "2026").symlink_to(share)
    (inbox / "b.csv").symlink_to(share / "a.csv")
    (share / "round").symlink_to(inbox)
    (inbox / "nowhere").symlink_to(tmp_path / "gone")
    assert [file.path.removeprefix(inbox.as_uri()) for file in list_inbox(inbox.as_uri())] == ["/2026/a.csv", "/b.csv"]


def test_a_link_that_cannot_be_followed_is_named_and_costs_no_other(tmp_path: Path) -> None:
    """One that leads to itself; one that an editor leaves as its lock is not meant."""
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / "a.csv").write_bytes(CONTENT)
        (folder / "circle").symlink_to("circle")
        (folder / ".#b.csv").symlink_to(".#b.csv")
        (folder / "z.csv").write_bytes(CONTENT)
    found = {file.path.removeprefix(tmp_path.as_uri()): file.size for file in list_inbox(tmp_path.as_uri())}
    assert found == {
        "/a.csv": len(CONTENT),
        "/below/a.csv": len(CONTENT),
        "/below/circle": -1,
        "/below/z.csv": len(CONTENT),
        "/circle": -1,
        "/z.csv": len(CONTENT),
    }


def test_a_folder_that_cannot_be_listed_is_named_and_costs_no_other(
    warehouse: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing tells it from an empty one but the error: the run ends red."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", tmp_path.as_uri())
    closed = {"closed", "lost+found", ".Trash-0"}
    for name in closed:
        (tmp_path / name).mkdir()
    (tmp_path / "closed" / "20260914-EU-H-1.csv").write_bytes(CONTENT)
    row = b"sales,2026-09-08,S,2,Phone,2.00,EUR\n"
    (tmp_path / "20260914-EU-H-2.csv").write_bytes(CONTENT + row)
    list_folder = os.scandir

    def scandir(path: Any = ".") -> Any:
        # The tests may run as root, who may list everything.
        if PurePath(path).name in closed:
            raise PermissionError(13, "Permission denied", path)
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    counts = BackMarketSettlementDownloadOperator(task_id="settlement_download").execute({"run_id": "run"})
    assert (counts["loaded"], counts["files_left"]) == (1, [f"{tmp_path.as_uri()}/closed"])
    loading = SellerFileLoading(warehouse, "default", FileRules(), logging.getLogger(), "run")
    loading.load(list_inbox(tmp_path.as_uri()))
    assert loading.files_left == [f"{tmp_path.as_uri()}/closed"]
    closed.add(tmp_path.name)
    with pytest.raises(InboxError, match="cannot be listed"):
        list_inbox(tmp_path.as_uri())
