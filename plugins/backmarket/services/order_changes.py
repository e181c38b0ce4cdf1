"""Makes changes of orders, each exactly once: settle what is uncertain, send, read back."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from backmarket.api.redaction import without_values
from backmarket.rules.order_facts import Decision, LineFacts, OrderFacts
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import ItemFailures, raise_what_concerns_all

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence
    from datetime import timedelta

    from backmarket.api.client import BackMarketClient
    from backmarket.api.errors import BackMarketError
    from backmarket.api.models import Order, OrderLine
    from backmarket.warehouse.ledger import Ledger, PlannedChange, RecordedChange, Settlement
    from backmarket.warehouse.orders import OrderStaging
    from backmarket.warehouse.seller_rows import SellerRows

    Payload = dict[str, Any]


class Plan(NamedTuple):
    """What one kind of changes comes to.

    :param changes: what is wanted now, and what is refused, with its reason.
    :param feeds: the seller's tables that this task names bad rows of; the first is what the changes come from.
    """

    changes: list[PlannedChange]
    feeds: Sequence[SellerRows[Any]] = ()


# A change that surely was not applied is sent again at once so often; then the next run, or the retry, goes on.
MOST_TRIES = 3


class ChangesWaitingError(Exception):
    """Changes could not be sent now; they stay in the queue."""


class _LeftError(Exception):
    """Some changes stay where they are: Back Market failed on their order; they are settled accordingly.

    :param cause: how it failed.
    """

    def __init__(self, cause: BackMarketError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class OrderAction(Protocol):
    """What one concern does to an order."""

    unshown_is_final: bool
    """Whether a change that was answered 200 and is not shown is over: sending it again would not help."""

    def group(self, change: RecordedChange) -> Hashable:
        """Return what changes that go out in one request have in common."""

    def judge(self, order: OrderFacts, payloads: list[Payload]) -> Decision:
        """Decide from the order as it is whether to send, and whether it was applied."""

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[Payload]) -> str | None:
        """Make the one write; answer what a person should know of it."""


@dataclass
class OrderWriting:
    """Sends one kind of change, and keeps ``backmarket.orders`` as current as the last reading.

    :param in_flight: how long a request that a killed process sent may still be on its way, or at work.
    """

    client: BackMarketClient
    ledger: Ledger
    staging: OrderStaging
    action: OrderAction
    log: Any
    in_flight: timedelta
    counts: Counter[str] = field(default_factory=Counter)
    failures: ItemFailures = field(default_factory=ItemFailures)

    def settle_unsettled(self) -> None:
        """Find out, before anything new is sent, what became of changes whose end is not known.

        Not before a request that was sent last has arrived for sure: read too early, it would be sent again.
        """
        from backmarket.api.errors import BackMarketError

        let_arrive(self.ledger.unsettled(), self.in_flight, self.log)
        try:
            for changes in self.failures.each(self._grouped(self.ledger.unsettled())):
                with self._left_alone(changes):
                    self._settle_by_reading(changes)
        except BackMarketError as error:
            # All that stand here had trouble before: whether it is an outage, the queue of the healthy ones tells.
            raise_what_concerns_all(error)

    def _settle_by_reading(self, changes: list[RecordedChange]) -> None:
        order = self._read(changes)
        if order is None:
            return
        decision = self.action.judge(facts_of(order), _payloads(changes))
        if decision.verdict == "done":
            self._store(order, changes, "confirmed", "read back: applied")
        else:
            self._store(order, changes, "planned", "read back: not applied, safe to send")

    @contextmanager
    def _left_alone(self, changes: list[RecordedChange]) -> Iterator[None]:
        """Let a failure of these changes' order stop nothing but these changes.

        :raises BackMarketError: where it concerns all orders alike.
        """
        name = _name(changes)
        try:
            yield
        except _LeftError as left:
            self.failures.note(name, left.cause)
        else:
            self.failures.passed(name)

    def send_planned(self) -> None:
        """Send the queue, each change in a cycle of its own.

        :raises ChangesWaitingError: where some could not be sent now; all others are done.
        :raises BackMarketError: where sending more would fail alike.
        """
        for changes in self.failures.each(self._grouped(self.ledger.planned())):
            with self._left_alone(changes):
                self._send_patiently(changes)
        for name, reason in self.failures.failed.items():
            self.log.warning("%s waits: %s", name[0].upper() + name[1:], reason)
        if self.failures.failed:
            raise ChangesWaitingError(
                f"Changes ({self.ledger.kind}) of {self.failures.names} could not be sent, or not be read back; "
                "backmarket.changes says why. All others are done. These stay in the queue: the next run, or clearing "
                "this task, goes on with them."
            )

    def _send_patiently(self, changes: list[RecordedChange]) -> None:
        """Send changes again at once while they surely were not applied.

        :raises _LeftError: where that did not help.
        """
        for tries_left in reversed(range(MOST_TRIES)):
            failure = self._send(changes)
            if failure is None:
                return
            if not tries_left:
                raise _LeftError(failure)

    def _send(self, changes: list[RecordedChange]) -> BackMarketError | None:
        """Go once through the cycle; return what went wrong where it is to be gone through again."""
        ids = [change.change_id for change in changes]
        taken = self.ledger.mark_sent(changes)
        if taken != set(ids):
            self.ledger.settle(taken, "planned", "another run is sending a part of this")
            return None
        order = self._read(changes, was_sent=False)
        if order is None:
            return None
        decision = self.action.judge(facts_of(order), _payloads(changes))
        if decision.verdict == "send":
            return self._write(order, changes)
        if decision.verdict == "done":
            self._store(order, changes, "confirmed", "was so already")
        else:
            self._store(order, changes, "superseded", f"Back Market shows: {decision.reason}")
        return None

    def _write(self, order: Order, changes: list[RecordedChange]) -> BackMarketError | None:
        """Make the write and settle it; return what went wrong where it surely was not applied."""
        from backmarket.api.errors import BackMarketError, NetworkError, NotFoundError, RefusedError

        try:
            remark = self.action.send(self.client, facts_of(order), _payloads(changes))
        except (RefusedError, NotFoundError) as error:
            self._read_back(changes, "refused", _impersonal(error.api_message or str(error), order))
            return None
        except BackMarketError as error:
            if error.surely_not_applied:
                self._settle(changes, "planned", str(error))
                raise _LeftError(error) from None
            self._settle(changes, "unknown", str(error))
            if isinstance(error, NetworkError):
                # The request may be on its way still: what the order does not show now it may show in a minute.
                if self._read_back(changes, "unknown", f"read back: not applied yet. Before: {error}") == "unknown":
                    raise _LeftError(error) from None
                return None
            ended = self._read_back(changes, "planned", f"read back: not applied, safe to send. Before: {error}")
            return error if ended == "planned" else None
        remark = remark and _impersonal(remark, order)
        self.log.info("Sent: order %d, %s.", order.order_id, self.ledger.kind)
        if self.action.unshown_is_final:
            self._read_back(changes, "refused", "Back Market answered 200 but did not store it", remark)
        else:
            self._read_back(changes, "unknown", "Back Market answered 200, but the order does not show it", remark)
        return None

    def _read_back(
        self, changes: list[RecordedChange], otherwise: Settlement, reason: str, remark: str | None = None
    ) -> str:
        """Settle a change by what the order shows now: confirmed where it is applied, whoever did that."""
        order = self._read(changes)
        if order is None:
            return "refused"
        decision = self.action.judge(facts_of(order), _payloads(changes))
        if decision.verdict == "done":
            return self._store(order, changes, "confirmed", remark)
        return self._store(order, changes, otherwise, reason)

    def _read(self, changes: list[RecordedChange], *, was_sent: bool = True) -> Order | None:
        """Read the order of some changes; None where Back Market has none, after refusing them.

        :param was_sent: whether the change may have been applied.
        :raises _LeftError: where Back Market failed, after settling them.
        """
        from backmarket.api.errors import BackMarketError, NotFoundError

        order_id = int(changes[0].payload["order_id"])
        try:
            return self.client.get_order(order_id)
        except NotFoundError:
            self._settle(changes, "refused", f"Back Market has no order {order_id}")
        except BackMarketError as error:
            self._settle(changes, "unknown" if was_sent else "planned", str(error))
            raise _LeftError(error) from None
        return None

    def _store(self, order: Order, changes: list[RecordedChange], status: Settlement, reason: str | None) -> str:
        """Settle changes and store the order they were judged by, in one transaction."""
        with self.staging.connection.transaction():
            self.staging.add_single(order)
            self.staging.merge()
            self.staging.clear()
            self._settle(changes, status, reason)
        return status

    def _settle(self, changes: list[RecordedChange], status: Settlement, reason: str | None) -> None:
        self.ledger.settle([change.change_id for change in changes], status, reason)
        self.counts[status] += len(changes)
        if status not in {"confirmed", "planned"}:
            subjects = ", ".join(change.subject for change in changes)
            self.log.warning("%s %s: %s. %s", self.ledger.kind, subjects, status, reason)

    def _grouped(self, changes: Iterable[RecordedChange]) -> list[list[RecordedChange]]:
        groups: dict[Hashable, list[RecordedChange]] = {}
        for change in changes:
            groups.setdefault(self.action.group(change), []).append(change)
        return list(groups.values())


def facts_of(order: Order) -> OrderFacts:
    """Return what the rules know of an order, from the document just read.

    An identifier or a tracking number that is there and cannot be read counts as another than any of the seller's.
    """
    lines = tuple(
        LineFacts(
            line.orderline_id,
            line.state,
            line.quantity,
            line.sku,
            line.imei or _unreadable(line, "imei"),
            line.serial_number or _unreadable(line, "serial_number"),
            line.product,
        )
        for line in order.orderlines
    )
    return OrderFacts(
        order_id=order.order_id,
        lines=lines,
        state=order.state,
        is_backship=None if _unreadable(order, "is_backship") else bool(order.is_backship),
        tracking_number=order.tracking_number or _unreadable(order, "tracking_number"),
        paid_at=order.date_payment,
        ship_by=order.expected_dispatch_date,
    )


def _unreadable(document: Order | OrderLine, name: str) -> str | None:
    """Return what is at fault with a field that came in an unexpected form; None where it did not."""
    return next((odd for odd in document.odd_fields if odd.startswith(f"{name}: ")), None)


def _impersonal(text: str, order: Order) -> str:
    """Take out of Back Market's words what is in the order's addresses."""
    addresses = (address for address in (order.shipping_address, order.billing_address) if address)
    return without_values(text, (value for address in addresses for value in address.values))


def _name(changes: list[RecordedChange]) -> str:
    """Name changes that go together: an order may have others."""
    order_id = str(changes[0].payload["order_id"])
    parts = [change.subject for change in changes if change.subject != order_id]
    return f"order {order_id} ({', '.join(parts)})" if parts else f"order {order_id}"


def _payloads(changes: list[RecordedChange]) -> list[Payload]:
    return [change.payload for change in changes]
