"""Loads statement files, compares them with orders, and draws the settlement report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence  # noqa: TC003 - read at run time by the named tuple
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal  # noqa: TC003 - likewise
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from backmarket.api.models import Unreadable
from backmarket.rules.settlements.blocks import StatementError
from backmarket.rules.settlements.files import read_lines, survey
from backmarket.rules.settlements.references import invoice_reference, issue_date
from backmarket.services.file_times import tell_of_time_to_come
from backmarket.services.progress import unseen
from backmarket.warehouse import quarantine
from backmarket.warehouse.settlements.files import StatementFile, known_files, load_file, release_files
from backmarket.warehouse.settlements.reconciliation import Limits, reconcile
from backmarket.warehouse.settlements.reports import newest_days, read_figures, store_report
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import TextIO

    from backmarket.hooks.inbox import InboxFile
    from backmarket.rules.settlements.files import Survey
    from backmarket.services.log import Log
    from backmarket.services.progress import Advance
    from backmarket.settings import ReconciliationSettings
    from backmarket.warehouse.connection import Connection


FIRST_LINES = 20
"""So many lines of a statement are shown before it is loaded."""

_SHOWN = ("line_no", "invoice_key", "value_date", "sku", "number", "designation", "amount", "currency")


class PeriodError(ValueError):
    """The params of a run, or its interval, say no period: only a person can change that."""


class Period(NamedTuple):
    """The days a run is about, both included."""

    first_day: date
    last_day: date

    @property
    def days(self) -> frozenset[date]:
        """Each of them."""
        return frozenset(self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1))


class Run(Protocol):
    """A run of the DAG."""

    run_type: Any
    data_interval_start: datetime | None


def period_of(params: Mapping[str, Any], run: Run) -> Period | None:
    """Return the days a run is about; None for a run about what has changed.

    :param params: of the run: ``from`` and ``to``, the latter not included.
    :raises PeriodError: where the period has no beginning or no end, or ends before it begins.
    """
    first, end = params.get("from"), params.get("to")
    if first or end:
        if not (first and end):
            raise PeriodError("A period needs both its params, 'from' and 'to' (not included): trigger the DAG again.")
        period = Period(date.fromisoformat(first[:10]), date.fromisoformat(end[:10]) - timedelta(days=1))
        if period.first_day > period.last_day:
            raise PeriodError(f"'to' ({end[:10]}) must lie after 'from' ({first[:10]}): trigger the DAG again.")
        return period
    if run.run_type == "backfill":
        if run.data_interval_start is None:
            raise PeriodError("This backfill's run has no interval: set its params 'from' and 'to'.")
        day = run.data_interval_start.astimezone(UTC).date()
        return Period(day, day)
    return None


@dataclass
class StatementLoading:
    """Loads what is new in the inbox, each file in a transaction of its own.

    :param now: no later than the files were listed: none was stored after that, whatever its time says.
    :param unreadable: the files that cannot be understood without guessing; each is in quarantine with its reason.
    :param files_left: the files that the storage did not give.
    :param progress_of: by a file's name, what is told how many of its rows have been read.
    """

    connection: Connection
    account: str
    log: Log
    unreadable: list[str] = field(default_factory=list)
    files_left: list[str] = field(default_factory=list)
    progress_of: Callable[[str], AbstractContextManager[Advance]] = lambda _: nullcontext(unseen)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def load(self, files: Sequence[InboxFile]) -> dict[str, int]:
        """Load every file that is new or has changed; return how many files were seen, loaded and unreadable, and how
        many rows were new.
        """
        known = known_files(self.connection, self.account)
        loaded = new_lines = 0
        # A reference in the name comes first: the same content without one is then known already.
        for file in sorted(files, key=lambda file: not invoice_reference(file.name, "")):
            before = known.get(file.path)
            if before and (before.size, before.modified_at) == (file.size, file.modified_at):
                continue
            new = self._load(file)
            loaded += new is not None
            new_lines += new or 0
        release_files(self.connection, self.account, [*self.unreadable, *self.files_left])
        return {"files": len(files), "loaded": loaded, "new_lines": new_lines, "unreadable": len(self.unreadable)}

    def _load(self, file: InboxFile) -> int | None:
        """Load one file and return how many rows were new; None where it could not be read."""
        try:
            with file.content() as (content, sha256), self.progress_of(file.name) as advance:
                statement = StatementFile(
                    file.path, file.name, file.size, file.modified_at, sha256, content, self.now, file.older_by
                )
                new = load_file(
                    self.connection,
                    self.account,
                    statement,
                    advance,
                    lambda told: self.log.warning("%s: %s.", file.path, told),
                )
        except OSError as error:
            self.files_left.append(file.path)
            self.log.warning("The storage did not give %s: %s", file.path, type(error).__name__)
            return None
        except StatementError as error:
            document = {"path": file.path, "size": file.size, "modified_at": file.modified_at.isoformat()}
            unreadable = {file.path: Unreadable(document, str(error), file.path)}
            quarantine.keep(self.connection, self.account, "settlement_file", unreadable)
            self.unreadable.append(file.path)
            self.log.warning("%s is in quarantine, nothing of it is loaded: %s.", file.path, error)
            return None
        tell_of_time_to_come(self.log, file.path, file.modified_at, stored_at=statement.exported_at)
        self.log.info("%s: %s.", file.path, counted(new, "new row"))
        return new


class StatementPreview(NamedTuple):
    """What loading a statement file would do.

    :param problem: why it cannot be read; empty where it can, and then there are lines.
    :param new: the lines that are not stored yet.
    :param lines: by currency.
    :param totals: the sum of the amounts by currency.
    :param first_lines: the first of them, each a text by column.
    """

    problem: str
    new: int = 0
    lines: Mapping[str, int] = MappingProxyType({})
    totals: Mapping[str, Decimal] = MappingProxyType({})
    first_lines: Sequence[Mapping[str, str]] = ()


def preview_statement(connection: Connection, account: str, file: InboxFile) -> StatementPreview:
    """Do all that loading a statement file does, and take it back; nothing is kept of it.

    :raises OSError: where the storage does not give the file.
    """
    try:
        with file.content() as (content, sha256):
            with connection.transaction(force_rollback=True):
                statement = StatementFile(
                    file.path, file.name, file.size, file.modified_at, sha256, content, older_by=file.older_by
                )
                new = load_file(connection, account, statement)
            content.seek(0)
            text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
            try:
                found, first = _first_lines(text, issue_date(invoice_reference(file.name, sha256)))
            finally:
                text.detach()
    except StatementError as error:
        return StatementPreview(str(error))
    return StatementPreview("", new, found.counts, found.totals, first)


def _first_lines(text: TextIO, issued_on: date | None) -> tuple[Survey, list[dict[str, str]]]:
    """Read a whole statement; return what is found about it, and its first lines as they are understood."""
    found = survey(text, issued_on)
    text.seek(0)
    first: list[dict[str, str]] = []
    for lines in read_lines(text, found):
        rows = zip(*(getattr(lines, name) for name in _SHOWN), strict=True)
        first.extend(
            {name: "" if value is None else str(value) for name, value in zip(_SHOWN, row, strict=True)}
            for row in islice(rows, FIRST_LINES - len(first))
        )
    return found, first


def compare_with_orders(
    connection: Connection, account: str, settings: ReconciliationSettings, period: Period | None, log: Log
) -> dict[str, Any]:
    """Bring findings up to date with what has changed, and recompute those of a period; return the counts."""
    limits = Limits(
        settings.settlement_due_days,
        settings.settlement_tolerance,
        settings.refund_after_return_days,
        settings.return_after_refund_days,
    )
    done = reconcile(connection, account, limits, period.days if period else None)
    log.info(
        "%s tied to orders that arrived later; %s new or changed, %s closed.",
        counted(done.tied, "row"),
        counted(done.changed, "finding"),
        f"{done.closed:,}",
    )
    for kind, count in done.open_by_kind.items():
        log.info("Open: %s: %s.", kind.replace("_", " "), f"{count:,}")
    return {
        "account": account,
        "tied": done.tied,
        "changed": done.changed,
        "closed": done.closed,
        "open": sum(done.open_by_kind.values()),
        "open_by_kind": done.open_by_kind,
    }


def report_settlements(
    connection: Connection, account: str, run_id: str, period: Period | None, order_url: Callable[[int], str]
) -> Period | None:
    """Store a run's settlement report and return its days; None where no statement has been loaded yet.

    :param period: None for the newest ninety days that statements speak of.
    :param order_url: where an order's story is.
    """
    from backmarket.reports.settlement_report import render

    days = period or newest_days(connection, account)
    if days is None:
        return None
    figures = read_figures(connection, account, *days)
    store_report(connection, account, run_id, figures, render(figures, account=account, order_url=order_url))
    return Period(*days)
