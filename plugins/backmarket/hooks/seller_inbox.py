"""Finds the seller's files where they land: any object storage that Airflow reads, packed or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath

from backmarket.hooks.settlement_inbox import InboxError, InboxFile, NoInboxError, files_of

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).resolve().parents[2]


class SellerFile(InboxFile):
    """One file of the seller, possibly inside a ``.zip``."""

    def write_beside(self, ending: str, text: str) -> None:
        """Store a text under the file's name with another ending; without a text, none is there afterwards.

        :raises OSError: where the storage does not take it.
        """
        name = self.storage.name if self.member is None else f"{self.storage.name}.{self.name}"
        beside = self.storage.parent / (name.removesuffix(".gz").rpartition(".")[0] + ending)
        if text:
            with beside.open("w", encoding="utf-8", newline="") as file:  # type: ignore[no-untyped-call]
                file.write(text)
        elif beside.exists():
            beside.unlink()


def default_seller_inbox() -> Path:
    """Return where the seller's files land unless a Variable says so: beside ``plugins/``, else in Airflow's home."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return (_ROOT.parent if _ROOT.name == "plugins" else home) / "inbox" / "seller"


def list_seller_inbox(url: str | None, wanted: Callable[[str], bool], *, variable: str) -> list[SellerFile]:
    """List the files below an inbox whose name is wanted.

    :param url: the inbox; None for :func:`default_seller_inbox`.
    :param variable: the Variable that says it, for messages.
    :raises NoInboxError: where none is given, and the default is not there.
    :raises InboxError: where a given inbox is not there or its storage cannot be used.
    """
    try:
        inbox = ObjectStoragePath(url or default_seller_inbox().as_uri())
        if not inbox.is_dir():
            if url is None:
                raise NoInboxError(
                    f"Variable {variable} is empty, and the folder {default_seller_inbox()}, where files are looked "
                    "for then, is not on this worker. Another worker's folder of that name is not this one. Set "
                    f"{variable} under Admin → Variables to object storage (s3://…, gs://…, abfs://…) or to a folder "
                    "that all workers share."
                )
            raise InboxError(
                f"The seller inbox {url} is not there, or holds nothing, which in object storage is the same. Put the "
                f"first file into it, or correct Variable {variable} under Admin → Variables; then clear this task."
            )
        stored = sorted((path for path in inbox.rglob("*") if _is_file(path)), key=str)
    except (ImportError, ValueError, OSError) as error:
        raise InboxError(
            f"The seller inbox {url} cannot be listed: {error}. For s3://, gs:// or abfs:// install the provider of "
            "that storage and name its connection, as in s3://connection_id@bucket/folder."
        ) from error
    found = (file for path in stored for file in files_of(path))
    return [
        SellerFile(file.path, file.size, file.modified_at, file.storage, file.member)
        for file in found
        if wanted(file.name)
    ]


def _is_file(path: ObjectStoragePath) -> bool:
    # Workbooks that are open have such a file beside them.
    return not path.name.startswith((".", "~$")) and path.is_file()
