"""The ledger of all writes to Back Market: nothing is sent that is not written down here before.

A change is planned, then marked sent (committed) before its request leaves, then settled by what Back Market
shows: confirmed, refused, unknown where the answer was lost, or planned again where it surely was not applied. A
killed run leaves ``sent`` rows; the next one reads back before it sends anything for the same subject.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from backmarket.rules.skus import sku_key
from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean, dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    from backmarket.warehouse.connection import Connection

log = logging.getLogger(__name__)

Kind = Literal["accept", "tracking", "imei", "quantity", "price", "listing", "product", "refund", "invoice"]
PlannedStatus = Literal["planned", "awaiting_approval", "dry_run", "refused"]
Settlement = Literal["confirmed", "refused", "unknown", "planned", "superseded"]

KINDS: tuple[Kind, ...] = get_args(Kind)


def planned_status(*, dry_run: bool) -> PlannedStatus:
    """Return the status of a change that is wanted: to be sent, or only to be recorded."""
    return "dry_run" if dry_run else "planned"


@dataclass(frozen=True)
class PlannedChange:
    """A change that a concern wants, or refuses to send.

    :param subject: the SKU, order id or orderline id, by kind.
    :param payload: what is to be sent: JSON, amounts as text; never personal data.
    :param market: the market of a price; empty for what all markets share.
    :param reason: why it waits or is refused, for a person.
    """

    subject: str
    payload: Mapping[str, Any]
    market: str = ""
    status: PlannedStatus = "planned"
    reason: str | None = None


@dataclass(frozen=True)
class RecordedChange:
    """A change as the ledger holds it.

    :param attempts: how often it was sent, but for requests that surely had no effect.
    :param sent_at: when it was sent last, in UTC.
    :param batch_id: Back Market's task, where it went out in a batch and the answer came.
    :param in_batch: whether it went out last as a line of a batch.
    :param is_answered: whether Back Market answered that it was done, of what is never sent again then.
    :param lost_at: when the answer to its newest request was lost; None also where its sender was killed.
    """

    change_id: int
    subject: str
    market: str
    payload: dict[str, Any] = field(repr=False)
    attempts: int
    status: str = "planned"
    sent_at: datetime | None = None
    batch_id: int | None = None
    in_batch: bool = False
    is_answered: bool = False
    lost_at: datetime | None = None


@dataclass(frozen=True)
class Refusals:
    """What Back Market itself refused lately.

    :param payloads: what was refused, by subject, in whatever spelling of a SKU, and market.
    """

    payloads: Mapping[tuple[str, str], Mapping[str, Any]]

    def include(self, subject: str, payload: Mapping[str, Any], market: str = "") -> bool:
        """Tell whether exactly this was refused: sending it again would not help."""
        return self.payloads.get((sku_key(subject), market)) == payload


@dataclass(frozen=True)
class Ledger:
    """The changes of one kind of one account."""

    connection: Connection
    account: str
    kind: Kind

    def plan(self, changes: Iterable[PlannedChange], *, run_id: str) -> None:
        """Replace what was planned and not sent by a new plan, in one transaction.

        What waits already keeps its place in the queue; what the plan lacks is superseded; what is under way is
        left alone. A refusal is recorded and logged once, until it or its reason changes.
        """
        parameters = {"account": self.account, "kind": self.kind, "run_id": run_id}
        with self.connection.transaction():
            self.connection.execute(sql.statement("changes/lock_rows"), parameters)
            self.connection.execute(sql.statement("changes/stage_plan"))
            self.connection.execute("truncate staged_plan")
            with self.connection.cursor() as cursor, cursor.copy(sql.statement("changes/copy_plan")) as copy:
                for position, change in enumerate(changes):
                    row = (change.subject, change.market, dump(dict(change.payload)), change.status)
                    copy.write_row((position, *row, clean(change.reason)))
            for name in ("supersede_unsent", "upsert_plan"):
                self.connection.execute(sql.statement(f"changes/{name}"), parameters)
            refused = self.connection.execute(sql.statement("changes/insert_refusals"), parameters).fetchall()
        self._log_refusals(refused)

    def lock_kind(self) -> None:
        """Wait until no other process makes changes of this kind; the lock is held as long as the connection."""
        parameters = {"account": self.account, "kind": self.kind}
        self.connection.execute(sql.statement("changes/lock_kind"), parameters)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Hold off, from before a change is marked until it is settled, whoever settles what killed processes sent."""
        parameters = {"account": self.account, "kind": self.kind}
        self.connection.execute(sql.statement("changes/lock_sending"), parameters)
        try:
            yield
        finally:
            self.connection.execute(sql.statement("changes/unlock_sending"), parameters)

    @contextmanager
    def without_senders(self) -> Iterator[None]:
        """Wait for all that is :meth:`sending`, and let nobody begin, in a transaction that should be short.

        What is still marked as sent then has no sender any more.
        """
        with self.connection.transaction():
            parameters = {"account": self.account, "kind": self.kind}
            self.connection.execute(sql.statement("changes/lock_out_senders"), parameters)
            self.connection.execute(sql.statement("changes/lock_rows"), parameters)
            yield

    def planned(self) -> list[RecordedChange]:
        """Return what is to be sent, in the order of the queue."""
        return [RecordedChange(*row) for row in self._select("select_planned")]

    def failed_before(self) -> set[str]:
        """Return the subjects of what waits again after a request that failed, and was not applied."""
        return {subject for (subject,) in self._select("select_failed_before")}

    def unsettled(self) -> list[RecordedChange]:
        """Return what was sent and may have been applied; settle it before sending anything new."""
        return [RecordedChange(*row) for row in self._select("select_unsettled")]

    def mark_sent(self, changes: Iterable[RecordedChange], *, in_batch: bool = False) -> set[int]:
        """Write down, durably, that these are about to be sent.

        :param changes: as they were read: one that was planned otherwise since is not marked.
        :param in_batch: as lines of one batch.
        :return: the ids of those that may be sent; the others were sent or planned otherwise by another run.
        """
        wanted = list(changes)
        parameters = {
            "account": self.account,
            "change_ids": [change.change_id for change in wanted],
            "payloads": [dump(change.payload) for change in wanted],
            "in_batch": in_batch,
        }
        return {row[0] for row in self.connection.execute(sql.statement("changes/mark_sent"), parameters).fetchall()}

    def renew_marks(self, change_ids: Iterable[int]) -> set[int]:
        """Write down, durably, that what is marked as sent leaves only now.

        :return: the ids of those that still are: the others may not be sent.
        """
        parameters = {"account": self.account, "change_ids": list(change_ids)}
        return {row[0] for row in self.connection.execute(sql.statement("changes/renew_marks"), parameters).fetchall()}

    def record_batch(self, change_ids: Iterable[int], batch_id: int) -> None:
        """Write down which of Back Market's tasks carries out these sent changes."""
        parameters = {"account": self.account, "change_ids": list(change_ids), "batch_id": batch_id}
        self.connection.execute(sql.statement("changes/record_batch"), parameters)

    def note_answered(self, change_ids: Iterable[int]) -> None:
        """Write down that Back Market answered these as done, whatever its documents show."""
        parameters = {"account": self.account, "change_ids": list(change_ids)}
        self.connection.execute(sql.statement("changes/note_answered"), parameters)

    def note_not_found(self, change_ids: Iterable[int], hold: timedelta) -> None:
        """Write down that Back Market answered these with 404: a refusal that this ends in holds only so long."""
        parameters = {"account": self.account, "change_ids": list(change_ids), "hold": hold}
        self.connection.execute(sql.statement("changes/note_not_found"), parameters)

    def not_found_in(self, run_id: str) -> set[int]:
        """Return what waits again because Back Market answered 404 for it in this run; to be asked before it plans."""
        parameters = {"account": self.account, "kind": self.kind, "run_id": run_id}
        return {row[0] for row in self.connection.execute(sql.statement("changes/select_not_found"), parameters)}

    def refuse_unsent(self, change_ids: Iterable[int], reason: str) -> None:
        """Refuse here what was about to be sent, and log it; the next plan may want it again."""
        parameters = {"account": self.account, "change_ids": list(change_ids), "reason": clean(reason)}
        self._log_refusals(self.connection.execute(sql.statement("changes/refuse_unsent"), parameters).fetchall())

    def take_back(self, change_ids: Iterable[int], reason: str) -> None:
        """Put back into the queue what was not sent after all, or turned away unread: too many requests, no network."""
        parameters = {"account": self.account, "change_ids": list(change_ids), "reason": clean(reason)}
        self.connection.execute(sql.statement("changes/take_back"), parameters)

    def keep_waiting(self, change_ids: Iterable[int], reason: str) -> None:
        """Write down why planned changes could not be sent now; they stay where they are in the queue."""
        parameters = {"account": self.account, "change_ids": list(change_ids), "reason": clean(reason)}
        self.connection.execute(sql.statement("changes/keep_waiting"), parameters)

    def put_last(self, change_ids: Iterable[int], reason: str) -> None:
        """Put planned changes that could not be sent now to the end of the queue: all others have their turn first."""
        parameters = {"account": self.account, "change_ids": list(change_ids), "reason": clean(reason)}
        self.connection.execute(sql.statement("changes/put_last"), parameters)

    def refusals(self, *, since: datetime) -> Refusals:
        """Return what Back Market refused of all that was sent since a moment, as long as that holds."""
        parameters = {"account": self.account, "kind": self.kind, "since": since}
        rows = self.connection.execute(sql.statement("changes/select_refused"), parameters)
        return Refusals({(sku_key(subject), market): payload for subject, market, payload in rows})

    def settle(self, change_ids: Iterable[int], status: Settlement, reason: str | None = None) -> None:
        """Write down how sent changes ended, or that this is not known yet; and log those that were refused.

        :param status: ``planned`` puts a change that surely was not applied back into the queue.
        :param reason: for a person: the API's words, or what differs.
        """
        parameters = {
            "account": self.account,
            "kind": self.kind,
            "change_ids": list(change_ids),
            "status": status,
            "reason": clean(reason),
        }
        settled = self.connection.execute(sql.statement("changes/settle"), parameters).fetchall()
        if status == "refused":
            self._log_refusals(settled)

    def _log_refusals(self, refused: Iterable[tuple[str, str, str | None]]) -> None:
        """Name each in the log of the task that its row leads to."""
        for subject, market, reason in refused:
            where = f" in {market}" if market else ""
            log.warning("The %s of %s%s is refused: %s", self.kind, subject, where, reason)

    def _select(self, name: str) -> list[tuple[Any, ...]]:
        parameters = {"account": self.account, "kind": self.kind}
        return self.connection.execute(sql.statement(f"changes/{name}"), parameters).fetchall()
