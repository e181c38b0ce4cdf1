"""Each refused change names a task, and the log of that task says why: whoever follows the page's link reads it."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import get_current_context

from backmarket.page.overview import log_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


class TaskLines(logging.Handler):
    """Keeps each line beside the task and the try that has written it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[tuple[str, str, int], str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        ti: Any = get_current_context()["ti"]
        self.lines.append(((ti.run_id, ti.task_id, ti.try_number), record.getMessage()))


@pytest.fixture
def log() -> Iterator[TaskLines]:
    """What the ledger writes to the logs of tasks."""
    handler, logger = TaskLines(), logging.getLogger("backmarket.warehouse.ledger")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def _refused(database: psycopg.Connection[Any], log: TaskLines) -> dict[str, str]:
    """Return the task that each refused subject leads to, once its log is seen to give the very reason."""
    found = {}
    query = "select subject, reason, refused_in, kind, run_id from backmarket.changes where status = 'refused'"
    for subject, reason, task, kind, run_id in database.execute(query).fetchall():
        lines = [text for key, text in log.lines if key == (task["run_id"], task["task_id"], task["try_number"])]
        assert [line for line in lines if subject in line and reason in line], (subject, reason, log.lines)
        path = log_path("default", {"kind": kind, "run_id": run_id, "refused_in": task})
        assert path.endswith(f"/tasks/{task['task_id']}?try_number={task['try_number']}")
        found[subject] = task["task_id"]
    return found


def _price(database: psycopg.Connection[Any], sku: str, amount: object, currency: str = "EUR") -> None:
    database.execute(
        "insert into seller.prices (sku, market, price, currency) values (%s, 'fr-fr', %s, %s)",
        [sku, str(amount), currency],
    )


def _offers(sandbox: Sandbox) -> dict[str, Decimal]:
    """Prices of the home market that have room above them."""
    return {
        listing["sku"]: Decimal(offer["price"])
        for listing in sandbox.listings()
        if (offer := listing["offers"].get("fr-fr"))
        and offer["price"]
        and Decimal(offer["price"]) * Decimal("1.02") < Decimal(offer["max_price"])
    }


def test_a_refusal_by_rule_leads_to_the_plan(
    connected: Sandbox,
    run_dag: Callable[..., Run],
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    log: TaskLines,
) -> None:
    """Not to the task that would have sent it; a later run that finds it refused already changes nothing of that."""
    switch_on("prices_upload")
    sku, other, *_ = _offers(connected)
    _price(database, sku, 100, "GBP")
    _price(database, other, 99999)
    run_dag("backmarket_inventory_prices")
    first = _refused(database, log)
    assert first == {sku: "prices_plan", other: "prices_plan"}
    run_dag("backmarket_inventory_prices")
    assert _refused(database, log) == first


def test_a_refusal_by_back_market_leads_to_the_run_that_sent_it(
    connected: Sandbox,
    run_dag: Callable[..., Run],
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    log: TaskLines,
) -> None:
    """An earlier run planned it, and could not send it."""
    switch_on("prices_upload", dry_run=True)
    sku, shown = next(iter(_offers(connected).items()))
    _price(database, sku, shown + Decimal("0.01"))
    run_dag("backmarket_inventory_prices")
    connected.fault("field_refused", method="POST", fields={"price": None}, times=None)
    switch_on("prices_upload", dry_run=False)
    run_dag("backmarket_inventory_prices")
    assert _refused(database, log) == {sku: "prices_upload"}


def test_a_line_refused_in_a_batch_leads_to_the_task_that_read_it(
    connected: Sandbox,
    run_dag: Callable[..., Run],
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    log: TaskLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task that sent the batch could not know."""
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
    monkeypatch.setenv("AIRFLOW__BACKMARKET__PRICE_BATCH_WAIT_SECONDS", "4")
    switch_on("prices_upload")
    offers = dict(list(_offers(connected).items())[:20])
    for sku, shown in offers.items():
        _price(database, sku, shown + Decimal("0.01"))
    sick = next(iter(offers))
    connected.fault("batch_line_fails", method="POST", path_prefix="/ws/listings", sku=sick)
    run_dag("backmarket_inventory_prices")
    assert _refused(database, log) == {sick: "price_batch_results"}


def test_an_acceptance_and_a_parcel_lead_to_their_task(
    connected: Sandbox,
    run_dag: Callable[..., Run],
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    log: TaskLines,
) -> None:
    """Without stock, and with a row that names no order."""
    line = connected.create_order(state=1)["orderlines"][0]
    database.execute(
        "insert into seller.shipments (order_id, tracking_number, shipper, shipped_at) values (77, 'X1', 'DHL', now())"
    )
    switch_on("order_acceptance", "tracking_upload")
    run_dag("backmarket_orders")
    run_dag("backmarket_tracking_imei")
    found = _refused(database, log)
    assert found[str(line["id"])] == "order_acceptance"
    assert found["77"] == "tracking_upload"
