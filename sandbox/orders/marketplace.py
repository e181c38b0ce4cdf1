"""What customers, banks and carriers do to orders while the sandbox runs."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import MINUTE, Clock, write_like
from sandbox.dice import dice
from sandbox.listings.model import Listing, Offer
from sandbox.listings.store import ListingStore
from sandbox.markets import Market, Platform
from sandbox.orders.factory import LinePlan, OrderPlan, build_order
from sandbox.orders.model import (
    AWAITING_PAYMENT,
    LINE_ACCEPTED,
    LINE_AWAITING_PAYMENT,
    LINE_NEW,
    LINE_ON_HOLD,
    LINE_PAID,
    LINE_STATE_OF_ORDER,
    LINE_UNPAID,
    NEW,
    PAID,
    PROCESSED,
    TO_SHIP,
    Document,
    refresh_state,
)
from sandbox.orders.seed import Trade
from sandbox.orders.store import OrderStore, parse

_SETTLES_AFTER = MINUTE


class RefusalError(Exception):
    """The control API was asked for something that cannot happen on Back Market."""


@dataclass(frozen=True)
class Wish:
    """An order to be made: all parts are optional, what is missing is drawn."""

    state: int = PAID
    market: str | None = None
    sku: str | None = None
    quantity: int = 1
    price: str | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    is_backship: bool = False
    force: bool = False
    overrides: Document = field(default_factory=dict)

    def line_wishes(self) -> list[dict[str, Any]]:
        """Give the lines wished for; the short form stands for one line."""
        return self.lines or [{"sku": self.sku, "quantity": self.quantity, "price": self.price}]


class Marketplace:
    """Makes orders and moves them along; Back Market's side of an order's life."""

    def __init__(self, seed: int, platform: Platform, clock: Clock, listings: ListingStore, orders: OrderStore) -> None:
        self._seed = seed
        self._platform = platform
        self._clock = clock
        self._listings = listings
        self._orders = orders
        self._trade = Trade(seed, platform, [])

    def order(self, wish: Wish) -> Document:
        """Make one order now. The stock falls at once, before anything is paid."""
        order_id = self._orders.next_id()
        rng = dice(self._seed, order_id)
        if wish.state not in LINE_STATE_OF_ORDER:
            raise RefusalError(f"state {wish.state} is none of {sorted(LINE_STATE_OF_ORDER)}")
        market = self._platform.markets.get(wish.market) if wish.market else self._trade.market(rng)
        if market is None:
            raise RefusalError(f"market {wish.market} is none of {sorted(self._platform.markets)}")
        lines = [self._plan_line(line, wish, market, rng.random()) for line in wish.line_wishes()]
        self._check_stock(lines, wish)
        now = self._clock.now()
        plan = OrderPlan(
            order_id, market, wish.state, lines, now, now, is_backship=wish.is_backship, overrides=wish.overrides
        )
        document = build_order(rng, plan)
        if "state" not in wish.overrides:
            refresh_state(document)
        for each in lines:
            self._listings.take_stock(each.listing.sku, each.quantity)
        self._orders.save(document)
        return document

    def _plan_line(self, line: dict[str, Any], wish: Wish, market: Market, chance: float) -> LinePlan:
        listing = self._choose(line.get("sku"), market, chance)
        state = int(line.get("state", LINE_STATE_OF_ORDER[wish.state]))
        return LinePlan(listing, state, int(line.get("quantity") or 1), line.get("price"))

    def _choose(self, sku: str | None, market: Market, chance: float) -> Listing:
        if sku is not None:
            return self._listings.by_sku(sku) or _foreign_listing(sku, market)
        sellable = self._listings.sellable(market.code)
        if not sellable:
            raise RefusalError(f"nothing is online and in stock in {market.code}")
        return sellable[int(chance * len(sellable))]

    def _check_stock(self, lines: list[LinePlan], wish: Wish) -> None:
        wanted: Counter[str] = Counter()
        for line in lines:
            wanted[line.listing.sku] += line.quantity
            known = self._listings.by_sku(line.listing.sku) is not None
            if known and line.listing.quantity < wanted[line.listing.sku] and not wish.force:
                raise RefusalError(f"{line.listing.sku} has {line.listing.quantity} left; force sells it nevertheless")

    def order_if_possible(self, state: int) -> None:
        """Let a customer come who buys if there is anything to buy."""
        try:
            self.order(Wish(state=state))
        except RefusalError:
            return

    def pay(self, document: Document) -> None:
        """The payment went through: the seller may accept."""
        self._move(document, {LINE_NEW, LINE_AWAITING_PAYMENT}, LINE_PAID, "awaits no payment")
        document["date_payment"] = document["date_modification"]
        self._orders.save(document)

    def leave_unpaid(self, document: Document) -> None:
        """The payment failed: the units go back into the listing."""
        self._move(document, {LINE_NEW, LINE_AWAITING_PAYMENT}, LINE_UNPAID, "awaits no payment")
        for line in document["orderlines"]:
            self._listings.return_stock(line["listing"], line["quantity"])
        self._orders.save(document)

    def release(self, document: Document) -> None:
        """The check behind an order on hold ended well."""
        self._move(document, {LINE_ON_HOLD}, LINE_PAID, "is not on hold")
        self._orders.save(document)

    def confirm(self, document: Document) -> None:
        """The carrier confirmed the parcel: the order is processed."""
        if document["state"] != TO_SHIP or not document["date_shipping"]:
            raise RefusalError(f"order {document['order_id']} is not shipped")
        if any(line["state"] in {LINE_PAID, LINE_ACCEPTED} for line in document["orderlines"]):
            raise RefusalError(f"order {document['order_id']} still has lines to ship")
        document["state"] = PROCESSED
        self.touch(document)
        self._orders.save(document)

    def touch(self, document: Document) -> None:
        """Set the modification date to now, in the document's own style."""
        document["date_modification"] = write_like(self._clock.now(), str(document["date_modification"]))

    def _move(self, document: Document, sources: set[int], target: int, otherwise: str) -> None:
        moved = [line for line in document["orderlines"] if line["state"] in sources]
        if not moved:
            raise RefusalError(f"order {document['order_id']} {otherwise}")
        for line in moved:
            line["state"] = target
        refresh_state(document)
        self.touch(document)

    def settle_waiting(self) -> None:
        """Decide payments and confirm parcels that have waited for more than a minute."""
        due = self._clock.now() - _SETTLES_AFTER
        waiting = [r for r in self._orders if r.state in {NEW, AWAITING_PAYMENT, TO_SHIP} and r.modified < due]
        for record in waiting:
            document = parse(record)
            if record.state == TO_SHIP:
                if all(line["state"] not in {LINE_PAID, LINE_ACCEPTED} for line in document["orderlines"]):
                    self.confirm(document)
            elif record.order_id % 10 == 0:
                self.leave_unpaid(document)
            else:
                self.pay(document)


def _foreign_listing(sku: str, market: Market) -> Listing:
    """Stand in for a listing that the seller has deleted: orders of it still come."""
    return Listing(
        id="00000000-0000-4000-8000-000000000000",
        listing_id=1,
        product_id="00000000-0000-4000-8000-000000000000",
        backmarket_id=1,
        title=sku,
        brand="",
        ean="",
        category=0,
        fee_percent=10,
        sku=sku,
        grade="GOOD",
        quantity=0,
        offers={market.code: Offer(market.currency, "0.00")},
    )
