"""Decides where a price goes in the competition for the BackBox: never below its floor, and not in circles.

All amounts are in the market's currency, prices as customers pay them. How the figures work together stands, with an
example, in ``docs/operations/backbox.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Literal

from backmarket.rules.given_texts import shortened

if TYPE_CHECKING:
    from backmarket.rules.prices import PriceDecision

VatScheme = Literal["margin", "standard"]
"""``margin``: VAT is due on what is left of the price after the unit's cost; ``standard``: on the whole price."""

Verdict = Literal["move", "ask", "hold"]
"""``ask``: a person decides about it first; ``hold``: the price stays."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the sale of one unit costs.

    :param unit_cost: what the unit cost the seller.
    :param vat_scheme: ``margin``: VAT is due on what the price is above ``unit_cost``; ``standard``: on all of it.
    :param vat_pct: in per cent of the price without it.
    :param commission_pct: Back Market's, in per cent of the price.
    :param fees_pct: for payment and care, in per cent of the price.
    """

    unit_cost: Decimal
    vat_scheme: VatScheme
    vat_pct: Decimal
    commission_pct: Decimal
    fees_pct: Decimal


@dataclass(frozen=True, slots=True)
class Policy:
    """How the seller wants to compete; percentages are of the price, but for ``ceiling_pct``.

    :param ask_margin_pct: no price is wanted that leaves less.
    :param auto_margin_pct: a lower price that leaves less is for a person to decide.
    :param auto_margin_amount: so is one that leaves less than this.
    :param ceiling_pct: how far above the price that the seller wants it may rise, in per cent of that.
    :param ending: what prices end with, such as ``.99``; None: anything.
    :param min_step_pct: no move is smaller, in per cent of the price shown.
    :param climb_pct: by how much a price rises at once.
    :param climb_rest: so long after it was lowered a price does not rise.
    :param cooldown: so long after a move the price stays.
    :param moves_a_day: so often at most it moves within 24 hours.
    :param max_age: what is known of competitors for longer moves nothing.
    """

    ask_margin_pct: Decimal = Decimal(15)
    auto_margin_pct: Decimal = Decimal(30)
    auto_margin_amount: Decimal = Decimal(0)
    ceiling_pct: Decimal = Decimal(0)
    ending: str | None = None
    min_step_pct: Decimal = Decimal("0.1")
    climb_pct: Decimal = Decimal(1)
    climb_rest: timedelta = timedelta(hours=24)
    cooldown: timedelta = timedelta(hours=1)
    moves_a_day: int = 12
    max_age: timedelta = timedelta(hours=1)

    @property
    def remembers(self) -> timedelta:
        """How far back a move may still hold a price."""
        return max(_DAY, self.cooldown, self.climb_rest, self.max_age)


@dataclass(frozen=True, slots=True)
class Situation:
    """One listing in one market.

    :param decimals: how many the market's prices have.
    :param shown: its price; None where it has none yet.
    :param wanted: what the seller wants for it.
    :param min_price: the seller's own floor.
    :param max_price: above it, Back Market takes the offer offline.
    :param read_at: when its competitors were read; None: never.
    :param takes_part: whether it competes with others; where not, it stands alone.
    :param price_to_win: by Back Market's word; None where it says none.
    :param moves: when the price was moved from here, as far back as :attr:`Policy.remembers`, or longer.
    :param lowered_at: when it was lowered last.
    :param no_terms: why nobody can say what a sale costs.
    :param foreign: the currency that its price is shown in, where that is not the market's.
    """

    decimals: int
    shown: Decimal | None
    wanted: Decimal
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    read_at: datetime | None = None
    takes_part: bool = False
    is_winning: bool = False
    price_to_win: Decimal | None = None
    winner_price: Decimal | None = None
    moves: tuple[datetime, ...] = ()
    lowered_at: datetime | None = None
    no_terms: str = ""
    foreign: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What is to become of a price.

    :param price: where it goes; None where it stays.
    :param reason: in words.
    :param floor: no price is wanted below it; None where it cannot be told.
    :param ceiling: nor above it.
    :param margin: what is left of a sale at ``price``, or at the price shown where it stays; None where nobody can say.
    """

    verdict: Verdict
    price: Decimal | None
    reason: str
    floor: Decimal | None = None
    ceiling: Decimal | None = None
    margin: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What repricing wants of a price that is planned.

    :param verdict: of the newest :class:`Move`.
    :param price: where it goes; None where it stays as it is shown.
    :param reason: in words.
    """

    verdict: Verdict
    price: Decimal | None
    reason: str


def after_limit(planned: PriceDecision, wish: Wish) -> PriceDecision:
    """Return the decision about a price that repricing wants, with its reasons: what is to be asked for is asked for.

    :param planned: by the limits that hold for every price.
    """
    if planned.verdict == "ask":
        return replace(planned, reason=f"{wish.reason}; {planned.reason}")
    if planned.verdict == "send" and wish.verdict == "ask":
        return replace(planned, verdict="ask", reason=wish.reason)
    return planned


def margin_of(price: Decimal, terms: Terms) -> Decimal:
    """Return what is left of a sale after fees, VAT and the unit's cost; unrounded."""
    shares = (terms.commission_pct + terms.fees_pct) / 100
    taxed = price if terms.vat_scheme == "standard" else max(Decimal(0), price - terms.unit_cost)
    return price * (1 - shares) - taxed * terms.vat_pct / (100 + terms.vat_pct) - terms.unit_cost


def least_price(terms: Terms, margin_pct: Decimal, decimals: int) -> Decimal | None:
    """Return the lowest price that leaves such a margin, in per cent of itself; None where no price does.

    :param decimals: how many it has.
    """
    vat = Fraction(terms.vat_pct) / (100 + Fraction(terms.vat_pct))
    left = 1 - Fraction(terms.commission_pct + terms.fees_pct + margin_pct) / 100 - vat
    if left <= 0:
        return None
    # Of the margin scheme's VAT, the part that the cost saves counts against the cost.
    cost = Fraction(terms.unit_cost) * (1 - vat if terms.vat_scheme == "margin" else 1)
    return Decimal(ceil(cost / left * 10**decimals)).scaleb(-decimals)


def decide_move(offer: Situation, terms: Terms | None, policy: Policy, *, now: datetime) -> Move:
    """Decide where a price goes.

    A price that is below its floor is raised to it, whatever else is the case. One that loses goes to the price to win,
    where that is not below the floor. One that wins, stands alone or cannot win rises slowly, to the ceiling at most.

    :param terms: None: no price moves; ``offer`` says why.
    """
    if offer.foreign:
        reason = f"it is shown in {shortened(offer.foreign)}, which is not its market's currency"
        return Move("hold", None, f"{reason}: set its price once in the Back Office")
    if terms is None:
        return Move("hold", None, offer.no_terms or "no cost is known: fill seller.costs")
    cost_floor = least_price(terms, policy.ask_margin_pct, offer.decimals)
    if cost_floor is None:
        return Move("hold", None, "fees, VAT and the least margin leave nothing of any price")
    # A price finer than its currency would be refused for ever, and so would one of 0.
    own_floor = _up(offer.min_price, offer.decimals) if offer.min_price else cost_floor
    bounds = _Bounds(offer, terms, policy, max(cost_floor, own_floor, Decimal(1).scaleb(-offer.decimals)))
    if offer.shown is None:
        return bounds.hold("the market shows no price yet")
    if bounds.ceiling <= 0:
        return bounds.hold(f"its ceiling {bounds.words(bounds.ceiling)} is not above zero")
    if bounds.floor > bounds.ceiling:
        return bounds.hold(f"floor {bounds.words(bounds.floor)} is above ceiling {bounds.words(bounds.ceiling)}")
    if offer.shown < bounds.floor:
        price = bounds.words(bounds.floor)
        return bounds.move(bounds.floor, f"{bounds.words(offer.shown)} is below floor {price}, so {price}")
    if reason := _why_to_wait(offer, policy, now):
        return bounds.hold(reason)
    is_resting = offer.lowered_at is not None and now - offer.lowered_at < policy.climb_rest
    return _compete(offer, policy, bounds, is_resting=is_resting)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Between what prices move, and how a decision is written down."""

    offer: Situation
    terms: Terms
    policy: Policy
    floor: Decimal

    @property
    def ceiling(self) -> Decimal:
        """The highest price wanted, in the market's decimals."""
        highest = _down(self.offer.wanted * (100 + self.policy.ceiling_pct) / 100, self.offer.decimals)
        return min(highest, _down(self.offer.max_price, self.offer.decimals)) if self.offer.max_price else highest

    @property
    def step(self) -> Decimal:
        """The smallest move."""
        shown, decimals = self.offer.shown or Decimal(0), self.offer.decimals
        least = ceil(shown * self.policy.min_step_pct / 100 * 10**decimals)
        return Decimal(max(least, 1)).scaleb(-decimals)

    def words(self, amount: Decimal | None) -> str:
        """Write an amount for a person."""
        return "unknown" if amount is None else f"{amount:.{self.offer.decimals}f}"

    def hold(self, reason: str) -> Move:
        """Let the price be."""
        margin = None if self.offer.shown is None else margin_of(self.offer.shown, self.terms)
        return Move("hold", None, reason, self.floor, self.ceiling, margin)

    def move(self, price: Decimal, reason: str) -> Move:
        """Move the price, or ask a person where it is lowered and leaves little."""
        margin = margin_of(price, self.terms)
        is_lowered = self.offer.shown is not None and price < self.offer.shown
        enough = max(self.policy.auto_margin_amount, price * self.policy.auto_margin_pct / 100)
        if is_lowered and margin < enough:
            share = f"{margin / price * 100:.1f} %"
            question = f"{reason}; it leaves {self.words(margin)} ({share}), less than {self.words(enough)}"
            return Move("ask", price, question, self.floor, self.ceiling, margin)
        return Move("move", price, reason, self.floor, self.ceiling, margin)


def _why_to_wait(offer: Situation, policy: Policy, now: datetime) -> str:
    """Say why no price moves now; empty where it may."""
    if offer.read_at is None:
        return "its competitors were not read yet"
    if now - offer.read_at > policy.max_age:
        return f"what is known of its competitors is {_minutes(now - offer.read_at)} old"
    if any(at >= offer.read_at for at in offer.moves):
        return "its competitors were not read since it moved"
    today = [at for at in offer.moves if now - at < _DAY]
    if len(today) >= policy.moves_a_day:
        return f"it has moved {len(today)} times within 24 hours"
    if offer.moves and now - max(offer.moves) < policy.cooldown:
        return f"it moved {_minutes(now - max(offer.moves))} ago"
    return ""


def _compete(offer: Situation, policy: Policy, bounds: _Bounds, *, is_resting: bool) -> Move:
    shown = offer.shown or Decimal(0)
    if shown > bounds.ceiling:
        return bounds.move(bounds.ceiling, f"the ceiling is {bounds.words(bounds.ceiling)}")
    if not offer.takes_part:
        return _climb(offer, policy, bounds, "nobody competes", is_resting=is_resting)
    if offer.is_winning:
        return _climb(offer, policy, bounds, "it wins", is_resting=is_resting)
    # An amount of 0 is the specification's way to write that there is none.
    if not offer.price_to_win:
        return bounds.hold("Back Market does not say which price would win")
    to_win = _down(offer.price_to_win, offer.decimals)
    if to_win < bounds.floor:
        short = f"{bounds.words(to_win)} would win, floor {bounds.words(bounds.floor)}"
        # Whoever buys it nevertheless buys it at the ceiling, too.
        if shown == bounds.ceiling:
            return bounds.hold(f"{short}, at its ceiling")
        return bounds.move(bounds.ceiling, f"{short}, so ceiling {bounds.words(bounds.ceiling)}")
    if to_win >= shown:
        return bounds.hold(f"it loses at {bounds.words(shown)}, although {bounds.words(to_win)} should win")
    return _lower(offer, policy, bounds, to_win)


def _lower(offer: Situation, policy: Policy, bounds: _Bounds, to_win: Decimal) -> Move:
    """Go to the price that wins: by a whole step, and with the right ending, where the floor allows it."""
    shown = offer.shown or Decimal(0)
    enough = _down(min(to_win, shown - bounds.step), offer.decimals)
    wishes = (with_ending(enough, policy.ending, offer.decimals), enough, bounds.floor)
    price = next(wish for wish in wishes if wish >= bounds.floor)
    told = f"winner {bounds.words(offer.winner_price or to_win)}, floor {bounds.words(bounds.floor)}"
    if shown - price < bounds.step:
        return bounds.hold(f"{told}: what is left above it is less than the smallest step")
    return bounds.move(price, f"{told}, so {bounds.words(price)}")


def _climb(offer: Situation, policy: Policy, bounds: _Bounds, why: str, *, is_resting: bool) -> Move:
    """Rise a little, but not past what still wins, where Back Market says so."""
    shown = offer.shown or Decimal(0)
    if shown == bounds.ceiling:
        return bounds.hold(f"{why}, at its ceiling")
    if is_resting or not policy.climb_pct:
        return bounds.hold(f"{why}; it was lowered a short while ago" if is_resting else f"{why}; prices do not rise")
    highest = min(bounds.ceiling, shown + max(bounds.step, _down(shown * policy.climb_pct / 100, offer.decimals)))
    if offer.is_winning and offer.price_to_win and offer.price_to_win > shown:
        highest = min(highest, offer.price_to_win)
    highest = _down(highest, offer.decimals)
    wishes = (with_ending(highest, policy.ending, offer.decimals), highest)
    price = next((wish for wish in wishes if wish - shown >= bounds.step), highest)
    if price - shown < bounds.step and price != bounds.ceiling:
        return bounds.hold(f"{why}; what it could rise by is less than the smallest step")
    return bounds.move(price, f"{why}, ceiling {bounds.words(bounds.ceiling)}, so {bounds.words(price)}")


def with_ending(price: Decimal, ending: str | None, decimals: int) -> Decimal:
    """Return the highest price up to this one that ends so; itself where none does, or its market has no such prices.

    :param ending: such as ``.99``, ``9.90`` or ``9``.
    :param decimals: how many the market's prices have.
    """
    if ending is None or len(ending.partition(".")[2]) > decimals:
        return price
    span = Decimal(10) ** len(ending.partition(".")[0])
    found = (price - Decimal(ending)) // span * span + Decimal(ending)
    # Below the ending itself, the division leads up to it.
    return found if Decimal(0) < found <= price else price


def _down(amount: Decimal, decimals: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_FLOOR)


def _up(amount: Decimal, decimals: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING)


def _minutes(age: timedelta) -> str:
    minutes = floor(age / timedelta(minutes=1))
    return "1 minute" if minutes == 1 else f"{minutes:,} minutes"
