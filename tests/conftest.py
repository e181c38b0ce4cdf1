"""What all tests stand on: an Airflow home of their own, a real PostgreSQL, a running sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

PROJECT = Path(__file__).resolve().parents[1]
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own there
_ROOM = 2**30


def _in_memory() -> Path | None:
    """Where files cost no disk, if this machine has that and room enough: databases are made for every test."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else None


STATE = Path(tempfile.mkdtemp(prefix="backmarket-tests-", dir=_in_memory()))

# Then nothing may come from the folders of this checkout.
FROM_WHEEL = "archive_info" in (distribution("backmarket-airflow").read_text("direct_url.json") or "")

# Airflow reads these when it is first imported, so they are set before any test module is.
os.environ.update(
    AIRFLOW_HOME=str(STATE / "airflow"),
    AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str((STATE if FROM_WHEEL else PROJECT) / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{STATE}/airflow.db",
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(STATE / "logs"),
    AIRFLOW__API_AUTH__JWT_SECRET="a secret of the tests, long enough for the algorithm that signs sessions in Airflow",
    AIRFLOW__BACKMARKET__RETRY_DELAY_SECONDS="0",
    AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS="0",
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import psycopg
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    from sandbox.remote import Sandbox


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give out tests one by one, but those of the browser all to one worker: they share a stack that takes a minute."""
    from xdist.scheduler import LoadScopeScheduling

    class OneStack(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file.endswith("test_browser.py") else nodeid

    return OneStack(config, log)


def pytest_sessionfinish() -> None:
    """Leave nothing behind."""
    shutil.rmtree(STATE, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own tables."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True, env=os.environ)


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """A PostgreSQL server for this test worker."""
    from local.postgres import embedded_postgres

    with embedded_postgres(STATE / "postgres") as uri:
        yield uri


@pytest.fixture(scope="session")
def migrated(postgres_uri: str) -> str:
    """The name of a database whose schema is up to date, to be copied."""
    import psycopg

    from backmarket.warehouse.migrations import migrate
    from local.postgres import ensure_database

    with psycopg.connect(ensure_database(postgres_uri, "migrated"), autocommit=True) as connection:
        migrate(connection)
    return "migrated"


@pytest.fixture
def warehouse_uri(request: pytest.FixtureRequest, postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An operational database, which Airflow knows as ``backmarket_warehouse``.

    It is empty, as on the first day, unless the test asks for ``warehouse``.
    """
    template = request.getfixturevalue("migrated") if "warehouse" in request.fixturenames else "template1"
    with new_database(postgres_uri, template) as uri:
        monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", uri.replace("postgresql://", "postgres://"))
        yield uri


@contextmanager
def new_database(postgres_uri: str, template: str) -> Iterator[str]:
    """Copy a database for as long as it is needed."""
    import psycopg

    name = f"warehouse_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_uri, autocommit=True) as server:
        server.execute(f"create database {name} template {template} strategy file_copy")
        yield postgres_uri.removesuffix("postgres") + name
        server.execute(f"drop database {name} with (force)")


@pytest.fixture
def warehouse(warehouse_uri: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to an operational database whose schema is up to date."""
    import psycopg

    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        connection.execute("set timezone to 'UTC'")
        yield connection


@pytest.fixture
def through(
    warehouse_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractContextManager[str]]:
    """Put a PgBouncer with these settings where ``backmarket_warehouse`` leads, in front of the same database."""
    from tests.pgbouncer import pgbouncer

    @contextmanager
    def through(**settings: object) -> Iterator[str]:
        with pgbouncer(tmp_path, warehouse_uri, **settings) as uri:
            monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", uri.replace("postgresql://", "postgres://"))
            yield uri

    return through


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Back Market with 120 seeded orders."""
    from sandbox.config import SandboxConfig
    from sandbox.server import running_sandbox

    with running_sandbox(SandboxConfig(orders=120, listings=40)) as running:
        yield running
