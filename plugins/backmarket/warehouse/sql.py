"""Finds the SQL of this project: named statements in one file a concern under ``include/sql``.

A statement begins where a line ``-- name: merge_orders`` stands. One of 40 lines or more has a file of its own, in a
folder that is named like the concern's file. The statements stay as they are written, for PostgreSQL to read: libraries
that load named statements rewrite them (they take the slice ``[:5]`` for a parameter ``5``).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString

_PACKAGE = Path(__file__).resolve().parents[1]
# Mounted beside plugins/ as in this repository, or packed into an installed wheel.
_CANDIDATES = (_PACKAGE.parents[1] / "include" / "sql", _PACKAGE / "_sql")
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def folder() -> Path:
    """Return the folder that holds the SQL files.

    :raises FileNotFoundError: where ``include/`` was not deployed beside ``plugins/``.
    """
    for candidate in _CANDIDATES:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        f"No SQL files at {_CANDIDATES[0]}: deploy the folder include/ beside plugins/ (README: On your own Airflow)."
    )


@cache
def statements(concern: str) -> dict[str, LiteralString]:
    """Return all statements of a concern, by name."""
    _, *parts = _NAME.split((folder() / f"{concern}.sql").read_text(encoding="utf-8"))
    own_files = {path.stem: path.read_text(encoding="utf-8") for path in (folder() / concern).glob("*.sql")}
    return dict(zip(parts[::2], parts[1::2], strict=True)) | own_files


def statement(name: str) -> LiteralString:
    """Return one statement by its concern and name, such as ``orders/merge_orders``.

    :raises KeyError: where there is none: a slip, found by the tests.
    """
    concern, _, own_name = name.partition("/")
    return statements(concern)[own_name]
