"""The local stack: PostgreSQL, a local Back Market and Airflow, started together and ended together."""

from __future__ import annotations

import importlib.metadata
import json
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.airflow_api import health
from local.airflow_env import ADMIN, airflow_environment, environment_file, load_secrets, program, save_environment
from local.bootstrap import STACK_LOCK, STACK_RUNS
from local.failure import LocalError
from local.lock import held
from local.postgres import embedded_postgres, ensure_database
from local.processes import supervised
from local.settings import check_port
from local.variables import DESCRIPTIONS, INVOICES, SELLER, SETTLEMENTS, variables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import FrameType

    from local.processes import Processes
    from local.settings import StackSettings

_AIRFLOW = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    # All parts share the folder of logs, so none has to serve its own over a port.
    "triggerer": ("triggerer", "--skip-serve-logs"),
    # Last, so that it ends first.
    "scheduler": ("scheduler", "--skip-serve-logs"),
}
_HEALTHY_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_START_SECONDS = 180.0
_ARRIVALS_PER_MINUTE = 2.0


@dataclass(frozen=True)
class Stack:
    """A stack that runs.

    :param url: Airflow's address.
    :param user: Airflow's administrator.
    :param password: of that user.
    :param warehouse_uri: the operational database.
    :param own_uri: an empty database, for who wants to try an account of their own.
    :param sandbox_url: the local Back Market.
    :param inbox: the folder that holds its inboxes.
    :param processes: what runs.
    """

    url: str
    user: str
    password: str
    warehouse_uri: str
    own_uri: str
    sandbox_url: str
    inbox: Path
    processes: Processes

    @property
    def page_url(self) -> str:
        """Where the page "Back Market" is, inside Airflow."""
        return f"{self.url}/plugin/backmarket"


@contextmanager
def running_stack(settings: StackSettings) -> Iterator[Stack]:
    """Run the stack for the length of the block.

    An interrupt, a request to terminate and any failure end all of it, so does the death of one of its parts
    as soon as :meth:`Processes.check` sees it.

    :raises LocalError: if it cannot start: it runs already, a port is taken, a part does not come up.
    """
    with (
        held(settings.state / STACK_LOCK, STACK_RUNS),
        ending_in_order(),
        supervised(settings.state) as processes,
        embedded_postgres(settings.state / "postgres", durable=True) as uri,
    ):
        check_port("PORT", settings.port)
        check_port("SANDBOX_PORT", settings.sandbox_port)
        environment_file(settings.state).unlink(missing_ok=True)
        inbox = settings.state / "inbox"
        for folder in (SETTLEMENTS, SELLER, INVOICES):
            (inbox / folder).mkdir(parents=True, exist_ok=True)
        secrets = load_secrets(settings.state)
        warehouse_uri = ensure_database(uri, "backmarket")
        environment = airflow_environment(
            settings, secrets, metadata_uri=ensure_database(uri, "airflow"), warehouse_uri=warehouse_uri
        )
        processes.start("sandbox", _sandbox(settings, secrets["sandbox_token"]), environment)
        prepare_airflow(settings.state, processes, environment, variables_of(inbox))
        for name, arguments in _AIRFLOW.items():
            processes.start(name, [program("airflow"), *arguments], environment)
        wait_until_healthy(settings.url, processes)
        save_environment(settings.state, environment)
        try:
            yield Stack(
                settings.url,
                ADMIN,
                secrets["admin_password"],
                warehouse_uri,
                ensure_database(uri, "own_account"),
                settings.sandbox_url,
                inbox,
                processes,
            )
        finally:
            # Before the database, which they use to the last.
            processes.end()


def _sandbox(settings: StackSettings, token: str) -> list[str | Path]:
    options = {
        "port": settings.sandbox_port,
        "token": token,
        "state": settings.state / "sandbox.sqlite",
        "arrivals-per-minute": _ARRIVALS_PER_MINUTE,
    }
    return [sys.executable, "-m", "sandbox", *(f"--{name}={value}" for name, value in options.items())]


def prepare_airflow(
    state: Path, processes: Processes, environment: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    """Bring Airflow's database to the installed version, and make the Variables that were never made before.

    What is done is noted beside the database, so that a second start skips it and a Variable that somebody
    changed or removed stays so.
    """
    note = state / "postgres" / "prepared.json"
    done = json.loads(note.read_text()) if note.exists() else {"airflow": None, "variables": []}
    version = importlib.metadata.version("apache-airflow-core")
    if done["airflow"] != version:
        with progress("Preparing Airflow's database"):
            processes.run("airflow db migrate", [program("airflow"), "db", "migrate"], environment)
    missing = [name for name in variables if name not in done["variables"]]
    if missing:
        values = state / "airflow" / "variables.json"
        described = {name: {"value": variables[name], "description": DESCRIPTIONS[name]} for name in missing}
        values.write_text(json.dumps(described))
        options = ("variables", "import", "--action-on-existing-key", "skip", str(values))
        with progress("Setting Airflow's Variables"):
            processes.run("airflow variables import", [program("airflow"), *options], environment)
    note.write_text(json.dumps({"airflow": version, "variables": [*done["variables"], *missing]}))


def wait_until_healthy(url: str, processes: Processes) -> None:
    """Wait until all parts of Airflow answer.

    :raises LocalError: if a part ends or does not come up.
    """
    with progress("Starting Airflow"):
        deadline = time.monotonic() + _START_SECONDS
        while True:
            processes.check()
            found = health(url)
            ailing = [part for part in _HEALTHY_PARTS if found.get(part) != "healthy"]
            if not ailing:
                return
            if time.monotonic() > deadline:
                raise LocalError(
                    f"Airflow is not up after {_START_SECONDS:.0f} s: {', '.join(ailing)} not healthy"
                    f" (logs in {processes.log('scheduler').parent})."
                )
            time.sleep(0.25)


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Say what is being done, and how long it took; or that it was broken off."""
    start = time.monotonic()
    print(f"{doing} …", end=" ", flush=True)
    try:
        yield
    except KeyboardInterrupt:
        print("\nStopping …", flush=True)
        raise
    print(f"{time.monotonic() - start:.0f} s", flush=True)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn the signals that ask for an end into an exception, once: nothing may cut the orderly end short."""
    asked_by = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(_signal: int, _frame: FrameType | None) -> None:
        for number in asked_by:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in asked_by}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
