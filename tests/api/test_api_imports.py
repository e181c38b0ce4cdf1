"""The client's own house rules."""

from __future__ import annotations

from pathlib import Path

import backmarket.api

SOURCES = sorted(Path(backmarket.api.__file__).parent.rglob("*.py"))


def test_one_module_knows_httpx() -> None:
    """The HTTP library can be replaced in one place."""
    assert len(SOURCES) > 10
    assert [path.name for path in SOURCES if "import httpx" in path.read_text()] == ["transport.py"]


def test_no_file_grows_large() -> None:
    """One purpose a file: what needs more has two."""
    assert [path.name for path in SOURCES if len(path.read_text().splitlines()) > 250] == []
