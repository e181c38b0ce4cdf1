"""Finds and opens files where they land: any object storage that Airflow reads, packed or not."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import shutil
import zipfile
import zlib
from bisect import bisect_right
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from backmarket.environment import where_variable_is
from backmarket.rules.file_kinds import GZIP, ZIP, document_of
from backmarket.rules.settlements.blocks import StatementError

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTLEMENTS, SELLER, INVOICES = "settlements", "seller", "invoices"
"""What lands in an inbox, and the default folder's name: statements, files that fill the seller's tables, or customers'
invoices."""

# plugins/ in this repository and on an Airflow it was copied to; site-packages where it was installed.
_ROOT = Path(__file__).resolve().parents[2]
_IN_MEMORY_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
# Hidden, half written, a lock, what a system leaves in its folders, a README: none of these is meant.
_NOT_MEANT = re.compile(
    r"(^|/)(\.|~\$|__MACOSX/|lost\+found/|readme[^/]*$|thumbs\.db$|desktop\.ini$)|(~|\.(tmp|temp|part|partial|crdownload|swp|lock))$",
    re.IGNORECASE,
)
_UNPACKING_ERRORS = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    # A name that its archive says is UTF-8, and is not.
    UnicodeDecodeError,
)


_OF_THIS_MACHINE = frozenset({"", "file", "local"})
# The least that the database tells apart.
_AN_INSTANT = timedelta(microseconds=1)
# As new as can be: what may be older than another is never taken for it.
_NOT_TOLD = datetime.max.replace(tzinfo=UTC)


class InboxError(Exception):
    """The place where files land, or files in it, cannot be read; the message says which."""


class NoInboxError(InboxError):
    """Nobody has said where files land, and the default folder is not on this worker."""


@dataclass(frozen=True)
class InboxFile:
    """One file, possibly inside a ``.zip``.

    :param path: its URL; a member of an archive follows after ``!/``. Bytes of its name that are no text stand in it as
        ``\\udce9``, so that it can be stored and printed.
    :param size: bytes as stored, of the archive where it lies in one; -1 where the storage does not say that, nor when,
        or does not give an archive.
    :param modified_at: likewise; where the storage does not say, it may be newer than any other.
    :param older_by: how much earlier it counts as stored than its archive was, so that files of one archive keep the
        order in which they were written; their own times are of no zone, and only tell that order.
    :param shares_stem: whether another file differs by its ending alone: what lies beside it has its whole name then.
    """

    path: str
    size: int
    modified_at: datetime
    storage: ObjectStoragePath
    member: str | None = None
    older_by: timedelta = timedelta(0)
    shares_stem: bool = False

    @property
    def name(self) -> str:
        """The file's own name, which may hold the invoice reference."""
        name = self.path.rpartition("/")[2]
        # Some programs of Windows part the folders in an archive their own way.
        return name if self.member is None else name.rpartition("\\")[2]

    @contextmanager
    def content(self) -> Iterator[tuple[IO[bytes], str]]:
        """Give a local, seekable copy of the unpacked content, and its SHA-256; the file itself is only read.

        :raises OSError: where the storage fails, or did not say when the file was stored: it may be older than another;
            or where it is a folder or archive that cannot be looked into, or a link that cannot be followed.
        :raises StatementError: where an archive is broken.
        """
        if self.size < 0:
            raise OSError("the storage did not say when it was stored, or what is in it")
        with SpooledTemporaryFile(_IN_MEMORY_BYTES) as copy:
            with _as_os_errors(), self.storage.open("rb") as stored:  # type: ignore[no-untyped-call]
                try:
                    if self.member is not None:
                        with _open_archive(stored) as archive, archive.open(_found(archive, self.member)) as packed:
                            _copy(packed, copy)
                    elif _is_named_zip(self.name) and _members_of(stored):
                        raise OSError("the storage gave this archive only after its members were listed")
                    else:
                        _copy(stored, copy)
                except _UNPACKING_ERRORS as error:
                    raise StatementError(f"the archive cannot be unpacked: {error}") from error
            yield copy, sha256_of(copy)

    def write_beside(self, ending: str, text: str) -> None:
        """Store a text under the file's name with another ending; without a text, none is there afterwards.

        :raises OSError: where the storage does not take it.
        """
        beside = self.storage.parent / ((self.full_name if self.shares_stem else self.stem) + ending)
        with _as_os_errors():
            if text:
                # What is no character, the row holds all the same: it stands there as JSON writes it.
                with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:  # type: ignore[no-untyped-call]
                    file.write(text)
            elif beside.exists():
                beside.unlink()

    @property
    def full_name(self) -> str:
        """What it is called beside others; a member of an archive with its folders there."""
        return self.storage.name if self.member is None else f"{self.storage.name}.{self.member.replace('/', '.')}"

    @property
    def stem(self) -> str:
        """Its name without what kind of file it is; a member's with that of its archive."""
        name = self.storage.name if self.member is None else f"{self.storage.name}.{PurePosixPath(self.member).name}"
        return PurePosixPath(name.removesuffix(".gz")).stem


def default_inbox(folder: str) -> Path:
    """Return where files land unless a Variable says so: beside ``plugins/``, else in Airflow's home.

    :param folder: :data:`SETTLEMENTS` or :data:`SELLER`.
    """
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return (_ROOT.parent if _ROOT.name == "plugins" else home) / "inbox" / folder


def open_inbox(url: str | None, folder: str) -> ObjectStoragePath:
    """Return an inbox, which need not be there; None is :func:`default_inbox`."""
    return ObjectStoragePath(url or default_inbox(folder).as_uri())


def list_inbox(
    url: str | None, folder: str = SETTLEMENTS, *, variable: str = "backmarket_settlement_inbox"
) -> list[InboxFile]:
    """List all files below an inbox, and those in its ``.zip`` archives, in the order of their paths.

    Whatever their names, loading them tells what they are. Left out is what is obviously not meant: hidden files and
    folders, half-written ones (``.tmp``, ``.part``, …), locks, and READMEs.

    :param url: the inbox; None for :func:`default_inbox`.
    :param folder: of the default inbox: what lands there.
    :param variable: the Variable that says it, for messages.
    :raises NoInboxError: where none is given, and the default is not there.
    :return: also a folder in it that cannot be listed, and a link that cannot be followed, as files that the storage
        does not give.
    :raises InboxError: where a given inbox is not there or its storage cannot be used.
    """
    inbox = find_inbox(url, folder, variable=variable)
    closed: list[ObjectStoragePath] = []
    try:
        stored = sorted((path for path in _paths_below(inbox, closed) if _is_meant(inbox, path)), key=str)
    except Exception as error:
        raise _not_listed(url, variable, error) from error
    not_given = [InboxFile(_printable(str(path)), -1, _NOT_TOLD, path) for path in sorted(closed, key=str)]
    return _told_apart([*not_given, *(file for path in stored for file in files_of(path))])


def find_inbox(url: str | None, folder: str, *, variable: str) -> ObjectStoragePath:
    """Return an inbox that is there; the parameters and errors are those of :func:`list_inbox`."""
    try:
        inbox = open_inbox(url, folder)
        if inbox.is_dir():
            return inbox
    except Exception as error:
        raise _not_listed(url, variable, error) from error
    if url is None:
        raise NoInboxError(
            f"Variable {variable} is empty, and the folder {default_inbox(folder)}, where files are looked for then, "
            "is not on this worker. Another worker's folder of that name is not this one. Set "
            f"{variable} {where_variable_is(variable)} to object storage (s3://…, gs://…, abfs://…) or to a folder "
            "that all workers share."
        )
    raise InboxError(
        f"The inbox {url} is not there, or holds nothing, which in object storage is the same. Put the first file into "
        f"it, or correct Variable {variable} {where_variable_is(variable)}; then clear this task."
    )


def is_meant(name: str) -> bool:
    """Tell whether a file of this name would be read, wherever below an inbox it lies."""
    return not _NOT_MEANT.search(name)


def _not_listed(url: str | None, variable: str, error: Exception) -> InboxError:
    return InboxError(
        f"The inbox {url} of Variable {variable} cannot be listed: {error}. For s3://, gs:// or abfs:// install the "
        "provider of that storage and name its connection, as in s3://connection_id@bucket/folder."
    )


def _paths_below(inbox: ObjectStoragePath, closed: list[ObjectStoragePath]) -> Iterator[ObjectStoragePath]:
    """Give all files below an inbox.

    Of a folder of this machine that may not be listed, fsspec says that it is empty; links to folders it leaves out.

    :param closed: takes the folders of this machine that cannot be listed, and the links that cannot be followed.
    :raises OSError: where the inbox itself cannot be listed.
    """
    if inbox.protocol in _OF_THIS_MACHINE:
        yield from _files_in(inbox, closed, [os.path.realpath(inbox.path)])
    else:
        yield from (path for path in inbox.rglob("*") if path.is_file())


def _files_in(
    folder: ObjectStoragePath, closed: list[ObjectStoragePath], above: list[str]
) -> Iterator[ObjectStoragePath]:
    """Give the files of a local folder and of those in it.

    :param above: where this folder and those that it lies in really are: a link back to one of them leads nowhere new.
    """
    for entry in list(os.scandir(folder.path)):
        path = folder / entry.name
        try:
            is_file, is_folder = entry.is_file(), entry.is_dir()
        except OSError:
            # A link in a circle, or to where the worker may not look.
            if is_meant(entry.name):
                closed.append(path)
            continue
        if is_file:
            yield path
        elif is_folder and is_meant(f"{entry.name}/") and (place := os.path.realpath(entry.path)) not in above:
            try:
                yield from _files_in(path, closed, [*above, place])
            except OSError:
                closed.append(path)


def _is_meant(inbox: ObjectStoragePath, path: ObjectStoragePath) -> bool:
    return is_meant(str(path).removeprefix(str(inbox).rstrip("/")).lstrip("/"))


def files_of(path: ObjectStoragePath) -> Iterator[InboxFile]:
    """Give the file that lies somewhere, or those in it where it is a ``.zip`` archive."""
    try:
        with _as_os_errors():
            # fsspec knows each storage's own name for the time; ObjectStoragePath.stat() does so for some only.
            modified_at = path.fs.modified(path.path).astimezone(UTC)
            size = path.stat().st_size
    except OSError:
        size, modified_at = -1, _NOT_TOLD
    members: dict[str, timedelta] = {}
    if _is_named_zip(path.name):
        try:
            # Where it is broken, reading it will say what is wrong with it.
            with _as_os_errors(), suppress(*_UNPACKING_ERRORS), path.open("rb") as stored:  # type: ignore[no-untyped-call]
                members = _members_of(stored)
        except OSError:
            # What is in it is not known: it is no file of its own.
            size = -1
    if not members:
        yield InboxFile(_printable(str(path)), size, modified_at, path)
    for member, older_by in members.items():
        yield InboxFile(_printable(f"{path}!/{member}"), size, modified_at, path, member, older_by)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Let what a cloud's own client raises count as what any other storage raises where it fails.

    :raises OSError: then.
    """
    try:
        yield
    except (OSError, StatementError):
        raise
    except Exception as error:
        raise OSError(f"the storage failed: {type(error).__name__}") from error


def _printable(path: str) -> str:
    """Return a path without half characters, as which Python takes the bytes of a name that is not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()


def _is_named_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _members_of(stored: IO[bytes]) -> dict[str, timedelta]:
    """Return the files in an archive, each with how much older it counts as; none in a workbook or the like."""
    if not _begins_with(ZIP, stored):
        return {}
    with _open_archive(stored) as archive:
        written_at = {each.filename: each.date_time for each in archive.infolist()}
    if document_of(sorted(written_at)):
        return {}
    names = [name for name in sorted(written_at) if not name.endswith("/") and is_meant(name)]
    times = sorted(written_at[name] for name in names)
    return {name: (len(times) - bisect_right(times, written_at[name])) * _AN_INSTANT for name in names}


def _found(archive: zipfile.ZipFile, member: str) -> zipfile.ZipInfo:
    """Return a member of an archive.

    :raises OSError: where another archive has taken its place since its members were listed: the next run lists those.
    """
    try:
        return archive.getinfo(member)
    except KeyError:
        raise OSError("another archive took its place after its members were listed") from None


def _told_apart(files: list[InboxFile]) -> list[InboxFile]:
    """Mark files of one folder whose names differ by their endings alone."""
    places = [(str(file.storage.parent), file.stem) for file in files]
    many = Counter(places)
    return [
        replace(file, shares_stem=True) if many[place] > 1 else file for file, place in zip(files, places, strict=True)
    ]


def _open_archive(stored: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stored)
    except ValueError as error:
        # What a directory with impossible offsets raises.
        raise zipfile.BadZipFile(str(error)) from error


def _begins_with(start: bytes, file: IO[bytes]) -> bool:
    found = file.read(len(start))
    file.seek(0)
    return found == start


def _copy(source: Any, target: IO[bytes]) -> None:
    """Copy a file; unpack it where gzip has packed it, whatever its name says."""
    if _begins_with(GZIP, source):
        with gzip.open(source) as unpacked:
            shutil.copyfileobj(unpacked, target, _CHUNK_BYTES)
    else:
        shutil.copyfileobj(source, target, _CHUNK_BYTES)


def sha256_of(file: IO[bytes]) -> str:
    """Return the SHA-256 of a seekable file, which is at its beginning afterwards."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
