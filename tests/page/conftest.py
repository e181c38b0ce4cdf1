"""Airflow's own API server with the page in it, and people of every role."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI
    from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def api_server(airflow_database: None) -> FastAPI:
    """The API server, which has found the plugin by itself."""
    from airflow.api_fastapi.app import create_app

    return create_app()


@pytest.fixture
def signed_in(api_server: FastAPI) -> Iterator[Callable[[str], TestClient]]:
    """Sign in as a viewer, user, op or admin, in the way a browser is: by Airflow's cookie."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    opened = []

    def sign_in(role: str, name: str = "") -> TestClient:
        user = SimpleAuthManagerUser(username=name or role, role=role)
        client = TestClient(api_server, base_url="http://localhost", follow_redirects=False)
        client.cookies.set("_token", get_auth_manager().generate_jwt(user))
        opened.append(client)
        return client

    yield sign_in
    for client in opened:
        client.close()


@pytest.fixture(autouse=True)
def no_runs(airflow_database: None) -> None:
    """Each test begins without runs in Airflow's database: those of other tests would wait for a person."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun))


@pytest.fixture(autouse=True)
def no_variables(airflow_database: None) -> Iterator[None]:
    """Each test begins without Variables in Airflow's database."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    yield
    with create_session() as session:
        session.execute(delete(Variable))


@pytest.fixture
def dags_of(airflow_database: None) -> Iterator[Callable[..., None]]:
    """Note in Airflow's tables the DAGs of accounts, and nothing of other tests' DAGs, until the test is over."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    from backmarket.dags import create_dags

    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        fresh = list(session.scalars(select(DagModel.dag_id).where(~DagModel.is_stale)))
        session.execute(update(DagModel).values(is_stale=True))

    def note(*accounts: str, **connections: str) -> None:
        bag = DagBag(dag_folder=os.devnull)
        for account in accounts:
            for dag in create_dags(account, **connections).values():
                dag.fileloc, dag.relative_fileloc = __file__, "of_accounts.py"
                bag.bag_dag(dag)
        sync_bag_to_db(bag, "tests", None)

    yield note
    with create_session() as session:
        session.execute(update(DagModel).values(is_stale=True))
        session.execute(update(DagModel).where(DagModel.dag_id.in_(fresh)).values(is_stale=False))
