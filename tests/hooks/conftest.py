"""Inboxes for tests of what lands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["file", "memory"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoragePath:
    """An empty folder, on a disk and in a storage that is none."""
    if request.param == "file":
        return ObjectStoragePath(tmp_path.as_uri())
    attach("memory", fs=MemoryFileSystem())
    folder = ObjectStoragePath(f"memory://{uuid4().hex}/inbox")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
