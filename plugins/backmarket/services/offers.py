"""Sends quantities and prices, one listing at a time, and settles each by what Back Market shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from backmarket.api.errors import BackMarketError, NetworkError, NotFoundError, RefusedError
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import ItemFailures
from backmarket.warehouse import inventory_prices, sql
from backmarket.warehouse.inventory_prices import Reading
from backmarket.warehouse.ledger import Ledger
from backmarket.warehouse.listings import store_readings

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange
    from backmarket.warehouse.sku_line_budget import SkuLineBudget


Outcome = Literal["confirmed", "refused", "unknown", "again", "left", "waits"]


@dataclass
class OfferUpload:
    """One task's uploads.

    :param home: the market in which quantities are sent.
    :param hold: how long units gone from a listing stay reserved; None where readings are not compared with what was
        known before them, which only quantities need.
    :param counts: outcomes so far.
    :param failures: listings that Back Market failed on, by SKU and market.
    """

    connection: Connection
    account: str
    client: BackMarketClient
    budget: SkuLineBudget
    home: str
    hold: timedelta | None
    log: Any
    counts: Counter[str] = field(default_factory=Counter)
    failures: ItemFailures = field(default_factory=ItemFailures)
    _lost: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.quantities = Ledger(self.connection, self.account, "quantity")
        self.prices = Ledger(self.connection, self.account, "price")

    def shown_in_plan(self, changes: list[RecordedChange]) -> dict[str, int]:
        """Return what Back Market showed of these SKUs when they were planned."""
        parameters = {"account": self.account, "skus": [change.subject for change in changes]}
        return dict(self.connection.execute(sql.statement("inventory_prices/select_targets"), parameters).fetchall())

    def send_quantity(self, change: RecordedChange, shown: int | None, price: RecordedChange | None) -> Outcome:
        """Send a quantity, with the SKU's home price where that changes too.

        The listing is read once more just before: units that went since the plan are noted, and the SKU is planned
        anew. What is sold between this reading and the write cannot be seen; that is what safety_qty is for.

        :return: ``again`` where it is to be planned anew, ``left`` where Back Market failed on this listing, ``waits``
            where the hour's budget is spent.
        :raises BackMarketError: where sending more would fail alike.
        """
        listing_id = UUID(change.payload["id"])
        try:
            listing = self._read(listing_id, self.home)
        except BackMarketError as error:
            self.quantities.keep_waiting([change.change_id], _reason(error))
            return self._left(change, error)
        if listing.quantity != shown:
            self.failures.passed(_name(change))
            return self._count("moved", "again")
        changes = [(self.quantities, change), *([(self.prices, price)] if price else [])]
        return self._write(listing_id, self.home, changes)

    def send_price(self, change: RecordedChange) -> Outcome:
        """Send a price in its market.

        :return: as :meth:`send_quantity`.
        :raises BackMarketError: where sending more would fail alike.
        """
        return self._write(UUID(change.payload["id"]), change.market, [(self.prices, change)])

    def look_again(self, in_flight: timedelta) -> bool:
        """Read back once more the quantities of this task that got no answer and did not show, once they have arrived.

        Left to a later run, nobody could tell whether they were applied and sold meanwhile: units would be held.

        :return: whether some are to be planned anew.
        :raises BackMarketError: where reading more would fail alike.
        """
        lost = [change for change in self.quantities.unsettled() if change.change_id in self._lost]
        self._lost.clear()
        let_arrive(lost, in_flight, self.log)
        outcomes = [
            self._settle_by_reading(
                UUID(change.payload["id"]), self.home, [(self.quantities, change)], "read back twice: not applied"
            )
            for change in self.failures.each(lost)
        ]
        return "again" in outcomes

    def tell_what_waits(self, ledger: Ledger) -> int:
        """Log how many changes stay planned, and until when where the hour's SKU lines are spent; return how many."""
        waiting = len(ledger.planned())
        if waiting and not self.budget.left():
            self.log.warning(
                "%d changes (%s) wait in their order, nothing is lost. SKU lines are free again at %s UTC.",
                waiting,
                ledger.kind,
                f"{self.budget.free_at():%H:%M:%S}",
            )
        elif waiting:
            self.log.warning(
                "%d changes (%s) stay planned, nothing is lost: the next run goes on with them.",
                waiting,
                ledger.kind,
            )
        return waiting

    def _write(self, listing_id: UUID, market: str, changes: list[tuple[Ledger, RecordedChange]]) -> Outcome:
        if self.budget.take(1) == 0:
            return "waits"
        ours = self._mark_sent(listing_id, changes)
        if len(ours) < len(changes):
            # None is marked: what another process has taken or planned anew is not waited for, the rest goes alone.
            return self._write(listing_id, market, ours) if ours else self._count("not_ours", "unknown")
        fields = _fields(changes)
        try:
            answer = self.client.update_listing(listing_id, market, **fields)
        except BackMarketError as error:
            return self._settle_failure(error, listing_id, market, changes)
        if answer is None or answer.id != listing_id or not _shows(answer, fields):
            return self._settle_by_reading(listing_id, market, changes, "the answer did not show the change")
        with self.connection.transaction():
            self._store(answer, market, datetime.now(UTC))
            if "quantity" in fields:
                inventory_prices.know(self.connection, self.account, listing_id, answer.quantity, at=datetime.now(UTC))
            for ledger, change in changes:
                ledger.settle([change.change_id], "confirmed")
        self.failures.passed(_name(changes[0][1]))
        return self._count("confirmed", "confirmed")

    def _mark_sent(
        self, listing_id: UUID, changes: list[tuple[Ledger, RecordedChange]]
    ) -> list[tuple[Ledger, RecordedChange]]:
        """Mark changes as sent, all of them or none, and return those that may be sent."""
        from psycopg import Rollback

        with self.connection.transaction() as transaction:
            ours = [(ledger, change) for ledger, change in changes if ledger.mark_sent([change])]
            if len(ours) < len(changes):
                raise Rollback(transaction)
            quantity = _fields(changes).get("quantity")
            if quantity is not None:
                inventory_prices.begin_sending(self.connection, self.account, listing_id, quantity)
        return ours

    def _left(self, change: RecordedChange, error: BackMarketError) -> Outcome:
        """Leave a listing that Back Market failed on to the next run.

        :raises BackMarketError: where the error concerns all listings alike.
        """
        self.failures.note(_name(change), error)
        self.log.warning("%s is left to the next run: %s", _name(change), _reason(error))
        return self._count("left", "left")

    def _settle_failure(
        self, error: BackMarketError, listing_id: UUID, market: str, changes: list[tuple[Ledger, RecordedChange]]
    ) -> Outcome:
        """Settle changes whose request failed.

        :raises BackMarketError: where sending more would fail alike.
        """
        if isinstance(error, (RefusedError, NotFoundError)):
            return self._settle_refusal(error, listing_id, market, changes)
        if error.surely_not_applied:
            self._settle_all(changes, "planned", str(error))
            inventory_prices.not_applied(self.connection, self.account, listing_id)
            return self._left(changes[0][1], error)
        self._settle_all(changes, "unknown", str(error))
        # A request without an answer may be on its way still: it must not arrive after a newer one.
        otherwise: Literal["planned", "unknown"] = "unknown" if isinstance(error, NetworkError) else "planned"
        outcome = self._settle_by_reading(listing_id, market, changes, str(error), otherwise)
        if outcome in {"again", "unknown"}:
            self.failures.note(_name(changes[0][1]), error)
        return outcome

    def _settle_refusal(
        self, error: BackMarketError, listing_id: UUID, market: str, changes: list[tuple[Ledger, RecordedChange]]
    ) -> Outcome:
        """Settle a refusal; of a quantity and a price that were refused together, each is sent alone to find out which.

        :return: what became of the first, the quantity.
        """
        reason = error.api_message or str(error)
        self.failures.passed(_name(changes[0][1]))
        inventory_prices.not_applied(self.connection, self.account, listing_id)
        if len(changes) > 1:
            self._settle_all(changes, "planned", f"refused together, sent apart to find out which: {reason}")
            outcomes = [self._write(listing_id, market, [each]) for each in changes]
            return outcomes[0]
        ((ledger, change),) = changes
        ledger.settle([change.change_id], "refused", reason)
        self.log.warning("%s (%s): Back Market refused it: %s", change.subject, ledger.kind, reason)
        return self._count("refused", "refused")

    def _settle_by_reading(
        self,
        listing_id: UUID,
        market: str,
        changes: list[tuple[Ledger, RecordedChange]],
        reason: str,
        otherwise: Literal["planned", "unknown"] = "planned",
    ) -> Outcome:
        """Read a listing whose change got no usable answer, and settle by what it shows.

        :param otherwise: what becomes of a change that it does not show; ``unknown`` where it may still arrive.
        """
        try:
            listing = self._read(listing_id, market)
        except BackMarketError as error:
            self._settle_all(changes, "unknown", f"{reason} Reading it back failed, too: the next run settles it.")
            return self._left(changes[0][1], error)
        outcome: Outcome = "confirmed"
        for ledger, change in changes:
            if _shows(listing, _fields([(ledger, change)])):
                ledger.settle([change.change_id], "confirmed", "seen on Back Market after an answer was lost")
            else:
                ledger.settle([change.change_id], otherwise, reason)
                outcome = "again" if otherwise == "planned" else "unknown"
                if outcome == "unknown" and ledger is self.quantities:
                    # The reading did not show it; the request may arrive after it.
                    inventory_prices.begin_sending(
                        self.connection, self.account, listing_id, change.payload["quantity"]
                    )
                    self._lost.add(change.change_id)
        if outcome == "confirmed":
            self.failures.passed(_name(changes[0][1]))
        return self._count("read_back", outcome)

    def _settle_all(
        self, changes: list[tuple[Ledger, RecordedChange]], status: Literal["planned", "unknown"], reason: str
    ) -> None:
        for ledger, change in changes:
            ledger.settle([change.change_id], status, reason)

    def _read(self, listing_id: UUID, market: str) -> Listing:
        """Read one listing, store it, and note what it tells."""
        read_at = datetime.now(UTC)
        listing = self.client.get_listing(listing_id, market)
        self._store(listing, market, read_at)
        if listing.sku and self.hold is not None:
            lines = inventory_prices.lines_by_sku(
                self.connection, self.account, now=read_at, hold=self.hold, intake_lag=timedelta(0), sku=listing.sku
            )
            reading = Reading(listing.id, listing.sku, listing.quantity, read_at)
            since = read_at - self.hold
            found = inventory_prices.note_readings(self.connection, self.account, [reading], lines, since=since)
            inventory_prices.record_findings(self.connection, self.account, found)
        return listing

    def _store(self, listing: Listing, market: str, read_at: datetime) -> None:
        store_readings(self.connection, self.account, market, [listing], read_at=read_at)

    def _count(self, name: str, outcome: Outcome) -> Outcome:
        self.counts[name] += 1
        return outcome


def _reason(error: BackMarketError) -> str:
    """Say what Back Market failed on a listing with."""
    if isinstance(error, NotFoundError):
        return f"Back Market lists it and does not find it by its id. {error}"
    return str(error)


def _name(change: RecordedChange) -> str:
    return f"{change.subject} {change.market}".strip()


def _fields(changes: list[tuple[Ledger, RecordedChange]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for ledger, change in changes:
        if ledger.kind == "quantity":
            fields["quantity"] = change.payload["quantity"]
        else:
            fields["price"] = Decimal(change.payload["price"])
    return fields


def _shows(listing: Listing, fields: dict[str, Any]) -> bool:
    return all(getattr(listing, name) == value for name, value in fields.items())


def settle_quantities(connection: Connection, account: str) -> dict[str, int]:
    """Settle quantities that were sent before the stored readings were made.

    What Back Market shows is confirmed; what it does not show goes back into the queue, where the next plan decides
    anew. A change of a listing that was not read since stays as it is. The readings must have been made when what was
    sent last had arrived: see :func:`~backmarket.operators.in_flight.let_arrive`.

    :return: how many were confirmed, planned again, and are still unsettled.
    """
    counts = {"confirmed": 0, "planned_again": 0, "unsettled": 0}
    quantities = Ledger(connection, account, "quantity")
    readings = {str(reading.id): reading for reading in inventory_prices.stored_readings(connection, account)}
    for change in quantities.unsettled():
        reading = readings.get(change.payload["id"])
        if reading is None or not _is_later(reading.read_at, change):
            counts["unsettled"] += 1
        else:
            counts[_settle(quantities, change, shown=reading.quantity == change.payload["quantity"])] += 1
    return counts


def settle_prices(connection: Connection, account: str) -> dict[str, int]:
    """Settle prices that were sent one by one before the stored readings were made, as :func:`settle_quantities`."""
    counts = {"confirmed": 0, "planned_again": 0, "unsettled": 0}
    prices = Ledger(connection, account, "price")
    # How a line of a batch ended, its batch tells, too.
    unsettled = [change for change in prices.unsettled() if not change.in_batch]
    offers = _offers(connection, account) if unsettled else {}
    for change in unsettled:
        price, read_at = offers.get((change.payload["id"], change.market), (None, None))
        if read_at is None or not _is_later(read_at, change):
            counts["unsettled"] += 1
        else:
            counts[_settle(prices, change, shown=price == Decimal(change.payload["price"]))] += 1
    return counts


def _settle(ledger: Ledger, change: RecordedChange, *, shown: bool) -> str:
    if shown:
        ledger.settle([change.change_id], "confirmed", "seen on Back Market after an answer was lost")
        return "confirmed"
    ledger.settle([change.change_id], "planned", "not seen on Back Market after an answer was lost")
    return "planned_again"


def _is_later(read_at: datetime, change: RecordedChange) -> bool:
    return change.sent_at is None or read_at > change.sent_at


def _offers(connection: Connection, account: str) -> dict[tuple[str, str], tuple[Any, datetime]]:
    rows = connection.execute(sql.statement("inventory_prices/select_shown_prices"), {"account": account})
    return {(str(listing_id), market): (price, read_at) for listing_id, market, price, read_at in rows}
