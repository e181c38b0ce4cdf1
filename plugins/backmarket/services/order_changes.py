"""Makes changes of orders, each exactly once: settles what is uncertain, sends, and reads back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from backmarket.api.errors import (
    BackMarketError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    ThrottledError,
)
from backmarket.api.redaction import without_values
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import ItemFailures, named, raise_what_concerns_all
from backmarket.services.side_by_side import work_side_by_side
from backmarket.warehouse import feeds
from backmarket.warehouse.seller_rows import name_left_out
from backmarket.warehouse.tracking_imei import facts_of_document
from backmarket.words import changes_counted, name_of_kind, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Order
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import Kind, Ledger, PlannedChange, RecordedChange, Settlement
    from backmarket.warehouse.orders import OrderStaging
    from backmarket.warehouse.seller_rows import SellerRows

    Payload = dict[str, Any]

Read = TypeVar("Read")


class Plan(NamedTuple):
    """All changes of one kind, as they are wanted now.

    :param changes: those to be sent, and those refused, each with its reason.
    :param feeds: the seller's tables whose unusable rows this task names.
    :param judged: the whole table that the changes come from, or are held by: it may be unusable as a whole.
    """

    changes: list[PlannedChange]
    feeds: Sequence[SellerRows[Any]] = ()
    judged: SellerRows[Any] | None = None


IN_DOUBT = (
    "the answer was lost, and nothing at Back Market shows whether this was applied. It is never sent again by itself: "
    "look at the order in the Back Office, then say on the page what you saw"
)

ANSWERED_UNSHOWN = (
    "Back Market answered that this was done, but the order does not show it. It is never sent again by itself: look "
    "at the order in the Back Office, then say on the page what you saw"
)

_CREATED = 201
# One that was sent so often, and is not shown although it was answered as done, or not found although its order is
# there: more of the same would not help.
_MOST_TRIES = 3
_NOT_FOUND_AGAIN = timedelta(hours=1)


class ChangesWaitingError(Exception):
    """Changes could not be sent now; they stay in the queue."""


class _LeftError(Exception):
    """Back Market failed on the order of some changes: they are settled as far as is known, and left to the next run.

    :param cause: how it failed.
    """

    def __init__(self, cause: BackMarketError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True)
class OrderAction(ABC):
    """What one concern does to orders: which changes it wants, and how one of them is judged and sent.

    :param unreadable: tables of the seller that the plan found it cannot read, and went on without.
    """

    kind: ClassVar[Kind]
    unshown_is_final: ClassVar[bool] = False
    """Whether a change that was answered 200 and is not shown is over: sending it again would not help."""

    absent_is_final: ClassVar[bool] = True
    """Whether changes that were sent are over where Back Market then has no such order, and may be planned anew."""

    pays: ClassVar[bool] = False
    """Whether it pays money out: then nothing is sent again that Back Market answered as done."""

    log: Log
    unreadable: list[str] = field(default_factory=list, kw_only=True)

    def by_itself(self, table: str, read: Callable[[], Read]) -> Read | None:
        """Read a table; None, with its name in ``unreadable``, where it cannot be read at all."""
        try:
            return read()
        except feeds.FeedUnusableError as error:
            self.log.warning("%s", error)
            self.unreadable.append(table)
            return None

    @abstractmethod
    def plan(self, connection: Connection, account: str, *, now: datetime) -> Plan:
        """Decide what is wanted now."""

    def group(self, change: RecordedChange) -> Hashable:
        """Return a key that changes share which go out in one request; each goes out by itself where it is unique."""
        return change.change_id

    def is_shown(self, _payloads: list[Payload]) -> bool:
        """Tell whether the order shows that a group of changes was applied; else only Back Market's answer tells it."""
        return True

    @abstractmethod
    def judge(self, order: OrderFacts, payloads: list[Payload]) -> Decision:
        """Decide, from the order as it is now, whether to send a group of changes, and whether it was applied."""

    @abstractmethod
    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[Payload]) -> str | None:
        """Send a group of changes in one request, and return what a person should know of it."""


@dataclass
class OrderWriting:
    """Sends changes of one kind, and stores each order that it reads for that.

    Different orders go side by side, each in a thread; the changes of one order go one after the other. All threads use
    one connection, in turns: the one that holds the lock of the kind, and each asks it right before its write, so that
    none is begun where that is lost.

    :param in_flight: how long a request that nobody waits for any more may still be on its way, or at work.
    :param counts: how many changes have ended how.
    :param not_found: which changes Back Market answered 404 for, although it served their orders, or turned away with
        another status that judges nothing; the next run sends them again.
    """

    client: BackMarketClient
    ledger: Ledger
    staging: OrderStaging
    action: OrderAction
    log: Log
    in_flight: timedelta
    counts: Counter[str] = field(default_factory=Counter)
    failures: ItemFailures = field(default_factory=ItemFailures)
    not_found: list[str] = field(default_factory=list)
    # A change that is marked in another thread's transaction would not be written down before its request leaves.
    _turn: RLock = field(default_factory=RLock)

    def settle_unsettled(self) -> None:
        """Find out, before anything new is sent, what became of the changes whose end is not known.

        It first waits until the newest request has arrived for sure: read too early, it would be sent again.
        """
        # One process at a time: a task that was taken for dead may still be alive beside its retry.
        self.ledger.lock_kind()
        let_arrive(self.ledger.unsettled(), self.in_flight, self.log)
        try:
            self._side_by_side(self.ledger.unsettled(), self._settle_by_order)
        except BackMarketError as error:
            # All these changes had trouble before; whether it is an outage shows when the others are sent.
            raise_what_concerns_all(error)

    def carry_out(self, plan: Plan, *, run_id: str, rows_limit_pct: Decimal) -> dict[str, Any]:
        """Record a plan, name the rows that it left out, and send all that is planned.

        :param rows_limit_pct: a table with a larger share of rows that cannot be used is unusable as a whole.
        :return: how many changes were wanted, confirmed, refused and so on, the subjects of those held back, how many
            rows were left out; the tables that cannot be used as a whole, as ``unusable_feeds``, and the changes that
            only the next run sends again, as ``not_sent``.
        :raises ChangesWaitingError: where some changes could not be sent now; all others were.
        """
        connection, account = self.staging.connection, self.staging.account
        left_out: Counter[str] = Counter()
        for feed in plan.feeds:
            left_out.update(name_left_out(connection, account, feed, run_id=run_id))
        unusable = list(self.action.unreadable)
        if plan.judged:
            unusable += feeds.judge(connection, account, plan.judged, limit_pct=rows_limit_pct, run_id=run_id)
        # A task that is tried again is no further run.
        resting = self.ledger.not_found_in(run_id)
        self.ledger.plan(plan.changes, run_id=run_id)
        self._send_planned(resting)
        held = [change.subject for change in plan.changes if change.status == "refused"]
        wanted = len(plan.changes) - len(held)
        self.log.info(
            "%s wanted: %s; %s held back.",
            changes_counted(wanted, self.action.kind),
            tally(self.counts, none="nothing was to be sent"),
            f"{len(held):,}" if held else "none",
        )
        told = {"unusable_feeds": unusable, "not_sent": self.not_found}
        return {"wanted": wanted, **self.counts, "held": held, **left_out, **told}

    def _judge(self, order: Order, changes: list[RecordedChange]) -> Decision:
        return self.action.judge(facts_of_document(order), _payloads(changes))

    def _side_by_side(self, changes: Iterable[RecordedChange], work: Callable[[list[RecordedChange]], None]) -> None:
        """Do something to groups of changes, those of one order in the order of the queue.

        :raises BackMarketError: an error that all further changes would meet, too.
        """
        orders: dict[int, dict[Hashable, list[RecordedChange]]] = {}
        for change in changes:
            groups = orders.setdefault(int(change.payload["order_id"]), {})
            groups.setdefault(self.action.group(change), []).append(change)
        rows = [groups.values() for groups in orders.values()]
        work_side_by_side(rows, work, self._tell, self.failures, at_once=self.client.config.concurrency)

    def _tell(self, changes: list[RecordedChange], outcome: Callable[[], None]) -> None:
        """Let a failure on the order of these changes stop no other changes.

        :raises BackMarketError: where it concerns all orders alike.
        """
        name = _name(changes)
        try:
            outcome()
        except _LeftError as left:
            self.failures.note(name, left.cause)
        else:
            self.failures.passed(name)

    def _send_planned(self, resting: set[int]) -> None:
        """Send the queue.

        :param resting: which changes of it wait for the next run.
        :raises ChangesWaitingError: where some could not be sent now; all others are done.
        :raises BackMarketError: an error that all further changes would meet, too.
        """
        planned = self.ledger.planned()
        self.not_found += [_name([change]) for change in planned if change.change_id in resting]
        self._side_by_side((change for change in planned if change.change_id not in resting), self._send)
        for name, reason in self.failures.failed.items():
            self.log.warning("%s waits: %s", name[0].upper() + name[1:], reason)
        if self.failures.failed:
            raise ChangesWaitingError(
                f"Changes of {named([*self.failures.failed, *self.not_found])} could not be sent, or not be read back; "
                "backmarket.changes says why. All others are done. These stay in the queue: the next run, or clearing "
                "this task, goes on with them."
            )

    def _send(self, changes: list[RecordedChange]) -> None:
        """Mark, read, judge, write and read back.

        :raises _LeftError: where Back Market failed.
        """
        ids = [change.change_id for change in changes]
        with self._turn:
            taken = self.ledger.mark_sent(changes)
            if taken != set(ids):
                self.ledger.take_back(taken, "another run is sending a part of this")
                return
        order = self._read_before(changes)
        if order is None:
            return
        decision = self._judge(order, changes)
        if decision.verdict == "send":
            self._write(order, changes)
        elif decision.verdict == "done":
            self._store_done(order, changes, "was so already")
        else:
            self._store(order, changes, "superseded", f"Back Market shows: {decision.reason}")

    def _write(self, order: Order, changes: list[RecordedChange]) -> None:
        """Make the write and settle it.

        :raises _LeftError: where Back Market failed.
        """
        ids = [change.change_id for change in changes]
        with self._turn:
            # Reading the order may have taken minutes: what counts is when the write begins, and that it still may.
            marked = self.ledger.renew_marks(ids)
            if marked != set(ids):
                self.ledger.take_back(marked, "a part of this was settled while its order was read")
                return
        try:
            remark = self.action.send(self.client, facts_of_document(order), _payloads(changes))
        except (RefusedError, NotFoundError) as error:
            words = impersonal(error.api_message or str(error), order)
            is_verdict = isinstance(error, RefusedError) and error.is_verdict
            # Refunds have an address of their own, which an account may lack.
            if is_verdict or self.action.pays:
                self._settle_unapplied(changes, "refused", words)
            else:
                self._settle_unjudged(changes, error.status, words)
            return
        except BackMarketError as error:
            self._settle_failed(changes, error)
            return
        remark = remark and impersonal(remark, order)
        self.log.info("Order %s: %s sent.", order.order_id, name_of_kind(self.ledger.kind))
        if not self.action.is_shown(_payloads(changes)):
            self._settle(changes, "confirmed", remark or "Back Market answered that it was done")
            self._store_as_it_is(order.order_id)
        elif self.action.pays:
            self._note_answered(changes)
            self._read_back(changes, "unknown", ANSWERED_UNSHOWN, remark)
        elif self.action.unshown_is_final:
            self._read_back(changes, "refused", "Back Market answered 200 but did not store it", remark)
        elif (tries := _tries(changes)) >= _MOST_TRIES:
            reason = f"sent {tries} times: Back Market answered 200, and the order does not show it"
            self._read_back(changes, "refused", reason, remark)
        else:
            self._read_back(changes, "unknown", "Back Market answered 200, but the order does not show it", remark)

    def _settle_unjudged(self, changes: list[RecordedChange], status: int | None, words: str) -> None:
        """Settle a write that Back Market turned away without judging what was sent, as with 423.

        404 is no verdict either, as it served the order a moment ago. So it goes again, once a run and a few times;
        what ends it does not hold for ever.

        :param status: of the answer.
        :param words: of the error, without personal data.
        :raises _LeftError: where the order could not be read now.
        """
        with self._turn:
            self.ledger.note_not_found((change.change_id for change in changes), _NOT_FOUND_AGAIN)
        tries = _tries(changes)
        if tries >= _MOST_TRIES:
            reason = f"sent {tries} times: Back Market serves the order, and answered the last one with {status}"
            self._settle_unapplied(changes, "refused", f"{reason}. It goes again in an hour, where it is still wanted")
        elif self._settle_unapplied(changes, "planned", f"goes again in the next run: {words}") == "planned":
            self.log.warning("%s waits for the next run: %s", _name(changes).capitalize(), words)
            with self._turn:
                self.not_found.append(_name(changes))

    def _settle_unapplied(self, changes: list[RecordedChange], status: Settlement, reason: str) -> str:
        """Settle a write that surely was not applied, unless the order shows that another was.

        :return: how it was settled.
        :raises _LeftError: where the order could not be read.
        """
        if self.action.is_shown(_payloads(changes)):
            return self._read_back(changes, status, reason)
        self._settle(changes, status, reason)
        return status

    def _settle_failed(self, changes: list[RecordedChange], error: BackMarketError) -> None:
        """Settle a write that failed.

        :raises _LeftError: with the error, but where the write turns out to have been applied.
        """
        if error.surely_not_applied:
            self._put_back(changes, str(error))
            if isinstance(error, ThrottledError) and error.status is None:
                # A limit of this kind of request is used up by our own count: others may go.
                return
            raise _LeftError(error)
        if self.action.pays and isinstance(error, MalformedAnswerError) and error.status == _CREATED:
            # Whatever its body says. A page with 200 may be of anybody on the way.
            self._note_answered(changes)
        self._settle(changes, "unknown", str(error))
        # The request may be on its way still, or at work: what the order does not show now it may show in a minute.
        is_shown = self.action.is_shown(_payloads(changes))
        reason = f"{'read back: not applied yet' if is_shown else IN_DOUBT}. Before: {error}"
        if self._read_back(changes, "unknown", reason) == "unknown":
            raise _LeftError(error)

    def _store_as_it_is(self, order_id: int) -> None:
        """Store an order after a change that needs no proof of it; where it cannot be read, the next download does."""
        with suppress(BackMarketError):
            order = self.client.get_order(order_id)
            with self._turn, self.staging.connection.transaction():
                self._merge(order)

    def _settle_by_order(self, changes: list[RecordedChange]) -> None:
        """Settle changes that an earlier run or try sent, and whose request has arrived for sure."""
        if any(change.is_answered for change in changes):
            self._read_back(changes, "unknown", ANSWERED_UNSHOWN, "read back: applied")
        elif self.action.is_shown(_payloads(changes)):
            self._read_back(changes, "planned", "read back: not applied, safe to send", "read back: applied")
        else:
            self._read_back(changes, "unknown", IN_DOUBT, "read back: applied")

    def _note_answered(self, changes: list[RecordedChange]) -> None:
        with self._turn:
            self.ledger.note_answered(change.change_id for change in changes)

    def _read_back(
        self, changes: list[RecordedChange], otherwise: Settlement, reason: str, remark: str | None = None
    ) -> str:
        """Settle changes by what the order shows now: confirmed where they are applied, whoever did that.

        :param otherwise: how they are settled where they are not applied, for ``reason``.
        :param remark: what the ledger says of them where they are applied.
        :return: how they were settled.
        :raises _LeftError: where the order could not be read, after settling them as unknown.
        """
        try:
            order = self._get(changes)
        except BackMarketError as error:
            # One answer of 404 says little of an order that was there a moment ago; after two the next plan decides.
            is_gone = isinstance(error, NotFoundError) and self.action.absent_is_final
            if is_gone and all(change.status == "unknown" for change in changes):
                reason = f"Back Market has no order {changes[0].payload['order_id']} any more"
                self._settle(changes, "superseded", reason)
                return "superseded"
            self._settle(changes, "unknown", str(error))
            raise _LeftError(error) from None
        if self._judge(order, changes).verdict == "done":
            return self._store_done(order, changes, remark)
        # Of several lines of one request, one may be applied.
        done = [change for change in changes if self._judge(order, [change]).verdict == "done"]
        with self._turn, self.staging.connection.transaction():
            if done:
                self._settle(done, "confirmed", remark)
            return self._store(order, [change for change in changes if change not in done], otherwise, reason)

    def _read_before(self, changes: list[RecordedChange]) -> Order | None:
        """Read the order of changes that are about to be sent; None where Back Market has none.

        Then they are refused here, or wait in the queue where an earlier request of theirs may have arrived: refused,
        they would count as refused by Back Market itself, identifiers for ever.

        :raises _LeftError: where Back Market failed, after putting them back into the queue.
        """
        try:
            return self._get(changes)
        except NotFoundError:
            reason = f"Back Market has no order {changes[0].payload['order_id']}: asked again in the next run"
            if any(change.attempts for change in changes):
                self._put_back(changes, reason)
                return None
            with self._turn:
                self.ledger.refuse_unsent([change.change_id for change in changes], reason)
                self.counts["refused"] += len(changes)
            return None
        except BackMarketError as error:
            self._put_back(changes, str(error))
            raise _LeftError(error) from None

    def _get(self, changes: list[RecordedChange]) -> Order:
        return self.client.get_order(int(changes[0].payload["order_id"]))

    def _store(self, order: Order, changes: list[RecordedChange], status: Settlement, reason: str | None) -> str:
        """Settle changes and store the order they were judged by, in one transaction."""
        with self._turn, self.staging.connection.transaction():
            self._merge(order)
            self._settle(changes, status, reason)
        return status

    def _store_done(self, order: Order, changes: list[RecordedChange], remark: str | None) -> str:
        """Settle changes of one request that was applied, each by its own line: one may have been cancelled before."""
        done, others = [], []
        for change in changes:
            decision = self._judge(order, [change])
            if decision.verdict == "done":
                done.append(change)
            else:
                others.append((change, decision.reason))
        with self._turn, self.staging.connection.transaction():
            self._merge(order)
            self._settle(done, "confirmed", remark)
            for change, reason in others:
                self._settle([change], "superseded", f"Back Market shows: {reason}")
        return "confirmed"

    def _merge(self, order: Order) -> None:
        self.staging.add_single(order)
        self.staging.merge()
        self.staging.clear()

    def _put_back(self, changes: list[RecordedChange], reason: str) -> None:
        """Put marked changes back into the queue: no request of theirs went out, or none that Back Market read."""
        with self._turn:
            self.ledger.take_back([change.change_id for change in changes], reason)
            self.counts["planned"] += len(changes)

    def _settle(self, changes: list[RecordedChange], status: Settlement, reason: str | None) -> None:
        with self._turn:
            self.ledger.settle([change.change_id for change in changes], status, reason)
            self.counts[status] += len(changes)
        # Refusals are logged where they are recorded.
        if status not in {"confirmed", "planned", "refused"}:
            subjects = ", ".join(change.subject for change in changes)
            name = name_of_kind(self.ledger.kind).capitalize()
            self.log.warning("%s of %s: %s. %s", name, subjects, status, reason or "")


def impersonal(text: str, order: Order) -> str:
    """Take out of Back Market's words what is in the order's addresses."""
    addresses = (address for address in (order.shipping_address, order.billing_address) if address)
    return without_values(text, (value for address in addresses for value in address.values))


def _name(changes: list[RecordedChange]) -> str:
    """Name changes that go together: an order may have others."""
    order_id = str(changes[0].payload["order_id"])
    parts = [change.subject for change in changes if change.subject != order_id]
    return f"order {order_id} ({', '.join(parts)})" if parts else f"order {order_id}"


def _tries(changes: list[RecordedChange]) -> int:
    """Return how often changes that were just sent have been sent, but for requests that surely had no effect."""
    return min(change.attempts for change in changes) + 1


def _payloads(changes: list[RecordedChange]) -> list[Payload]:
    return [change.payload for change in changes]
