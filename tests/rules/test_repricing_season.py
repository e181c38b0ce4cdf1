"""A small season under several policies: what this project's rule promises, and that each promise can be broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from backmarket.rules import repricing
from backmarket.rules.repricing import Policy
from tests.simulate_season import (
    BY_ITSELF,
    HEAD,
    Figures,
    Ours,
    Pricing,
    Sku,
    VatScheme,
    draw_skus,
    fixed,
    margin,
    play,
    row,
    undercut,
    undercut_above_floor,
)

SEED, SKUS, DAYS = 7, 100, 20
FEW = 20


@pytest.fixture(scope="module")
def skus() -> list[Sku]:
    """The products of the season."""
    return draw_skus(SEED, SKUS, DAYS)


def season(skus: list[Sku], pricing: Pricing, days: int = DAYS) -> Figures:
    """Let the season pass under one policy."""
    return play(skus, pricing, seed=SEED, days=days)


@pytest.fixture(scope="module")
def ours(skus: list[Sku]) -> Figures:
    """This project's rule, which moves by itself down to the floor."""
    return season(skus, Ours(BY_ITSELF))


def keeps_its_floor(figures: Figures) -> bool:
    """Tell whether nothing was sold below its floor."""
    return figures.below_floor == 0


def keeps_its_step(figures: Figures) -> bool:
    """Tell whether no move was smaller than the smallest step."""
    return figures.small_moves == 0


def keeps_the_peace(figures: Figures, policy: Policy) -> bool:
    """Tell whether no price went back and forth, or moved at all, more often than is allowed."""
    return figures.alternations <= policy.moves_a_day and figures.most_moves_a_day <= policy.moves_a_day


def test_nothing_is_sold_below_its_floor_and_no_price_runs_in_circles(ours: Figures) -> None:
    """Whatever competitors do, of whom one now and then asks for 1."""
    assert ours.units > 300
    assert ours.moves > 300
    assert keeps_its_floor(ours)
    assert keeps_its_step(ours)
    assert keeps_the_peace(ours, BY_ITSELF)


def test_a_person_who_is_asked_breaks_none_of_it(skus: list[Sku]) -> None:
    """With the default tiers most lower prices wait for a person, who answers twice a day."""
    figures = season(skus[:FEW], Ours(Policy()))
    assert figures.moves > 50
    assert keeps_its_floor(figures)
    assert keeps_its_step(figures)
    assert keeps_the_peace(figures, Policy())
    assert figures.profit > season(skus[:FEW], fixed).profit


@pytest.mark.parametrize("pricing", [fixed, undercut])
def test_it_pays(skus: list[Sku], ours: Figures, pricing: Pricing) -> None:
    """At least as much as fixed prices, and as going one cent below the best."""
    other = season(skus, pricing)
    print(f"\n{HEAD}\n{row('ours', ours)}\n{row(getattr(pricing, '__name__', ''), other)}")
    assert ours.profit >= other.profit


def test_it_earns_about_what_naive_undercutting_with_its_floor_does_by_half_the_moves(
    skus: list[Sku], ours: Figures
) -> None:
    """What is left of the difference is the price of peace."""
    other = season(skus, undercut_above_floor)
    assert ours.profit >= other.profit * Decimal("0.95")
    assert ours.moves <= other.moves / 2


def test_the_season_has_what_makes_policies_differ(skus: list[Sku]) -> None:
    """Naive undercutting sells below the floor, and the crash among competitors costs it dearly."""
    naive = season(skus, undercut)
    assert naive.below_floor > 50
    assert naive.profit < season(skus, undercut_above_floor).profit
    assert {rival.habit for sku in skus for rival in sku.rivals} == {"undercutter", "follower", "sleeper", "crasher"}
    assert any(sku.min_price == sku.floor for sku in skus)
    assert {sku.vat_scheme for sku in skus} == {"margin", "standard"}


def test_without_its_floor_it_sells_below_it(skus: list[Sku], monkeypatch: pytest.MonkeyPatch) -> None:
    """The promise of the floor can be broken."""
    monkeypatch.setattr(repricing, "least_price", lambda *_: Decimal("0.01"))
    assert not keeps_its_floor(season(skus[:FEW], Ours(BY_ITSELF, answers_at=(*range(24),))))


def test_without_its_step_it_moves_by_cents(skus: list[Sku]) -> None:
    """The promise of the smallest step can be broken."""
    assert not keeps_its_step(season(skus[:FEW], Ours(replace(BY_ITSELF, min_step_pct=Decimal(0)))))


def test_a_tighter_limit_holds_and_without_its_rests_it_fights_all_day(skus: list[Sku]) -> None:
    """The promise of peace holds for any limit, and can be broken: prices then move far more often than is allowed."""
    calm = replace(BY_ITSELF, cooldown=timedelta(hours=2), moves_a_day=4)
    assert keeps_the_peace(season(skus[:FEW], Ours(calm)), calm)
    restless = replace(BY_ITSELF, cooldown=timedelta(0), climb_rest=timedelta(0), moves_a_day=10_000)
    assert not keeps_the_peace(season(skus[:FEW], Ours(restless)), calm)


@pytest.mark.parametrize(
    ("price", "unit_cost", "scheme", "left"),
    [(30_000, 15_000, "margin", 8_900), (30_000, 12_500, "standard", 8_900), (10_000, 12_000, "margin", -3_200)],
)
def test_what_a_sale_leaves(price: int, unit_cost: int, scheme: VatScheme, left: int) -> None:
    """12 % of the price go in fees, a sixth of what is taxed in VAT; a loss bears no VAT of the margin scheme."""
    assert margin(price, unit_cost, scheme) == left
