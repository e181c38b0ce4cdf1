"""Sends customers' invoices: each content once, the newest file of an order."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import SEEK_END
from typing import IO, TYPE_CHECKING, Any, Protocol

from backmarket.api.errors import BackMarketError, ForbiddenError, NotFoundError, RefusedError
from backmarket.rules.invoices import InvoiceError, check_content, check_size, order_id_in
from backmarket.rules.settlements.blocks import StatementError
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import ItemFailures
from backmarket.services.order_changes import impersonal
from backmarket.warehouse.invoices import (
    InvoiceFile,
    contents_of,
    forget_absent,
    is_only_content,
    known_files,
    remember,
)
from backmarket.warehouse.ledger import PlannedChange, planned_status
from backmarket.words import tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from backmarket.api.client import BackMarketClient
    from backmarket.services.log import Log
    from backmarket.settings import InvoiceSettings
    from backmarket.warehouse.ledger import Ledger, RecordedChange

_SAME_REFUSAL_AGAIN = timedelta(days=1)


class StoredFile(Protocol):
    """A file of the folder, as :class:`~backmarket.hooks.inbox.InboxFile` is one."""

    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified_at(self) -> datetime: ...
    @property
    def older_by(self) -> timedelta: ...
    @property
    def member(self) -> str | None: ...
    def content(self) -> AbstractContextManager[tuple[IO[bytes], str]]: ...


@dataclass
class InvoiceSending:
    """The invoices that one task sends.

    :param in_flight: how long a request that nobody waits for any more may still be on its way, or at work.
    """

    client: BackMarketClient
    ledger: Ledger
    settings: InvoiceSettings
    log: Log
    in_flight: timedelta
    counts: Counter[str] = field(default_factory=Counter)
    files_left: list[str] = field(default_factory=list)
    _failures: ItemFailures = field(default_factory=ItemFailures)
    _files: dict[int, StoredFile] = field(default_factory=dict)
    # By order, when the newest file was written that the storage did not give.
    _unread: dict[int, datetime] = field(default_factory=dict)

    def send(self, files: Iterable[StoredFile], *, now: datetime, run_id: str) -> dict[str, Any]:
        """Settle what is not known, plan anew from the files, and send what is planned.

        :return: how many invoices were confirmed, refused and so on; ``files_left`` that the storage did not give, and
            the orders ``not_sent``.
        :raises BackMarketError: an error that all further invoices would meet, too.
        """
        # One process at a time: a task that was taken for dead may still be alive beside its retry.
        self.ledger.lock_kind()
        let_arrive(self.ledger.unsettled(), self.in_flight, self.log)
        for change in self.ledger.unsettled():
            self._settle_lost(change)
        self.ledger.plan(self._plan(list(files), now), run_id=run_id)
        for change in self._failures.each(self.ledger.planned()):
            self._send(change)
        self.log.info("Invoices: %s.", tally(self.counts, none="nothing was to be sent"))
        return {**self.counts, "files_left": self.files_left, "not_sent": list(self._failures.failed)}

    def _plan(self, files: list[StoredFile], now: datetime) -> list[PlannedChange]:
        """Return what is sent and refused: of each order the newest file, and nothing where that could not be read."""
        connection, account = self.ledger.connection, self.ledger.account
        known = known_files(connection, account)
        newest: dict[int, tuple[StoredFile, InvoiceFile]] = {}
        unnamed = 0
        hidden = self._hidden(files, known)
        for file in files:
            read = self._look_at(file, known.get(file.path))
            if read is None:
                continue
            if read.order_id is None:
                unnamed += 1
            elif read.order_id not in newest or newest[read.order_id][1].modified_at <= read.modified_at:
                newest[read.order_id] = file, read
        for order_id, modified_at in self._unread.items():
            if order_id in newest and newest[order_id][1].modified_at <= modified_at:
                del newest[order_id]
        forget_absent(connection, account, [*hidden, *(file.path for file in files)])
        if unnamed:
            self.counts["unnamed"] = unnamed
            self.log.warning(
                "%s of the invoice folder name no order; backmarket.invoice_files says which, and why.", f"{unnamed:,}"
            )
        since = now - _SAME_REFUSAL_AGAIN
        there = contents_of(connection, account, newest, refused_since=since)
        self._files = {order_id: file for order_id, (file, _) in newest.items()}
        return [
            self._change_of(order_id, read)
            for order_id, (_, read) in sorted(newest.items())
            if read.reason or (str(order_id), read.sha256) not in there
        ]

    def _hidden(self, files: list[StoredFile], known: Mapping[str, InvoiceFile]) -> list[str]:
        """Return the files known to lie where the storage gives nothing now: each may be the newest of its order."""
        closed = tuple(f"{file.path}{below}" for file in files if file.size < 0 for below in ("/", "!/"))
        hidden = [read for path, read in known.items() if path.startswith(closed)]
        for read in hidden:
            self._note_unread(read.order_id, read.modified_at)
        return [read.path for read in hidden]

    def _note_unread(self, order_id: int | None, modified_at: datetime) -> None:
        if order_id:
            self._unread[order_id] = max(modified_at, self._unread.get(order_id, modified_at))

    def _change_of(self, order_id: int, read: InvoiceFile) -> PlannedChange:
        payload = {"order_id": order_id, "sha256": read.sha256 or "", "bytes": read.size}
        if read.reason:
            return PlannedChange(str(order_id), payload, status="refused", reason=read.reason)
        return PlannedChange(str(order_id), payload, status=planned_status(dry_run=self.settings.dry_run))

    def _look_at(self, file: StoredFile, known: InvoiceFile | None) -> InvoiceFile | None:
        """Return a file as it is now, read only where it has changed; None where the storage does not give it."""
        order_id, sha256, reason = None, None, None
        modified_at = file.modified_at - file.older_by
        try:
            order_id = order_id_in(file.name, self.settings.invoice_pattern)
            if known and (known.size, known.modified_at, known.order_id) == (file.size, modified_at, order_id):
                return known
            if file.member is None:
                check_size(file.size)
            with file.content() as (content, sha256):
                # The storage tells of an archive how large that is, and of nothing packed how large it is unpacked.
                check_size(content.seek(0, SEEK_END))
                content.seek(0)
                check_content(content.read(8))
        except (InvoiceError, StatementError) as error:
            reason = str(error)
            if file.size < 0:
                # A folder or an archive: its name need not be like an invoice's.
                reason = "the storage did not give it"
                self.files_left.append("a folder or archive that backmarket.invoice_files names")
        except OSError as error:
            self.log.warning("A file of the invoice folder could not be read: %s", type(error).__name__)
            self.files_left.append(f"invoice of order {order_id}" if order_id else "a file that names no order")
            self._note_unread(order_id, modified_at)
            return None
        read = InvoiceFile(file.path, file.size, modified_at, order_id, sha256, reason)
        remember(self.ledger.connection, self.ledger.account, read)
        return read

    def _send(self, change: RecordedChange) -> None:
        """Send one invoice; what Back Market refuses, or fails on, stops no other.

        :raises BackMarketError: what all others would meet, too.
        """
        order_id = int(change.subject)
        try:
            with self._files[order_id].content() as (content, sha256):
                data = content.read()
        except OSError as error:
            self.ledger.keep_waiting([change.change_id], f"the storage did not give the file: {type(error).__name__}")
            self.files_left.append(f"invoice of order {order_id}")
            return
        if sha256 != change.payload["sha256"]:
            self.ledger.keep_waiting(
                [change.change_id], "the file changed while this run went on: the next one reads it"
            )
            self.counts["waiting"] += 1
            return
        if not self.ledger.mark_sent([change]):
            return
        try:
            self.client.upload_invoice(order_id, f"invoice-{order_id}.pdf", data)
        except (RefusedError, NotFoundError, ForbiddenError) as error:
            self._settle(change, "refused", self._why(error, order_id))
            self._failures.passed(f"invoice of order {order_id}")
        except BackMarketError as error:
            self._settle(change, "planned" if error.surely_not_applied else "unknown", str(error))
            self._failures.note(f"invoice of order {order_id}", error)
        else:
            self._settle(change, "confirmed", None)
            self._failures.passed(f"invoice of order {order_id}")

    def _why(self, error: BackMarketError, order_id: int) -> str:
        """Say why Back Market refused an invoice; its own words only once the customer is taken out."""
        if error.api_message:
            with suppress(BackMarketError):
                return impersonal(error.api_message, self.client.get_order(order_id))
        return f"Back Market refused the invoice (status {error.status})"

    def _settle_lost(self, change: RecordedChange) -> None:
        """Find out what became of an invoice whose answer was lost: the order may say when it got one.

        ``date_bill_provided`` is in no specification, and does not say which file came. Where it says nothing, or may
        speak of another file that was sent for this order, the same content is sent again, and takes the place of
        itself.
        """
        try:
            order = self.client.get_order(int(change.subject))
        except NotFoundError:
            self._settle(change, "refused", f"Back Market has no order {change.subject}")
            return
        except BackMarketError as error:
            self._failures.note(f"invoice of order {change.subject}", error)
            self._settle(change, "unknown", str(error))
            return
        self._failures.passed(f"invoice of order {change.subject}")
        is_only = is_only_content(self.ledger.connection, self.ledger.account, change.subject, change.payload["sha256"])
        if is_only and change.sent_at and _has_bill_since(order.document, change.sent_at):
            self._settle(change, "confirmed", "read back: the order has an invoice since then")
        else:
            self._settle(change, "planned", "the answer was lost: sent again, which replaces it by itself")

    def _settle(self, change: RecordedChange, status: Any, reason: str | None) -> None:
        self.ledger.settle([change.change_id], status, reason)
        self.counts[status] += 1


def _has_bill_since(document: dict[str, Any], moment: datetime) -> bool:
    try:
        given = datetime.fromisoformat(str(document.get("date_bill_provided")))
    except ValueError:
        return False
    # Without a zone it may be local time, an hour or two ahead. Back Market tells whole seconds.
    return given.tzinfo is not None and given >= moment.replace(microsecond=0)
