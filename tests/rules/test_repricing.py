"""Where a price goes: between its floor and its ceiling, by whole steps, and not in circles."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.prices import OfferRow, WantedPrice, decide_price
from backmarket.rules.repricing import Policy, Situation, Terms, decide_move, least_price, margin_of, with_ending

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Of 240 that a customer pays 24 go to Back Market and 4.80 for the payment; a sixth of 90 is VAT.
TERMS = Terms(Decimal(150), "margin", Decimal(20), Decimal(10), Decimal(2))
POLICY = Policy(min_step_pct=Decimal("0.5"), climb_rest=timedelta(hours=12), moves_a_day=6)
LOSING = Situation(
    decimals=2,
    shown=Decimal("299.00"),
    wanted=Decimal("320.00"),
    read_at=NOW - timedelta(minutes=10),
    takes_part=True,
    price_to_win=Decimal("288.99"),
    winner_price=Decimal("289.00"),
)
WINNING = replace(LOSING, is_winning=True, price_to_win=None, winner_price=Decimal("299.00"))


def decide(
    terms: Terms | None = TERMS, policy: Policy = POLICY, *, of: Situation = LOSING, **fields: Any
) -> tuple[Any, ...]:
    move = decide_move(replace(of, **fields), terms, policy, now=NOW)
    return move.verdict, move.price, move.reason


@pytest.mark.parametrize(
    ("terms", "price", "margin"),
    [
        # 240 less 12 % is 211.20; VAT a sixth of 240 - 150 is 15; less 150.
        (TERMS, "240", "46.20"),
        # VAT a sixth of 240 is 40.
        (replace(TERMS, vat_scheme="standard"), "240", "21.20"),
        # Below its cost nothing is taxed.
        (TERMS, "120", "-44.40"),
        (replace(TERMS, vat_pct=Decimal(0)), "240", "61.20"),
        (replace(TERMS, commission_pct=Decimal(0), fees_pct=Decimal(0)), "240", "75.00"),
    ],
)
def test_what_is_left_of_a_sale(terms: Terms, price: str, margin: str) -> None:
    """After commission, fees, VAT by its scheme and the unit's cost."""
    assert margin_of(Decimal(price), terms) == Decimal(margin)


terms = st.builds(
    Terms,
    st.decimals("0.01", 2_000, places=2),
    st.sampled_from(("margin", "standard")),
    st.decimals(0, 27, places=1),
    st.decimals(0, 20, places=2),
    st.decimals(0, 8, places=2),
)
amounts = st.decimals(1, 3_000, places=2)
endings = st.sampled_from((None, ".99", ".90", "9.00", "9", "90"))
moments = st.integers(0, 48 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))


@given(terms, st.decimals(0, 60, places=1), st.sampled_from((0, 2)))
def test_the_least_price_leaves_its_margin_and_one_unit_less_does_not(
    terms: Terms, margin_pct: Decimal, decimals: int
) -> None:
    """To the last unit of the currency, in both schemes."""
    price = least_price(terms, margin_pct, decimals)
    if price is None:
        # However dear: all of it goes.
        assert margin_of(Decimal(10**9), terms) < Decimal(10**9) * margin_pct / 100
        return
    below = price - Decimal(1).scaleb(-decimals)
    assert margin_of(price, terms) >= price * margin_pct / 100
    assert margin_of(below, terms) < below * margin_pct / 100


def test_a_price_that_loses_goes_to_the_price_to_win() -> None:
    """As the reason says: the winner's price, the floor, and where it goes; the example of the page, with defaults."""
    terms = replace(TERMS, unit_cost=Decimal(132))
    verdict, price, reason = decide(terms, Policy())
    assert (verdict, price) == ("move", Decimal("288.99"))
    assert reason == "winner 289.00, floor 195.27, so 288.99"
    page = (Path(__file__).parents[2] / "docs" / "operations" / "backbox.md").read_text(encoding="utf-8")
    left = {at: margin_of(Decimal(at), terms) / Decimal(at) * 100 for at in ("240.00", "288.99")}
    assert margin_of(Decimal(240), terms) == Decimal("61.20")
    assert f"A phone cost {terms.unit_cost}.00, " in page
    assert f"61.20 are left, {left['240.00']:.1f} %. The lowest price that leaves 15 % is 195.27." in page
    assert f"which leaves {left['288.99']:.1f} %" in page
    assert f"`{reason}`" in page


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        # Half a per cent of 299 is 1.495: a cent below the winner would be less than a step.
        ({"price_to_win": Decimal("298.99")}, "297.50"),
        ({"price_to_win": Decimal("250.01")}, "250.01"),
        ({"price_to_win": Decimal("221.90")}, "221.90"),
        ({"shown": Decimal("330.00"), "price_to_win": Decimal("329.00")}, "320.00"),
    ],
)
def test_a_move_is_a_whole_step_and_stays_above_the_floor(fields: dict[str, Any], price: str) -> None:
    """To the price to win, or a step below what is shown, whichever is lower; from above the ceiling to the ceiling."""
    assert decide(policy=replace(POLICY, auto_margin_pct=Decimal(0)), **fields)[1] == Decimal(price)


def test_between_the_two_margins_a_person_decides() -> None:
    """A lower price that leaves less than the automatic margin, or amount, is asked for; a higher one never is."""
    verdict, price, reason = decide(price_to_win=Decimal("240.00"))
    assert (verdict, price) == ("ask", Decimal("240.00"))
    assert reason == "winner 289.00, floor 221.90, so 240.00; it leaves 46.20 (19.2 %), less than 72.00"
    assert decide(policy=replace(POLICY, auto_margin_pct=Decimal(19)), price_to_win=Decimal("240.00"))[0] == "move"
    amount = replace(POLICY, auto_margin_pct=Decimal(19), auto_margin_amount=Decimal("46.21"))
    assert decide(policy=amount, price_to_win=Decimal("240.00"))[0] == "ask"
    assert decide(of=WINNING, shown=Decimal("230.00"))[:2] == ("move", Decimal("232.30"))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"shown": None}, "the market shows no price yet"),
        ({"read_at": None}, "its competitors were not read yet"),
        ({"read_at": NOW - timedelta(minutes=61)}, "what is known of its competitors is 61 minutes old"),
        ({"moves": (NOW - timedelta(minutes=59),)}, "it moved 59 minutes ago"),
        ({"moves": (NOW - timedelta(minutes=10),)}, "its competitors were not read since it moved"),
        ({"moves": tuple(NOW - HOUR * hours for hours in range(2, 8))}, "it has moved 6 times within 24 hours"),
        ({"price_to_win": None}, "Back Market does not say which price would win"),
        ({"price_to_win": Decimal("299.00")}, "it loses at 299.00, although 299.00 should win"),
        ({"wanted": Decimal("200.00")}, "floor 221.90 is above ceiling 200.00"),
        ({"max_price": Decimal("200.00")}, "floor 221.90 is above ceiling 200.00"),
        (
            {"shown": Decimal("222.50"), "price_to_win": Decimal("222.30")},
            "winner 289.00, floor 221.90: what is left above it is less than the smallest step",
        ),
    ],
)
def test_a_price_stays_and_says_why(fields: dict[str, Any], why: str) -> None:
    """What is not known, too old, too soon or too often moves nothing."""
    assert decide(**fields) == ("hold", None, why)


@pytest.mark.parametrize("why", ["", "no rate from USD to EUR: fill seller.fx_rates"])
def test_a_missing_cost_means_no_move_and_says_so(why: str) -> None:
    """Not even one to the floor: nobody knows it."""
    move = decide_move(replace(LOSING, shown=Decimal(1), no_terms=why), None, POLICY, now=NOW)
    assert (move.verdict, move.price, move.floor) == ("hold", None, None)
    assert move.reason == (why or "no cost is known: fill seller.costs")


def test_a_price_in_another_currency_than_its_market_is_compared_with_nothing() -> None:
    """Not with a floor, either."""
    for shown in ("1.00", "299.00", "999.00"):
        assert decide(shown=Decimal(shown), foreign="GBP") == (
            "hold",
            None,
            "it is shown in GBP, which is not its market's currency: set its price once in the Back Office",
        )


def test_a_price_below_its_floor_is_raised_whatever_else_is_the_case() -> None:
    """Also where it moved a minute ago, and nothing is known of its competitors; but not to above its ceiling."""
    moves = tuple(NOW - timedelta(minutes=minutes) for minutes in range(1, 9))
    verdict, price, reason = decide(shown=Decimal("200.00"), read_at=None, moves=moves, min_price=Decimal("250.00"))
    assert (verdict, price) == ("move", Decimal("250.00"))
    assert reason == "200.00 is below floor 250.00, so 250.00"
    above = decide(shown=Decimal("200.00"), min_price=Decimal("330.00"))
    assert above == ("hold", None, "floor 330.00 is above ceiling 320.00")


@pytest.mark.parametrize(
    ("decimals", "shown", "min_price", "price"),
    [(2, "230.00", "249.9933333", "250.00"), (0, "230", "249.5", "250"), (2, "230.00", "250.00", "250.00")],
)
def test_a_floor_finer_than_the_currency_is_rounded_up(decimals: int, shown: str, min_price: str, price: str) -> None:
    """Finer, it would be a price that no market takes: it would be refused for ever, and the offer stay below it."""
    offer = replace(LOSING, decimals=decimals, shown=Decimal(shown), min_price=Decimal(min_price))
    move = decide_move(offer, TERMS, POLICY, now=NOW)
    assert (move.verdict, move.price, move.floor) == ("move", Decimal(price), Decimal(price))
    assert move.price is not None
    wanted = WantedPrice("A", "fr-fr", move.price, "EUR", Decimal(min_price))
    planned = decide_price(
        wanted, OfferRow(Decimal(shown)), currency="EUR", decimals=decimals, change_limit_pct=Decimal(30)
    )
    assert planned.verdict == "send"


def test_a_ceiling_finer_than_the_currency_is_rounded_down() -> None:
    """Above it, Back Market would take the offer offline; and what is shown at it is at its ceiling."""
    assert decide(of=WINNING, shown=Decimal("305.90"), max_price=Decimal("305.999"))[:2] == ("move", Decimal("305.99"))
    assert decide(of=WINNING, shown=Decimal("305.99"), max_price=Decimal("305.999"))[2] == "it wins, at its ceiling"
    assert decide(of=WINNING, decimals=0, shown=Decimal(300), max_price=Decimal("302.9"))[1] == Decimal(302)
    assert decide(min_price=Decimal("250.001"), max_price=Decimal("250.009"))[2] == (
        "floor 250.01 is above ceiling 250.00"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"price_to_win": Decimal("250.004")},
        {"shown": Decimal("299.004"), "price_to_win": Decimal("298.99")},
        {"shown": Decimal("299.004"), "is_winning": True},
    ],
)
def test_whatever_is_shown_or_would_win_no_price_is_finer_than_its_currency(fields: dict[str, Any]) -> None:
    """Nothing of it is in the seller's hands."""
    _, price, _ = decide(policy=replace(POLICY, auto_margin_pct=Decimal(0)), **fields)
    assert price is not None
    assert price == round(price, 2)


@pytest.mark.parametrize(
    ("fields", "price", "why"),
    [
        ({}, "301.99", "it wins, ceiling 320.00, so 301.99"),
        ({"takes_part": False, "is_winning": False}, "301.99", "nobody competes, ceiling 320.00, so 301.99"),
        ({"shown": Decimal("319.90")}, "320.00", "it wins, ceiling 320.00, so 320.00"),
        ({"price_to_win": Decimal("300.70")}, "300.70", "it wins, ceiling 320.00, so 300.70"),
        (
            {"is_winning": False, "price_to_win": Decimal("1.00"), "lowered_at": NOW - HOUR},
            "320.00",
            "1.00 would win, floor 221.90, so ceiling 320.00",
        ),
        (
            {"is_winning": False, "price_to_win": Decimal("1.00"), "shown": Decimal("320.00")},
            None,
            "1.00 would win, floor 221.90, at its ceiling",
        ),
        ({"shown": Decimal("320.00")}, None, "it wins, at its ceiling"),
        ({"lowered_at": NOW - HOUR}, None, "it wins; it was lowered a short while ago"),
        (
            {"price_to_win": Decimal("299.50")},
            None,
            "it wins; what it could rise by is less than the smallest step",
        ),
    ],
)
def test_a_price_that_wins_or_stands_alone_rises_slowly(fields: dict[str, Any], price: str | None, why: str) -> None:
    """By its share at once, to the ceiling at most, not past what still wins; and not soon after it was lowered."""
    assert decide(of=WINNING, **fields)[1:] == (price and Decimal(price), why)


def test_nothing_rises_where_the_seller_wants_that() -> None:
    """A share of zero."""
    assert decide(policy=replace(POLICY, climb_pct=Decimal(0)), of=WINNING)[2] == "it wins; prices do not rise"


@pytest.mark.parametrize(
    ("price", "ending", "decimals", "expected"),
    [
        ("288.99", ".99", 2, "288.99"),
        ("288.98", ".99", 2, "287.99"),
        ("288.98", ".90", 2, "288.90"),
        ("288.98", "9.00", 2, "279.00"),
        ("28898", "80", 0, "28880"),
        ("28898", ".99", 0, "28898"),
        ("0.50", ".99", 2, "0.50"),
        ("8.00", "9.00", 2, "8.00"),
        ("288.98", None, 2, "288.98"),
    ],
)
def test_prices_end_as_the_seller_wants(price: str, ending: str | None, decimals: int, expected: str) -> None:
    """Never above the price: rounded up, it would not win."""
    assert with_ending(Decimal(price), ending, decimals) == Decimal(expected)


situations = st.builds(
    Situation,
    decimals=st.just(2),
    shown=st.none() | amounts,
    wanted=amounts,
    min_price=st.none() | amounts,
    max_price=st.none() | amounts,
    read_at=st.none() | moments,
    takes_part=st.booleans(),
    is_winning=st.booleans(),
    price_to_win=st.none() | amounts,
    winner_price=st.none() | amounts,
    moves=st.lists(moments, max_size=8).map(tuple),
    lowered_at=st.none() | moments,
)


@given(situations, terms, endings)
def test_no_price_leaves_its_bounds(offer: Situation, terms: Terms, ending: str | None) -> None:
    """Whatever competitors do: at or above both floors, at or below the ceiling, and by a whole step."""
    policy = replace(POLICY, ending=ending)
    move = decide_move(offer, terms, policy, now=NOW)
    if move.price is None:
        assert move.verdict == "hold"
        assert move.reason
        return
    assert offer.shown is not None
    least = least_price(terms, policy.ask_margin_pct, 2)
    assert least is not None
    assert move.price >= max(least, offer.min_price or least)
    assert move.price <= min(offer.wanted, offer.max_price or offer.wanted)
    assert margin_of(move.price, terms) >= move.price * policy.ask_margin_pct / 100
    assert move.price == round(move.price, 2)
    to_a_bound = move.price in {move.floor, move.ceiling}
    assert to_a_bound or abs(move.price - offer.shown) >= offer.shown * policy.min_step_pct / 100
    if move.price < offer.shown and move.verdict == "move":
        assert margin_of(move.price, terms) >= move.price * policy.auto_margin_pct / 100


@given(situations, terms)
def test_a_lower_price_wins(offer: Situation, terms: Terms) -> None:
    """Below what is shown it goes only to win, or where the seller wants less."""
    move = decide_move(offer, terms, POLICY, now=NOW)
    if move.price is not None and offer.shown is not None and move.price < offer.shown and offer.shown <= offer.wanted:
        ceiling = move.ceiling or Decimal(0)
        assert move.price == ceiling or move.price <= (offer.price_to_win or Decimal(0))


NOTHING = Decimal(0)
FREE = replace(TERMS, unit_cost=Decimal(0))
ASKING = replace(POLICY, auto_margin_amount=Decimal(10))


@pytest.mark.parametrize(
    ("fields", "decided"),
    [
        ({"shown": Decimal("0.01"), "price_to_win": Decimal("0.01")}, ("hold", None)),
        ({"shown": Decimal("0.02"), "price_to_win": Decimal("0.01")}, ("ask", Decimal("0.01"))),
        ({"shown": Decimal("0.02"), "price_to_win": Decimal("0.01"), "min_price": NOTHING}, ("ask", Decimal("0.01"))),
        ({"wanted": Decimal(0)}, ("hold", None)),
        ({"wanted": Decimal(-5)}, ("hold", None)),
        ({"max_price": Decimal("0.001")}, ("hold", None)),
    ],
)
def test_a_price_of_zero_is_never_where_one_goes(fields: dict[str, Any], decided: tuple[str, Decimal | None]) -> None:
    """Also where a unit cost nothing: there is a margin to be told in per cent of the price."""
    verdict, price, reason = decide(FREE, ASKING, **fields)
    assert (verdict, price) == decided
    assert reason


nothing = st.sampled_from((Decimal(0), Decimal("0.01"), Decimal("0.004"), Decimal("0.5"), Decimal(1), Decimal(-1)))


@given(
    st.builds(
        Situation,
        decimals=st.sampled_from((0, 2)),
        shown=st.none() | nothing,
        wanted=nothing,
        min_price=st.none() | nothing,
        max_price=st.none() | nothing,
        read_at=st.just(NOW),
        takes_part=st.booleans(),
        is_winning=st.booleans(),
        price_to_win=st.none() | nothing,
        winner_price=st.none() | nothing,
    ),
    st.sampled_from((FREE, TERMS, replace(FREE, vat_scheme="standard"))),
)
def test_whatever_is_next_to_nothing_is_decided(offer: Situation, terms: Terms) -> None:
    """No figure ends the decisions about all others."""
    move = decide_move(offer, terms, ASKING, now=NOW)
    assert move.price is None or move.price > 0
    assert move.reason


def test_a_cooldown_of_more_than_a_day_is_kept() -> None:
    """Also where it has not moved within 24 hours."""
    policy = replace(POLICY, cooldown=timedelta(days=3))
    for moved in (timedelta(hours=25), timedelta(hours=71)):
        hold = decide(policy=policy, moves=(NOW - moved, NOW - timedelta(days=9)))
        assert hold == ("hold", None, f"it moved {moved // timedelta(minutes=1):,} minutes ago")
    assert decide(policy=policy, moves=(NOW - timedelta(days=3),))[1] == Decimal("288.99")


@pytest.mark.parametrize(
    "longest", [{"cooldown": timedelta(days=5)}, {"climb_rest": timedelta(days=5)}, {"max_age": timedelta(days=5)}]
)
def test_moves_are_remembered_as_long_as_one_of_them_holds_a_price(longest: dict[str, Any]) -> None:
    """And a day at least, in which they are counted."""
    assert replace(POLICY, **longest).remembers == timedelta(days=5)
    assert replace(POLICY, cooldown=HOUR, climb_rest=HOUR, max_age=HOUR).remembers == timedelta(days=1)


@pytest.mark.parametrize("nothing", [Decimal(0), Decimal("0.00")])
def test_a_price_to_win_of_zero_is_none(nothing: Decimal) -> None:
    """So the specification writes an amount that is none. A losing offer would jump to its ceiling."""
    unknown = ("hold", None, "Back Market does not say which price would win")
    assert decide(price_to_win=nothing) == unknown
    assert decide(FREE, ASKING, shown=Decimal("0.01"), price_to_win=nothing) == unknown
    assert decide(of=WINNING, price_to_win=nothing) == decide(of=WINNING)
    lower = replace(POLICY, auto_margin_pct=Decimal(20))
    assert decide(policy=lower, winner_price=nothing)[2] == "winner 288.99, floor 221.90, so 288.99"
