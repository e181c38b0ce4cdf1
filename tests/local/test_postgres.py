"""The embedded PostgreSQL: it comes up wherever the project lies, keeps its data and leaves no process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from local import postgres
from local.bootstrap import PROJECT
from local.failure import LocalError
from local.postgres import embedded_postgres, ensure_database

if TYPE_CHECKING:
    from pathlib import Path


def servers_on(folder: Path) -> list[psutil.Process]:
    """The PostgreSQL servers that run on a folder."""
    marked = str(folder)
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and "-D" in process.info["cmdline"] and marked in " ".join(process.info["cmdline"])
    ]


def test_data_survive_a_restart_in_a_deep_private_folder(tmp_path: Path) -> None:
    """A path longer than a socket's name may be, below a folder closed to others, works; the data stay."""
    folder = tmp_path / ("deep" * 40) / "postgres"

    with embedded_postgres(folder) as uri:
        shop = ensure_database(uri, "shop")
        with psycopg.connect(shop) as connection:
            connection.execute("create table kept as select 42 as answer")
    assert servers_on(folder) == []

    with embedded_postgres(folder) as uri, psycopg.connect(ensure_database(uri, "shop")) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_the_port_stays_and_is_given_up_only_to_somebody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person has noted or set up in a client goes on working; where it cannot, they are told the new port."""
    folder = tmp_path / "postgres"
    with embedded_postgres(folder) as uri:
        first = urlsplit(uri).port
    with embedded_postgres(folder) as uri:
        assert urlsplit(uri).port == first
    assert capsys.readouterr().out == ""

    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", first or 0))
        somebody.listen()
        with embedded_postgres(folder) as uri:
            second = urlsplit(uri).port
    assert second != first
    told = capsys.readouterr().out
    assert told == f"PostgreSQL has port {second} from now on: {first}, which it had, is in use.\n"
    with embedded_postgres(folder) as uri:
        assert urlsplit(uri).port == second


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_root_may_keep_the_environment_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user that root's server runs as may not enter the environment: it comes up all the same."""
    installed = postgres._package()
    for part in (installed, installed.with_name(f"{installed.name}.libs")):
        if part.exists():
            shutil.copytree(part, tmp_path / "private" / part.name)
    (tmp_path / "private").chmod(0o700)
    monkeypatch.setattr(postgres, "_package", lambda: tmp_path / "private" / installed.name)

    with embedded_postgres(tmp_path / "postgres") as uri, psycopg.connect(uri) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


def test_strangers_are_refused(tmp_path: Path) -> None:
    """Whoever else is logged in on this machine cannot connect without the password."""
    with embedded_postgres(tmp_path / "postgres") as uri:
        info = psycopg.conninfo.conninfo_to_dict(uri)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=info["port"], user="postgres", password="guess", dbname="postgres")
    assert (tmp_path / "postgres" / "password").stat().st_mode & 0o077 == 0


def test_a_folder_has_one_user(tmp_path: Path) -> None:
    """A second process, or a second call, on the same folder is told who has it."""
    with (
        embedded_postgres(tmp_path / "postgres"),
        pytest.raises(LocalError, match=r"Process \d+ runs PostgreSQL on .*: stop it first"),
        embedded_postgres(tmp_path / "postgres"),
    ):
        pass


def test_the_server_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """A process that was killed could not stop its server: the next user of the folder does, then starts its own."""
    folder = tmp_path / "postgres"
    script = (
        "import os, pathlib, signal, sys\n"
        "from local.postgres import embedded_postgres\n"
        "with embedded_postgres(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, folder], cwd=PROJECT, check=False)
    left = servers_on(folder)
    assert len(left) == 1

    with embedded_postgres(folder) as uri, psycopg.connect(uri) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert left[0] not in servers_on(folder)
    assert servers_on(folder) == []
