"""Finds the SQL of this project: one statement a file under ``include/sql``, loaded by its name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import LiteralString

_PACKAGE = Path(__file__).resolve().parents[1]
# Mounted beside plugins/ as in this repository, or packed into an installed wheel.
_CANDIDATES = (_PACKAGE.parents[1] / "include" / "sql", _PACKAGE / "_sql")


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
def statement(name: str) -> LiteralString:
    """Return one statement by its path without ending, such as ``orders/merge_orders``."""
    text: LiteralString = (folder() / f"{name}.sql").read_text(encoding="utf-8")
    return text
