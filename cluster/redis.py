"""The broker of the workers: a Redis on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis

from local.failure import LocalError
from local.settings import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from local.processes import Processes

_START_SECONDS = 10.0
# Nothing on a disk: what was in the queues is lost with the process, which is the worst that a broker can do.
_SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly no
dir "{folder}"
"""


@dataclass(frozen=True)
class Broker:
    """A Redis that remembers nothing.

    :param processes: among which it runs, as ``redis``.
    :param url: where it answers, with its password.
    """

    processes: Processes
    url: str
    _program: str
    _settings: Path

    def start(self) -> None:
        """Start it, and wait until it answers.

        :raises LocalError: if it does not.
        """
        self.processes.start("redis", [self._program, self._settings], os.environ)
        deadline = time.monotonic() + _START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while True:
                self.processes.check()
                try:
                    client.ping()
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise LocalError(f"Redis did not answer within {_START_SECONDS:.0f} s.") from None
                    time.sleep(0.05)
                else:
                    return


def redis_server() -> str:
    """Find the program.

    :raises LocalError: where it is not installed.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise LocalError("There is no redis-server on this machine: install it (Debian: apt install redis-server).")
    return program


def broker(processes: Processes, folder: Path) -> Broker:
    """Describe a broker on a free port, with a new password.

    :param folder: where its settings are written, for its owner's eyes alone.
    """
    program, port, password = redis_server(), free_port(), secrets.token_urlsafe(24)
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "redis.conf"
    settings.touch(mode=0o600)
    settings.write_text(_SETTINGS.format(port=port, password=password, folder=folder))
    return Broker(processes, f"redis://:{password}@127.0.0.1:{port}/0", program, settings)
