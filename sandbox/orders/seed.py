"""Seeded orders: about sixty days of trade up to now, every state of it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random

from sandbox.clock import DAY, MINUTE
from sandbox.dice import dice
from sandbox.listings.model import Listing
from sandbox.markets import Market, Platform
from sandbox.orders.factory import LinePlan, OrderPlan, build_order
from sandbox.orders.model import Document

FIRST_ORDER_ID = 50_000_001
SPAN_DAYS = 60

Scenario = tuple[int, tuple[int, ...], int]
"""An order's state, its lines' states, and the quantity of each line."""

_NEW: Scenario = (0, (0,), 1)
_AWAITING: Scenario = (10, (8,), 1)
_PAID: Scenario = (1, (1,), 1)
_ON_HOLD: Scenario = (1, (9,), 1)
_ACCEPTED: Scenario = (3, (2,), 1)
_SHIPPED: Scenario = (3, (3,), 1)
_DELIVERED: Scenario = (9, (3,), 1)
_UNPAID: Scenario = (8, (7,), 1)
_CANCELLED: Scenario = (9, (4,), 1)
_REFUNDED_BEFORE: Scenario = (9, (5,), 1)
_REFUNDED_AFTER: Scenario = (9, (6,), 1)

_NEWEST: tuple[Scenario, ...] = (
    _NEW, _PAID, _PAID, _AWAITING, _ON_HOLD, _PAID, (1, (1, 1), 1), (1, (1,), 2), _ACCEPTED, _ACCEPTED,
    (1, (2, 1), 1), (3, (2, 2), 1), (1, (1, 9), 1), _UNPAID, (3, (2,), 2), _SHIPPED, (3, (2, 4), 1), _NEW, _PAID,
)  # fmt: skip
"""What the latest orders are, newest first: all that a seller can meet on one morning."""

_OLDEST: tuple[Scenario, ...] = (
    _DELIVERED, _REFUNDED_AFTER, _CANCELLED, _REFUNDED_BEFORE, _UNPAID, (9, (3, 6), 1), (9, (3, 3), 1), (9, (3,), 2),
)  # fmt: skip

_YOUNG = ((50, _PAID), (78, _ACCEPTED), (84, _ON_HOLD), (89, _AWAITING), (94, _UNPAID), (100, _NEW))
_MIDDLE = ((18, _ACCEPTED), (55, _SHIPPED), (93, _DELIVERED), (96, _CANCELLED), (98, _REFUNDED_BEFORE), (100, _UNPAID))
_OLD = ((88, _DELIVERED), (91, _CANCELLED), (93, _REFUNDED_BEFORE), (97, _REFUNDED_AFTER), (100, _UNPAID))

_MANY_LINES_SHARE = 0.004


class Trade:
    """Draws orders of one platform's markets and of the given listings."""

    def __init__(self, seed: int, platform: Platform, listings: Sequence[Listing]) -> None:
        self._seed = seed
        self._markets = list(platform.markets.values())
        self._shares = list(accumulate(market.share for market in self._markets))
        self._listings = {
            market.code: [each for each in listings if each.offers.get(market.code)] or list(listings)
            for market in self._markets
        }

    def history(self, count: int, now: int) -> Iterator[Document]:
        """Give `count` orders, oldest first; the closer to now, the denser they lie."""
        for number in range(count):
            share = (count - number) / count
            age = round(share * share * SPAN_DAYS * DAY) + (count - number) * MINUTE // 10
            order_id = FIRST_ORDER_ID + number
            rng = dice(self._seed, order_id)
            yield self._draw(rng, order_id, _scenario(rng, number, count, age), now - age, now)

    def _draw(self, rng: Random, order_id: int, scenario: Scenario, created: int, now: int) -> Document:
        market = self.market(rng)
        state, line_states, quantity = scenario
        listings = self._listings[market.code]
        first = rng.randrange(len(listings))
        lines = [
            LinePlan(listings[(first + 5 * place) % len(listings)], line_state, quantity)
            for place, line_state in enumerate(line_states)
        ]
        plan = OrderPlan(order_id, market, state, lines, created, now, is_backship=rng.random() < 0.06)
        return build_order(rng, plan)

    def market(self, rng: Random) -> Market:
        """Draw a market by its share of the trade."""
        return self._markets[bisect_right(self._shares, rng.randrange(self._shares[-1]))]


def _scenario(rng: Random, number: int, count: int, age: int) -> Scenario:
    from_newest = count - 1 - number
    if from_newest < len(_NEWEST):
        return _NEWEST[from_newest]
    if number < len(_OLDEST):
        return _OLDEST[number]
    if age > 4 * DAY and rng.random() < _MANY_LINES_SHARE:
        return _OLDEST[5 + rng.randrange(3)]
    table = _YOUNG if age < DAY else _MIDDLE if age < 4 * DAY else _OLD
    roll = rng.randrange(100)
    return next(scenario for limit, scenario in table if roll < limit)
