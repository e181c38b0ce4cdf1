"""Keeps an uploaded file hidden in its inbox, where no run reads it, until a person has seen what it would do."""

from __future__ import annotations

import re
import shutil
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from backmarket.hooks.inbox import files_of, is_meant, sha256_of

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from backmarket.hooks.inbox import InboxFile

FOLDER = ".uploads"
"""Where uploads lie in an inbox; what is hidden is left out of its list."""

_KEPT = timedelta(days=1)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ODD_LETTERS = re.compile(r"[^\w.()+ -]")
# A name of a file takes 255 bytes on most systems, and others are made of it.
_LONGEST_STEM, _LONGEST_ENDING = 160, 16


@dataclass(frozen=True)
class Upload:
    """A file that was uploaded and not loaded yet.

    :param inbox: the one that it is for.
    :param name: what it is to be called there.
    """

    inbox: ObjectStoragePath
    sha256: str
    name: str

    @property
    def place(self) -> ObjectStoragePath:
        """Where it is to lie."""
        return self.inbox / self.name

    @property
    def file(self) -> InboxFile:
        """The file, as if it were where it is to lie.

        :raises FileNotFoundError: where somebody has loaded or discarded it meanwhile.
        """
        if not self._stored.is_file():
            raise FileNotFoundError(self.name)
        return replace(next(files_of(self._stored)), path=str(self.place))

    def move_in(self) -> None:
        """Put it where the next run reads it, in place of another file of that name, and whole from the beginning on.

        :raises OSError: where the storage does not do so.
        """
        self._stored.move(self.place)
        self.discard()

    def discard(self) -> None:
        """Let it be gone; one that is gone already is fine."""
        _remove(self._stored.parent)

    @property
    def _stored(self) -> ObjectStoragePath:
        return self.inbox / FOLDER / self.sha256 / self.name


def keep(inbox: ObjectStoragePath, name: str, content: IO[bytes], *, now: datetime, may_replace: bool = True) -> Upload:
    """Keep a file until it is loaded; others that nobody has loaded within a day are removed.

    :param name: as :func:`safe_name` leaves it.
    :param may_replace: whether it takes the place of another file of its name; else it gets a name of its own.
    :raises OSError: where the storage does not take it.
    """
    _remove_abandoned(inbox, now - _KEPT)
    sha256 = sha256_of(content)
    if not may_replace and (inbox / name).is_file():
        path = PurePosixPath(name)
        name = f"{path.stem}-{sha256[:8]}{path.suffix}"
    upload = Upload(inbox, sha256, name)
    folder = inbox / FOLDER / sha256
    _remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("wb") as stored:  # type: ignore[no-untyped-call]
        shutil.copyfileobj(content, stored)
    return upload


def find(inbox: ObjectStoragePath, sha256: str) -> Upload | None:
    """Return an upload by its content; None where it was loaded, discarded or removed."""
    folder = inbox / FOLDER / sha256
    if not _SHA256.fullmatch(sha256) or not folder.is_dir():
        return None
    return next((Upload(inbox, sha256, path.name) for path in folder.iterdir() if path.is_file()), None)


def safe_name(name: str) -> str:
    """Return a name under which a file may be stored and is read: no folder, nothing hidden, no odd letters."""
    plain = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1]).strip().lstrip(".")
    path = PurePosixPath(_ODD_LETTERS.sub("_", plain).strip() or "file")
    stem = path.stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
    safe = stem + path.suffix.encode()[:_LONGEST_ENDING].decode(errors="ignore")
    return safe if is_meant(safe) else f"upload-{safe}_"


def _remove_abandoned(inbox: ObjectStoragePath, since: datetime) -> None:
    uploads = inbox / FOLDER
    if not uploads.is_dir():
        return
    for path in list(uploads.rglob("*")):
        # Somebody else may have removed it.
        with suppress(FileNotFoundError):
            if path.is_file() and path.fs.modified(path.path).astimezone(UTC) < since:
                _remove(path.parent)


def _remove(folder: ObjectStoragePath) -> None:
    # An object storage has no folder left where nothing is in it.
    with suppress(FileNotFoundError):
        folder.fs.rm(folder.path, recursive=True)
