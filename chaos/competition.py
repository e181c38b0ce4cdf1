"""Competitors for the BackBox: others ask prices, and some of the seller's follow, between a floor and a ceiling."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from chaos.stage import MARKETS
from sandbox.listings.model import ONLINE
from sandbox.orders.model import HIDDEN_STATES, LINE_CANCELLED, LINE_UNPAID

if TYPE_CHECKING:
    from random import Random

    from chaos.seller import Seller
    from chaos.stage import Stage

MARKET = MARKETS[0]
_HABITS = ("undercutter", "follower", "sleeper")
_CENT = Decimal("0.01")
_FLOOR, _COST = Decimal("0.7"), Decimal("0.3")
_HOUR_PASSES = (
    "update backmarket.backbox_requests set hour = hour - interval '1 hour'",
    "update backmarket.backbox_askings set asked_at = asked_at - interval '1 hour'",
)


class Competition:
    """Lets competitors come and go."""

    def __init__(self, stage: Stage, seller: Seller, rng: Random) -> None:
        self._stage, self._seller, self._rng = stage, seller, rng

    def begin(self, most: int) -> None:
        """Say of some listings, those that sell most, what they cost and how low their price may go.

        They are those that Back Market is asked for first.
        """
        sold: Counter[str] = Counter()
        for order in self._stage.sandbox.orders():
            for line in order["orderlines"]:
                if order["state"] not in HIDDEN_STATES and line["state"] not in {LINE_CANCELLED, LINE_UNPAID}:
                    sold[line["listing"]] += line["quantity"]
        listings = self._stage.sandbox.listings()
        on_sale = [each for each in listings if each["quantity"] and each["publication_states"].get(MARKET) == ONLINE]
        for listing in sorted(on_sale, key=lambda each: -sold[each["sku"]])[:most]:
            offer = listing["offers"][MARKET]
            price = Decimal(offer["price"])
            floor = (price * _FLOOR).quantize(_CENT)
            self._seller.books.bounds[listing["sku"], MARKET] = floor, price
            self._seller.execute(
                "insert into seller.prices (sku, market, price, currency, min_price) values (%s, %s, %s, %s, %s)",
                [listing["sku"], MARKET, price, offer["currency"], floor],
            )
            self._seller.execute(
                "insert into seller.costs (sku, unit_cost, currency, vat_scheme) values (%s, %s, %s, 'margin')",
                [listing["sku"], (price * _COST).quantize(_CENT), offer["currency"]],
            )

    def pass_a_day(self) -> None:
        """Let others ask other prices, some of them below the floor; requests of another hour are free."""
        for (sku, market), (_, ceiling) in self._seller.books.bounds.items():
            price = (ceiling * self._rng.randint(50, 110) / 100).quantize(_CENT)
            rival = {"habit": self._rng.choice(_HABITS), "price": str(price), "floor": str(price / 2)}
            self._stage.sandbox.set_competitors(sku, market, rival)
        for statement in _HOUR_PASSES:
            self._seller.execute(statement)
