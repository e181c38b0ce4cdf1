"""A real PgBouncer on loopback, in front of a real PostgreSQL."""

from __future__ import annotations

import shutil
import socket
import subprocess
from configparser import ConfigParser
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from local.postgres import _free_port, _is_root, _stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Debian puts it where ordinary users' PATH does not lead.
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (Debian package pgbouncer)")


@contextmanager
def pgbouncer(folder: Path, uri: str, **settings: object) -> Iterator[str]:
    """Run a PgBouncer in front of the server of ``uri`` for as long as the block lasts.

    :param settings: of PgBouncer's own, such as ``pool_mode``.
    :returns: the URI of the same database by way of it.
    """
    config = ConfigParser(interpolation=None)
    config.read_dict({"databases": {"*": ""}, "pgbouncer": settings})
    with pgbouncer_by(folder, uri, config) as server:
        yield server + urlsplit(uri).path


@contextmanager
def pgbouncer_by(folder: Path, uri: str, config: ConfigParser) -> Iterator[str]:
    """Run a PgBouncer with this configuration, all of whose databases lead to the server of ``uri``.

    :returns: its URI without a database.
    """
    server, port = urlsplit(uri), _free_port()
    login = f"host={server.hostname} port={server.port} user={server.username} password={server.password}"
    for name, place in config["databases"].items():
        config["databases"][name] = f"{place} {login}"
    config["pgbouncer"].update(listen_addr="127.0.0.1", listen_port=str(port), unix_socket_dir="", auth_type="any")
    if _is_root():
        config["pgbouncer"]["user"] = "nobody"
    file = folder / f"pgbouncer-{port}.ini"
    with file.open("w") as text:
        config.write(text)
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([PROGRAM or "", file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield f"postgresql://anybody:anything@127.0.0.1:{port}"
    finally:
        _stop(process)


def _wait_for(port: int) -> None:
    deadline = monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            return
