"""The asset of orders tells of every change at least once, however the tasks that made it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.operators.orders import BackMarketOrderAnnouncementOperator, BackMarketOrderDownloadOperator
from backmarket.warehouse import announcements

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

SKU = "ANNOUNCED"


@pytest.fixture
def orders(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_orders`` with downloads and acceptance switched on."""
    switch_on("order_download", "order_acceptance", initial_lookback_days=400)
    return lambda: run_dag("backmarket_orders")


def _told(run: Run) -> int:
    counts = run.xcoms["announce_orders"] or {}
    return sum(counts.get(name, 0) for name in ("new", "changed", "gone"))


def test_what_a_failed_download_stored_is_told(
    orders: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The second page fails: the orders of the first are stored and told of, and the run is red all the same."""
    connected.fault("500", method="GET", path_prefix="/ws/orders", after=1, times=None)
    run = orders()
    stored = len(database.execute(b"select from backmarket.orders").fetchall())
    assert (run.state, run.tasks["order_download"]) == ("failed", "failed")
    assert stored > 0
    assert run.xcoms["announce_orders"]["new"] == stored


def test_what_the_first_try_stored_is_told_though_the_second_finds_nothing_new(
    orders: Callable[..., Run], database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after its orders are stored; its retry counts them as unchanged."""
    execute, tries = BackMarketOrderDownloadOperator.execute, []

    def die_once(self: BackMarketOrderDownloadOperator, context: Any) -> Any:
        counts = execute(self, context)
        tries.append(counts["new"])
        if len(tries) == 1:
            raise RuntimeError("killed")
        return counts

    monkeypatch.setattr(BackMarketOrderDownloadOperator, "execute", die_once)
    run = orders()
    assert run.state == "success"
    assert tries[0] > 0 == tries[1]
    assert run.xcoms["announce_orders"]["new"] == tries[0]
    assert orders().tasks["announce_orders"] == "skipped"


def test_what_is_accepted_is_told(
    orders: Callable[..., Run], connected: Sandbox, switch_on: Callable[..., None], database: psycopg.Connection[Any]
) -> None:
    """Also by a run that downloads nothing: the order stands here as accepted, and quantities are planned anew."""
    orders()
    connected.create_order(lines=[{"sku": SKU, "state": 1}], force=True)
    connected.advance_clock(1)
    switch_on("order_acceptance", order_download=False)
    run = orders()
    assert (run.tasks["order_download"], run.xcoms["announce_orders"]["new"]) == ("skipped", 1)
    database.execute(b"insert into seller.stock (sku, quantity, counted_at) values (%s, 1, now())", [SKU])
    run = orders()
    assert run.xcoms["order_acceptance"]["confirmed"] == 1
    assert run.xcoms["announce_orders"]["changed"] == 1
    assert orders().tasks["announce_orders"] == "skipped"


def test_an_announcement_that_is_tried_again_tells_the_same(
    orders: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its event was made before it died, nobody knows."""
    execute, told = BackMarketOrderAnnouncementOperator.execute, []

    def die_once(self: BackMarketOrderAnnouncementOperator, context: Any) -> Any:
        told.append(execute(self, context))
        if len(told) == 1:
            raise RuntimeError("killed")
        return told[-1]

    monkeypatch.setattr(BackMarketOrderAnnouncementOperator, "execute", die_once)
    run = orders()
    assert run.state == "success"
    assert _told(run) > 0
    assert told[0] == told[1]


def test_what_a_run_failed_to_announce_the_next_one_announces(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag_in_airflow: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It died in each of its tries after it had claimed what there was; the run after the next tells nothing twice."""
    switch_on("order_download", initial_lookback_days=400)
    execute, told = BackMarketOrderAnnouncementOperator.execute, []

    def die(self: BackMarketOrderAnnouncementOperator, context: Any) -> Any:
        told.append(execute(self, context))
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(BackMarketOrderAnnouncementOperator, "execute", die)
        run = run_dag_in_airflow("backmarket_orders")
    assert (run.state, run.tasks["announce_orders"], len(told)) == ("failed", "failed", 3)
    assert run_dag_in_airflow("backmarket_orders").xcoms["announce_orders"]["new"] == told[0]["new"] > 0
    assert run_dag_in_airflow("backmarket_orders").tasks["announce_orders"] == "skipped"


def test_while_all_is_off_nothing_is_told(
    orders: Callable[..., Run], connected: Sandbox, switch_on: Callable[..., None], database: psycopg.Connection[Any]
) -> None:
    """What another DAG stored meanwhile waits until the concern is on again."""
    orders()
    announcements.note(database, "default", "orders", {"changed": 1})
    switch_on(order_download=False, order_acceptance=False)
    assert orders().tasks["announce_orders"] == "skipped"
    switch_on("order_download", order_acceptance=False)
    assert orders().xcoms["announce_orders"]["changed"] == 1
