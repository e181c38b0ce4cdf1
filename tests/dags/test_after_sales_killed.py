"""Killed anywhere, invoices, care folders and parcels come to the same end with the next run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.api.transport import Transport
from backmarket.operators.after_sales import (
    BackMarketCareDownloadOperator,
    BackMarketInvoiceUploadOperator,
    BackMarketReturnsDownloadOperator,
)
from tests.dags.test_exactly_once import CONTEXT, Failpoint, Killed, fast, sandbox
from tests.dags.test_invoices import PDF, folder, ledger, order, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    Database = psycopg.Connection[Any]

__all__ = ["fast", "folder", "sandbox"]

EXECUTE, EXCHANGE = psycopg.Connection.execute, Transport._exchange


def killed(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None], at: int | None) -> int:
    """Run, killed before a call; return how many calls there were."""
    point = Failpoint(at)
    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", point.before(EXECUTE))
        patch.setattr(Transport, "_exchange", point.before(EXCHANGE))
        with suppress(Killed):
            run()
    return point.calls


@pytest.mark.timeout(300)
def test_invoices(
    connected: Sandbox,
    database: Database,
    folder: Path,
    switch_on: Callable[..., None],
    fast: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is confirmed, and sent once: the order tells whether a lost one arrived."""
    switch_on("invoice_upload", invoice_folder=folder.as_uri())

    def run() -> None:
        BackMarketInvoiceUploadOperator(task_id="invoice_upload").execute(CONTEXT)

    def fill() -> set[str]:
        for file in folder.iterdir():
            file.unlink()
        orders = [order(connected) for _ in range(2)]
        for order_id in orders:
            # The sandbox's orders may have got one this very second, and Back Market tells whole seconds.
            connected.patch_order(order_id, date_bill_provided=None)
            put(folder, f"{order_id}.pdf", PDF)
        return {str(order_id) for order_id in orders}

    fill()
    calls = killed(monkeypatch, run, None)
    assert calls > 10
    for at in range(1, calls + 1):
        ours = fill()
        killed(monkeypatch, run, at)
        run()
        statuses = {subject: status for subject, (status, _) in ledger(database).items() if subject in ours}
        assert statuses == dict.fromkeys(ours, "confirmed"), f"killed before call {at}"
        sent = [str(each["order_id"]) for each in connected.invoices()]
        assert sorted(subject for subject in sent if subject in ours) == sorted(ours), f"killed before call {at}"


@pytest.mark.timeout(300)
def test_care_folders_and_parcels(
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    fast: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a run without a kill stores, stands after the next one: nothing is missing, nothing twice."""
    document = connected.create_order(lines=[{"sku": "IP13-128-MID-C", "state": 3}], force=True, is_backship=True)
    line = int(document["orderlines"][0]["id"])
    connected.create_return(line)
    connected.open_care_folder(line, "It is broken.")
    switch_on("care_download", "returns_download", "order_download")
    run_dag("backmarket_orders")

    def run() -> None:
        for operator in (BackMarketCareDownloadOperator, BackMarketReturnsDownloadOperator):
            with suppress(AirflowSkipException):
                operator(task_id="part").execute(CONTEXT)

    def stored() -> tuple[list[Any], ...]:
        return (
            database.execute(b"select care_folder_id, state from backmarket.care_folders order by 1").fetchall(),
            database.execute(
                b"select care_folder_id, sender, message from backmarket.care_messages order by 1, 2, 3"
            ).fetchall(),
            database.execute(b"select order_id, orderline_id from backmarket.returns order by 1, 2").fetchall(),
            database.execute(b"select order_id, orderline_ids from backmarket.deliveries order by 1").fetchall(),
        )

    def forget() -> None:
        database.execute(
            b"truncate backmarket.care_folders, backmarket.care_messages, backmarket.returns, backmarket.deliveries, "
            b"backmarket.after_sales_parts cascade"
        )
        database.execute(b"delete from backmarket.sync_state where concern in ('care_folders', 'open_care_folders')")

    calls = killed(monkeypatch, run, None)
    whole = stored()
    assert all(whole)
    for at in range(1, calls + 1, max(1, calls // 30)):
        forget()
        killed(monkeypatch, run, at)
        run()
        assert stored() == whole, f"killed before call {at}"
