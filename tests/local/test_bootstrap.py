"""The set-up on a bare machine: what it installs, what it skips, and what it says when it cannot go on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from local import bootstrap
from local.bootstrap import PROJECT, Environment
from local.failure import LocalError
from local.lock import held

if TYPE_CHECKING:
    from pathlib import Path


class Disk(NamedTuple):
    """What `shutil.disk_usage` answers, as far as it is looked at."""

    free: int


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that needs nothing, in a state folder of its own."""
    monkeypatch.setattr(bootstrap, "STATE", tmp_path)
    lock = tmp_path / "requirements.lock"
    lock.write_text("# nothing\n")
    return Environment(tmp_path / "venv", lock)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person would: without what a make around this test passes on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )


def test_make_alone_prints_help() -> None:
    """`make` without a target explains the commands and does nothing."""
    answer = make()

    assert answer.returncode == 0
    for command in ("make demo", "make up", "make test", "make bench", "make docs", "make lock", "make clean"):
        assert command in answer.stdout


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    """A Python that fails the version check is answered by one line that tells which versions will do."""
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\ncase "$2" in *exit*) exit 1 ;; *) echo 3.9 ;; esac\n')
    old.chmod(0o755)

    answer = make("install", f"PYTHON={old}")

    said = [line for line in answer.stderr.splitlines() if not line.startswith("make")]
    assert answer.returncode != 0
    assert said == [
        f"Python 3.11, 3.12 or 3.13 is needed ({old} is 3.9). Install one, or name it: make PYTHON=/path/to/python3.12"
    ]


def test_a_missing_python_is_named() -> None:
    """A Python that is not there is answered by one line."""
    answer = make("install", "PYTHON=no-such-python")

    said = [line for line in answer.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert "no-such-python is not there" in said[0]


def test_a_missing_venv_module_is_named(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian packs venv apart from Python; the message names the package."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(LocalError, match=rf"apt install python3\.{sys.version_info.minor}-venv"):
        bootstrap.install(environment)


def test_a_full_disk_is_noticed_before_the_install(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little disk is said before anything is downloaded."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free=10**8))

    with pytest.raises(LocalError, match=r"0\.1 GiB of disk are free"):
        bootstrap.install(environment)


def test_a_second_install_at_the_same_time_is_refused(environment: Environment) -> None:
    """Two installs into one folder would spoil each other."""
    with (
        held(bootstrap.STATE / "install.lock", "never shown"),
        pytest.raises(LocalError, match=rf"Process {os.getpid()} is installing here already"),
    ):
        bootstrap.install(environment)


def test_an_index_out_of_reach_is_one_line_and_the_next_try_starts_over(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken download names its cause; the next install starts over, and is then kept."""
    wanted = environment.lock.read_text()
    environment.lock.write_text(f"no-such-package-at-all==1.0 --hash=sha256:{'0' * 64}\n")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")

    with pytest.raises(LocalError, match="the package index cannot be reached") as failure:
        bootstrap.install(environment)
    assert "\n" not in str(failure.value)
    half_made = environment.folder / "half-made"
    half_made.touch()

    environment.lock.write_text(wanted)
    bootstrap.install(environment)
    assert not half_made.exists()
    capsys.readouterr()
    bootstrap.install(environment)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not what the lock names"),
        ("Temporary failure in name resolution\nERROR: No matching distribution found", "cannot be reached"),
        ("ERROR: No matching distribution found for x==1", "lacks a package for this machine"),
        ("Collecting x\nERROR: something new\nnote: more", "ERROR: something new"),
        ("", "no word of why"),
    ],
)
def test_the_cause_of_a_failed_install_is_found(output: str, cause: str) -> None:
    """What pip printed becomes what a person can act on; what is not known is quoted."""
    assert cause in bootstrap._cause(output)
