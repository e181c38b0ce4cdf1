"""``run_dag`` stands for Airflow in the tests: over the same data, each DAG comes to the same end in Airflow itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from backmarket.concerns import STEMS, SWITCHES
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.conftest import new_database
from tests.dags.conftest import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


@pytest.fixture
def run_both(
    postgres_uri: str,
    migrated: str,
    run_dag: Callable[..., Run],
    run_dag_in_airflow: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Run, Run]]:
    """Run a DAG in memory and in Airflow, each with a Back Market and a database of its own that are alike."""

    @contextmanager
    def world(prepare: Callable[[Sandbox], None]) -> Iterator[None]:
        with (
            running_sandbox(SandboxConfig(orders=20, listings=10)) as sandbox,
            new_database(postgres_uri, migrated) as uri,
            psycopg.connect(uri, autocommit=True) as database,
        ):
            monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", uri.replace("postgresql://", "postgres://"))
            connect(sandbox, monkeypatch)
            for listing in sandbox.listings():
                database.execute(
                    "insert into seller.stock (sku, quantity, counted_at) values (%s, 9, now())", [listing["sku"]]
                )
                database.execute(
                    "insert into seller.prices (sku, market, price, currency) values (%s, 'fr-fr', 1, 'EUR')",
                    [listing["sku"]],
                )
            prepare(sandbox)
            yield

    def both(dag_id: str, prepare: Callable[[Sandbox], None]) -> tuple[Run, Run]:
        runs = []
        for run in (run_dag, run_dag_in_airflow):
            with world(prepare):
                runs.append(run(dag_id))
        return runs[0], runs[1]

    return both


def well(sandbox: Sandbox) -> None:
    """Everything answers."""


def away(sandbox: Sandbox) -> None:
    """Nothing does."""
    sandbox.fault("500", path_prefix="/ws", times=None)


def _timeless(run: Run) -> Run:
    """Leave out how long something took."""
    told = {task: {**value} if isinstance(value, dict) else value for task, value in run.xcoms.items()}
    for counts in told.values():
        if isinstance(counts, dict):
            counts.pop("seconds", None)
            counts.pop("milliseconds_a_call", None)
    return replace(run, xcoms=told)


@pytest.mark.parametrize(
    ("stem", "prepare"),
    [*((stem, well) for stem in sorted(STEMS)), *((stem, away) for stem in ("orders", "listings", "inventory_prices"))],
)
def test_memory_and_airflow_come_to_the_same_end(
    run_both: Callable[..., tuple[Run, Run]],
    switch_on: Callable[..., None],
    stem: str,
    prepare: Callable[[Sandbox], None],
) -> None:
    """With every toggle on: states, tries, XComs and reasons, mapped tasks, retries and trigger rules among them."""
    switch_on(*(switch.toggle for _, switch in SWITCHES))
    in_memory, in_airflow = run_both(f"backmarket_{stem}", prepare)
    assert _timeless(in_memory) == _timeless(in_airflow)
    assert prepare is well or in_airflow.state == "failed"
    assert prepare is well or max(in_airflow.tries.values()) > 1
