"""Where one local stack lives and which ports it takes."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.bootstrap import PROJECT, STATE
from local.failure import LocalError

if TYPE_CHECKING:
    from pathlib import Path

_DEFAULT_PORTS = {"PORT": 8080, "SANDBOX_PORT": 8901}


@dataclass(frozen=True)
class StackSettings:
    """What tells one local stack from another.

    :param port: of Airflow's UI and API.
    :param sandbox_port: of the local Back Market.
    :param state: the folder of databases, secrets and logs.
    :param dags: the folder of the DAGs.
    :param on_schedule: whether DAGs run by themselves; else by hand, and after what they wait for.
    """

    port: int
    sandbox_port: int
    state: Path = STATE
    dags: Path = PROJECT / "dags"
    on_schedule: bool = True

    @property
    def url(self) -> str:
        """Where Airflow answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """Where the local Back Market answers."""
        return f"http://127.0.0.1:{self.sandbox_port}"


def asked_port(variable: str) -> int | None:
    """Read a port that was given to make.

    :param variable: `PORT` or `SANDBOX_PORT`.
    :returns: None where none was given.
    :raises LocalError: if it is no port.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise LocalError(f"{variable}={text} is no port: give a number from 1 to 65535, such as {variable}=8090.")
    return int(text)


def default_port(variable: str) -> int:
    """The port that `make up` takes unless another was given."""
    return _DEFAULT_PORTS[variable]


def free_port() -> int:
    """Find a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def check_port(variable: str, port: int) -> None:
    """Make sure that a port can be listened on.

    :raises LocalError: naming the port and how to choose another.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "needs more rights" if isinstance(error, PermissionError) else "is in use"
            raise LocalError(f"Port {port} {reason}: choose another, as in {variable}={port % 65535 + 1}.") from None
