"""Reads files that go along with a message, from any object storage that Airflow reads."""

from __future__ import annotations

from mimetypes import guess_type
from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath

if TYPE_CHECKING:
    from backmarket.api.care import Attachment


def read_attachment(url: str) -> Attachment:
    """Read one file.

    :param url: a path or an object-storage URL.
    :raises OSError: where the storage does not give it.
    """
    from backmarket.api.care import Attachment

    path = ObjectStoragePath(url)
    return Attachment(path.name, path.read_bytes(), guess_type(path.name)[0] or "application/octet-stream")
