"""Decides which paid order lines are accepted: those whose units the seller has, oldest order first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.rules.inventory import is_reserved, is_stale, orders_known_until, reserved_units, time_ahead
from backmarket.rules.order_facts import (
    ACCEPTED_OR_LATER,
    DONE,
    NOT_PAYABLE_YET,
    PAID,
    SEND,
    Decision,
    LineFacts,
    OrderFacts,
    refuse,
    wait,
    wait_for_unknown_states,
)
from backmarket.rules.sku_map import Shelf, SkuMap
from backmarket.rules.skus import sku_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from backmarket.rules.inventory import OrderLineRow, StockPolicy, StockRow


@dataclass(frozen=True, slots=True)
class Request:
    """The paid lines of one SKU of one order: Back Market accepts them in one call.

    :param sku: Back Market's ``listing``, to the letter.
    """

    order: OrderFacts
    sku: str
    lines: tuple[LineFacts, ...]

    @property
    def orderline_ids(self) -> tuple[int, ...]:
        """Its lines."""
        return tuple(line.orderline_id for line in self.lines)


def requests(orders: Iterable[OrderFacts]) -> list[Request]:
    """Return what could be accepted, in the order in which it was promised: by payment, then by order id."""
    found = []
    for order in orders:
        paid: dict[str, list[LineFacts]] = {}
        for line in order.lines:
            if line.state == PAID:
                paid.setdefault(line.sku or "", []).append(line)
        found += [Request(order, sku, tuple(lines)) for sku, lines in paid.items()]
    return sorted(found, key=lambda each: (each.order.paid_at is None, each.order.paid_at, each.order.order_id))


def judge_acceptance(order: OrderFacts, sku: str, orderline_ids: Collection[int]) -> Decision:
    """Decide, from an order as it is, whether lines are to be accepted, and whether they were."""
    if not sku:
        return refuse("the line has no SKU, without which Back Market accepts nothing: accept it in the Back Office")
    asked = [line for line in order.lines if line.orderline_id in orderline_ids]
    states = {line.state for line in asked}
    if PAID not in states:
        if states & ACCEPTED_OR_LATER:
            return DONE
        if unknown := wait_for_unknown_states(asked):
            return unknown
        return wait("not paid, or on hold") if states & NOT_PAYABLE_YET else refuse("cancelled or never paid")
    of_sku = [line for line in order.lines if line.sku == sku]
    if {line.state for line in of_sku} & NOT_PAYABLE_YET:
        return wait("another line of this SKU is on hold or not paid, and one call accepts every line of a SKU")
    return wait_for_unknown_states(of_sku) or SEND


def judge_stock(
    queue: Sequence[Request],
    counts: Mapping[str, StockRow],
    lines: Mapping[str, Sequence[OrderLineRow]],
    policy: StockPolicy,
    *,
    now: datetime,
    sku_map: SkuMap | None = None,
) -> list[Decision]:
    """Decide for each request, in the order of the queue, whether the seller has its units.

    What is left of the counts after all accepted lines, and after the paid lines of older orders whether or not they
    could be accepted, must cover it. A line in a state that is not known may have been accepted, and takes what it
    reserves of the quantities. Safety quantity plays no part: it was sold already. Nothing is promised on a count that
    is too old, or that lies in the future: that would seem to know of whatever was promised on it.

    :param counts: by the seller's SKU, as :func:`sku_key` gives it.
    :param lines: the lines that matter to the stock, likewise by the listing's SKU.
    :param sku_map: which SKUs feed which listings; None: each its own.
    """
    shelf = Shelf(counts, sku_map or SkuMap(), policy)
    rows = {listing: row for listing in shelf.listings if (row := shelf.row(listing))}
    known_until = {listing: orders_known_until(row, policy, now=now) for listing, row in rows.items()}
    for listing, known in known_until.items():
        own = lines.get(listing, ())
        promised = [line for line in own if line.state in ACCEPTED_OR_LATER or not line.is_state_known]
        shelf.promise(listing, reserved_units(promised, known, policy.known_from))
    decisions = []
    for request in queue:
        listing = sku_key(request.sku)
        row = rows.get(listing)
        if row is None:
            reason = f"stock: seller.stock has no row that can be used, or several, for SKU {request.sku}"
            decisions.append(refuse(reason))
            continue
        asked = [line for line in lines.get(listing, ()) if line.orderline_id in request.orderline_ids]
        needed = sum(line.quantity for line in asked if is_reserved(line, known_until[listing], policy.known_from))
        left = shelf.free(listing)
        shelf.promise(listing, needed)
        if is_stale(row, policy, now=now):
            count = f"the count of {row.counted_at:%Y-%m-%d %H:%M} UTC"
            decisions.append(refuse(f"stock: {count} is too old to promise anything on it"))
        elif ahead := time_ahead(row, now=now):
            moment = f"{now + ahead:%Y-%m-%d %H:%M} UTC"
            reason = f"stock: the count, or what it knows of, lies in the future ({moment}): is it local time?"
            decisions.append(refuse(reason))
        elif left < needed:
            reason = f"stock: {needed} needed, {left} of {row.quantity} left after older promises"
            decisions.append(refuse(reason))
        else:
            decisions.append(SEND)
    return decisions
