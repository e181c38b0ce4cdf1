"""A season of prices: sixty days in which competitors and customers react to ours, under several policies.

Competitors are those of ``sandbox/backbox``, with their habits. Most customers buy from whoever wins the BackBox, a few
buy ours anyway, and nobody pays more than the product is worth to them. What is known of competitors is half an hour
old when a price is decided, and now and then hours. Of a price that nobody would believe, all that is there is sold
at once. All policies meet the same competitors, customers and failures.

``python -m tests.simulate_season [--seed N]`` prints the table.
"""

from __future__ import annotations

import argparse
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Literal, Protocol

from backmarket.rules import repricing
from backmarket.rules.repricing import Policy, Situation, Terms
from sandbox.backbox.habits import STEP_MINUTES, Rival, move, price_to_win
from sandbox.backbox.seed import draw_rival
from sandbox.dice import dice
from sandbox.listings.products import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

VatScheme = Literal["margin", "standard"]

START = datetime(2026, 9, 1, tzinfo=UTC)
STEP = timedelta(minutes=STEP_MINUTES)
DAY = timedelta(days=1)
STEPS_A_DAY = DAY // STEP
DAYS, SKUS = 60, 200

VAT_PCT, COMMISSION_PCT, FEES_PCT = 20, 10, 2
LEAST_MARGIN_PCT = 15
"""What every price has to leave, in per cent of itself."""

SMALLEST_STEP_PCT = Policy().min_step_pct
"""No move of ours is smaller, in per cent of the price, whatever policy is tried."""

_FAITHFUL = 0.08
"""The share of customers who buy ours whoever wins."""

_READING_FAILS, _OUTAGE_BEGINS = 0.08, 0.003


@dataclass(frozen=True)
class Customer:
    """Somebody who wants one unit; ``most`` is what it is worth to them, in cents."""

    most: int
    is_faithful: bool


@dataclass(frozen=True)
class Sku:
    """One product that we sell; amounts are cents.

    :param wanted: the price that the seller asks for, and begins with.
    :param rivals: as the season begins.
    :param bargain: below this price, all that is in stock is sold at once.
    :param stock: so many units can be sold on one day.
    :param customers: by the step in which they come.
    :param unread: the steps at which competitors cannot be read.
    """

    number: int
    wanted: int
    unit_cost: int
    vat_scheme: VatScheme
    min_price: int | None
    rivals: tuple[Rival, ...]
    bargain: int
    stock: int
    customers: dict[int, tuple[Customer, ...]]
    unread: frozenset[int]

    @property
    def floor(self) -> int:
        """The lowest price that leaves enough, and the seller allows."""
        return max(_least_price(self.unit_cost, self.vat_scheme), self.min_price or 0)


@cache
def margin(price: int, unit_cost: int, vat_scheme: VatScheme) -> Decimal:
    """Give what one sale leaves, in cents: each fee and the VAT rounded as they are charged."""
    taxed = price if vat_scheme == "standard" else max(0, price - unit_cost)
    charges = (
        Decimal(price) * COMMISSION_PCT / 100,
        Decimal(price) * FEES_PCT / 100,
        Decimal(taxed) * VAT_PCT / (100 + VAT_PCT),
    )
    return price - unit_cost - sum((charge.quantize(Decimal(1), ROUND_HALF_UP) for charge in charges), Decimal(0))


@cache
def _least_price(unit_cost: int, vat_scheme: VatScheme) -> int:
    """Search for the lowest price that leaves the least margin, without the formula of the rule."""
    low, high = 1, 20 * unit_cost
    while low < high:
        middle = (low + high) // 2
        exact = _exact_margin(middle, unit_cost, vat_scheme)
        low, high = (low, middle) if exact * 100 >= middle * LEAST_MARGIN_PCT else (middle + 1, high)
    return low


def _exact_margin(price: int, unit_cost: int, vat_scheme: VatScheme) -> Decimal:
    taxed = price if vat_scheme == "standard" else max(0, price - unit_cost)
    fees = Decimal(price) * (COMMISSION_PCT + FEES_PCT) / 100
    return price - unit_cost - fees - Decimal(taxed) * VAT_PCT / (100 + VAT_PCT)


def draw_skus(seed: int, count: int = SKUS, days: int = DAYS) -> list[Sku]:
    """Draw the products, their competitors and all customers of a season."""
    return [_draw_sku(seed, number, days) for number in range(count)]


def _draw_sku(seed: int, number: int, days: int) -> Sku:
    rng = dice(seed, 2 * number)
    typical = round(100 * PRODUCTS[number % len(PRODUCTS)].price * rng.uniform(0.8, 1.1))
    vat_scheme: VatScheme = "standard" if rng.random() < 0.2 else "margin"
    share = rng.uniform(0.36, 0.52) if vat_scheme == "standard" else rng.uniform(0.48, 0.66)
    unit_cost = round(typical * share)
    # Whoever wants a price below the floor has no use for repricing.
    wanted = max(round(typical * rng.uniform(0.99, 1.1)), ceil(_least_price(unit_cost, vat_scheme) * 1.02))
    min_price = round(wanted * rng.uniform(0.82, 0.97)) if rng.random() < 0.3 else None
    rivals = tuple(draw_rival(rng, typical) for _ in range(rng.choice((0, 1, 1, 2, 2, 2, 3, 3))))
    a_day = rng.choice((0.5, 1.0, 2.0, 4.0)) * rng.uniform(0.5, 1.5)
    return Sku(
        number,
        wanted,
        unit_cost,
        vat_scheme,
        min_price,
        rivals,
        bargain=typical // 2,
        stock=ceil(5 * a_day),
        customers=_draw_customers(rng, typical, a_day, days),
        unread=frozenset(_draw_unread(rng, days)),
    )


def _draw_customers(rng: Random, typical: int, a_day: float, days: int) -> dict[int, tuple[Customer, ...]]:
    """Customers come by chance: so many a day buy at the typical price, eight times as many at half of it."""
    rate = a_day / STEPS_A_DAY
    customers: dict[int, tuple[Customer, ...]] = {}
    step = rng.expovariate(8 * rate)
    while step < days * STEPS_A_DAY:
        most = round(typical / 2 * rng.paretovariate(3))
        customers[int(step)] = (*customers.get(int(step), ()), Customer(most, rng.random() < _FAITHFUL))
        step += rng.expovariate(8 * rate)
    return customers


def _draw_unread(rng: Random, days: int) -> Iterator[int]:
    outage_until = 0
    for step in range(days * STEPS_A_DAY):
        if rng.random() < _OUTAGE_BEGINS:
            outage_until = step + rng.randint(4, 40)
        if step < outage_until or rng.random() < _READING_FAILS:
            yield step


@dataclass(frozen=True)
class Reading:
    """What was known of the competition at a moment: our price then, and the highest that would have won."""

    at: datetime
    shown: int
    to_win: int | None

    @property
    def is_winning(self) -> bool:
        """Whether ours won."""
        return self.to_win is None or self.shown <= self.to_win

    @property
    def winner(self) -> int:
        """What the winner asked for."""
        return self.shown if self.to_win is None else min(self.shown, self.to_win)


@dataclass
class Shelf:
    """Our side of one product as the season goes on.

    :param pairs: between which two prices it moved within the last 24 hours, and when.
    """

    sku: Sku
    shown: int
    reading: Reading | None = None
    moves: list[datetime] = field(default_factory=list)
    lowered_at: datetime | None = None
    pairs: deque[tuple[datetime, frozenset[int]]] = field(default_factory=deque)


class Pricing(Protocol):
    """A policy: says what a price is to be now, or None where it stays."""

    def __call__(self, shelf: Shelf, now: datetime) -> int | None:
        """Decide on the price of one product."""


def fixed(shelf: Shelf, now: datetime) -> int | None:
    """Ask for what the seller wanted, whatever others do."""
    return None


def undercut(shelf: Shelf, now: datetime) -> int | None:
    """Ask for one cent less than the best of the others, up to what the seller wanted."""
    if shelf.reading is None or shelf.reading.to_win is None:
        return None
    return min(shelf.sku.wanted, max(1, shelf.reading.to_win - 1))


def undercut_above_floor(shelf: Shelf, now: datetime) -> int | None:
    """Do the same, but not below the floor."""
    price = undercut(shelf, now)
    return None if price is None else max(shelf.sku.floor, price)


@dataclass(frozen=True)
class Ours:
    """This project's rule.

    :param answers_at: the hours at which a person says yes to what is asked then.
    """

    policy: Policy
    answers_at: tuple[int, ...] = (9, 15)

    def __call__(self, shelf: Shelf, now: datetime) -> int | None:
        """Decide on the price of one product."""
        sku, reading = shelf.sku, shelf.reading
        terms = Terms(
            _euros(sku.unit_cost), sku.vat_scheme, Decimal(VAT_PCT), Decimal(COMMISSION_PCT), Decimal(FEES_PCT)
        )
        situation = Situation(
            decimals=2,
            shown=_euros(shelf.shown),
            wanted=_euros(sku.wanted),
            min_price=None if sku.min_price is None else _euros(sku.min_price),
            moves=tuple(shelf.moves[-self.policy.moves_a_day - 1 :]),
            lowered_at=shelf.lowered_at,
        )
        if reading is not None:
            situation = replace(
                situation,
                read_at=reading.at,
                takes_part=bool(sku.rivals),
                is_winning=reading.is_winning,
                price_to_win=None if reading.to_win is None else _euros(reading.to_win),
                winner_price=_euros(reading.winner),
            )
        decided = repricing.decide_move(situation, terms, self.policy, now=now)
        if decided.price is None or (decided.verdict == "ask" and now.hour not in self.answers_at):
            return None
        return int(decided.price * 100)


def _euros(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


@dataclass
class Figures:
    """What a season ends with, under one policy.

    :param profit: after fees, VAT and cost, in cents.
    :param steps_won: of ``steps_contested`` in which there was a competitor.
    :param alternations: the most often that one price went back and forth between the same two values in 24 hours.
    :param most_moves_a_day: the most often that one price moved within 24 hours.
    :param small_moves: moves smaller than the smallest step, other than to the floor or to the price wanted.
    """

    profit: Decimal = Decimal(0)
    units: int = 0
    steps_won: int = 0
    steps_contested: int = 0
    moves: int = 0
    below_floor: int = 0
    alternations: int = 0
    most_moves_a_day: int = 0
    small_moves: int = 0
    profit_by_sku: dict[int, Decimal] = field(default_factory=dict)

    @property
    def won_pct(self) -> Decimal:
        """How much of the contested time was won."""
        return Decimal(100 * self.steps_won) / max(1, self.steps_contested)


def play(skus: Sequence[Sku], pricing: Pricing, *, seed: int, days: int = DAYS) -> Figures:
    """Let a season pass under one policy."""
    figures = Figures()
    for sku in skus:
        before = figures.profit
        _play_sku(sku, pricing, figures, dice(seed, 2 * sku.number + 1), days)
        figures.profit_by_sku[sku.number] = figures.profit - before
    return figures


def _play_sku(sku: Sku, pricing: Pricing, figures: Figures, rng: Random, days: int) -> None:
    shelf, rivals = Shelf(sku, sku.wanted), [replace(rival) for rival in sku.rivals]
    left = sku.stock
    for step in range(days * STEPS_A_DAY):
        now = START + step * STEP
        move(rivals, shelf.shown, 100, rng)
        to_win = price_to_win(rivals)
        if step % 2:
            price = pricing(shelf, now)
            if price is not None and price != shelf.shown:
                _note_move(shelf, price, now, figures)
        elif step not in sku.unread:
            shelf.reading = Reading(now, shelf.shown, to_win)
        wins = to_win is None or shelf.shown <= to_win
        figures.steps_contested += to_win is not None
        figures.steps_won += to_win is not None and wins
        left = left if step % STEPS_A_DAY else sku.stock
        sold = min(left, _bought(sku, shelf.shown, step, wins=wins))
        if sold:
            left -= sold
            figures.units += sold
            figures.profit += sold * margin(shelf.shown, sku.unit_cost, sku.vat_scheme)
            figures.below_floor += sold * (shelf.shown < sku.floor)


def _bought(sku: Sku, price: int, step: int, *, wins: bool) -> int:
    """Count the units that are bought of ours in one step, if there are so many."""
    if wins and price < sku.bargain:
        return sku.stock
    customers = sku.customers.get(step, ())
    return sum(price <= customer.most and (wins or customer.is_faithful) for customer in customers)


def _note_move(shelf: Shelf, price: int, now: datetime, figures: Figures) -> None:
    sku = shelf.sku
    figures.moves += 1
    is_small = abs(price - shelf.shown) * 100 < shelf.shown * SMALLEST_STEP_PCT
    figures.small_moves += is_small and price not in {sku.floor, sku.wanted}
    shelf.pairs.append((now, frozenset({shelf.shown, price})))
    while now - shelf.pairs[0][0] >= DAY:
        shelf.pairs.popleft()
    most = max(Counter(pair for _, pair in shelf.pairs).values())
    figures.alternations = max(figures.alternations, most)
    figures.most_moves_a_day = max(figures.most_moves_a_day, len(shelf.pairs))
    if price < shelf.shown:
        shelf.lowered_at = now
    shelf.shown = price
    shelf.moves.append(now)


BY_ITSELF = Policy(auto_margin_pct=Decimal(LEAST_MARGIN_PCT))
"""No lower price is for a person to decide."""

PRICINGS: dict[str, Pricing] = {
    "fixed prices": fixed,
    "one cent below the best": undercut,
    "the same, not below the floor": undercut_above_floor,
    "ours, a person answers twice a day": Ours(Policy()),
    "ours, by itself": Ours(BY_ITSELF),
}


def row(name: str, figures: Figures) -> str:
    """Write what a policy ends with as a line of the table."""
    return (
        f"| {name:<35} | {figures.profit / 100:>12,.2f} | {figures.units:>6,} | {figures.won_pct:>5.1f} % "
        f"| {figures.moves:>7,} | {figures.below_floor:>6,} | {figures.alternations:>5} |"
    )


HEAD = (
    f"| {'policy':<35} | {'profit (EUR)':>12} | {'units':>6} | {'won':>7} | {'moves':>7} | {'below':>6} | pairs |\n"
    f"|{'-' * 37}|{'-' * 13}:|{'-' * 7}:|{'-' * 8}:|{'-' * 8}:|{'-' * 7}:|{'-' * 6}:|"
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Play a season of prices under several policies.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--skus", type=int, default=SKUS)
    chosen = parser.parse_args()
    skus = draw_skus(chosen.seed, chosen.skus, chosen.days)
    print(f"{chosen.skus} SKUs, {chosen.days} days, seed {chosen.seed}; below: sales below the floor;")
    print("pairs: the most moves between the same two prices within 24 hours\n")
    print(HEAD)
    for name, pricing in PRICINGS.items():
        print(row(name, play(skus, pricing, seed=chosen.seed, days=chosen.days)), flush=True)


if __name__ == "__main__":
    main()
