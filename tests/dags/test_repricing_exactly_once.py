"""Killed anywhere, repricing sends each move once, and none below its floor."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from threading import current_thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.api.transport import Transport
from backmarket.operators.backbox import BackMarketBackboxDownloadOperator
from backmarket.operators.inventory_prices import (
    BackMarketOfferRefreshOperator,
    BackMarketPricesPlanOperator,
    BackMarketPricesUploadOperator,
)
from backmarket.operators.repricing import BackMarketRepricingOperator
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.test_exactly_once import Failpoint, Killed, fast
from tests.dags.test_inventory_prices import offered, posts, priced
from tests.dags.test_repricing import AUTOMATIC, TOGGLES, alone, compete, download_listings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from sandbox.remote import Sandbox

__all__ = ["download_listings", "fast"]

TABLES = ("changes", "repricing", "backbox", "backbox_history", "backbox_askings", "backbox_requests")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Back Market with few listings: each is asked for, which is many steps."""
    with running_sandbox(SandboxConfig(orders=1, listings=3, rate_limit=False)) as running:
        yield running


def _in_tasks(point: Failpoint, function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function in a point, but for the threads in which pools open their connections."""
    counted = point.before(function)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        called = function if current_thread().name.startswith("pool-") else counted
        return called(*args, **kwargs)

    return wrapped


def _run(began: datetime) -> None:
    """Run the tasks that read competitors, decide, plan and send, in a run that began then."""

    class Began:
        start_date = began

    context: Any = {"run_id": "test", "params": {}, "dag_run": Began}
    for step in (BackMarketBackboxDownloadOperator, BackMarketOfferRefreshOperator, BackMarketRepricingOperator):
        step(task_id="task").execute(context)
    BackMarketPricesPlanOperator(task_id="task").execute(context)
    BackMarketPricesUploadOperator(task_id="task", toggle="repricing").execute(context)


@pytest.mark.timeout(600)
def test_killed_between_any_two_steps_each_move_is_sent_once(
    connected: Sandbox,
    database: psycopg.Connection[Any],
    switch_on: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    download_listings: Callable[[], None],
    fast: None,
) -> None:
    """Before every third statement or request: the next run ends the same, and no price was sent twice."""
    switch_on(*TOGGLES, **AUTOMATIC, repricing_cooldown_minutes="0")
    alone(connected)
    download_listings()
    skus = priced(connected, 2)
    before = {sku: offered(connected, sku) for sku in skus}
    winning = compete(connected, database, skus)
    execute, exchange = psycopg.Connection.execute, Transport._exchange

    def ends(at: int | None) -> tuple[int, Counter[str], dict[str, Decimal], list[tuple[Any, ...]]]:
        """Start anew, run, killed before call `at` where there is one, and run again; give what it came to."""
        for table in TABLES:
            database.execute(f"truncate backmarket.{table} cascade".encode())
        for listing in connected.listings():
            if listing["sku"] in before:
                offers = {"fr-fr": {"price": str(before[listing["sku"]])}}
                connected.patch_listing(listing["listing_id"], offers=offers)
        connected.clear_journal()
        point = Failpoint(at)
        monkeypatch.setattr(psycopg.Connection, "execute", _in_tasks(point, execute))
        monkeypatch.setattr(Transport, "_exchange", _in_tasks(point, exchange))
        began = datetime.now(UTC)
        if at is None:
            _run(began)
        else:
            with pytest.raises(Killed):
                _run(began)
        monkeypatch.setattr(psycopg.Connection, "execute", execute)
        monkeypatch.setattr(Transport, "_exchange", exchange)
        _run(datetime.now(UTC))
        applied = Counter(entry["path"] for entry in posts(connected) if entry["applied"])
        # What is found out later is told after why it was wanted.
        rows = database.execute(
            b"select subject, status, payload ->> 'price', split_part(reason, ';', 1) from backmarket.changes"
            b" where status <> 'superseded' order by subject"
        ).fetchall()
        return point.calls, applied, {sku: offered(connected, sku) for sku in skus}, rows

    calls, *expected = ends(None)
    assert expected[1] == winning
    assert calls > 30
    for at in range(1, calls + 1, 3):
        _, applied, *rest = ends(at)
        assert rest == expected[1:], f"killed before call {at}"
        assert set(applied.values()) == {1}, f"killed before call {at}"
