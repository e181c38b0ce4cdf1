"""Whole runs by way of a PgBouncer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from backmarket.warehouse import pooler
from tests.pgbouncer import needs_pgbouncer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


@needs_pgbouncer
def test_orders_are_downloaded_in_session_mode(
    connected: Sandbox,
    run_dag: Callable[..., Run],
    switch_on: Callable[..., None],
    through: Callable[..., AbstractContextManager[str]],
    warehouse_uri: str,
) -> None:
    """On a new database, with no more than two connections to it."""
    switch_on("order_download")
    with through(pool_mode="session", default_pool_size=2):
        run = run_dag("backmarket_orders")
    assert run.state == "success"
    with psycopg.connect(warehouse_uri) as database:
        (stored,) = database.execute("select count(*) from backmarket.orders").fetchone() or ()
    assert stored > 100


@needs_pgbouncer
@pytest.mark.usefixtures("connected")
def test_nothing_begins_in_transaction_mode(
    run_dag: Callable[..., Run],
    through: Callable[..., AbstractContextManager[str]],
    warehouse_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not tried again, and the database is left as it was."""
    monkeypatch.setattr(pooler, "_SECONDS_TO_LET_GO", 0.3)
    with through(pool_mode="transaction"):
        run = run_dag("backmarket_account")
    assert run.state == "failed"
    assert run.tasks["prepare_warehouse"] == "failed"
    assert run.tries["prepare_warehouse"] == 1
    with psycopg.connect(warehouse_uri) as database:
        assert database.execute("select to_regnamespace('backmarket')").fetchone() == (None,)
