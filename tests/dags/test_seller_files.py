"""``backmarket_seller_files``: what lands in the inbox fills the seller's tables, and what cannot is named."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    RunDag = Callable[..., Run]
    SwitchOn = Callable[..., None]


@pytest.fixture
def inbox(tmp_path: Path, connected: Sandbox, switch_on: SwitchOn) -> Path:
    """The folder where files land."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    switch_on("seller_files", seller_inbox=folder.as_uri())
    return folder


def _stock(database: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(database.execute("select sku, quantity from seller.stock").fetchall())


def test_files_fill_tables_and_a_bad_one_costs_no_other(
    run_dag: RunDag, inbox: Path, database: psycopg.Connection[Any]
) -> None:
    """Packed or not; bad rows stand beside their file, and the run is red at its end."""
    (inbox / "stock_paris.csv").write_text("sku;Menge\nA;1\nB;x\n")
    (inbox / "devices.csv.gz").write_bytes(gzip.compress(b"order_id,imei\n1,356938035643809\n"))
    with zipfile.ZipFile(inbox / "all.zip", "w") as archive:
        archive.writestr("prices.csv", "sku,market,price,currency\nA,fr-fr,199.90,EUR\n")
    (inbox / "shipments.csv").write_text("order,nothing\n1,2\n")
    (inbox / "notes.txt").write_text("not for this DAG")
    run = run_dag("backmarket_seller_files")
    assert run.tasks["seller_files"] == "success"
    assert run.tasks["announce_seller_tables"] == "success"
    assert run.tasks["seller_files_check"] == "failed"
    assert _stock(database) == {"A": 1}
    assert database.execute("select imei from seller.devices").fetchall() == [("356938035643809",)]
    assert database.execute("select price::text from seller.prices").fetchall() == [("199.90",)]
    done = run.xcoms["seller_files"]
    assert (done["files"], done["loaded"], done["rejected"]) == (4, 3, 1)
    assert done["refused_files"] == [f"{inbox.as_uri()}/shipments.csv"]
    assert (inbox / "stock_paris.rejected.csv").read_text().splitlines()[1] == (
        "B,x,quantity is 'x': a whole number is needed"
    )


def test_what_is_known_is_not_read_again(run_dag: RunDag, inbox: Path, database: psycopg.Connection[Any]) -> None:
    """The next run changes nothing, and has nothing to announce."""
    (inbox / "stock.csv").write_text("sku,quantity\nA,1\n")
    assert run_dag("backmarket_seller_files").state == "success"
    database.execute("update seller.stock set quantity = 5")
    run = run_dag("backmarket_seller_files")
    assert run.state == "success"
    assert run.tasks["announce_seller_tables"] == "skipped"
    assert _stock(database) == {"A": 5}


def test_a_held_file_is_let_through_by_a_person(
    run_dag: RunDag, inbox: Path, database: psycopg.Connection[Any]
) -> None:
    """By the param of the run, as a mass of zeros is."""
    (inbox / "stock1.csv").write_text("sku,quantity\n" + "".join(f"S{n},1\n" for n in range(9)))
    run_dag("backmarket_seller_files")
    (inbox / "stock2.csv").write_text("sku,quantity\nS0,1\n")
    run = run_dag("backmarket_seller_files")
    assert run.tasks["seller_files_check"] == "failed"
    assert sum(_stock(database).values()) == 9
    run = run_dag("backmarket_seller_files", allow_mass_zero=True)
    assert run.state == "success"
    assert sum(_stock(database).values()) == 1


def test_without_an_inbox_it_skips(
    run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker without the default folder has nothing to say about files."""
    from backmarket.hooks import inbox

    monkeypatch.setattr(inbox, "default_inbox", lambda folder: tmp_path / folder)
    switch_on("seller_files")
    run = run_dag("backmarket_seller_files")
    assert run.tasks["seller_files"] == "skipped"
    assert run.state == "success"


def test_an_inbox_that_is_not_there_fails(run_dag: RunDag, connected: Sandbox, switch_on: SwitchOn) -> None:
    """Whoever names one is told that it is wrong."""
    switch_on("seller_files", seller_inbox="/nowhere/at/all")
    assert run_dag("backmarket_seller_files").tasks["seller_files"] == "failed"
