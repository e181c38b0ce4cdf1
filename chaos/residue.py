"""What no rule excludes: units that were sold so that nobody could see it, and those that were oversold for it.

Moments are in microseconds, by the sandbox's clock; SKUs in lower case.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING

from backmarket.rules.hidden_sales import SOON, SOON_FOR_OTHERS
from chaos.seller import SERVED_LINES, WAITING_LINES
from chaos.writes import run_of, writes_in
from sandbox.clock import read_date
from sandbox.orders.model import HIDDEN_STATES, LINE_ON_HOLD, LINE_PAID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chaos.evidence import Evidence

Sales = list[tuple[int, int]]
"""The moments of sales and their units; a moment may be a second early."""

_SECOND = 1_000_000
_UNREADABLE = {"cut_json", "empty_body", "html_200"}


@dataclass(frozen=True)
class Residue:
    """Units by SKU.

    :param units: sold between a reading and the write that rested on it.
    :param hidden: of orders that Back Market hid when their listing was read for the first time.
    :param unanswered: of raises without an answer, all sold before the listing was read back: it looked as before.
    :param oversold: promised and not there, for whatever reason.
    """

    units: Counter[str]
    hidden: Counter[str]
    unanswered: Counter[str]
    oversold: Counter[str]

    def unseen(self, sku: str) -> int:
        """How many units of a SKU were sold so that nobody could see it."""
        return self.units[sku] + self.hidden[sku] + self.unanswered[sku]


@dataclass(frozen=True)
class _Effect:
    """A quantity that a listing showed from then on because a run sent it.

    :param read_at: when the run had asked for the listing last before that.
    :param is_answered: whether the run was told so.
    """

    sku: str
    listing_id: str
    quantity: int
    run: str
    read_at: int
    applied_at: int
    is_answered: bool


def residue(evidence: Evidence) -> Residue:
    """Count units oversold, and those that nobody could see."""
    demand: Counter[str] = Counter()
    for line in (line for order in evidence.orders for line in order["orderlines"]):
        if line["state"] in SERVED_LINES | {LINE_PAID, LINE_ON_HOLD} and line["id"] not in evidence.books.served_before:
            demand[line["listing"].lower()] += line["quantity"]
    short = Counter({sku: units - evidence.books.units[sku] for sku, units in demand.items()})
    effects, sold, between = list(_effects(evidence)), sales_by_sku(evidence), Counter[str]()
    for each in effects:
        between[each.sku] += _units(_within(sold[each.sku], each.read_at - _SECOND, each.applied_at))
    hidden: Counter[str] = Counter()
    for order in evidence.before:
        for line in order["orderlines"]:
            if order["state"] in HIDDEN_STATES and line["state"] in WAITING_LINES:
                hidden[line["listing"].lower()] += line["quantity"]
    return Residue(+between, hidden, _sold_unanswered(evidence, effects, sold), +short)


def sales_by_sku(evidence: Evidence) -> dict[str, Sales]:
    """Give all sales since the start."""
    last_before = max((order["order_id"] for order in evidence.before), default=0)
    sold: dict[str, Sales] = defaultdict(list)
    for order in evidence.orders:
        if order["order_id"] > last_before:
            for line in order["orderlines"]:
                sold[line["listing"].lower()].append((read_date(order["date_creation"]), line["quantity"]))
    return sold


def _effects(evidence: Evidence) -> Iterator[_Effect]:
    skus = {listing["id"]: listing["sku"].lower() for listing in evidence.listings}
    read: dict[tuple[str, str], int] = {}
    for entry in evidence.journal:
        run, path = run_of(entry), entry["path"]
        if entry["method"] == "GET" and path.startswith("/ws/listings"):
            read[run, path.removeprefix("/ws/listings").strip("/")] = entry["at"]
        for write in writes_in([entry]):
            if write.kind == "quantity" and write.applied_at is not None and write.subject[0] in skus:
                (listing_id,) = write.subject
                readings = [read[run, key] for key in ("", listing_id) if (run, key) in read]
                read_at = max(readings, default=write.at)
                is_answered = entry["status"] == HTTPStatus.OK and entry["fault"] is None
                sku = skus[listing_id]
                yield _Effect(sku, listing_id, write.value, run, read_at, write.applied_at, is_answered)


def _sold_unanswered(evidence: Evidence, effects: Iterable[_Effect], sold: Mapping[str, Sales]) -> Counter[str]:
    """Count the units of raises without an answer that were all sold by the reading on which the next write rested.

    Not where anybody read the listing before the last of them was sold: that reading showed the raise.
    """
    raises, readings, found = _raises(evidence), _readings(evidence), Counter[str]()
    by_listing: dict[str, list[_Effect]] = defaultdict(list)
    for each in effects:
        by_listing[each.listing_id].append(each)
    for listing_id, own in by_listing.items():
        for lost, later in pairwise(sorted(own, key=lambda each: each.applied_at)):
            soon = SOON if lost.run == later.run else SOON_FOR_OTHERS
            if lost.is_answered or later.read_at - lost.applied_at > soon.total_seconds() * _SECOND:
                continue
            sales = _within(sold[lost.sku], lost.applied_at - _SECOND, later.read_at)
            last = max((at for at, _ in sales), default=0)
            is_seen = any(lost.applied_at <= at < last for at in readings[listing_id])
            if not is_seen and _units(sales) in raises[listing_id, lost.quantity]:
                found[lost.sku] += _units(sales)
    return found


def _raises(evidence: Evidence) -> dict[tuple[str, int], set[int]]:
    """Give the units by which the ledger raised a listing to a quantity."""
    raises: dict[tuple[str, int], set[int]] = defaultdict(set)
    for change in evidence.database.changes:
        payload = change["payload"]
        if change["kind"] == "quantity" and payload.get("shown") is not None and payload["quantity"] > payload["shown"]:
            raises[payload["id"], payload["quantity"]].add(payload["quantity"] - payload["shown"])
    return raises


def _readings(evidence: Evidence) -> dict[str, list[int]]:
    """Give the moments at which readings of single listings were answered so that they could be understood."""
    readings: dict[str, list[int]] = defaultdict(list)
    for entry in evidence.journal:
        if entry["method"] == "GET" and entry["status"] == HTTPStatus.OK and entry["fault"] not in _UNREADABLE:
            readings[entry["path"].removeprefix("/ws/listings/")].append(entry.get("over_at") or entry["at"])
    return readings


def _within(sales: Sales, begin: int, end: int) -> Sales:
    return [(at, units) for at, units in sales if begin <= at <= end]


def _units(sales: Sales) -> int:
    return sum(units for _, units in sales)
