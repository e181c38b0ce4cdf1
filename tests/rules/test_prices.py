"""Prices: what is sent, what is refused, what a person is asked."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules import prices
from backmarket.rules.approvals import Answer, Decision
from backmarket.rules.prices import OfferRow, PriceDecision, WantedPrice, after_decision, decide_price

WANTED = WantedPrice("A", "fr-fr", Decimal("110.00"), "EUR")
OFFER = OfferRow(Decimal("100.00"), Decimal("500.00"))
LIMIT = Decimal(30)


def decide(wanted: WantedPrice = WANTED, offer: OfferRow = OFFER, **options: object) -> PriceDecision:
    """Decide with the French market's rules unless others are given."""
    rules = {"currency": "EUR", "decimals": 2, "change_limit_pct": LIMIT, **options}
    return decide_price(wanted, offer, **rules)  # type: ignore[arg-type]


def test_a_price_within_all_limits_is_sent() -> None:
    """It is written with the market's number of decimals."""
    assert decide() == PriceDecision("send", Decimal("110.00"))
    assert str(decide(replace(WANTED, price=Decimal("110.5"))).price) == "110.50"
    assert str(decide(replace(WANTED, price=Decimal("1.1E2")), decimals=0).price) == "110"


def test_the_same_price_is_not_sent_again() -> None:
    """However it is written."""
    assert decide(replace(WANTED, price=Decimal(100))) == PriceDecision("unchanged", Decimal(100))


def test_a_ceiling_that_cannot_be_read_holds_the_price() -> None:
    """Above it the offer would go offline; a price that is shown already is no matter."""
    offer = replace(OFFER, max_price=None, max_price_unreadable=True)
    assert decide(offer=offer).verdict == "refuse"
    assert "max_price is in no form known here" in decide(offer=offer).reason
    assert decide(replace(WANTED, price=Decimal(100)), offer).verdict == "unchanged"


@pytest.mark.parametrize(
    ("fields", "options", "reason"),
    [
        ({"currency": "GBP"}, {}, "currency GBP is not EUR"),
        ({"price": Decimal(0)}, {}, "not above zero"),
        ({"price": Decimal(-5)}, {}, "not above zero"),
        ({"price": Decimal("NaN")}, {}, "not a number"),
        ({"price": Decimal("100.001")}, {}, "more than 2 decimals"),
        ({"price": Decimal("100.5"), "currency": "JPY"}, {"currency": "JPY", "decimals": 0}, "more than 0 decimals"),
        ({"price": Decimal("500.01")}, {}, "above the listing's max_price 500.00"),
        ({"min_price": Decimal("110.01")}, {}, "below your min_price 110.01"),
    ],
)
def test_a_price_that_cannot_be_right_is_refused(
    fields: dict[str, object], options: dict[str, object], reason: str
) -> None:
    """The reason names the price and the limit; an unchanged price is refused no less."""
    decision = decide(replace(WANTED, **fields), **options)  # type: ignore[arg-type]
    assert decision.verdict == "refuse"
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("price", "verdict"), [("130.00", "send"), ("130.01", "ask"), ("70.00", "send"), ("69.99", "ask")]
)
def test_a_large_move_waits_for_a_person(price: str, verdict: str) -> None:
    """Up or down, beyond the limit and not at it."""
    decision = decide(replace(WANTED, price=Decimal(price)))
    assert decision.verdict == verdict
    assert ("needs approval" in decision.reason) == (verdict == "ask")


@pytest.mark.parametrize("old", [None, Decimal("0.00")])
def test_a_first_price_is_no_move(old: Decimal | None) -> None:
    """There is nothing to compare it with."""
    assert decide(offer=OfferRow(old, None)).verdict == "send"


def test_a_price_shown_in_another_currency_than_its_market_is_no_measure_of_a_move() -> None:
    """It is refused, whatever the figures are: 110.00 GBP are not 110.00 EUR. One that names none is its market's."""
    for shown in ("110.00", "100.00", "20.00"):
        decision = decide(offer=OfferRow(Decimal(shown), None, currency="GBP"))
        assert decision == PriceDecision(
            "refuse",
            Decimal("110.00"),
            "the offer is shown in GBP, and fr-fr takes EUR: the move cannot be measured; set the price once in the "
            "Back Office",
        )
    for currency in (None, "", " ", "EUR", " eur "):
        assert decide(offer=OfferRow(Decimal("100.00"), Decimal(500), currency=currency)).verdict == "send"
    # Where nothing is shown, there is nothing to measure; but a ceiling in another currency is none that is known.
    assert decide(offer=OfferRow(None, None, currency="GBP")).verdict == "send"
    assert decide(offer=OfferRow(Decimal("0.00"), None, currency="GBP")).verdict == "send"
    assert decide(offer=OfferRow(None, Decimal(90), currency="GBP")).reason.startswith("the offer is shown in GBP")


@pytest.mark.parametrize("shown", [None, Decimal("0.00")])
@pytest.mark.parametrize(("price", "verdict"), [("130.00", "send"), ("130.01", "ask"), ("1.99", "ask")])
def test_a_price_that_is_shown_no_more_is_measured_from_the_last_that_was_sent(
    shown: Decimal | None, price: str, verdict: str
) -> None:
    """An offer without a price for a moment lets no slip through the limit."""
    decision = decide(replace(WANTED, price=Decimal(price)), OfferRow(shown, None, last_sent=Decimal("100.00")))
    assert decision.verdict == verdict
    assert ("from 100.00, which was sent last" in decision.reason) == (verdict == "ask")


@pytest.mark.parametrize("shown", [None, Decimal("0.00")])
@pytest.mark.parametrize(("price", "verdict"), [("130.00", "send"), ("130.01", "ask"), ("1.99", "ask")])
def test_a_price_that_was_never_sent_is_measured_from_the_last_that_was_shown(
    shown: Decimal | None, price: str, verdict: str
) -> None:
    """One that was set in the Back Office and is not shown for a moment; what was sent from here goes first."""
    offer = OfferRow(shown, None, last_shown=Decimal("100.00"))
    decision = decide(replace(WANTED, price=Decimal(price)), offer)
    assert decision.verdict == verdict
    assert ("from 100.00, which was shown last" in decision.reason) == (verdict == "ask")
    assert replace(offer, last_sent=Decimal("90.00")).measured_from == Decimal("90.00")


amounts = st.decimals("-10", "1000", places=3) | st.decimals("0.01", "1000", places=2)


@given(amounts, st.none() | amounts, st.none() | amounts, st.none() | amounts, st.sampled_from([0, 2]))
def test_what_is_sent_keeps_every_limit(
    price: Decimal, old: Decimal | None, most: Decimal | None, least: Decimal | None, decimals: int
) -> None:
    """Whatever stands in the tables, a price that goes out is exact, positive and within its bounds."""
    decision = decide(replace(WANTED, price=price, min_price=least), OfferRow(old, most), decimals=decimals)
    assert isinstance(decision.price, Decimal)
    assert decision.price == price
    if decision.verdict in {"send", "ask"}:
        assert decision.price > 0
        assert -int(decision.price.as_tuple().exponent) == decimals
        assert not most or decision.price <= most
        assert least is None or decision.price >= least
    if decision.verdict == "send" and old and old > 0:
        assert abs(decision.price - old) * 100 <= LIMIT * old


def test_no_float_comes_near_a_price() -> None:
    """The module has no float literal, and calls no float()."""
    tree = ast.parse(Path(prices.__file__).read_text(encoding="utf-8"))
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert not [value for value in constants if isinstance(value, float)]
    assert "float" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": None}, "price is missing"),
        ({"currency": None}, "currency is missing and is not EUR, which fr-fr takes"),
        ({"currency": " eur "}, ""),
        ({"min_price": Decimal("NaN")}, "min_price NaN is not a number"),
        (
            {"price": Decimal("-0.001"), "currency": "GBP"},
            (
                "currency GBP is not EUR, which fr-fr takes; price -0.001 is not above zero; "
                "price -0.001 has more than 2 decimals"
            ),
        ),
        ({"price": Decimal("0.01"), "min_price": Decimal("0.01")}, ""),
        ({"price": Decimal("500.00"), "min_price": Decimal("500.00")}, ""),
    ],
)
def test_a_person_reads_all_that_is_wrong_with_a_price(fields: dict[str, object], reason: str) -> None:
    """Every reason at once, so that the row is mended once; a price at a limit keeps it."""
    decision = decide(replace(WANTED, **fields), change_limit_pct=Decimal(1000))  # type: ignore[arg-type]
    assert (decision.verdict, decision.reason) == ("refuse" if reason else "send", reason)


def test_a_price_held_for_its_ceiling_is_shown_as_it_would_be_sent() -> None:
    """The ledger shows the price beside the reason."""
    decision = decide(replace(WANTED, price=Decimal("110.5")), OfferRow(Decimal(100), None, max_price_unreadable=True))
    assert str(decision.price) == "110.50"
    assert decision.reason == (
        "the listing's max_price is in no form known here: above it, price 110.50 would take it offline"
    )


@pytest.mark.parametrize(
    ("decision", "by", "verdict", "reason"),
    [
        ("approved", "kim", "send", ""),
        ("refused", "kim", "refuse", "declined by kim on 2026-11-26: too large"),
        ("refused", None, "refuse", "declined by a person on 2026-11-26: too large"),
        ("expired", None, "refuse", "too large: nobody approved it in time"),
        (None, None, "ask", "too large"),
    ],
)
def test_what_a_person_decided_holds_for_a_large_move(
    decision: Decision | None, by: str | None, verdict: str, reason: str
) -> None:
    """The price stays as it is; without a decision the question stays open."""
    asked = PriceDecision("ask", Decimal(150), "too large")
    answer = Answer(decision, by, datetime(2026, 11, 26, 9, tzinfo=UTC)) if decision else None
    assert after_decision(asked, answer) == PriceDecision(verdict, Decimal(150), reason)  # type: ignore[arg-type]


def test_no_decision_sends_what_must_not_be_sent() -> None:
    """Whatever stands against it now was not known when the move was approved."""
    refused = PriceDecision("refuse", Decimal(150), "above max_price")
    assert after_decision(refused, Answer("approved", "kim", datetime(2026, 11, 26, tzinfo=UTC))) == refused
