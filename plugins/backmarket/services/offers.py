"""Sends quantities and prices, one listing at a time, and settles each by what Back Market shows."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from backmarket.api.errors import BackMarketError, NotFoundError, RefusedError
from backmarket.api.markets import MARKETS
from backmarket.rules.prices import other_currency
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import ItemFailures
from backmarket.warehouse import inventory_prices
from backmarket.warehouse.inventory_prices import Reading
from backmarket.warehouse.ledger import Ledger
from backmarket.warehouse.listings import store_readings
from backmarket.words import changes_counted, time_of_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange, Settlement
    from backmarket.warehouse.sku_line_budget import SkuLineBudget

Outcome = Literal["confirmed", "refused", "unknown", "again", "left", "waits"]
"""What became of a change: ``again`` where it is to be planned anew, ``left`` where Back Market failed on its listing,
``waits`` where the hour's budget is spent."""


def value_of(ledger: Ledger, change: RecordedChange) -> int | Decimal:
    """Return the quantity, or the price, that a change asks for."""
    if ledger.kind == "quantity":
        return int(change.payload["quantity"])
    return Decimal(change.payload["price"])


def name_of(change: RecordedChange) -> str:
    """Name a change for a person: its SKU, and its market where it has one."""
    return f"{change.subject} {change.market}".strip()


@dataclass(frozen=True)
class Update:
    """What one request changes of a listing.

    :param changes: a quantity, a price or both, each with its ledger.
    """

    market: str
    changes: list[tuple[Ledger, RecordedChange]]

    @property
    def listing_id(self) -> UUID:
        """The listing's id."""
        return UUID(self.changes[0][1].payload["id"])

    @property
    def name(self) -> str:
        """The name of its first change."""
        return name_of(self.changes[0][1])

    @property
    def fields(self) -> dict[str, Any]:
        """The new values, by the names of the listing's fields."""
        return {ledger.kind: value_of(ledger, change) for ledger, change in self.changes}

    def shows_in(self, listing: Listing) -> bool:
        """Tell whether a listing shows all of the new values; the same figure in another currency is another price."""
        foreign = "price" in self.fields and other_currency(listing.currency, MARKETS[self.market].currency)
        return not foreign and all(getattr(listing, name) == value for name, value in self.fields.items())

    def settle(self, status: Settlement, reason: str | None = None) -> None:
        """Settle all of the changes alike."""
        for ledger, change in self.changes:
            ledger.settle([change.change_id], status, reason)

    def apart(self) -> list[Update]:
        """Return an update for each of the changes."""
        return [Update(self.market, [each]) for each in self.changes]


@dataclass
class OfferSettling:
    """Settles updates of single listings by what Back Market answers and shows.

    :param hold: how long units gone from a listing stay reserved; None where readings are not compared with what was
        known before them, which only quantities need.
    :param counts: outcomes so far.
    :param failures: listings that Back Market failed on, by SKU and market.
    """

    connection: Connection
    account: str
    client: BackMarketClient
    hold: timedelta | None
    log: Log
    counts: Counter[str] = field(default_factory=Counter)
    failures: ItemFailures = field(default_factory=ItemFailures)
    _unseen: set[int] = field(default_factory=set)

    def confirm(self, update: Update, answer: Listing) -> Outcome:
        """Settle an update whose answer shows it."""
        with self.connection.transaction():
            self._store_shown(update, answer)
            update.settle("confirmed")
        self.failures.passed(update.name)
        return self.count("confirmed", "confirmed")

    def settle_failure(self, update: Update, error: BackMarketError) -> Outcome:
        """Settle an update whose request failed.

        :raises BackMarketError: where sending more would fail alike.
        """
        if error.surely_not_applied:
            update.settle("planned", describe(error))
            self.forget_sending(update)
            return self.leave(update.name, error, was_there=True)
        outcome = self.settle_lost(update, str(error))
        if outcome == "unknown":
            self.failures.note(update.name, error)
        return outcome

    def settle_lost(self, update: Update, reason: str) -> Outcome:
        """Settle an update that may have been applied, and whose answer does not say so.

        Whatever was answered instead, it may be at work still, as behind a gateway that has given up: what it does not
        show yet is neither planned nor forgotten before it must have arrived.

        :raises BackMarketError: where reading more would fail alike.
        """
        update.settle("unknown", reason)
        return self.settle_by_reading(update, reason, "unknown")

    def settle_by_reading(self, update: Update, reason: str, otherwise: Literal["planned", "unknown"]) -> Outcome:
        """Read a listing whose update got no usable answer, and settle each change by what the listing shows.

        :param otherwise: what becomes of a change that it does not show; ``unknown`` where it may still arrive.
        :raises BackMarketError: where reading more would fail alike.
        """
        try:
            listing = self.read(update.listing_id, update.market)
        except BackMarketError as error:
            update.settle("unknown", f"{reason} Reading it back failed, too: the next run settles it.")
            return self.leave(update.name, error)
        outcome: Outcome = "confirmed"
        for own in update.apart():
            if own.shows_in(listing):
                with self.connection.transaction():
                    if "quantity" in own.fields:
                        # Another run's reading that began later, and is stored, may have ended before this took effect.
                        self._store_shown(own, listing)
                    own.settle("confirmed", "seen on Back Market after an answer was lost")
                continue
            with self.connection.transaction():
                own.settle(otherwise, reason)
                if otherwise == "planned":
                    self.forget_sending(own)
            outcome = "again" if otherwise == "planned" else "unknown"
            if otherwise == "unknown":
                self._unseen.add(own.changes[0][1].change_id)
                if "quantity" in own.fields:
                    # The reading did not show it; the request may arrive after it.
                    inventory_prices.record_sent_quantity(
                        self.connection, self.account, own.listing_id, own.fields["quantity"]
                    )
        if outcome == "confirmed":
            self.failures.passed(update.name)
        return self.count("read_back", outcome)

    def _store_shown(self, update: Update, listing: Listing) -> None:
        """Store, as of now, a listing that shows an update."""
        now = datetime.now(UTC)
        store_readings(self.connection, self.account, update.market, [listing], read_at=now)
        if "quantity" in update.fields:
            shown = [(listing.id, listing.quantity, now)]
            inventory_prices.record_shown_quantities(self.connection, self.account, shown)

    def forget_sending(self, update: Update) -> None:
        """Record that a quantity surely had no effect; a price says nothing about the quantity of its listing."""
        if "quantity" in update.fields:
            inventory_prices.forget_sent_quantity(self.connection, self.account, update.listing_id)

    def leave(self, name: str, error: BackMarketError, *, was_there: bool = False) -> Outcome:
        """Leave a listing that Back Market failed on to the next run.

        :param name: of its change.
        :param was_there: whether Back Market showed it a moment ago.
        :raises BackMarketError: where the error concerns all listings alike.
        """
        self.failures.note(name, error, was_there=was_there)
        self.log.warning("%s is left to the next run: %s", name, describe(error))
        return self.count("left", "left")

    def read(self, listing_id: UUID, market: str) -> Listing:
        """Read one listing, store it, and compare it with what was known before."""
        read_at = datetime.now(UTC)
        listing = self.client.get_listing(listing_id, market)
        store_readings(self.connection, self.account, market, [listing], read_at=read_at)
        if listing.sku and self.hold is not None:
            lines = inventory_prices.lines_by_sku(
                self.connection, self.account, now=read_at, hold=self.hold, intake_lag=timedelta(0), sku=listing.sku
            )
            reading = Reading(listing.id, listing.sku, listing.quantity, read_at)
            since = read_at - self.hold
            found = inventory_prices.compare_readings(
                self.connection,
                self.account,
                [reading],
                lines,
                since=since,
                now=datetime.now(UTC),
                ahead=self.client.clock_ahead,
            )
            inventory_prices.record_findings(self.connection, self.account, found)
        return listing

    def count(self, name: str, outcome: Outcome) -> Outcome:
        """Count what happened, and return the outcome."""
        self.counts[name] += 1
        return outcome


@dataclass(kw_only=True)
class OfferSending(OfferSettling):
    """Sends updates of single listings."""

    budget: SkuLineBudget

    def __post_init__(self) -> None:
        self.home = self.client.config.market
        self.quantities = Ledger(self.connection, self.account, "quantity")
        self.prices = Ledger(self.connection, self.account, "price")

    def send_quantity(self, change: RecordedChange, price: RecordedChange | None) -> Outcome:
        """Send a quantity, with the SKU's home price where that changes too.

        The listing is read once more just before: where units went since the plan, the SKU is planned anew. What is
        sold between this reading and the write cannot be seen; that is what safety_qty is for.

        :raises BackMarketError: where sending more would fail alike.
        """
        try:
            listing = self.read(UUID(change.payload["id"]), self.home)
        except BackMarketError as error:
            self.quantities.keep_waiting([change.change_id], describe(error))
            return self.leave(name_of(change), error)
        if listing.quantity != change.payload.get("shown"):
            self.failures.passed(name_of(change))
            return self.count("moved", "again")
        prices = [(self.prices, price)] if price else []
        return self._send(Update(self.home, [(self.quantities, change), *prices]))

    def send_price(self, change: RecordedChange) -> Outcome:
        """Send a price in its market.

        :raises BackMarketError: where sending more would fail alike.
        """
        return self._send(Update(change.market, [(self.prices, change)]))

    def read_unseen_again(self, in_flight: timedelta) -> bool:
        """Read back once more what this task sent, got no usable answer about and did not see, once it has arrived.

        Left to a later run, nobody could tell whether a quantity was applied and sold meanwhile: units would be held.

        :return: whether some are to be planned anew.
        :raises BackMarketError: where reading more would fail alike.
        """
        unseen = self.take_unseen(in_flight)
        return "again" in [self.read_again(*each) for each in self.failures.each(unseen)]

    def read_unseen_in_outage(self, in_flight: timedelta) -> None:
        """Read back what :meth:`read_unseen_again` would, where no more is sent, as far as Back Market answers."""
        for each in self.take_unseen(in_flight):
            if self.read_again(*each) == "left":
                return

    def take_unseen(self, in_flight: timedelta) -> list[tuple[Ledger, RecordedChange]]:
        """Return what is to be read back once more, once it must have arrived."""
        unseen = [
            (ledger, change)
            for ledger in (self.quantities, self.prices)
            for change in ledger.unsettled()
            # Another run may be sending it again.
            if change.change_id in self._unseen and change.lost_at
        ]
        self._unseen.clear()
        let_arrive([change for _, change in unseen], in_flight, self.log)
        return unseen

    def read_again(self, ledger: Ledger, change: RecordedChange) -> Outcome:
        """Read back what must have arrived by now: what does not show is planned anew.

        :raises BackMarketError: where reading more would fail alike.
        """
        update = Update(change.market or self.home, [(ledger, change)])
        with ledger.sending():
            if change not in ledger.unsettled():
                self.failures.passed(update.name)
                return self.count("not_ours", "unknown")
            outcome = self.settle_by_reading(update, "read back twice: not applied", "planned")
        if outcome != "left":
            self.failures.answered()
        return outcome

    def not_sent(self) -> list[str]:
        """Return the changes that Back Market failed on and that a later run has to send or settle, by name.

        Not among them is what was planned otherwise since, nor a home price that had no effect beside its quantity:
        it is planned, and the task that sends prices tells what becomes of it.
        """
        left = (*self.quantities.planned(), *self.quantities.unsettled(), *self.prices.unsettled())
        names = set(map(name_of, left))
        return [name for name in self.failures.failed if name in names]

    def log_waiting(self, ledger: Ledger) -> int:
        """Log how many changes stay planned, and until when where the hour's SKU lines are spent; return how many."""
        waiting = len(ledger.planned())
        if waiting and not self.budget.left():
            self.log.warning(
                "%s in their order, nothing is lost. SKU lines are free again at %s.",
                f"{changes_counted(waiting, ledger.kind)} {'waits' if waiting == 1 else 'wait'}",
                time_of_day(self.budget.free_at()),
            )
        elif waiting:
            self.log.warning(
                "%s planned, nothing is lost: the next run goes on.",
                f"{changes_counted(waiting, ledger.kind)} {'stays' if waiting == 1 else 'stay'}",
            )
        return waiting

    def _send(self, update: Update) -> Outcome:
        if self.budget.take(1) == 0:
            return "waits"
        with ExitStack() as until_settled:
            for ledger, _ in update.changes:
                until_settled.enter_context(ledger.sending())
            return self._mark_and_send(update)

    def _mark_and_send(self, update: Update) -> Outcome:
        ours = self._mark_sent(update)
        if len(ours.changes) < len(update.changes):
            # None is marked: what another process has taken or planned anew is not waited for, the rest goes alone.
            return self._send(ours) if ours.changes else self.count("not_ours", "unknown")
        try:
            answer = self.client.update_listing(update.listing_id, update.market, **update.fields)
        except BackMarketError as error:
            if isinstance(error, RefusedError) and error.is_verdict:
                return self._settle_refusal(update, error.api_message or str(error))
            # 404 among them: of a listing that was there a moment ago it is no verdict on what was sent.
            return self.settle_failure(update, error)
        if answer is None or answer.id != update.listing_id or not update.shows_in(answer):
            reason = "the answer did not show the change"
            outcome = self.settle_lost(update, reason)
            if outcome == "unknown":
                self.failures.note_without_effect(update.name, reason)
            return outcome
        return self.confirm(update, answer)

    def _mark_sent(self, update: Update) -> Update:
        """Mark the changes as sent, all of them or none, and return the update with those that may be sent."""
        from psycopg import Rollback

        with self.connection.transaction() as transaction:
            ours = [(ledger, change) for ledger, change in update.changes if ledger.mark_sent([change])]
            if len(ours) < len(update.changes):
                raise Rollback(transaction)
            if "quantity" in update.fields:
                quantity = update.fields["quantity"]
                inventory_prices.record_sent_quantity(self.connection, self.account, update.listing_id, quantity)
        return Update(update.market, ours)

    def _settle_refusal(self, update: Update, reason: str) -> Outcome:
        """Settle a refusal; of a quantity and a price that were refused together, each is sent alone to find out which.

        :return: what became of the first, the quantity.
        :raises BackMarketError: where sending more would fail alike.
        """
        self.failures.passed(update.name)
        self.forget_sending(update)
        if len(update.changes) > 1:
            update.settle("planned", f"refused together, sent apart to find out which: {reason}")
            outcomes = [self._send(own) for own in update.apart()]
            return outcomes[0]
        update.settle("refused", reason)
        return self.count("refused", "refused")


def settle_by_readings(
    ledger: Ledger,
    unsettled: Iterable[RecordedChange],
    readings: Mapping[tuple[str, str], tuple[int | Decimal | None, datetime]],
) -> dict[str, int]:
    """Settle changes whose answers earlier runs did not get, by what their listings have shown since.

    What Back Market shows is confirmed; what it does not show goes back into the queue, where the next plan decides
    anew. A change of a listing that is gone has ended: left as it is, it would keep its SKU from being changed for ever
    where another listing takes it over. A change of a listing that was not read since stays as it is.

    :param readings: quantity or price, and when it was read, by listing and market; made when what was sent last had
        arrived: see :func:`~backmarket.services.in_flight.let_arrive`.
    :return: how many were confirmed, planned again, superseded as their listings are gone, and are still unsettled.
    """
    counts = {"confirmed": 0, "planned_again": 0, "superseded": 0, "unsettled": 0}
    changes = list(unsettled)
    wanted = [(UUID(change.payload["id"]), change.market) for change in changes]
    gone = inventory_prices.gone_listings(ledger.connection, ledger.account, wanted) if wanted else set()
    for change, key in zip(changes, wanted, strict=True):
        if key in gone:
            ledger.settle([change.change_id], "superseded", "an answer was lost, and the listing is gone since")
            counts["superseded"] += 1
            continue
        shown, read_at = readings.get((change.payload["id"], change.market), (None, None))
        if read_at is None or (change.sent_at and read_at <= change.sent_at):
            counts["unsettled"] += 1
        elif shown == value_of(ledger, change):
            ledger.settle([change.change_id], "confirmed", "seen on Back Market after an answer was lost")
            counts["confirmed"] += 1
        else:
            with ledger.connection.transaction():
                ledger.settle([change.change_id], "planned", "not seen on Back Market after an answer was lost")
                if ledger.kind == "quantity":
                    inventory_prices.forget_sent_quantity(ledger.connection, ledger.account, key[0])
            counts["planned_again"] += 1
    return counts


def describe(error: BackMarketError) -> str:
    """Say, for a person, what Back Market failed on a listing with."""
    if isinstance(error, NotFoundError):
        return f"Back Market lists it and does not find it by its id. {error}"
    return str(error)
