"""The environment variables under which the local Airflow runs: every setting in one place, no configuration file."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import unquote, urlsplit

from backmarket.concerns import CONCERNS
from local.bootstrap import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.settings import StackSettings

ADMIN = "admin"


class Secrets(TypedDict):
    """What is made up once for each stack."""

    fernet_key: str
    api_secret_key: str
    jwt_secret: str
    admin_password: str
    sandbox_token: str


def load_secrets(state: Path) -> Secrets:
    """Read the stack's secrets; make them on first use, in a file that only its owner can read."""
    file = state / "secrets.json"
    if not file.exists():
        made = Secrets(
            fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
            api_secret_key=secrets.token_urlsafe(32),
            jwt_secret=secrets.token_urlsafe(64),
            admin_password=secrets.token_urlsafe(12),
            sandbox_token=secrets.token_urlsafe(24),
        )
        _write_private(file, json.dumps(made))
    kept: Secrets = json.loads(file.read_text())
    return kept


_NO_SCHEDULES = {f"AIRFLOW__BACKMARKET__{each.schedule_option.upper()}": "none" for each in CONCERNS if each.cron}


def airflow_environment(
    settings: StackSettings, secrets_: Secrets, *, metadata_uri: str, warehouse_uri: str
) -> dict[str, str]:
    """Build the environment of all Airflow processes of the stack.

    :param metadata_uri: Airflow's own database.
    :param warehouse_uri: the operational database.
    """
    home = settings.state / "airflow"
    passwords = home / "passwords.json"
    _write_private(passwords, json.dumps({ADMIN: secrets_["admin_password"]}))
    return {
        **_inherited(),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": secrets_["fernet_key"],
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        # Here the DAGs may run at once: all they can change is the sandbox.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{settings.url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_uri.replace("postgresql://", "postgresql+psycopg2://", 1),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.port),
        "AIRFLOW__API__BASE_URL": settings.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets_["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets_["jwt_secret"],
        # A new or edited DAG file shows within seconds; the others are read seldom, as that takes a whole core.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # A person is waiting.
        "AIRFLOW__BACKMARKET__RETRY_DELAY_SECONDS": "2",
        "AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS": "1",
        **({} if settings.on_schedule else _NO_SCHEDULES),
        "AIRFLOW_CONN_BACKMARKET_DEFAULT": backmarket_connection(settings.sandbox_url, secrets_["sandbox_token"]),
        "AIRFLOW_CONN_BACKMARKET_WAREHOUSE": _postgres_connection(warehouse_uri),
    }


def environment_file(state: Path) -> Path:
    """Where the environment of a stack is kept once it has come up."""
    return state / "airflow" / "environment.json"


def save_environment(state: Path, environment: Mapping[str, str]) -> None:
    """Keep what tells Airflow of a stack, for who calls Airflow beside it: in a file that only its owner can read."""
    _write_private(
        environment_file(state), json.dumps({name: environment[name] for name in environment if _is_airflows(name)})
    )


def saved_environment(state: Path) -> dict[str, str]:
    """Build the environment of a call of Airflow beside the stack that runs.

    :raises OSError: where none has come up.
    """
    saved: dict[str, str] = json.loads(environment_file(state).read_text())
    return {**_inherited(), **saved}


def program(name: str) -> Path:
    """The path of a program that is installed beside the running Python."""
    return Path(sys.executable).parent / name


def _inherited() -> dict[str, str]:
    """The shell's environment, without what it may say about another Airflow."""
    kept = {name: value for name, value in os.environ.items() if not _is_airflows(name)}
    # Airflow starts programs by their bare name.
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    kept["PYTHONUNBUFFERED"] = "1"
    return kept


def backmarket_connection(url: str, token: str, *, sender: str = "local") -> str:
    """Write the connection ``backmarket_default``.

    :param sender: who Back Market is told is calling.
    """
    extra = {"market": "fr-fr", "user_agent": f"BM-Local-Airflow;{sender}@example.com"}
    connection = {"conn_type": "backmarket", "host": url, "password": token, "extra": extra}
    return json.dumps(connection)


def _postgres_connection(uri: str) -> str:
    parts = urlsplit(uri)
    connection = {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "login": parts.username,
        "password": unquote(parts.password or ""),
        "schema": parts.path.removeprefix("/"),
    }
    return json.dumps(connection)


def _is_airflows(name: str) -> bool:
    return name.startswith("AIRFLOW")


def _write_private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)
