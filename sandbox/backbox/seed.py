"""Seeded rivals: most smartphones have one to three in each market where they are sold, nothing else has any."""

from random import Random

from sandbox.backbox.habits import CRASHER, FOLLOWER, SLEEPER, UNDERCUTTER, Rival
from sandbox.listings.model import Listing
from sandbox.listings.products import SMARTPHONES
from sandbox.markets import Market, minor_units

_SHARE_WITH_RIVALS = 85
"""Of a hundred smartphones so many have rivals, in all their markets."""

_HABITS = (UNDERCUTTER, UNDERCUTTER, FOLLOWER, FOLLOWER, SLEEPER, SLEEPER, CRASHER)
_STEPS = (1, 1, 10, 50, 100)


def seed_rivals(rng: Random, listing: Listing, market: Market) -> list[Rival] | None:
    """Draw the rivals of a listing in one market; None where it takes part in no BackBox."""
    offer = listing.offers.get(market.code)
    if offer is None or listing.category != SMARTPHONES or listing.listing_id * 37 % 100 >= _SHARE_WITH_RIVALS:
        return None
    # Seeded prices lie a fifth below the maximum; unlike the price, that one stays when the seller changes something.
    typical = minor_units(float(offer.max_price) / 1.25, market.currency)
    return [draw_rival(rng, typical) for _ in range(rng.randint(1, 3))]


def draw_rival(rng: Random, typical: int) -> Rival:
    """Draw a rival of any habit for a product that typically costs so much (minor units)."""
    usual = round(typical * rng.uniform(0.94, 1.08))
    floor = round(usual * rng.uniform(0.80, 0.95))
    habit, step, attention = rng.choice(_HABITS), rng.choice(_STEPS), rng.choice((0.2, 0.5, 1.0))
    return Rival(habit, usual, floor, usual, step, attention)
