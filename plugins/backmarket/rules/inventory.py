"""Decides how many units of a SKU are free, and how many of them Back Market may show.

A count of the shelf knows of some orders and cannot know of others. Whatever it cannot know of is taken off here,
so that no unit is promised twice. The arithmetic, with an example, stands in
``docs/operations/inventory_prices.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from backmarket.rules.skus import sku_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KnownFrom = Literal["accepted", "paid"]

MOST_UNITS = 2**31 - 1
"""The most units that a count, or several added up, can have: what a column of ours holds."""

CLOCKS_APART = timedelta(minutes=2)
"""How far the clock of the seller's system may be ahead of this machine's."""

# Line states (source: spec). Accepted lines, and those refunded from there: the unit may have left the shelf, and
# whether it came back is for the next count to say.
_NOT_PAID_YET = frozenset({0, 8, 9})
_PAID = 1
_WAITING = _NOT_PAID_YET | {_PAID}
_ACCEPTED = frozenset({2, 3, 5, 6})
_WITHOUT_UNITS = frozenset({4, 7})
_KNOWN = _WAITING | _ACCEPTED | _WITHOUT_UNITS
OPEN = _WAITING | {2}
"""States of lines whose unit is promised and not shipped."""


@dataclass(frozen=True, slots=True)
class StockRow:
    """A SKU's row of ``seller.stock``.

    :param quantity: units on the shelf and promised to nobody at ``counted_at``.
    :param safety_qty: units held back for this SKU; None: as the Variable says.
    :param max_qty: most units shown of this SKU; None: as the Variable says.
    :param orders_known_until: up to when the count knows of orders; None: ``counted_at`` less the intake lag.
    :param warehouse: where they are; None: the row is about the whole SKU.
    :param newest_at: of counts that were added up, the latest moment that one of them names; None: it is one count.
    """

    sku: str
    quantity: int
    counted_at: datetime
    safety_qty: int | None = None
    max_qty: int | None = None
    orders_known_until: datetime | None = None
    warehouse: str | None = None
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderLineRow:
    """What an order line means for the stock.

    :param state: 0 new, 8 pending, 9 on hold, 1 paid, 2 accepted, 3 shipped, 4 cancelled, 5 refunded before and 6
        after shipping, 7 not paid.
    :param created_at: when Back Market took the order.
    :param paid_at: when it was paid; None before that, or where Back Market does not say.
    :param accepted_at: by the ledger, else the earliest moment known; None before that.
    :param is_gone: Back Market no longer serves the order, or the order no longer lists the line.
    """

    orderline_id: int
    order_id: int
    sku: str
    quantity: int
    state: int
    created_at: datetime | None = None
    paid_at: datetime | None = None
    accepted_at: datetime | None = None
    is_gone: bool = False

    @property
    def is_state_known(self) -> bool:
        """Whether its state is one of those that Back Market's documents name."""
        return self.state in _KNOWN

    @property
    def may_be_accepted_yet(self) -> bool:
        """Whether it is not accepted and may be; in a state that is not known, as long as it was not seen accepted."""
        return self.state in _WAITING or (not self.is_state_known and self.accepted_at is None)


@dataclass(frozen=True, slots=True)
class StockPolicy:
    """How the seller's counts are to be read.

    :param known_from: from which state on the seller's system takes an order off its count.
    :param intake_lag: how long that takes.
    :param max_age: a count older than this is not trusted upwards; None: any age is trusted.
    :param safety_qty: units held back per SKU.
    :param max_qty: most units shown per SKU; None: no limit.
    :param warehouses: those whose units count, as :func:`sku_key` gives them; empty: all.
    """

    known_from: KnownFrom = "accepted"
    intake_lag: timedelta = timedelta(0)
    max_age: timedelta | None = timedelta(hours=24)
    safety_qty: int = 0
    max_qty: int | None = None
    warehouses: frozenset[str] = frozenset()

    def counts(self, row: StockRow) -> bool:
        """Tell whether the units of a row count."""
        return self.counts_place(row.warehouse)

    def counts_place(self, warehouse: str | None) -> bool:
        """Tell whether the units of a warehouse count; None: those of a row that names none."""
        return not self.warehouses or sku_key(warehouse or "") in self.warehouses


@dataclass(frozen=True, slots=True)
class QuantityPlan:
    """What a SKU is to show, and how that came about.

    :param reserved: units of orders that the count does not know of.
    :param held: units gone from the listing that no visible order explains.
    :param of_unknown_states: how many of the reserved units are of lines in a state that is not known.
    :param sellable: what is left of the count; never below 0.
    :param wanted: what Back Market is to show.
    :param is_stale: the count was too old to raise anything.
    :param ahead: how far the count, or what it knows of, lies in the future, so that it raises nothing; else zero.
    :param waits_for_others: it is not raised before other listings of its SKUs are lowered.
    """

    stock: int
    reserved: int
    held: int
    safety_qty: int
    max_qty: int | None
    sellable: int
    wanted: int
    is_stale: bool
    ahead: timedelta = timedelta(0)
    waits_for_others: bool = False
    of_unknown_states: int = 0


class Counts(NamedTuple):
    """What ``seller.stock`` says, by :func:`sku_key`.

    :param by_sku: one count a SKU.
    :param ambiguous: SKUs with rows that contradict each other, and how many rows each has.
    """

    by_sku: dict[str, StockRow]
    ambiguous: dict[str, int]


def counts_by_sku(
    rows: Iterable[StockRow], policy: StockPolicy, unread: Iterable[tuple[str, str | None]] = ()
) -> Counts:
    """Add up the rows of each SKU, one a warehouse; a warehouse that does not count has no units.

    Two rows of one warehouse contradict each other. So does a row without a warehouse beside those of warehouses, where
    it has units: it may be their sum. A row that cannot be read contradicts as one with units does: which of the two is
    right, nobody knows. Of a SKU of which no other row counts, nobody knows the units: it has no count.

    :param unread: SKU and warehouse of the rows that cannot be read.
    """
    found: dict[str, list[StockRow]] = {}
    for row in rows:
        found.setdefault(sku_key(row.sku), []).append(row)
    unread_places: dict[str, list[str]] = {}
    for sku, warehouse in unread:
        if policy.counts_place(warehouse):
            unread_places.setdefault(sku_key(sku), []).append(sku_key(warehouse or ""))
    counts = Counts({}, {})
    for sku, own in found.items():
        counting = [row for row in own if policy.counts(row)]
        of_unread = unread_places.get(sku, [])
        if of_unread and not counting:
            continue
        places = [sku_key(row.warehouse or "") for row in counting]
        is_whole = any(row.quantity for row, place in zip(counting, places, strict=True) if not place)
        places += of_unread
        is_whole = is_whole or "" in of_unread
        if len(set(places)) < len(places) or (is_whole and len(places) > 1):
            counts.ambiguous[sku] = len(places)
        else:
            counts.by_sku[sku] = added_up(counting or [replace(row, quantity=0) for row in own], policy)
    return counts


def within_bounds(units: int) -> int:
    """Return a sum of units, or the most that a column holds: so many are a placeholder for plenty."""
    return max(-MOST_UNITS, min(units, MOST_UNITS))


def added_up(rows: Sequence[StockRow], policy: StockPolicy) -> StockRow:
    """Return counts as one: it knows only what all of them know, and the strictest limits hold.

    A count without units says nothing about orders: none of theirs can have taken a unit of it.
    """
    if len(rows) == 1:
        return rows[0]
    telling = [row for row in rows if row.quantity] or rows
    safety = [row.safety_qty for row in rows if row.safety_qty is not None]
    most = [row.max_qty for row in rows if row.max_qty is not None]
    return StockRow(
        rows[0].sku,
        within_bounds(sum(row.quantity for row in rows)),
        min(row.counted_at for row in telling),
        max(safety, default=None),
        min(most, default=None),
        min(row.orders_known_until or row.counted_at - policy.intake_lag for row in telling),
        newest_at=max(_newest(row) for row in telling),
    )


def orders_known_until(stock: StockRow, policy: StockPolicy, *, now: datetime) -> datetime:
    """Return up to when a count knows of orders: never later than now, whatever the seller's clock says."""
    return min(stock.orders_known_until or stock.counted_at - policy.intake_lag, now)


def time_ahead(stock: StockRow, *, now: datetime) -> timedelta:
    """Return how far a count lies in the future, as where local time was written as UTC; zero within the tolerance."""
    ahead = _newest(stock) - now
    return ahead if ahead > CLOCKS_APART else timedelta(0)


def is_stale(stock: StockRow, policy: StockPolicy, *, now: datetime) -> bool:
    """Tell whether a count is too old to be trusted upwards."""
    return policy.max_age is not None and now - stock.counted_at > policy.max_age


def is_reserved(line: OrderLineRow, known_until: datetime, known_from: KnownFrom) -> bool:
    """Tell whether a line takes units that a count cannot know of.

    That is every line that the seller's system has not taken in yet, and every one that it took in after the
    count. Cancelled and unpaid lines take nothing; neither do lines that went before they were accepted. Of a state
    that is not known, nobody can say that the unit is free.
    """
    if line.may_be_accepted_yet:
        if line.is_gone:
            return False
        if known_from == "paid" and line.state == _PAID:
            return _is_after(line.paid_at, known_until)
        return True
    if line.state in _WITHOUT_UNITS:
        return False
    taken_in_at = line.accepted_at
    if known_from == "paid" and line.paid_at is not None:
        taken_in_at = line.paid_at
    return _is_after(taken_in_at, known_until)


def reserved_units(lines: Iterable[OrderLineRow], known_until: datetime, known_from: KnownFrom) -> int:
    """Add up the units of one SKU's lines that a count cannot know of, within the bounds of a column."""
    return within_bounds(sum(line.quantity for line in lines if is_reserved(line, known_until, known_from)))


def units_left(stock: StockRow, lines: Iterable[OrderLineRow], policy: StockPolicy, *, now: datetime) -> int:
    """Return the count less the given lines' units, before safety; below 0 where more was promised than is there.

    :param lines: of this SKU: all of them, or those promised before the one that is to be accepted.
    """
    known_until = orders_known_until(stock, policy, now=now)
    return stock.quantity - reserved_units(lines, known_until, policy.known_from)


def quantity_to_show(sellable: int, safety_qty: int, max_qty: int | None) -> int:
    """Return min(max, max(0, sellable - safety))."""
    shown = max(0, sellable - safety_qty)
    return shown if max_qty is None else min(max_qty, shown)


def plan_quantity(
    stock: StockRow,
    lines: Sequence[OrderLineRow],
    policy: StockPolicy,
    *,
    held: int,
    shown_now: int,
    may_raise: bool,
    now: datetime,
) -> QuantityPlan:
    """Decide what a listing is to show.

    :param lines: all lines of this SKU.
    :param held: units gone from the listing that no visible order explains.
    :param shown_now: what Back Market shows, by the last reading.
    :param may_raise: whether that reading is fresh.
    """
    free = units_left(stock, lines, policy, now=now)
    known_until = orders_known_until(stock, policy, now=now)
    odd = [line for line in lines if not line.is_state_known]
    sellable = max(0, free - held)
    safety_qty = policy.safety_qty if stock.safety_qty is None else max(0, stock.safety_qty)
    max_qty = policy.max_qty if stock.max_qty is None else max(0, stock.max_qty)
    wanted = quantity_to_show(sellable, safety_qty, max_qty)
    stale, ahead = is_stale(stock, policy, now=now), time_ahead(stock, now=now)
    if stale or ahead or not may_raise:
        wanted = min(wanted, shown_now)
    return QuantityPlan(
        stock=stock.quantity,
        reserved=stock.quantity - free,
        held=held,
        safety_qty=safety_qty,
        max_qty=max_qty,
        sellable=sellable,
        wanted=wanted,
        is_stale=stale,
        ahead=ahead,
        of_unknown_states=reserved_units(odd, known_until, policy.known_from),
    )


def _newest(stock: StockRow) -> datetime:
    return max(stock.counted_at, stock.orders_known_until or stock.counted_at, stock.newest_at or stock.counted_at)


def _is_after(moment: datetime | None, known_until: datetime) -> bool:
    return moment is None or moment > known_until


def is_explained_by_orders(plan: QuantityPlan) -> bool:
    """Tell whether a listing goes to zero because of orders: the count alone would still show something.

    Orders in a state that is not known explain nothing: a new state of Back Market's may be that of every order.
    """
    left = plan.stock - (plan.reserved - plan.of_unknown_states) - plan.held
    by_count, by_orders = (quantity_to_show(units, plan.safety_qty, plan.max_qty) for units in (plan.stock, left))
    return by_orders == 0 < by_count


def is_mass_zero(zeroings: int, live: int, guard_pct: int) -> bool:
    """Tell whether a feed that zeroes so many of the live SKUs looks broken; a single one never does."""
    return zeroings > 1 and zeroings * 100 > live * guard_pct
