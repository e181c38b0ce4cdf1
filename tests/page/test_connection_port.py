"""A connection that was saved without a port can be tested in Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.testclient import TestClient

    from sandbox.remote import Sandbox

MADE = "/api/v2/connections"


@pytest.fixture
def admin(signed_in: Callable[[str], TestClient], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """An administrator, where connections may be tested; what they make is gone afterwards."""
    from airflow.api_fastapi.core_api.routes.public import connections

    monkeypatch.setattr(connections, "_ensure_test_connection_enabled", lambda: None)
    client = signed_in("admin")
    yield client
    for each in client.get(MADE).json()["connections"]:
        client.delete(f"{MADE}/{each['connection_id']}")


# Airflow's API server itself asks by the old name, up to 3.3.
@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")
def test_a_connection_without_a_port_is_tested(admin: TestClient, sandbox: Sandbox) -> None:
    """As Airflow's UI does: it asks for the stored connection, makes a number of its port, and sends it back."""
    extra = '{"market": "fr-fr", "user_agent": "BM-Acme-Airflow;ops@acme.fr"}'
    body = {"connection_id": "backmarket_form", "conn_type": "backmarket", "host": sandbox.base_url, "extra": extra}
    assert admin.post(MADE, json={**body, "password": sandbox.token}).status_code == 201

    stored = admin.get(f"{MADE}/backmarket_form").json()
    sent: dict[str, Any] = {**body, "port": int(stored["port"] or 0), "password": stored["password"]}
    answer = admin.post(f"{MADE}/test", json=sent)

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] is True, answer.text
    assert "The token is valid" in answer.json()["message"]


def test_other_connections_keep_their_ports(admin: TestClient) -> None:
    """None stays none, and a port that somebody stored stays theirs."""
    for name, kind, port in (("database", "postgres", None), ("chosen", "backmarket", 8443)):
        admin.post(MADE, json={"connection_id": name, "conn_type": kind, "host": "127.0.0.1", "port": port})
        assert admin.get(f"{MADE}/{name}").json()["port"] == port
