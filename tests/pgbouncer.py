"""A real PgBouncer on loopback, in front of a real PostgreSQL."""

from __future__ import annotations

import shutil
import socket
import subprocess
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
    server, port = urlsplit(uri), _free_port()
    login = f"host={server.hostname} port={server.port} user={server.username} password={server.password}"
    given = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any", **settings}
    if _is_root():
        given["user"] = "nobody"
    file = folder / f"pgbouncer-{port}.ini"
    file.write_text("\n".join([f"[databases]\n* = {login}\n[pgbouncer]", *(f"{k} = {v}" for k, v in given.items())]))
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([PROGRAM or "", file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield f"postgresql://anybody:anything@127.0.0.1:{port}{server.path}"
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
