"""The wheel that users install: all is in it, and whoever builds it gets the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from backmarket.provider_info import SOURCE_DATE_EPOCH
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path


def build(folder: Path) -> list[Path]:
    """Build the wheel and the source distribution, with no word of when."""
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The source distribution and the wheel."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built: list[Path]) -> zipfile.ZipFile:
    """The wheel's files."""
    return zipfile.ZipFile(next(path for path in built if path.suffix == ".whl"))


def test_two_builds_are_the_same_bytes(built: list[Path], tmp_path: Path) -> None:
    """Of the wheel and of the source distribution."""
    again = build(tmp_path)
    assert [path.suffix for path in built] == [".whl", ".gz"]
    assert [path.name for path in again] == [path.name for path in built]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]


def test_every_file_has_the_date_that_airflow_is_told(wheel: zipfile.ZipFile) -> None:
    """When a file was checked out makes no difference."""
    day = datetime.fromtimestamp(SOURCE_DATE_EPOCH, tz=UTC).timetuple()[:6]
    assert {each.date_time for each in wheel.infolist()} == {day}


def test_the_package_index_would_take_them(built: list[Path]) -> None:
    """Metadata and the page that the README becomes."""
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_all_that_is_needed_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """The package, its SQL and the module by the wheel's own name, and nothing at the top that could hide others'."""
    names = set(wheel.namelist())
    sql = (PROJECT / "include" / "sql").rglob("*.sql")
    assert {f"backmarket/_sql/{path.relative_to(PROJECT / 'include' / 'sql')}" for path in sql} <= names
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {
        "backmarket",
        "backmarket_airflow.py",
    }
