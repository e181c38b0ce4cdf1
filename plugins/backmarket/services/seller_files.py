"""Fills the seller's tables from files: each row is judged as a row of the table is, each file is loaded whole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping  # noqa: TC003 - read at run time by the dataclass
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

import psycopg

from backmarket.rules.inventory import is_mass_zero
from backmarket.rules.seller_files.cells import AS_NUMBER, Column, MomentColumn, NumberColumn, why_ruined
from backmarket.rules.seller_files.headers import ACCOUNT, CONSTANT, Header, HeaderError, find_header
from backmarket.rules.settlements.blocks import StatementError
from backmarket.rules.settlements.styles import StyleError
from backmarket.services.item_failures import named
from backmarket.services.text_tables import FileFormatError, TextTable, read_table
from backmarket.warehouse import quarantine
from backmarket.warehouse.seller_files import (
    TARGETS,
    Differences,
    FileState,
    Staging,
    Target,
    is_known_content,
    known_files,
    release_files,
    remember,
    why_not_fillable,
)
from backmarket.warehouse.seller_rows import amount, moment, whole_number
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from backmarket.services.log import Log
    from backmarket.settings import SellerFilesSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_files import KnownFile

REJECTED = ".rejected.csv"
"""How the name of the file ends that is written beside another, with the rows that cannot be used."""

ENTITY = "seller_file"
"""What rows of files, and files, are in quarantine as; the file's path follows."""

MOST_KEPT = 1000
"""So many rows of a file are kept in quarantine; all of them stand in the file beside it."""

FIRST_ROWS = 20
"""So many rows of a file are shown before it is loaded."""

_STYLES: dict[Any, type[Column]] = {amount: NumberColumn, whole_number: NumberColumn, moment: MomentColumn}
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
            f"{named(done['held_files'])} would take too much away, and is held. Put a whole file in its place, or "
            "trigger the DAG with the param allow_mass_zero."
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
    return next((target for target in TARGETS.values() if re.match(rf"{target.name}(?![a-z])", lowered)), None)


@dataclass
class SellerFileLoading:
    """Loads what is new in the inbox, each file in a transaction of its own.

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

    def load(self, files: Sequence[InboxFile]) -> dict[str, int]:
        """Load every file that is new or has changed, the oldest first; return the counts."""
        known = known_files(self.connection, self.account)
        counts = dict.fromkeys(("files", "loaded", "new", "changed", "gone"), 0)
        self._release(known, {file.path for file in files})
        for file in sorted(files, key=lambda file: (file.modified_at, file.path)):
            target = target_of(file.name)
            if target is None:
                continue
            counts["files"] += 1
            before = known.get(file.path)
            if before and self._is_settled(before, file):
                if before.status != "loaded":
                    (self.held if before.status == "held" else self.refused).append(file.path)
                continue
            state = self._load(file, target)
            if state and state.status == "loaded":
                counts["loaded"] += 1
                counts["new"] += state.new_rows
                counts["changed"] += state.changed_rows
                counts["gone"] += state.gone_rows
        return counts

    def _release(self, known: Mapping[str, KnownFile], paths: Collection[str]) -> None:
        gone = [path for path, file in known.items() if path not in paths and not file.is_gone]
        if gone:
            release_files(self.connection, self.account, ENTITY, gone)

    def _is_settled(self, known: KnownFile, file: InboxFile) -> bool:
        is_same = (known.size, known.modified_at) == (file.size, file.modified_at)
        return is_same and not known.is_gone and (known.status == "loaded" or not self.rules.may_drop_all)

    def _load(self, file: InboxFile, target: Target) -> FileState | None:
        try:
            with file.content() as (content, sha256):
                state = FileState(file.path, target.name, file.size, file.modified_at, sha256)
                state = self._store(file, target, content, state)
        except OSError as error:
            self.files_left.append(file.path)
            self.log.warning("The storage did not give %s: %s", file.path, type(error).__name__)
            return None
        except StatementError as error:
            # What cannot be unpacked has no content to be known by.
            state = FileState(file.path, target.name, file.size, file.modified_at, "", "refused", str(error))
            with self.connection.transaction():
                self._keep_whole(file, state)
                remember(self.connection, self.account, state, run_id=self.run_id)
        if state.status == "held":
            self.held.append(file.path)
            self.log.warning("%s is held, nothing of it is loaded: %s.", file.path, state.reason)
        elif state.status == "refused":
            self.refused.append(file.path)
            self.log.warning("%s is refused, nothing of it is loaded: %s.", file.path, state.reason)
        elif state.reason:
            self.log.info("%s: %s.", file.path, state.reason)
        else:
            self.rejected += state.rejected
            what = {"new": state.new_rows, "changed": state.changed_rows, "gone": state.gone_rows}
            rows, became = counted(state.row_count, "row"), tally(what, none="nothing changed")
            self.log.info("%s: %s for seller.%s: %s.", file.path, rows, target.name, became)
        return state

    def preview(self, file: InboxFile, target: Target) -> Preview:
        """Do all that loading a file does, and take it back; nothing is kept of it, and nothing logged.

        :raises OSError: where the storage does not give the file.
        """
        with file.content() as (content, sha256):
            state = FileState(file.path, target.name, file.size, file.modified_at, sha256)
            reading = self._reading(file, target)
            with self.connection.transaction(force_rollback=True):
                is_known = is_known_content(self.connection, self.account, target.name, sha256)
                if not is_known:
                    state = self._judge(file, reading, content, state)
        return Preview(reading, state, is_known)

    def _store(self, file: InboxFile, target: Target, content: IO[bytes], state: FileState) -> FileState:
        with self.connection.transaction():
            if is_known_content(self.connection, self.account, target.name, state.sha256):
                state = state._replace(reason=_COPY)
            else:
                reading = self._reading(file, target)
                state = self._judge(file, reading, content, state)
                if reading.unknown:
                    self.log.info("%s: no column of seller.%s: %s.", file.path, target.name, ", ".join(reading.unknown))
                if state.status == "loaded":
                    self._name_rejected(file, reading)
                else:
                    self._keep_whole(file, state)
            remember(self.connection, self.account, state, run_id=self.run_id)
        return state

    def _reading(self, file: InboxFile, target: Target) -> Reading:
        return Reading(target, self.account, counted_at=file.modified_at - self.rules.count_lag)

    def _judge(self, file: InboxFile, reading: Reading, content: IO[bytes], state: FileState) -> FileState:
        """Bring the table to what a file says, or leave it as it is and say why."""
        try:
            with self.connection.transaction():
                return self._merge(file, reading, content, state)
        except (FileRefusedError, FileFormatError, HeaderError, StyleError, StatementError) as error:
            return state._replace(status="refused", reason=str(error))
        except _HeldError as error:
            return state._replace(status="held", reason=str(error))
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            what = error.diag.constraint_name or error.diag.column_name or type(error).__name__
            return state._replace(
                status="refused", reason=f"{reading.target.form.table} does not take its rows ({what})"
            )

    def _merge(self, file: InboxFile, reading: Reading, content: IO[bytes], state: FileState) -> FileState:
        target = reading.target
        if problem := why_not_fillable(self.connection, target):
            raise FileRefusedError(problem)
        table = read_table(content, file.name, sheet=target.name)
        columns = (ACCOUNT, *target.columns)
        header = find_header(table.first_rows, columns, target.required, self.rules.columns.get(target.name))
        staging = Staging(self.connection, self.account, target, file.path)
        staging.copy(reading.rows(table, header))
        if doubles := staging.drop_doubles():
            reading.reject_doubles(table, header, set(doubles))
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
        if is_snapshot and reading.rejected_without_key:
            raise _HeldError(
                f"it says everything there is, and {reading.rejected_without_key:,} of its rows do not say what they "
                f"are about, such as {reading.first_reason}. Correct them, so that nothing is taken for gone"
            )
        found = reading.differences = staging.compare(is_snapshot=is_snapshot, rejected_keys=reading.rejected_keys)
        self._guard(found, target)
        staging.merge(reading.counted_at)
        return state._replace(
            row_count=reading.row_count,
            rejected=reading.rejected,
            new_rows=found.new,
            changed_rows=found.changed,
            gone_rows=found.gone,
        )

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


class Reading:
    """Judges the rows of one file.

    :param counted_at: when a count without a time was made.
    :ivar columns: which column of the table each of the file's headers is.
    :ivar unknown: the headers that are none.
    :ivar first_rows: the first rows that can be used, as they are understood, each with its number in the file.
    :ivar kept: the first rows that cannot be used, by a name that begins with their number, each with the reason.
    :ivar differences: what the rows change; None before that is known.
    """

    def __init__(self, target: Target, account: str, *, counted_at: datetime) -> None:
        self.target = target
        self.counted_at = counted_at
        self.row_count = 0
        self.rejected = 0
        self.rejected_keys: list[str] = []
        self.rejected_without_key = 0
        self.kept: dict[str, tuple[Mapping[str, Any], str]] = {}
        self.first_reason = ""
        self.columns: dict[str, str] = {}
        self.unknown: tuple[str, ...] = ()
        self.first_rows: list[tuple[int, Mapping[str, Any]]] = []
        self.differences: Differences | None = None
        self._account = account
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        self._names: Sequence[str] = ()

    def rows(self, table: TextTable, header: Header) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield the rows that can be used, each with its number in the file, and take down the others.

        :raises StyleError: where a column can be read in two ways.
        """
        self._names = [name.strip() for name in table.first_rows[header.row]]
        self.columns = {self._names[place]: column for column, place in header.places.items()}
        self.columns |= {f"{CONSTANT}{value}": column for column, value in header.constants.items()}
        self.unknown = header.unknown
        write = self._styles(table, header)
        form = self.target.form
        for number, cells in _data_rows(table, header):
            self.row_count += 1
            texts: dict[str, str | None] = dict.fromkeys(form.columns)
            texts.update(header.constants)
            for column, place in header.places.items():
                text = cells[place]
                texts[column] = (write[column](text) if column in write else text).removeprefix(AS_NUMBER)
            account = (texts.pop(ACCOUNT, "") or "").strip()
            if self.target.name == "stock" and not (texts["counted_at"] or "").strip():
                texts["counted_at"] = self.counted_at.isoformat()
            values, reasons = form.values_of(texts)
            problems = self._problems(cells, header, account, texts, values, reasons)
            if problems:
                self._reject(number, cells, texts, self.target.key_of(values), problems)
            else:
                if len(self.first_rows) < FIRST_ROWS:
                    self.first_rows.append((number, values))
                yield number, values

    def reject_doubles(self, table: TextTable, header: Header, numbers: Collection[int]) -> None:
        """Reject rows, by their numbers in the file, that contradict others of the same key."""
        self.first_rows = [row for row in self.first_rows if row[0] not in numbers]
        said = header.places.keys() | header.constants.keys()
        names = " and ".join(name for name in self.target.keys if name in said)
        for number, cells in _data_rows(table, header):
            if number in numbers:
                given = {column: cells[place].removeprefix(AS_NUMBER) for column, place in header.places.items()}
                texts = {**header.constants, **given}
                texts.pop(ACCOUNT, None)
                key = self.target.key_of(self.target.form.values_of(dict.fromkeys(self.target.columns) | texts)[0])
                reason = f"{names} {key} stands in several rows that differ: which is meant is not guessed"
                self._reject(number, cells, texts, key, [reason])

    def rejected_text(self) -> str:
        """Return the rows that cannot be used as CSV, each with its reason; empty where there is none."""
        if not self.rejected:
            return ""
        head = io.StringIO(newline="")
        csv.writer(head).writerow([*self._names, "reason"])
        return head.getvalue() + self._text.getvalue()

    def _styles(self, table: TextTable, header: Header) -> dict[str, Callable[[str], str]]:
        styles = {
            column: _STYLES[read]()
            for column in header.places
            if column != ACCOUNT and (read := self.target.form.columns[column].read) in _STYLES
        }
        if styles:
            for frame in table.frames():
                for column, style in styles.items():
                    style.look_at(frame[header.places[column]].unique())
        decided = {}
        for column, style in styles.items():
            try:
                decided[column] = style.decide()
            except StyleError as error:
                raise StyleError(f"column {self._names[header.places[column]]!r}: {error}") from None
        return decided

    def _problems(
        self,
        cells: Sequence[str],
        header: Header,
        account: str,
        texts: Mapping[str, str | None],
        values: Mapping[str, Any],
        reasons: Mapping[str, str],
    ) -> list[str]:
        found = list(reasons.values())
        if any(cell.strip() for cell in cells[header.width :]):
            found.append(f"it has more fields than the header, which has {header.width}")
        if account and account != self._account:
            found.append(f"account is '{account[:40]}': this inbox is that of account {self._account}")
        for column, text in texts.items():
            if column in self.target.required and values.get(column) is None and column not in reasons:
                found.append(f"{column} is missing")
            elif text and (ruined := why_ruined(column, text)):
                found.append(ruined)
        return list(dict.fromkeys(found))

    def _reject(
        self,
        number: int,
        cells: Sequence[str],
        texts: Mapping[str, str | None],
        key: str | None,
        problems: Sequence[str],
    ) -> None:
        reason = "; ".join(problems)
        self.rejected += 1
        self.first_reason = self.first_reason or f"Row {number}: {reason}"
        if key is None:
            self.rejected_without_key += 1
        else:
            self.rejected_keys.append(key)
        self._writer.writerow([*(cell.removeprefix(AS_NUMBER) for cell in cells[: len(self._names)]), reason])
        if len(self.kept) < MOST_KEPT:
            self.kept[f"row {number}" + (f" ({key})" if key else "")] = (dict(texts), reason)


def _data_rows(table: TextTable, header: Header) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rows below the header but blank ones, each with its number in the file."""
    rows = chain.from_iterable(frame.itertuples(index=False, name=None) for frame in table.frames())
    for place, cells in enumerate(rows):
        if place > header.row and any(cell and not cell.isspace() for cell in cells):
            yield place + table.first_number, cells
