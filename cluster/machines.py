"""The machines of a cluster, as far as one computer can play them: folders of their own, and a copy of the project."""

from __future__ import annotations

import compileall
import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.bootstrap import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DEPLOYED = ("dags", "plugins", "include")
_FILES, _FOLDERS = 0o444, 0o555


@dataclass(frozen=True)
class Machine:
    """One machine.

    :param folder: everything that is on it.
    """

    folder: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def project(self) -> Path:
        """Its copy of what is deployed; read-only."""
        return self.folder / "project"

    @property
    def home(self) -> Path:
        """Its AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def working_folder(self) -> Path:
        """Where its processes are started."""
        return self.folder / "work"

    def environment(self) -> Mapping[str, str]:
        """Say where everything is on this machine."""
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.project / "plugins"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "HOME": str(self.folder / "home"),
            # Its own copy of the package, wherever an installed one lies; and nothing is compiled into that copy.
            "PYTHONPATH": str(self.project / "plugins"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def deploy(self) -> None:
        """Make its folders, and copy the project as it is deployed: compiled, as an image is built."""
        for folder in (self.home, self.working_folder, self.folder / "home"):
            folder.mkdir(parents=True)
        for name in _DEPLOYED:
            shutil.copytree(PROJECT / name, self.project / name, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(self.project, quiet=1)
        for path in (self.project, *self.project.rglob("*")):
            path.chmod(_FOLDERS if path.is_dir() else _FILES)

    def fingerprint(self) -> str:
        """Digest the copy of the project: what stands in it, and what is called how."""
        return fingerprint(self.project)


def fingerprint(folder: Path) -> str:
    """Digest all names and contents of a folder."""
    digest = hashlib.sha256()
    for path in _walk(folder):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            yield folder.joinpath(root, name)
        folders.sort()
