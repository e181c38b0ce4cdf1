"""The competition for each listing in each market, which moves on with the sandbox's clock."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.backbox.habits import STEP_MINUTES, Rival, move
from sandbox.backbox.seed import seed_rivals
from sandbox.clock import MINUTE, Clock
from sandbox.dice import dice
from sandbox.listings.model import ONLINE, Listing
from sandbox.markets import Market, Platform, minor_units

STEP = STEP_MINUTES * MINUTE
MOST_STEPS = 14 * 24 * 60 // STEP_MINUTES
"""What rivals did longer ago than a fortnight leaves no trace, and is not played."""

_STEPS_OF_A_CONTEST = 1 << 32
_MARKETS_OF_A_LISTING = 100


@dataclass(slots=True)
class Contest:
    """One listing's competition in one market; `rivals` None: it takes part in no BackBox there.

    `ours` is the price, in minor units, that the rivals see, None while the listing is not on sale there. `moved_at` is
    the moment up to which they have moved, after so many `steps`.
    """

    listing_id: int
    market: str
    rivals: list[Rival] | None
    ours: int | None
    moved_at: int
    steps: int = 0

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Contest":
        """Rebuild a contest from its document."""
        rivals = document["rivals"]
        return cls(**{**document, "rivals": None if rivals is None else [Rival(**each) for each in rivals]})


class BackBoxes:
    """All contests; one is drawn when it is first looked at, and moves from then on."""

    def __init__(
        self, seed: int, platform: Platform, clock: Clock, keep: Callable[[str, object, object], None]
    ) -> None:
        self._seed = seed
        self._markets = platform.markets
        self._clock = clock
        self._keep = keep
        self._contests: dict[int, dict[str, Contest]] = {}

    def resume(self, documents: Iterable[dict[str, Any]]) -> None:
        """Take over what was kept; a clock that was set back lets nobody wait until it has caught up."""
        for document in documents:
            contest = Contest.from_document(document)
            contest.moved_at = min(contest.moved_at, self._clock.now())
            self._contests.setdefault(contest.listing_id, {})[contest.market] = contest

    def rivals(self, listing: Listing, market: Market) -> list[Rival] | None:
        """Give the rivals of a listing in one market as they are now; None where there is no BackBox."""
        return self._moved_on(self._contest(listing, market)).rivals

    def set_rivals(self, listing: Listing, market: Market, rivals: list[Rival] | None) -> None:
        """Put others in the rivals' place, none at all with an empty list, or take the BackBox away with None."""
        contest = self._moved_on(self._contest(listing, market))
        contest.rivals = rivals
        self._save(contest)

    def follow(self, listing: Listing) -> None:
        """Let the rivals see a new price: up to now they have moved by the one before."""
        for code, contest in self._contests.get(listing.listing_id, {}).items():
            ours = our_price(listing, self._markets[code])
            if ours != contest.ours:
                self._moved_on(contest).ours = ours
                self._save(contest)

    def _contest(self, listing: Listing, market: Market) -> Contest:
        known = self._contests.setdefault(listing.listing_id, {})
        if market.code not in known:
            rivals = seed_rivals(dice(self._seed, self._purpose(listing.listing_id, market.code)), listing, market)
            contest = Contest(listing.listing_id, market.code, rivals, our_price(listing, market), self._clock.now())
            known[market.code] = contest
            self._save(contest)
        return known[market.code]

    def _moved_on(self, contest: Contest) -> Contest:
        due = (self._clock.now() - contest.moved_at) // STEP
        if due <= 0:
            return contest
        one = minor_units(1, self._markets[contest.market].currency)
        purpose = self._purpose(contest.listing_id, contest.market) + contest.steps
        for step in range(max(1, due - MOST_STEPS + 1), due + 1):
            move(contest.rivals or (), contest.ours, one, dice(self._seed, purpose + step))
        contest.steps += due
        contest.moved_at += due * STEP
        self._save(contest)
        return contest

    def _purpose(self, listing_id: int, market: str) -> int:
        place = list(self._markets).index(market)
        return (listing_id * _MARKETS_OF_A_LISTING + place) * _STEPS_OF_A_CONTEST

    def _save(self, contest: Contest) -> None:
        self._keep("contest", f"{contest.listing_id} {contest.market}", asdict(contest))


def our_price(listing: Listing, market: Market) -> int | None:
    """Give our price in one market in minor units; None where the listing is not on sale."""
    offer = listing.offers.get(market.code)
    if offer is None or offer.price is None or listing.publication_state(market.code) != ONLINE:
        return None
    return minor_units(float(offer.price), market.currency)
