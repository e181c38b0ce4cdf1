"""A pooler that keeps sessions is as good as none; one that does not is told before anything relies on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest

from backmarket.warehouse import pooler
from backmarket.warehouse.connection import WarehouseUnavailableError, connect
from backmarket.warehouse.migrations import migrate
from backmarket.warehouse.pooler import PoolerModeError, require_session
from backmarket.warehouse.rate_limit import open_pool
from tests.pgbouncer import needs_pgbouncer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

CONN_ID = "backmarket_warehouse"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait as long as a busy server may need to let go of a lock."""
    monkeypatch.setattr(pooler, "_SECONDS_TO_LET_GO", 0.3)


@pytest.mark.usefixtures("warehouse_uri")
def test_a_direct_connection_keeps_its_session() -> None:
    """The common case."""
    require_session(CONN_ID)


@needs_pgbouncer
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "settings",
    [
        {"pool_mode": "transaction"},
        {"pool_mode": "statement"},
        {"pool_mode": "transaction", "default_pool_size": 1},
        {"pool_mode": "transaction", "server_round_robin": 1, "min_pool_size": 3},
        {"pool_mode": "transaction", "server_reset_query_always": 1},
        {"pool_mode": "transaction", "server_lifetime": 0},
        {"pool_mode": "session", "server_reset_query": ""},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()),
)
def test_a_pooler_that_keeps_no_session_is_told(
    through: Callable[..., AbstractContextManager[str]], settings: dict[str, object]
) -> None:
    """However many connections it has, and whichever it hands out next; the message says what to change."""
    with through(**settings), pytest.raises(PoolerModeError, match="pool_mode = session") as error:
        require_session(CONN_ID)
    assert CONN_ID in str(error.value)


@needs_pgbouncer
@pytest.mark.usefixtures("impatient")
def test_load_hides_no_pooler(through: Callable[..., AbstractContextManager[str]]) -> None:
    """Other clients take and give back its connections between any two of our statements."""
    over = Event()
    with through(pool_mode="transaction", default_pool_size=4) as uri, ThreadPoolExecutor(4) as threads:

        def work() -> None:
            with psycopg.connect(uri, autocommit=True, prepare_threshold=None) as connection:
                while not over.is_set():
                    connection.execute("select 1")

        others = [threads.submit(work) for _ in range(4)]
        try:
            for _ in range(5):
                with pytest.raises(PoolerModeError):
                    require_session(CONN_ID)
        finally:
            over.set()
        for other in others:
            other.result()


@needs_pgbouncer
def test_tasks_that_wait_for_a_full_pool_in_session_mode_take_turns(
    through: Callable[..., AbstractContextManager[str]],
) -> None:
    """None holds a connection of the pool while it waits for a second one, which none would then get."""
    with through(pool_mode="session", default_pool_size=1), ThreadPoolExecutor(4) as threads:
        for waiting in [threads.submit(require_session, CONN_ID) for _ in range(4)]:
            waiting.result(timeout=30)


@needs_pgbouncer
def test_a_full_pool_is_told_as_a_database_that_is_away(through: Callable[..., AbstractContextManager[str]]) -> None:
    """PgBouncer lets in whom it has no session for, and refuses the first statement."""
    with (
        through(pool_mode="session", default_pool_size=1, query_wait_timeout=1),
        connect() as taken,
    ):
        taken.execute("select 1")
        with pytest.raises(WarehouseUnavailableError, match="query_wait_timeout"), connect():
            pass


@needs_pgbouncer
def test_all_that_a_session_keeps_is_kept_in_session_mode(
    through: Callable[..., AbstractContextManager[str]],
) -> None:
    """The migrations, settings, locks, temporary tables and prepared statements; and none of it reaches the next."""
    with through(pool_mode="session", default_pool_size=2):
        require_session(CONN_ID)
        with connect() as connection:
            assert migrate(connection)
            connection.execute("create temporary table kept (number integer)")
            connection.execute("select pg_advisory_lock(1)")
            # psycopg prepares a statement at its fifth use.
            for number in range(10):
                connection.execute("insert into kept values (%s)", [number])
            assert connection.execute("select count(*) from kept").fetchone() == (10,)
            assert connection.execute("show timezone").fetchone() == ("UTC",)
            with connect() as other:
                assert other.execute("select pg_try_advisory_lock(1)").fetchone() == (False,)
        with connect() as next_one:
            assert next_one.execute("select to_regclass('kept')").fetchone() == (None,)
            # The pooler clears a session after its end, not at it.
            next_one.execute("set statement_timeout to '10s'")
            next_one.execute("select pg_advisory_lock(1)")
        pool = open_pool(CONN_ID)
        with pool.connection() as connection:
            assert connection.execute("show search_path").fetchone() == ("backmarket",)
        pool.close()
