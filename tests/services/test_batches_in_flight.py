"""What one DAG is handing in as a batch of prices, no other DAG settles."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg

from backmarket.api.client import BackMarketClient
from backmarket.api.errors import RefusedError
from backmarket.operators.inventory_prices import BackMarketOfferRefreshOperator
from backmarket.rules.batches import End, columns_of_price
from backmarket.services.batches import BatchSending
from backmarket.services.price_batches import PriceBatches
from backmarket.warehouse.ledger import Ledger, PlannedChange
from tests.dags.conftest import connect

if TYPE_CHECKING:
    import pytest

    from backmarket.services.offers import OfferSending
    from backmarket.warehouse.ledger import RecordedChange
    from sandbox.remote import Sandbox


def _plan(upload: OfferSending, sandbox: Sandbox, count: int) -> tuple[list[RecordedChange], dict[int, dict[str, str]]]:
    """Plan prices of listings, each a euro less, and return them with the columns of their lines."""
    priced = [each for each in sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price")][:count]
    payloads = {
        each["sku"]: {
            "id": each["id"],
            "price": str(Decimal(each["offers"]["fr-fr"]["price"]) - 1),
            "currency": "EUR",
        }
        for each in priced
    }
    upload.prices.plan([PlannedChange(sku, payload, "fr-fr") for sku, payload in payloads.items()], run_id="r")
    planned = upload.prices.planned()
    columns = {
        change.change_id: columns_of_price(change.subject, change.payload["price"], "EUR", "GOOD") for change in planned
    }
    return planned, columns


def _changes(upload: OfferSending) -> list[tuple[str, int, bool]]:
    """Status and attempts of each change, and whether its batch is known."""
    query = b"select status, attempts, batch_id is not null from backmarket.changes order by change_id"
    return upload.connection.execute(query).fetchall()


def test_a_batch_on_its_way_is_waited_for_and_can_be_taken_back(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused in the end: settled as lost meanwhile, its lines could not go out in halves."""
    batch, columns = _plan(upload, sandbox, 2)
    left, may_arrive = threading.Event(), threading.Event()
    real = BackMarketClient.submit_batch

    def submit(self: BackMarketClient, catalog: str, market: str) -> int:
        if left.is_set():
            return real(self, catalog, market)
        left.set()
        may_arrive.wait(60)
        raise RefusedError(status=400)

    monkeypatch.setattr(BackMarketClient, "submit_batch", submit)
    connect(sandbox, monkeypatch)
    sending = BatchSending(upload.prices, upload.client, upload.budget, upload.log)
    with ThreadPoolExecutor() as threads:
        sent = threads.submit(sending.send, "fr-fr", batch, columns)
        assert left.wait(60)
        threading.Timer(1, may_arrive.set).start()
        BackMarketOfferRefreshOperator(task_id="offer_refresh").execute(
            {"dag_run": SimpleNamespace(start_date=datetime.now(UTC))}
        )
        assert sent.result() == 2
    assert [(attempts, is_known) for _, attempts, is_known in _changes(upload)] == [(1, True)] * 2


def test_a_batch_that_is_handed_in_after_the_look_is_left_alone(upload: OfferSending, sandbox: Sandbox) -> None:
    """That no market shows its prices says nothing; what a killed process left is settled as ever."""
    (killed, other), _ = _plan(upload, sandbox, 2)
    upload.prices.mark_sent([killed], in_batch=True)
    batches = PriceBatches(upload.connection, "default", upload.client, timedelta(0), upload.log)
    looked = batches.look()
    upload.prices.mark_sent([other], in_batch=True)
    assert batches.settle(looked)["planned"] == 1
    assert [status for status, *_ in _changes(upload)] == ["planned", "sent"]


def test_a_line_that_is_sent_again_after_the_look_is_left_alone(upload: OfferSending, sandbox: Sandbox) -> None:
    """Another DAG has settled it, and sends it in a batch of its own."""
    (change,), _ = _plan(upload, sandbox, 1)
    upload.prices.mark_sent([change], in_batch=True)
    batches = PriceBatches(upload.connection, "default", upload.client, timedelta(0), upload.log)
    looked = batches.look()
    upload.prices.settle([change.change_id], "planned", "the batch is not known")
    upload.prices.mark_sent(upload.prices.planned(), in_batch=True)
    assert sum(batches.settle(looked).values()) == 0
    assert _changes(upload) == [("sent", 2, False)]


def test_settling_batches_and_another_plan_wait_for_each_other(
    upload: OfferSending, sandbox: Sandbox, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each locks its rows in an order of its own: one of the two would end as a deadlock, and is not tried again."""
    planned, _ = _plan(upload, sandbox, 2)
    upload.prices.mark_sent(planned, in_batch=True)
    batches = PriceBatches(upload.connection, "default", upload.client, timedelta(0), upload.log)
    looked = batches.look()
    ends = iter([End("unknown", "it may still show"), End("planned", "it does not show")])
    monkeypatch.setattr(PriceBatches, "_end", lambda *_: next(ends))
    has_begun, may_go_on, settle = threading.Event(), threading.Event(), Ledger.settle

    def settle_slowly(self: Ledger, *arguments: Any) -> None:
        if has_begun.is_set():
            may_go_on.wait(60)
        settle(self, *arguments)
        has_begun.set()

    monkeypatch.setattr(Ledger, "settle", settle_slowly)
    with psycopg.connect(warehouse_uri, autocommit=True) as other, ThreadPoolExecutor() as threads:
        settled = threads.submit(batches.settle, looked)
        assert has_begun.wait(60)
        threading.Timer(1, may_go_on.set).start()
        wanted = [PlannedChange(each.subject, {**each.payload, "price": "1.00"}, "fr-fr") for each in planned]
        Ledger(other, "default", "price").plan(reversed(wanted), run_id="another")
        counts = settled.result()
    assert (counts["unknown"], counts["planned"]) == (1, 1)
    assert sorted(status for status, *_ in _changes(upload)) == ["planned", "unknown"]
