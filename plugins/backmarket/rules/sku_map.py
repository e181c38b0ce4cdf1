"""Decides which of the seller's SKUs feed which listings, and divides their units so that each is promised once.

Several SKUs may feed one listing, one SKU several listings, and one unit of a listing may take several of a SKU. What
orders have taken comes first; what is left is divided. Why it is divided so: ``docs/decisions/0018``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence  # noqa: TC003 - read at run time by the dataclasses
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.inventory import (
    OrderLineRow,
    QuantityPlan,
    StockPolicy,
    StockRow,
    added_up,
    orders_known_until,
    plan_quantity,
    reserved_units,
    within_bounds,
)
from backmarket.rules.skus import clean_sku, sku_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class MapRow:
    """A row of ``seller.sku_map``.

    :param units: how many of the SKU a unit of the listing takes; None: one.
    """

    sku: str
    listing_sku: str
    units: int | None = None


class Feeder(NamedTuple):
    """A SKU of the seller that feeds a listing.

    :param sku: as the seller spells it.
    :param quantity: its units.
    :param units: how many of them a unit of the listing takes.
    :param share: how many of them are the listing's.
    :param is_former: it feeds others now, and the listing still shows or has sold units of it.
    """

    sku: str
    quantity: int
    units: int
    share: int
    is_former: bool = False


class SkuMap:
    """Which of the seller's SKUs feed which listings; a SKU without a row feeds the listing of its own name.

    SKUs are named by :func:`~backmarket.rules.skus.sku_key`.

    :param rows: those that can be used.
    :param unusable: SKUs with a row that cannot be used: what they feed is not known, so that they feed nothing.
    :param former: by listing, the SKUs that fed it by the last plan, and how many of each a unit took. Those that feed
        others now, and the SKU of a listing's own name that does, are there for its orders alone.
    :param unclear: listings that are named by a row that cannot be used.
    """

    def __init__(
        self,
        rows: Iterable[MapRow] = (),
        unusable: Collection[str] = (),
        former: Mapping[str, Mapping[str, int]] | None = None,
        unclear: Collection[str] = (),
    ) -> None:
        self.unusable = frozenset(map(sku_key, unusable))
        self._unclear = set(map(sku_key, unclear))
        self._spelled: dict[str, str] = {}
        self._listings: dict[str, dict[str, int]] = {}
        self._feeders: dict[str, dict[str, int]] = {}
        self._once: dict[str, dict[str, int]] = {}
        for row in rows:
            sku, listing, units = sku_key(row.sku), sku_key(row.listing_sku), row.units or 1
            self._spelled.setdefault(sku, clean_sku(row.sku))
            if sku in self.unusable:
                self._unclear.add(listing)
            else:
                self._listings.setdefault(sku, {})[listing] = units
                self._feeders.setdefault(listing, {})[sku] = units
        moved = {sku: {sku: 1} for sku in self._listings}
        for listing, skus in (*moved.items(), *(former or {}).items()):
            for sku, units in skus.items():
                if sku not in self.unusable and listing not in self.listings_of(sku):
                    self._once.setdefault(sku, {})[listing] = units

    @property
    def mapped(self) -> Mapping[str, Mapping[str, int]]:
        """The SKUs with rows that can be used: the listings that they feed, and how many units one takes."""
        return self._listings

    def listings_of(self, sku: str) -> Mapping[str, int]:
        """Return the listings that a SKU feeds, and how many of its units one of each takes."""
        key = sku_key(sku)
        return {} if key in self.unusable else self._listings.get(key) or {key: 1}

    def once_of(self, sku: str) -> Mapping[str, int]:
        """Return the listings that a SKU fed once, and how many of its units one of each took."""
        return self._once.get(sku_key(sku), {})

    def feeders_of(self, listing: str) -> Mapping[str, int]:
        """Return the SKUs that feed a listing, and how many units of each it takes."""
        key = sku_key(listing)
        found = self._feeders.get(key, {})
        return found if key in self._listings or key in self.unusable else {**found, key: 1}

    def is_unclear(self, listing: str) -> bool:
        """Tell whether a listing is named for a SKU of which nobody knows what it feeds: that one may feed it, too."""
        return sku_key(listing) in self._unclear

    def is_named(self, sku: str, listing: str) -> bool:
        """Tell whether a row says that a SKU feeds a listing, and not the listing's name alone."""
        return sku_key(listing) in self._listings.get(sku_key(sku), {})

    def spelled(self, sku: str) -> str:
        """Return a SKU as the seller spells it."""
        return self._spelled.get(sku_key(sku), clean_sku(sku))

    def skus_around(self, listings: Iterable[str]) -> set[str]:
        """Return all SKUs whose units matter to some listings: those that feed them, or others that share these."""
        once: dict[str, set[str]] = {}
        for sku, own in self._once.items():
            for listing in own:
                once.setdefault(listing, set()).add(sku)
        found: set[str] = set()
        met = {sku_key(listing) for listing in listings}
        ahead = list(met)
        while ahead:
            listing = ahead.pop()
            for sku in {*self.feeders_of(listing), *once.get(listing, ())} - found:
                found.add(sku)
                more = {*self.listings_of(sku), *self.once_of(sku)} - met
                met |= more
                ahead += more
        return found


class Shelf:
    """The units of the seller's SKUs, and which listing each of them is for.

    Of which of its SKUs an order has taken its units nobody knows before the next count. So a SKU that several listings
    share is taken to have given all that the orders of each of them could have had of it: what is left of it is there
    whatever the seller picked.

    :param counts: by SKU.
    """

    def __init__(self, counts: Mapping[str, StockRow], sku_map: SkuMap, policy: StockPolicy) -> None:
        self._counts = counts
        self._policy = policy
        self._feeders: dict[str, dict[str, int]] = {}
        self._fed: dict[str, list[str]] = {}
        self._once: dict[str, Mapping[str, int]] = {}
        self._promised: dict[str, int] = defaultdict(int)
        self._taken: dict[str, int] = defaultdict(int)
        # Of SKUs that several listings share, by SKU and listing.
        self._shares: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for sku in counts:
            listings, once = sku_map.listings_of(sku), sku_map.once_of(sku)
            self._fed[sku] = sorted(listings)
            if once:
                self._once[sku] = once
            for listing, units in (*listings.items(), *once.items()):
                self._feeders.setdefault(listing, {})[sku] = units

    @property
    def listings(self) -> Collection[str]:
        """The listings whose units are known."""
        return self._feeders.keys()

    def row(self, listing: str) -> StockRow | None:
        """Return the counts that feed a listing as one, with all of their units; None where there is none.

        It bears the listing's name: that of one of its SKUs may be another listing's.
        """
        feeders = self._feeders.get(listing)
        if feeders is None:
            return None
        row = added_up([self._counts[sku] for sku in feeders], self._policy)
        quantity = within_bounds(sum(self._counts[sku].quantity // units for sku, units in feeders.items()))
        name = self._counts[listing].sku if listing in feeders else listing
        is_same = (row.sku, row.quantity) == (name, quantity)
        return row if is_same else replace(row, sku=name, quantity=quantity)

    def around(self, listings: Iterable[str]) -> set[str]:
        """Return these listings and all that share a SKU with one of them, now or once, or with one that does."""
        met, skus = set(listings), set[str]()
        ahead = list(met)
        while ahead:
            for sku in self._feeders.get(ahead.pop(), {}).keys() - skus:
                skus.add(sku)
                more = {*self._fed[sku], *self._once.get(sku, ())} - met
                met |= more
                ahead += more
        return met

    def promise(self, listing: str, units: int) -> None:
        """Note that orders of a listing have taken units, whether or not they are there."""
        self._promised[listing] += units
        for sku, each in self._feeders.get(listing, {}).items():
            self._taken[sku] += units * each

    def free(self, listing: str) -> int:
        """Return how many more units of a listing are there for certain, if no other listing gets one first."""
        feeders = self._feeders.get(listing, {})
        own = sum(self._counts[sku].quantity // each for sku, each in feeders.items() if not self._is_shared(sku))
        shared = sum(self._left(sku) // each for sku, each in feeders.items() if self._is_shared(sku))
        promised = 0 if self._shared_with_enough(listing) else self._promised.get(listing, 0)
        return max(0, own + shared - promised)

    def divide(self, among: Collection[str]) -> None:
        """Give listings what their orders have taken, and divide what is left of each SKU evenly among some of them.

        A SKU below 0 is so for all of them.
        """
        for sku, fed in self._fed.items():
            left = self._left(sku)
            own = [listing for listing in fed if listing in among] if left and self._is_shared(sku) else []
            for place, listing in enumerate(own):
                each = self._feeders[listing][sku]
                part = left if left < 0 else -(-left // (len(own) - place)) // each * each
                self._shares[sku][listing] += part
                left -= max(part, 0)
        queue = self._promised.keys() & self._feeders.keys()
        for listing in sorted(queue, key=lambda listing: (len(self._feeders[listing]), listing)):
            self._give_promised(listing)

    def share(self, listing: str, sku: str) -> int:
        """Return how many units of a SKU are for a listing."""
        if self._is_shared(sku) or listing in self._once.get(sku, ()):
            return self._shares[sku].get(listing, 0)
        return self._counts[sku].quantity

    def quantity(self, listing: str) -> int:
        """Return how many units of a listing are for it: its orders' and its part of what all orders have left."""
        return within_bounds(sum(self.share(listing, sku) // each for sku, each in self._feeders[listing].items()))

    def fed_by(self, listing: str, *, with_former: bool) -> list[Feeder]:
        """Return where a listing's units come from; empty where it is fed by the SKU of its own name alone.

        :param with_former: whether to name SKUs that fed it once.
        """
        feeders = [
            Feeder(
                self._counts[sku].sku,
                self._counts[sku].quantity,
                units,
                self.share(listing, sku),
                is_former=listing in self._once.get(sku, ()),
            )
            for sku, units in sorted(self._feeders[listing].items())
        ]
        found = [each for each in feeders if with_former or not each.is_former]
        is_plain = [(sku_key(each.sku), each.units) for each in found] == [(listing, 1)]
        return [] if is_plain and not self._is_shared(listing) else found

    def _is_shared(self, sku: str) -> bool:
        """Tell whether units of a SKU may be of several listings; those that it fed once have what they sold."""
        fed, once = len(self._fed[sku]), self._once.get(sku)
        return fed + sum(self._promised.get(listing, 0) > 0 for listing in once) > 1 if once else fed > 1

    def _is_enough(self, sku: str) -> bool:
        """Tell whether a SKU has all that the orders of its listings could have taken of it."""
        return self._counts[sku].quantity >= self._taken.get(sku, 0)

    def _shared_with_enough(self, listing: str) -> str | None:
        """Return a shared SKU that has all that orders of a listing have taken, whatever they have taken it of."""
        feeders = self._feeders.get(listing, {})
        return next((sku for sku in sorted(feeders) if self._is_shared(sku) and self._is_enough(sku)), None)

    def _left(self, sku: str) -> int:
        """Return what is left of a SKU for certain; below 0 where the count is."""
        quantity = self._counts[sku].quantity
        return quantity - self._taken.get(sku, 0) if self._is_enough(sku) else min(quantity, 0)

    def _give_promised(self, listing: str) -> None:
        feeders, units = self._feeders[listing], self._promised[listing]
        if sku := self._shared_with_enough(listing):
            self._shares[sku][listing] += units * feeders[sku]
            return
        units -= sum(self._counts[sku].quantity // each for sku, each in feeders.items() if not self._is_shared(sku))
        for sku in sorted(filter(self._is_shared, feeders)):
            left = self._counts[sku].quantity - sum(self._shares[sku].values())
            some = max(0, min(units, left // feeders[sku]))
            self._shares[sku][listing] += some * feeders[sku]
            units -= some


@dataclass(frozen=True, slots=True)
class ListingNow:
    """What is known of a listing when quantities are planned.

    :param shown: what Back Market shows, by the last reading.
    :param held: units gone from it that no visible order explains.
    :param may_raise: whether that reading is fresh.
    """

    shown: int
    held: int
    may_raise: bool


class ListingPlan(NamedTuple):
    """What a listing is to show.

    :param stock: the counts that feed it, with the units that are for it.
    :param fed_by: where these come from; empty where that is the SKU of its own name alone.
    """

    stock: StockRow
    plan: QuantityPlan
    fed_by: list[Feeder]


def plan_listings(
    shelf: Shelf,
    now_of: Mapping[str, ListingNow],
    lines: Mapping[str, Sequence[OrderLineRow]],
    policy: StockPolicy,
    *,
    now: datetime,
) -> dict[str, ListingPlan]:
    """Plan what listings are to show, each with the units that are for it.

    While a listing shows more than is for it, no other that shares a SKU with it, or with one that does, is raised:
    units that one may still sell are not shown by the next.

    :param now_of: the listings that Back Market serves.
    :param lines: by the listing's SKU, also of listings that are gone.
    :return: by listing; those whose units nobody knows are absent.
    """
    rows = {listing: row for listing in shelf.listings if (row := shelf.row(listing))}
    taken = {listing: each.held for listing, each in now_of.items() if each.held}
    for listing, row in rows.items():
        if own := lines.get(listing):
            known_until = orders_known_until(row, policy, now=now)
            taken[listing] = taken.get(listing, 0) + reserved_units(own, known_until, policy.known_from)
    for listing, units in taken.items():
        shelf.promise(listing, units)
    shelf.divide(now_of.keys())
    found = {}
    for listing, each in now_of.items():
        if listing not in rows:
            continue
        quantity = shelf.quantity(listing)
        row = rows[listing] if rows[listing].quantity == quantity else replace(rows[listing], quantity=quantity)
        found[listing] = (
            row,
            plan_quantity(
                row,
                lines.get(listing, ()),
                policy,
                held=each.held,
                shown_now=each.shown,
                may_raise=each.may_raise,
                now=now,
            ),
        )
    waiting = shelf.around(listing for listing, (_, plan) in found.items() if now_of[listing].shown > plan.sellable)
    plans = {}
    for listing, (row, plan) in found.items():
        shown, waits = now_of[listing].shown, listing in waiting
        # What it shows or has sold may still be units of a SKU that feeds others now.
        fed_by = shelf.fed_by(listing, with_former=waits or plan.reserved + plan.held > 0)
        held_back = replace(plan, wanted=shown, waits_for_others=True) if waits and plan.wanted > shown else plan
        plans[listing] = ListingPlan(row, held_back, fed_by)
    return plans
