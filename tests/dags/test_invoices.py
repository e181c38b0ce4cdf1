"""PDF files of the invoice folder reach the orders that their names say, each content once."""

from __future__ import annotations

import gzip
import os
import zipfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from backmarket.hooks.inbox import InboxFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    Database = psycopg.Connection[Any]

PDF = b"%PDF-1.7 invoice "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty invoice folder."""
    made = tmp_path / "invoices"
    made.mkdir()
    return made


@pytest.fixture
def invoices(
    connected: Sandbox, folder: Path, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> Callable[..., Run]:
    """Run ``backmarket_after_sales`` with invoices alone switched on."""
    switch_on("invoice_upload", invoice_folder=folder.as_uri())
    return lambda: run_dag("backmarket_after_sales")


def order(sandbox: Sandbox) -> int:
    """Make a shipped order."""
    return int(sandbox.create_order(lines=[{"sku": "IP13-128-MID-C", "state": 3}], force=True)["order_id"])


def put(folder: Path, name: str, content: bytes, *, minute: int = 0) -> str:
    """Put a file there, and return its SHA-256."""
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (1_700_000_000 + 60 * minute,) * 2)
    return sha256(content).hexdigest()


def ledger(database: Database) -> dict[str, tuple[str, str | None]]:
    """Return the newest invoice change of each order: status and reason."""
    query = b"select subject, status, reason from backmarket.changes where kind = 'invoice' order by change_id"
    return {subject: (status, reason) for subject, status, reason in database.execute(query)}


def test_each_content_is_sent_once_and_a_bad_file_costs_no_other(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """No PDF, too large, of no such order, named like none: each with its reason; an order's newest file counts."""
    good, wrong, large, gone = (order(connected) for _ in range(4))
    absent = 99_999_999
    digest = put(folder, f"invoice-{good}.pdf", PDF + b"one")
    put(folder, f"{wrong}.pdf", b"PK\x03\x04 no PDF")
    put(folder, f"{large}.pdf", PDF + b"x" * 10_500_000)
    put(folder, f"{absent}.pdf", PDF)
    put(folder, "Ada Lovelace.pdf", PDF)
    connected.fault("403", method="POST", path_prefix=f"/ws/orders/{gone}/invoice", times=None)
    put(folder, f"{gone}.pdf", PDF)
    run = invoices()
    assert (run.state, run.tasks["invoice_check"]) == ("success", "success")
    assert [(each["order_id"], each["sha256"]) for each in connected.invoices()] == [(good, digest)]
    ended = ledger(database)
    assert ended[str(good)] == ("confirmed", None)
    assert {number: ended[str(number)][0] for number in (wrong, large, absent, gone)} == dict.fromkeys(
        (wrong, large, absent, gone), "refused"
    )
    assert ended[str(wrong)][1] == "the file is no PDF document"
    assert "at most 10,485,760 are sent" in str(ended[str(large)][1])
    assert "Ada" not in caplog.text
    connected.clear_journal()
    assert invoices().state == "success"
    assert connected.journal("POST") == [], "nothing is sent twice, and what was refused not within the day"
    newer = put(folder, f"invoice-{good}.pdf", PDF + b"two", minute=1)
    put(folder, f"{good}.pdf", PDF + b"older")
    assert invoices().state == "success"
    assert [each["sha256"] for each in connected.invoices()] == [digest, newer]


def test_a_file_that_is_put_back_is_sent_again(invoices: Callable[..., Run], connected: Sandbox, folder: Path) -> None:
    """What the customer has is what was sent last."""
    order_id = order(connected)
    first = put(folder, f"{order_id}.pdf", PDF + b"right")
    assert invoices().state == "success"
    second = put(folder, f"{order_id}.pdf", PDF + b"wrong", minute=1)
    assert invoices().state == "success"
    put(folder, f"{order_id}.pdf", PDF + b"right", minute=2)
    for _ in range(2):
        assert invoices().state == "success"
    assert [each["sha256"] for each in connected.invoices()] == [first, second, first]


def test_of_files_in_an_archive_the_one_written_last_is_the_newest(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path
) -> None:
    """All of them were stored at once, and names tell nothing."""
    order_id = order(connected)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for name, hour in ((f"invoice-{order_id}.pdf", 10), (f"{order_id}.pdf", 9), (f"x-{order_id}.pdf", 8)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 9, 14, hour, 0, 0)), PDF + name.encode())
    for _ in range(2):
        assert invoices().state == "success"
        newest = sha256(PDF + f"invoice-{order_id}.pdf".encode()).hexdigest()
        assert [each["sha256"] for each in connected.invoices()] == [newest]


def test_a_packed_invoice_is_as_large_as_it_is_unpacked(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database
) -> None:
    """A month's archive may be larger than any invoice may be; one that packs well is no smaller for that."""
    first, second, large, packed, empty = (order(connected) for _ in range(5))
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for order_id in (first, second):
            archive.writestr(f"{order_id}.pdf", PDF + os.urandom(6_000_000))
        archive.writestr(f"{empty}.pdf", b"")
    with zipfile.ZipFile(folder / "large.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{large}.pdf", PDF + b"x" * 10_500_000)
    put(folder, f"{packed}.pdf", gzip.compress(PDF + b"x" * 10_500_000))
    assert invoices().state == "success"
    assert sorted(each["order_id"] for each in connected.invoices()) == [first, second]
    ended = ledger(database)
    for order_id in (large, packed):
        assert ended[str(order_id)] == ("refused", "the file has 10,500,017 bytes; at most 10,485,760 are sent")
    assert ended[str(empty)] == ("refused", "the file is empty")


@pytest.mark.parametrize(("owner", "operation"), [(InboxFile, "content"), (LocalFileSystem, "modified")])
def test_no_older_file_goes_where_the_newest_cannot_be_read(
    invoices: Callable[..., Run],
    connected: Sandbox,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    operation: str,
) -> None:
    """The customer would get what the seller has replaced; where an older one cannot be read, nothing is wrong.

    A file that does not say when it was stored may be the newest.
    """
    torn, well = order(connected), order(connected)
    put(folder, f"{torn}.pdf", PDF + b"older")
    put(folder, f"invoice-{torn}.pdf", PDF + b"newer", minute=1)
    put(folder, f"{well}.pdf", PDF + b"older")
    newest = put(folder, f"invoice-{well}.pdf", PDF + b"newer", minute=1)
    given = getattr(owner, operation)

    def fail(self: Any, *args: Any) -> Any:
        told = str((self, *args))
        if f"invoice-{torn}.pdf" in told or (owner is InboxFile and f"/{well}.pdf" in told):
            raise OSError("gone away")
        return given(self, *args)

    with monkeypatch.context() as storage:
        storage.setattr(owner, operation, fail)
        assert invoices().state == "failed"
        assert [(each["order_id"], each["sha256"]) for each in connected.invoices()] == [(well, newest)]
    assert invoices().state == "success"
    assert [each["order_id"] for each in connected.invoices()] == [well, torn]


def test_no_older_file_goes_where_the_folder_of_the_newest_cannot_be_listed(
    invoices: Callable[..., Run],
    connected: Sandbox,
    folder: Path,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run is red while it is closed, and does the rest; the table says which folder it is."""
    replaced, well = order(connected), order(connected)
    put(folder, f"{replaced}.pdf", PDF + b"older")
    (folder / "corrected").mkdir()
    put(folder / "corrected", f"{replaced}.pdf", PDF + b"newer", minute=1)
    assert invoices().state == "success"
    put(folder, f"{well}.pdf", PDF)
    list_folder = os.scandir

    def scandir(path: Any = ".") -> Any:
        # The tests may run as root, who may list everything.
        if PurePath(path).name == "corrected":
            raise PermissionError(13, "Permission denied", path)
        return list_folder(path)

    with monkeypatch.context() as storage:
        storage.setattr(os, "scandir", scandir)
        for _ in range(2):
            run = invoices()
            assert (run.state, run.tasks["invoice_check"]) == ("failed", "failed")
            assert [each["order_id"] for each in connected.invoices()] == [replaced, well]
            told = "select path, reason from backmarket.invoice_files where reason is not null"
            ((path, reason),) = database.execute(told).fetchall()
            assert path == f"{folder.as_uri()}/corrected"
            assert reason == "the storage did not give it"
    assert invoices().state == "success"
    assert [each["order_id"] for each in connected.invoices()] == [replaced, well]


def test_no_older_file_goes_where_the_archive_of_the_newest_cannot_be_opened(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in it was listed before, and is not forgotten."""
    order_id = order(connected)
    put(folder, f"{order_id}.pdf", PDF + b"older")
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr(f"{order_id}.pdf", PDF + b"newer")
    assert invoices().state == "success"
    given = LocalFileSystem.open

    def fail(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        if path.endswith("all.zip"):
            raise OSError("gone away")
        return given(self, path, *args, **kwargs)

    with monkeypatch.context() as storage:
        storage.setattr(LocalFileSystem, "open", fail)
        for _ in range(2):
            run = invoices()
            assert (run.state, run.tasks["invoice_check"]) == ("failed", "failed")
    assert invoices().state == "success"
    assert len(connected.invoices()) == 1


def test_a_lost_answer_is_read_back(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database
) -> None:
    """The order says that it has an invoice since then."""
    order_id = order(connected)
    put(folder, f"{order_id}.pdf", PDF)
    connected.fault("reset_after", method="POST", path_prefix=f"/ws/orders/{order_id}/invoice")
    run = invoices()
    assert (run.state, run.tasks["invoice_check"]) == ("failed", "failed")
    assert ledger(database)[str(order_id)][0] == "unknown"
    assert invoices().state == "success"
    assert ledger(database)[str(order_id)][0] == "confirmed"
    assert len(connected.invoices()) == 1


def test_one_whose_end_nobody_can_tell_is_named_until_somebody_can(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database
) -> None:
    """Its answer was lost, and its order cannot be read: each run says so, and sends the others."""
    lost = order(connected)
    put(folder, f"{lost}.pdf", PDF)
    connected.fault("reset_after", method="POST", path_prefix=f"/ws/orders/{lost}/invoice")
    assert invoices().state == "failed"
    sick = connected.fault("500", method="GET", path_prefix=f"/ws/orders/{lost}", times=None)
    well = order(connected)
    put(folder, f"{well}.pdf", PDF)
    for _ in range(2):
        run = invoices()
        assert run.tasks["invoice_check"] == "failed"
        assert run.xcoms["invoice_upload"]["not_sent"] == [f"invoice of order {lost}"]
    assert {key: status for key, (status, *_) in ledger(database).items()} == {
        str(lost): "unknown",
        str(well): "confirmed",
    }
    connected.remove_fault(sick["id"])
    assert invoices().state == "success"
    assert ledger(database)[str(lost)][0] == "confirmed"


def test_the_date_of_another_file_confirms_none(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database
) -> None:
    """The first file arrives once more, as a request may that was late, while the second one's answer is lost."""
    order_id = order(connected)
    first = put(folder, f"{order_id}.pdf", PDF)
    assert invoices().state == "success"
    second = put(folder, f"{order_id}.pdf", PDF + b"corrected", minute=1)
    connected.fault("500", method="POST", path_prefix=f"/ws/orders/{order_id}/invoice", times=5)
    assert invoices().state == "failed"
    connected.clear_faults()
    connected.patch_order(order_id, date_bill_provided=datetime.now(UTC).isoformat())
    assert [each["sha256"] for each in connected.invoices()] == [first]
    assert invoices().state == "success"
    assert [each["sha256"] for each in connected.invoices()] == [first, second]
    assert ledger(database)[str(order_id)][0] == "confirmed"


def test_where_nothing_tells_that_it_arrived_the_same_file_replaces_itself(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database
) -> None:
    """An order that says nothing about invoices: the file is sent once more, and no third time."""
    order_id = order(connected)
    digest = put(folder, f"{order_id}.pdf", PDF)
    connected.fault("reset_after", method="POST", path_prefix=f"/ws/orders/{order_id}/invoice")
    assert invoices().state == "failed"
    connected.patch_order(order_id, date_bill_provided=None)
    for _ in range(2):
        assert invoices().state == "success"
        assert ledger(database)[str(order_id)][0] == "confirmed"
        assert [each["sha256"] for each in connected.invoices()] == [digest, digest]


def test_what_back_market_fails_on_is_named_and_the_others_go(
    invoices: Callable[..., Run], connected: Sandbox, folder: Path, database: Database
) -> None:
    """The run is red, and the next one sends it."""
    sick, well = order(connected), order(connected)
    for order_id in (sick, well):
        put(folder, f"{order_id}.pdf", PDF)
    fault = connected.fault("reset_before", method="POST", path_prefix=f"/ws/orders/{sick}/invoice", times=None)
    run = invoices()
    assert run.state == "failed"
    assert [each["order_id"] for each in connected.invoices()] == [well]
    connected.remove_fault(fault["id"])
    assert invoices().state == "success"
    assert {each["order_id"] for each in connected.invoices()} == {sick, well}


def test_without_a_folder_nothing_is_sent(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """It says which Variable is empty."""
    switch_on("invoice_upload")
    run = run_dag("backmarket_after_sales")
    assert (run.state, run.tasks["invoice_upload"]) == ("success", "skipped")


def test_a_dry_run_sends_none(
    invoices: Callable[..., Run], switch_on: Callable[..., None], connected: Sandbox, folder: Path, database: Database
) -> None:
    """It stands in the ledger as it would go out."""
    switch_on(dry_run=True)
    order_id = order(connected)
    put(folder, f"{order_id}.pdf", PDF)
    assert invoices().state == "success"
    assert connected.invoices() == []
    assert ledger(database)[str(order_id)][0] == "dry_run"
