"""Sends planned quantities and prices, one listing at a time, and settles each by what Back Market shows."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from backmarket.api.errors import BackMarketError, NotFoundError, RefusedError
from backmarket.warehouse import inventory, sql
from backmarket.warehouse.inventory import Reading
from backmarket.warehouse.ledger import Ledger
from backmarket.warehouse.listings import store_readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.operators.base import BackMarketOperator
    from backmarket.settings import InventorySettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange
    from backmarket.warehouse.sku_line_budget import SkuLineBudget

Outcome = Literal["confirmed", "refused", "unknown", "again", "waits"]
MOST_FAILURES_IN_A_ROW = 5


@dataclass
class ListingUpload:
    """One task's uploads.

    :param home: the market in which quantities are sent.
    :param hold: how long units gone from a listing stay reserved.
    :param counts: outcomes so far.
    """

    connection: Connection
    account: str
    client: BackMarketClient
    budget: SkuLineBudget
    home: str
    hold: timedelta
    log: Any
    counts: Counter[str] = field(default_factory=Counter)
    _failures: int = 0

    def __post_init__(self) -> None:
        self.quantities = Ledger(self.connection, self.account, "quantity")
        self.prices = Ledger(self.connection, self.account, "price")

    def shown_in_plan(self, changes: list[RecordedChange]) -> dict[str, int]:
        """Return what Back Market showed of these SKUs when they were planned."""
        parameters = {"account": self.account, "skus": [change.subject for change in changes]}
        return dict(self.connection.execute(sql.statement("inventory/select_targets"), parameters).fetchall())

    def send_quantity(self, change: RecordedChange, shown: int | None, price: RecordedChange | None) -> Outcome:
        """Send a quantity, with the SKU's home price where that changes too.

        The listing is read once more just before: units that went since the plan are noted, and the SKU is planned
        anew. What is sold between this reading and the write cannot be seen; that is what safety_qty is for.

        :return: ``again`` where it is to be planned anew, ``waits`` where the hour's budget is spent.
        """
        listing_id = UUID(change.payload["id"])
        try:
            listing = self._read(listing_id, self.home)
        except NotFoundError:
            self.log.warning(
                "%s: Back Market has no such listing any more; its quantity stays planned.", change.subject
            )
            return self._count("gone", "unknown")
        if listing.quantity != shown:
            return self._count("moved", "again")
        changes = [(self.quantities, change), *([(self.prices, price)] if price else [])]
        outcome = self._write(listing_id, self.home, changes)
        if outcome == "refused" and price:
            # Which of the two was at fault is not said: the quantity must not wait for a price.
            return self._write(listing_id, self.home, changes[:1])
        return outcome

    def send_price(self, change: RecordedChange) -> Outcome:
        """Send a price in its market."""
        return self._write(UUID(change.payload["id"]), change.market, [(self.prices, change)])

    def tell_what_waits(self, ledger: Ledger) -> int:
        """Log how many changes wait for the next hour's lines, and until when."""
        waiting = len(ledger.planned())
        if waiting:
            self.log.warning(
                "%d changes (%s) wait in their order, nothing is lost. SKU lines are free again at %s UTC.",
                waiting,
                ledger.kind,
                f"{self.budget.free_at():%H:%M:%S}",
            )
        return waiting

    def _write(self, listing_id: UUID, market: str, changes: list[tuple[Ledger, RecordedChange]]) -> Outcome:
        if self.budget.take(1) == 0:
            return "waits"
        fields = _fields(changes)
        with self.connection.transaction():
            for ledger, change in changes:
                if not ledger.mark_sent([change.change_id]):
                    return self._count("not_ours", "unknown")
            if "quantity" in fields:
                inventory.begin_sending(self.connection, self.account, listing_id, fields["quantity"])
        try:
            answer = self.client.update_listing(listing_id, market, **fields)
        except BackMarketError as error:
            return self._settle_failure(error, listing_id, market, changes)
        self._failures = 0
        if answer is None or answer.id != listing_id or not _shows(answer, fields):
            return self._settle_by_reading(listing_id, market, changes, "the answer did not show the change")
        with self.connection.transaction():
            self._store(answer, market, datetime.now(UTC))
            if "quantity" in fields:
                inventory.know(self.connection, self.account, listing_id, answer.quantity, at=datetime.now(UTC))
            for ledger, change in changes:
                ledger.settle([change.change_id], "confirmed")
        return self._count("confirmed", "confirmed")

    def _settle_failure(
        self, error: BackMarketError, listing_id: UUID, market: str, changes: list[tuple[Ledger, RecordedChange]]
    ) -> Outcome:
        """Settle changes whose request failed; raise what a person or time must mend.

        :raises BackMarketError: where sending more would fail alike.
        """
        if isinstance(error, (RefusedError, NotFoundError)):
            return self._settle_refusal(error, listing_id, changes)
        if error.surely_not_applied:
            self._settle_all(changes, "planned", str(error))
            inventory.not_applied(self.connection, self.account, listing_id)
            raise error
        self._settle_all(changes, "unknown", str(error))
        self._failures += 1
        outcome = self._settle_by_reading(listing_id, market, changes, str(error))
        if self._failures >= MOST_FAILURES_IN_A_ROW:
            raise error
        return outcome

    def _settle_refusal(
        self, error: BackMarketError, listing_id: UUID, changes: list[tuple[Ledger, RecordedChange]]
    ) -> Outcome:
        reason = error.api_message or str(error)
        inventory.not_applied(self.connection, self.account, listing_id)
        ledger, change = changes[-1]
        ledger.settle([change.change_id], "refused", reason)
        self._settle_all(changes[:-1], "planned", f"sent together with a price that was refused: {reason}")
        self.log.warning("%s (%s): Back Market refused it: %s", change.subject, ledger.kind, reason)
        return self._count("refused", "refused")

    def _settle_by_reading(
        self, listing_id: UUID, market: str, changes: list[tuple[Ledger, RecordedChange]], reason: str
    ) -> Outcome:
        """Read a listing whose change got no usable answer, and settle by what it shows."""
        try:
            listing = self._read(listing_id, market)
        except BackMarketError:
            self._settle_all(changes, "unknown", f"{reason} Reading it back failed, too: the next run settles it.")
            return self._count("unknown", "unknown")
        outcome: Outcome = "confirmed"
        for ledger, change in changes:
            if _shows(listing, _fields([(ledger, change)])):
                ledger.settle([change.change_id], "confirmed", "seen on Back Market after an answer was lost")
            else:
                ledger.settle([change.change_id], "planned", reason)
                outcome = "again"
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
        if listing.sku:
            lines = inventory.lines_by_sku(
                self.connection, self.account, now=read_at, hold=self.hold, intake_lag=timedelta(0), sku=listing.sku
            )
            reading = Reading(listing.id, listing.sku, listing.quantity, read_at)
            since = read_at - self.hold
            found = inventory.note_readings(self.connection, self.account, [reading], lines, since=since)
            inventory.record_findings(self.connection, self.account, found)
        return listing

    def _store(self, listing: Listing, market: str, read_at: datetime) -> None:
        store_readings(self.connection, self.account, market, [listing], read_at=read_at)

    def _count(self, name: str, outcome: Outcome) -> Outcome:
        self.counts[name] += 1
        return outcome


@contextmanager
def open_upload(operator: BackMarketOperator, settings: InventorySettings) -> Iterator[ListingUpload]:
    """Open what an upload task works with: the database, the client, and the hour's budget."""
    from backmarket.warehouse.connection import connect
    from backmarket.warehouse.sku_line_budget import open_sku_line_budget

    hook, hold = operator.hook, timedelta(hours=settings.pending_hold_hours)
    with (
        connect(operator.warehouse_conn_id) as connection,
        hook as client,
        open_sku_line_budget(operator.warehouse_conn_id, operator.account) as budget,
    ):
        yield ListingUpload(connection, operator.account, client, budget, hook.config.market, hold, operator.log)


def skip_unless_sending(settings: InventorySettings, toggle: str) -> None:
    """Skip the task where its toggle is off, or nothing at all is to be sent.

    :param toggle: without ``backmarket_``.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    if not getattr(settings, toggle):
        raise AirflowSkipException(f"backmarket_{toggle} is off.")
    if settings.dry_run:
        raise AirflowSkipException("backmarket_dry_run is on: the plan is recorded, nothing is sent.")


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
