"""Whatever a seller's system calls a carrier, Back Market gets a name it knows, or Other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.carriers import CARRIERS, find_carrier
from sandbox.orders.shippers import SHIPPERS
from tests.rules.carrier_spellings import SPELLINGS


def test_the_list_is_back_markets() -> None:
    """All but a double of DHL Express that differs in its spaces alone."""
    assert set(CARRIERS) == SHIPPERS - {"DHL  EXPRESS"}


@pytest.mark.parametrize(
    ("name", "carrier"),
    [
        ("DHL_EXPRESS", "DHL Express"),
        ("ups ground", "UPS Ground"),
        ("  Ups-Next.Day ", "UPS next day"),
        ("PostNL", "Post NL"),
        ("colis prive", "ColisPrivé"),
        ("GLS SPAIN", "GLS-SPAIN"),
        ("usps first class", "USPS - First Class"),
        ("dhl paket", "DHL DE"),
        ("Mondial Relay", None),
        ("", None),
        ("***", None),
    ],
)
def test_spelling_does_not_matter(name: str, carrier: str | None) -> None:
    """Case, accents, spaces and punctuation are ignored; nothing is guessed."""
    assert find_carrier(name, {}) == carrier


@pytest.mark.parametrize(("name", "carrier"), SPELLINGS.items())
def test_common_spellings_are_recognised(name: str, carrier: str | None) -> None:
    """The bare name where the text names no service or country, nothing where it names two carriers or none."""
    assert find_carrier(name, {}) == carrier


def test_few_common_spellings_go_as_other() -> None:
    """One in ten at most, and only those of carriers that Back Market has no name for."""
    others = [name for name in SPELLINGS if find_carrier(name, {}) is None]
    print(f"{len(others)} of {len(SPELLINGS)} spellings go as Other")
    assert len(SPELLINGS) >= 120
    assert len(others) <= len(SPELLINGS) // 10


@given(
    st.sampled_from(CARRIERS), st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from(["", " ", "_", "-"])
)
def test_every_carrier_is_found_in_any_spelling(carrier: str, case: object, gap: str) -> None:
    """Each of the list finds itself, and never another."""
    assert callable(case)
    assert find_carrier(gap.join(case(carrier).split()), {}) == carrier


def test_the_sellers_own_table_comes_first() -> None:
    """It may name what is unknown, rename what is known, and a slip in it is no carrier."""
    assert find_carrier("Brown Vans", {"brown-vans": "UPS_ground"}) == "UPS Ground"
    assert find_carrier("DHL", {"dhl": "DHL DE"}) == "DHL DE"
    assert find_carrier("DHL", {"dhl": "no such carrier"}) is None
