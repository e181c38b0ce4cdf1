"""The commands that the documentation tells people to type, and the surroundings in which each is to work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
DOCUMENTS += sorted((PROJECT / "deploy").rglob("*.md"))

CLONE = "a fresh clone"
STACK = "the stack of make up"
OWN = "an Airflow of one's own"
ELSEWHERE = "not here"

# The surroundings of a block, by how one of its lines begins; the first that fits counts.
SURROUNDINGS = {
    "make demo": CLONE,
    "make airflow": STACK,
    "airflow ": OWN,
    "export ": OWN,
    # The wheel is built and installed, as who uses it does, in tests/wheel.
    "pip install backmarket-airflow": ELSEWHERE,
    # Docker, Kubernetes and clouds: tests/deploy holds the files against Airflow and the package.
    "python -m pip wheel": ELSEWHERE,
    "docker build": ELSEWHERE,
    # PostgreSQL's client is the reader's.
    "psql ": ELSEWHERE,
}


class Block(NamedTuple):
    """One block of commands.

    :param document: where it stands.
    :param text: the commands.
    """

    document: Path
    text: str

    @property
    def surroundings(self) -> str | None:
        """Where it is to work; None where nobody has said."""
        lines = self.text.splitlines()
        fitting = (place for start, place in SURROUNDINGS.items() if any(line.startswith(start) for line in lines))
        return next(fitting, None)


def blocks(language: str = "(?:sh|bash|shell|console)", *, of: list[Path] = DOCUMENTS) -> list[Block]:
    """Return all blocks of commands, or of another language, as people meet them."""
    fence = rf"^```{language}\n(.*?)^```"
    return [
        Block(document, text)
        for document in of
        for text in re.findall(fence, document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    ]


def clone(folder: Path) -> Path:
    """Make what `make install` makes of a clone, as links: the environment that runs the tests, and this checkout."""
    (folder / ".state").mkdir(parents=True)
    (folder / ".state" / "venv").symlink_to(sys.prefix)
    for name in ("dags", "include", "plugins"):
        (folder / name).symlink_to(PROJECT / name)
    return folder


def run_as_typed(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run commands by bash in a folder, one after the other until one fails, with nothing that this test has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MAKE", "MFLAGS"))}
    # Where the environment's own package is another checkout's.
    kept["PYTHONPATH"] = str(PROJECT / "plugins")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Put a reader's values where the examples' stand; each has to be there."""
    for example, value in values.items():
        assert example in text, example
        text = text.replace(example, value)
    return text
