"""Fills the seller's tables from files: each row is judged as a row of the table is, each file is loaded whole."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - read at run time by the dataclass
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

import psycopg

from backmarket.rules.inventory import is_mass_zero
from backmarket.rules.seller_files.headers import ACCOUNT, HeaderError, find_header
from backmarket.rules.settlements.blocks import StatementError
from backmarket.rules.settlements.styles import StyleError
from backmarket.services.file_times import tell_of_time_to_come
from backmarket.services.item_failures import named
from backmarket.services.seller_file_reading import Reading
from backmarket.services.text_tables import FileFormatError, exchange_rates, read_table
from backmarket.warehouse import quarantine
from backmarket.warehouse.jsonb import cleaned
from backmarket.warehouse.seller_files import (
    TARGETS,
    Differences,
    FileState,
    Staging,
    Target,
    account_that_has,
    adopt_copy,
    count_run,
    known_content,
    known_files,
    lock_rows,
    newer_file,
    release_files,
    remember,
    why_not_fillable,
)
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager

    from backmarket.services.log import Log
    from backmarket.settings import SellerFilesSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_files import KnownContent, KnownFile

REJECTED = ".rejected.csv"
"""How the name of the file ends that is written beside another, with the rows that cannot be used."""

ENTITY = "seller_file"
"""What rows of files, and files, are in quarantine as; the file's path follows."""

# What the European Central Bank calls its files.
_OTHER_NAMES = {"eurofxref": "fx_rates"}
_MOST_LOGGED = 20
_COPY = "it says what the file that was loaded before it said"


class FileRefusedError(ValueError):
    """A file cannot be used, and nothing of it is stored; the message says why, for a person."""


class InboxFile(Protocol):
    """A file where the seller's files land."""

    @property
    def path(self) -> str:
        """Where it lies."""

    @property
    def name(self) -> str:
        """Its own name."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def modified_at(self) -> datetime:
        """When it was stored."""

    @property
    def older_by(self) -> timedelta:
        """How much earlier it counts as stored than the archive that it lies in."""

    def content(self) -> AbstractContextManager[tuple[IO[bytes], str]]:
        """Give its unpacked content, and its SHA-256."""

    def write_beside(self, ending: str, text: str) -> None:
        """Store a text under its name with another ending; without a text, none is there."""


@dataclass(frozen=True)
class FileRules:
    """How files are to be read.

    :param is_snapshot: whether a stock or price file says everything there is.
    :param columns: the seller's own headers by table: which column each is.
    :param count_lag: how much older than its file a count is that has no time.
    :param guard_pct: a snapshot that takes away more of what there is holds.
    :param may_drop_all: whether a person has allowed that.
    """

    is_snapshot: bool = True
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    count_lag: timedelta = timedelta(hours=1)
    guard_pct: int = 50
    may_drop_all: bool = False


class FilesLeftError(Exception):
    """Some files, or rows of them, could not be used; everything else is loaded."""


def rules_of(settings: SellerFilesSettings, *, may_drop_all: bool) -> FileRules:
    """Return how files are to be read.

    :param may_drop_all: whether a person has allowed files that take most of what is there away.
    """
    return FileRules(
        is_snapshot=settings.seller_files_mode == "snapshot",
        columns={str(table): columns for table, columns in settings.seller_columns.items()},
        count_lag=timedelta(minutes=settings.seller_count_lag_minutes),
        guard_pct=settings.zero_guard_pct,
        may_drop_all=may_drop_all,
    )


def fail_where_files_are_left(done: Mapping[str, Any]) -> None:
    """Pass where all that the files say is loaded.

    :param done: what the task that loads them returned.
    :raises FilesLeftError: naming files and what to do.
    """
    told = []
    if done["refused_files"]:
        told.append(
            f"Nothing of {named(done['refused_files'])} could be used: the log of seller_files and "
            "backmarket.seller_files say why. Put a corrected file in its place."
        )
    if done["held_files"]:
        told.append(
            f"{named(done['held_files'])} is held, nothing of it is loaded: the log of seller_files and "
            "backmarket.seller_files say why, and what to do."
        )
    if done["rejected"]:
        told.append(
            f"{counted(done['rejected'], 'row')} cannot be used: correct what stands in the files named *{REJECTED}, "
            "beside those that hold them."
        )
    if done["files_left"]:
        told.append(f"The storage did not give {named(done['files_left'])}: check that its connection may read them.")
    if told:
        raise FilesLeftError(" ".join([*told, "Everything else is loaded."]))


def target_of(name: str) -> Target | None:
    """Return the table that a file fills, by its name's beginning; None for a file of something else."""
    lowered = name.lower()
    if lowered.endswith(REJECTED):
        return None
    names = {**TARGETS, **{other: TARGETS[table] for other, table in _OTHER_NAMES.items()}}
    return next((target for name, target in names.items() if re.match(rf"{name}(?![a-z])", lowered)), None)


@dataclass
class SellerFileLoading:
    """Loads what is new in the inbox, each file in a transaction of its own.

    :param now: no later than the files were listed: none was stored after that, whatever its time says.
    :param refused: the files of which nothing could be stored; each is in quarantine with its reason.
    :param held: the snapshots that would have taken too much away.
    :param files_left: the files that the storage did not give.
    :param rejected: how many rows could not be used.
    """

    connection: Connection
    account: str
    rules: FileRules
    log: Log
    run_id: str
    refused: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    files_left: list[str] = field(default_factory=list)
    rejected: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _known: Mapping[str, KnownFile] = field(default_factory=dict)

    def load(self, files: Sequence[InboxFile]) -> dict[str, int]:
        """Load every file that is new or has changed, the oldest first; return the counts.

        What an earlier attempt of the run has loaded counts, too: it may have been stopped before it told of that.
        """
        self._known = known_files(self.connection, self.account)
        seen, unmatched = 0, []
        self._release(self._known, {file.path for file in files})
        for file in sorted(files, key=lambda file: (self._stored_at(file), file.modified_at, file.path)):
            target = target_of(file.name)
            if target is None:
                if file.size < 0:
                    self.files_left.append(file.path)
                    self.log.warning("The storage did not give %s, or did not say when it was stored.", file.path)
                elif not file.name.lower().endswith(REJECTED):
                    unmatched.append(file.path)
                continue
            seen += 1
            before = self._known.get(file.path)
            if before and self._is_settled(before, file, target):
                if before.status == "refused":
                    self.refused.append(file.path)
                continue
            self._load(file, target)
        done = count_run(self.connection, self.account, self.run_id)
        self.rejected = done.rejected
        if unmatched:
            self.log.info(
                "%s left alone, as no table's name stands at the beginning: %s.",
                counted(len(unmatched), "file"),
                named(unmatched),
            )
        return {
            "files": seen,
            "unmatched": len(unmatched),
            "loaded": done.loaded,
            "new": done.new,
            "changed": done.changed,
            "gone": done.gone,
        }

    def _release(self, known: Mapping[str, KnownFile], paths: Collection[str]) -> None:
        gone = [path for path, file in known.items() if path not in paths and not file.is_gone]
        if gone:
            release_files(self.connection, self.account, ENTITY, gone)

    def _is_settled(self, known: KnownFile, file: InboxFile, target: Target) -> bool:
        if not _is_same(known, file) or known.is_gone or not known.is_settled:
            return False
        if known.status in {"loaded", "superseded"}:
            return True
        return known.status == "refused" and not self._newer_file(file, target)

    def _stored_at(self, file: InboxFile) -> datetime:
        """Return when a file was stored: one of a time to come no later than when it was first seen as it is."""
        return self._seen_at(file) - file.older_by

    def _seen_at(self, file: InboxFile) -> datetime:
        if file.modified_at <= self.now:
            return file.modified_at
        known = self._known.get(file.path)
        return min(self.now, known.read_at) if known and _is_same(known, file) else self.now

    def _newer_file(self, file: InboxFile, target: Target) -> str | None:
        """Return the path of a newer file that is loaded, where such a file says everything; else None."""
        if not target.is_snapshot or not self.rules.is_snapshot:
            return None
        return newer_file(self.connection, self.account, target.name, file.path, self._stored_at(file))

    def _superseded(self, file: InboxFile, target: Target, state: FileState) -> FileState | None:
        """Return what becomes of a file where a newer one is loaded that says everything; else None."""
        newer = self._newer_file(file, target)
        if newer is None:
            return None
        return state._replace(
            status="superseded",
            reason=f"it is older than {newer}, which is loaded and says everything. If this one is right, store it "
            "anew, so that it is the newer one",
        )

    def _state(self, file: InboxFile, target: Target, sha256: str) -> FileState:
        return FileState(file.path, target.name, file.size, file.modified_at, self._stored_at(file), sha256)

    def _load(self, file: InboxFile, target: Target) -> None:
        try:
            with file.content() as (content, sha256):
                state = self._store(file, target, content, self._state(file, target, sha256))
        except OSError as error:
            self.files_left.append(file.path)
            self.log.warning("The storage did not give %s: %s", file.path, type(error).__name__)
            return
        except StatementError as error:
            # What cannot be unpacked has no content to be known by.
            state = self._state(file, target, "")._replace(status="refused", reason=str(error))
            with self.connection.transaction():
                state = self._superseded(file, target, state) or state
                self._note(file, self._reading(state, target), state)
        tell_of_time_to_come(self.log, file.path, file.modified_at, stored_at=state.stored_at)
        if state.status == "held":
            self.held.append(file.path)
            self.log.warning("%s is held, nothing of it is loaded: %s.", file.path, state.reason)
        elif state.status == "refused":
            self.refused.append(file.path)
            self.log.warning("%s is refused, nothing of it is loaded: %s.", file.path, state.reason)
        elif state.reason:
            self.log.info("%s: %s.", file.path, state.reason)
        else:
            what = {"new": state.new_rows, "changed": state.changed_rows, "gone": state.gone_rows}
            rows, became = counted(state.row_count, "row"), tally(what, none="nothing changed")
            self.log.info("%s: %s for seller.%s: %s.", file.path, rows, target.name, became)

    def preview(self, file: InboxFile, target: Target) -> Preview:
        """Do all that loading a file does, and take it back; nothing is kept of it, and nothing logged.

        :raises OSError: where the storage does not give the file.
        """
        with file.content() as (content, sha256):
            state = self._state(file, target, sha256)
            reading = self._reading(state, target)
            with self.connection.transaction(force_rollback=True):
                lock_rows(self.connection, self.account, target)
                state = self._judge(file, reading, content, state)
        return Preview(reading, state, is_known=state.reason == _COPY)

    def _store(self, file: InboxFile, target: Target, content: IO[bytes], state: FileState) -> FileState:
        with self.connection.transaction():
            lock_rows(self.connection, self.account, target)
            reading = self._reading(state, target)
            state = self._superseded(file, target, state) or self._judge(file, reading, content, state)
            if reading.unknown:
                self.log.info("%s: no column of seller.%s: %s.", file.path, target.name, ", ".join(reading.unknown))
            self._note(file, reading, state)
        return state

    def _note(self, file: InboxFile, reading: Reading, state: FileState) -> None:
        """Write down what became of a file."""
        if state.status in {"loaded", "superseded"}:
            self._name_rejected(file, reading)
        else:
            self._keep_whole(file, state)
        remember(self.connection, self.account, state, run_id=self.run_id)

    def _reading(self, state: FileState, target: Target) -> Reading:
        return Reading(target, self.account, counted_at=state.stored_at - self.rules.count_lag)

    def _judge(self, file: InboxFile, reading: Reading, content: IO[bytes], state: FileState) -> FileState:
        """Bring the table to what a file says, or leave it as it is and say why."""
        original = known_content(self.connection, self.account, reading.target.name, state.sha256)
        if original and not self._may_be_new_count(state, reading, original):
            return self._take_for_copy(state, original)
        try:
            with self.connection.transaction():
                return self._merge(file, reading, content, state, original)
        except _CopyError:
            return self._take_for_copy(state, original) if original else state
        except (FileFormatError, StatementError) as error:
            return state._replace(status="refused", reason=cleaned(str(error)))
        # Against all else a person may do something and leave the file as it is: to a Variable, or to the table.
        except (FileRefusedError, HeaderError, StyleError) as error:
            return state._replace(status="refused", reason=cleaned(str(error)), is_settled=False)
        except _HeldError as error:
            return state._replace(status="held", reason=str(error), is_settled=False)
        except (psycopg.IntegrityError, psycopg.DataError, psycopg.ProgrammingError) as error:
            # Words of PostgreSQL may quote what stands in a row; these do not.
            what = error.diag.constraint_name or error.diag.column_name or type(error).__name__
            return state._replace(
                status="refused",
                reason=f"{reading.target.form.table} does not take its rows ({what})",
                is_settled=False,
            )

    def _may_be_new_count(self, state: FileState, reading: Reading, original: KnownContent) -> bool:
        """Tell whether a file may say something new in the same words: counts without a time are as new as it is."""
        return reading.target is TARGETS["stock"] and state.stored_at > original.stored_at

    def _take_for_copy(self, state: FileState, original: KnownContent) -> FileState:
        """Let a copy say what its original said, which may be its own former name: what it corrects later goes."""
        if state.stored_at >= original.stored_at:
            adopt_copy(self.connection, self.account, state, original)
        return state._replace(reason=_COPY)

    def _merge(
        self, file: InboxFile, reading: Reading, content: IO[bytes], state: FileState, original: KnownContent | None
    ) -> FileState:
        target = reading.target
        staging = self._stage(file, reading, content, state, original)
        if not reading.row_count:
            raise FileRefusedError("it has a header and not one row")
        if reading.rejected == reading.row_count:
            raise FileRefusedError(f"none of its {reading.row_count:,} rows can be used. {reading.first_reason}")
        if target.is_whole and reading.rejected:
            raise FileRefusedError(
                f"{counted(reading.rejected, 'row')} of it cannot be used, and what a SKU feeds only all of its rows "
                f"say. {reading.first_reason}"
            )
        is_snapshot = target.is_snapshot and self.rules.is_snapshot
        if not is_snapshot and (older := staging.drop_older(state.stored_at)):
            self.log.info("%s: newer files say %s of it otherwise, and hold.", file.path, counted(older, "row"))
        found = reading.differences = staging.compare(is_snapshot=is_snapshot, rejected_keys=reading.rejected_keys)
        if is_snapshot and reading.rejected_without_key and found.gone:
            raise _HeldError(
                f"it says everything there is, and {reading.rejected_without_key:,} of its rows do not say what they "
                f"are about, such as {reading.first_reason}. Correct them, so that nothing is taken for gone"
            )
        self._guard(found, target)
        staging.merge(reading.counted_at)
        return state._replace(
            row_count=reading.row_count,
            rejected=reading.rejected,
            new_rows=found.new,
            changed_rows=found.changed,
            gone_rows=found.gone,
        )

    def _refuse_shared(self, state: FileState) -> None:
        """Refuse a count of units that another account has taken for its own: both would sell them."""
        if other := account_that_has(self.connection, self.account, state):
            raise FileRefusedError(
                f"account {other} reads this very file, and units that are counted for two accounts are sold by both. "
                f"Give one of them an inbox of its own, such as by Variable backmarket_{self.account}__seller_inbox"
            )

    def _stage(
        self, file: InboxFile, reading: Reading, content: IO[bytes], state: FileState, original: KnownContent | None
    ) -> Staging:
        """Stage the rows of a file that can be used, and take down the others."""
        target = reading.target
        if problem := why_not_fillable(self.connection, target):
            raise FileRefusedError(problem)
        table = read_table(content, file.name, sheet=target.name)
        if target is TARGETS["fx_rates"]:
            table = exchange_rates(table)
        columns = (ACCOUNT, *target.columns)
        header = find_header(table.first_rows, columns, target.required, self.rules.columns.get(target.name))
        if target is TARGETS["stock"] and ACCOUNT not in header.places:
            self._refuse_shared(state)
        staging = Staging(self.connection, self.account, target, file.path)
        staging.copy(reading.rows(table, header))
        if original and not reading.counted_without_time:
            raise _CopyError
        if doubles := staging.drop_doubles():
            reading.reject_doubles(table, header, set(doubles))
        return staging

    def _guard(self, found: Differences, target: Target) -> None:
        """Hold a file that would take too much away.

        :raises _HeldError: saying how much, and how to let it through.
        """
        if not self.rules.may_drop_all and is_mass_zero(found.gone, found.known, self.rules.guard_pct):
            raise _HeldError(
                f"it names {found.gone:,} of the {found.known:,} rows of seller.{target.name} no longer, more than "
                f"{self.rules.guard_pct} %. If that is right, trigger the DAG with its param allow_mass_zero; else put "
                "a whole file in its place"
            )

    def _name_rejected(self, file: InboxFile, reading: Reading) -> None:
        """Keep rows that cannot be used in quarantine, and all of them in a file beside this one."""
        self._keep(file, reading.kept)
        for number, (_, reason) in list(reading.kept.items())[:_MOST_LOGGED]:
            self.log.warning("%s, %s: %s", file.path, number, reason)
        try:
            file.write_beside(REJECTED, reading.rejected_text())
        except OSError as error:
            self.log.warning(
                "No file could be written beside %s (%s): its rows stand in quarantine.",
                file.path,
                type(error).__name__,
            )

    def _keep_whole(self, file: InboxFile, state: FileState) -> None:
        document = {"path": file.path, "size": file.size, "modified_at": file.modified_at.isoformat()}
        self._keep(file, {"the file": (document, state.reason)})

    def _keep(self, file: InboxFile, documents: Mapping[str, tuple[Mapping[str, Any], str]]) -> None:
        quarantine.replace(self.connection, self.account, f"{ENTITY} {file.path}", documents, run_id=self.run_id)


def _is_same(known: KnownFile, file: InboxFile) -> bool:
    return (known.size, known.modified_at) == (file.size, file.modified_at)


class _CopyError(Exception):
    """A file says nothing that the file that was loaded before it did not say."""


class _HeldError(Exception):
    """A file would take too much away; the message says how much, for a person."""


class Preview(NamedTuple):
    """What loading a file would do.

    :param state: what would become of it.
    :param is_known: whether this very content was loaded before, so that nothing would be done.
    """

    reading: Reading
    state: FileState
    is_known: bool
