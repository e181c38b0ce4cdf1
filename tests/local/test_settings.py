"""What a person may set, and the environment Airflow runs under."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from local.airflow_env import airflow_environment, load_secrets
from local.failure import LocalError
from local.settings import StackSettings, asked_port, check_port

if TYPE_CHECKING:
    from pathlib import Path


def test_a_port_in_use_is_named_with_a_way_out() -> None:
    """The message has the port and the argument that chooses another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(LocalError, match=rf"^Port {port} is in use: choose another, as in SANDBOX_PORT=\d+\.$"):
            check_port("SANDBOX_PORT", port)
    check_port("SANDBOX_PORT", port)


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "80 81", "²"])
def test_what_is_no_port_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in PORT=… is answered by name and value."""
    monkeypatch.setenv("PORT", text)

    with pytest.raises(LocalError, match=rf"PORT={text} is no port"):
        asked_port("PORT")


@pytest.mark.parametrize(("text", "port"), [("", None), (" 8090 ", 8090)])
def test_a_port_may_be_given_or_left_out(text: str, port: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty PORT is none."""
    monkeypatch.setenv("PORT", text)

    assert asked_port("PORT") == port


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    """A second start finds the same secrets, in a file that only its owner can read."""
    made = load_secrets(tmp_path)

    assert load_secrets(tmp_path) == made
    assert len(set(made.values())) == len(made)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_the_environment_connects_airflow_to_this_stack_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Airflow that the shell knows of does not shine through; the connections lead to this stack."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_REAL", "https://example.com")
    monkeypatch.setenv("LANG", "C.UTF-8")
    secrets = load_secrets(tmp_path)

    environment = airflow_environment(
        StackSettings(port=8090, sandbox_port=8902, state=tmp_path),
        secrets,
        metadata_uri="postgresql://postgres:p%20w@127.0.0.1:5433/airflow",
        warehouse_uri="postgresql://postgres:p%20w@127.0.0.1:5433/backmarket",
    )

    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW_CONN_BACKMARKET_REAL" not in environment
    assert environment["LANG"] == "C.UTF-8"
    shop = json.loads(environment["AIRFLOW_CONN_BACKMARKET_DEFAULT"])
    assert (shop["host"], shop["password"]) == ("http://127.0.0.1:8902", secrets["sandbox_token"])
    warehouse = json.loads(environment["AIRFLOW_CONN_BACKMARKET_WAREHOUSE"])
    assert (warehouse["host"], warehouse["port"], warehouse["schema"]) == ("127.0.0.1", 5433, "backmarket")
    assert warehouse["password"] == "p w"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8090/execution/"
