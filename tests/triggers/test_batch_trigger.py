"""The trigger fires when batches have ended, or at its time, and goes on from its own serialization."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
import pytest

from backmarket.api.client import BackMarketClient
from backmarket.hooks.backmarket import BackMarketHook
from backmarket.triggers.batch import BackMarketBatchTrigger, have_ended

if TYPE_CHECKING:
    from sandbox.remote import Sandbox

CSV = '"sku","product_id","quantity","price","currency","grade"\r\n"T-1","51001","1","9.00","EUR","GOOD"\r\n'


@pytest.fixture
def account(sandbox: Sandbox, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox that ``backmarket_default`` points at."""
    connection = {
        "conn_type": "backmarket",
        "host": sandbox.base_url,
        "password": sandbox.token,
        "extra": {"market": "fr-fr", "user_agent": "BM-Example-Tests;tests@example.com"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", json.dumps(connection))
    return sandbox


def _submit() -> int:
    with BackMarketClient(BackMarketHook(warehouse_conn_id=None).config) as client:
        return client.submit_batch(CSV, "fr-fr")


def _fire(batch_ids: list[int], seconds: float) -> tuple[str, float]:
    """Run a trigger as another triggerer would after a restart: from its serialization."""
    first = BackMarketBatchTrigger(
        backmarket_conn_id="backmarket_default",
        warehouse_conn_id="backmarket_warehouse",
        account="default",
        batch_ids=batch_ids,
        look_at=time.time() + seconds,
        poll_seconds=0.1,
        ended={"confirmed": 3},
    )
    path, arguments = json.loads(json.dumps(first.serialize()))
    assert path == f"{BackMarketBatchTrigger.__module__}.{BackMarketBatchTrigger.__name__}"

    async def run() -> str:
        async for event in BackMarketBatchTrigger(**arguments).run():
            assert event.payload["ended"] == {"confirmed": 3}
            return str(event.payload["status"])
        raise AssertionError

    began = time.monotonic()
    return asyncio.run(run()), time.monotonic() - began


def test_it_fires_when_all_batches_have_ended(account: Sandbox) -> None:
    """Not before, and long before its time."""
    status, seconds = _fire([_submit(), _submit()], 30)
    assert status == "ended"
    assert 0.5 < seconds < 10


def test_it_fires_at_its_time_whatever_the_batches_do(account: Sandbox) -> None:
    """Also where Back Market does not answer, and where there is nothing to ask for."""
    account.fault("429_retry_after", path_prefix="/ws/tasks", times=None, retry_after=0)
    assert _fire([], 0.3)[0] == "due"
    status, seconds = _fire([_submit()], -1)
    assert (status, seconds < 5) == ("due", True)


def test_what_only_the_task_can_meet_wakes_it(account: Sandbox) -> None:
    """A revoked token ends the wait: the task then fails with the reason."""
    batch = _submit()
    account.fault("401", path_prefix="/ws/tasks", times=None)
    status, seconds = _fire([batch], 30)
    assert status == "ended"
    assert seconds < 5


def test_its_polls_count_under_the_limit_that_all_share(account: Sandbox, warehouse: psycopg.Connection[Any]) -> None:
    """Each of them: what a worker sends meanwhile has so many places less."""
    batch = _submit()
    account.clear_journal()
    assert _fire([batch], 30)[0] == "ended"
    polls = account.journal(path_prefix="/ws/tasks")
    (places,) = warehouse.execute('select count(*) from backmarket."ratelimit___default_general"').fetchone() or (None,)
    assert places == len(polls) > 1


def test_without_the_database_it_fires_at_its_time(account: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked that no limit counts; the task looks then."""
    batch = _submit()
    account.clear_journal()
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://nobody@127.0.0.1:9/nothing")
    status, seconds = _fire([batch], 2)
    assert status == "due"
    assert seconds >= 1.9
    assert account.journal(path_prefix="/ws/tasks") == []


def test_a_database_that_goes_down_meanwhile_changes_nothing_but_the_moment(
    account: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batches count as running until it answers again."""
    batch = _submit()
    client = BackMarketClient(BackMarketHook(warehouse_conn_id=None).config)
    monkeypatch.setattr(client, "get_task", _no_database)
    assert not have_ended(client, [batch])
    client.close()


def _no_database(_: int) -> NoReturn:
    raise psycopg.OperationalError("the connection is closed")
