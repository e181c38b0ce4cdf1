"""Readings of listings are stored so that no market and no late reading overwrites what is newer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.api.models import Listing
from backmarket.rules.listing_review import unknown_parts
from backmarket.warehouse.listings import MergeCounts, mark_gone, store_readings

if TYPE_CHECKING:
    import psycopg

ID = "00000000-0000-4000-8000-000000000001"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _listing(**fields: Any) -> Listing:
    document = {"id": ID, "sku": "A-1", "quantity": 5, "price": "10.00", "currency": "EUR", "publication_state": 2}
    return Listing.model_validate({**document, **fields})


def _store(warehouse: psycopg.Connection[Any], market: str = "fr-fr", *, minute: int = 0, **fields: Any) -> MergeCounts:
    return store_readings(warehouse, "default", market, [_listing(**fields)], read_at=NOON + timedelta(minutes=minute))


def _all(warehouse: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query.encode()).fetchall()


def test_a_later_reading_stays(warehouse: psycopg.Connection[Any]) -> None:
    """A page read before a change, and stored after it, changes nothing and leaves no history."""
    assert _store(warehouse, minute=2, quantity=3) == (1, 0, 0)
    assert _store(warehouse, minute=1, quantity=5) == (0, 0, 1)
    assert _all(warehouse, "select quantity from backmarket.listings") == [(3,)]
    assert _all(warehouse, "select quantity from backmarket.listing_offer_history") == [(3,)]


def test_one_listing_may_be_stored_again_and_again(warehouse: psycopg.Connection[Any]) -> None:
    """Each change of price, quantity or state is one row of history; an equal reading only moves read_at."""
    assert _store(warehouse) == (1, 0, 0)
    assert _store(warehouse, minute=1) == (0, 0, 1)
    assert _store(warehouse, minute=2, quantity=4) == (0, 1, 0)
    assert _store(warehouse, minute=3, quantity=4, price="9.00") == (0, 1, 0)
    assert _store(warehouse, minute=4, quantity=4, price="9.00", comment="new") == (0, 1, 0)
    history = _all(warehouse, "select quantity, price::text from backmarket.listing_offer_history order by changed_at")
    assert history == [(5, "10.00"), (4, "10.00"), (4, "9.00")]
    assert _all(warehouse, "select read_at from backmarket.listings") == [(NOON + timedelta(minutes=4),)]


def test_a_quantity_enters_the_history_of_every_market(warehouse: psycopg.Connection[Any]) -> None:
    """It is global, and each market's chart shows it, from when that market was read."""
    _store(warehouse, "fr-fr")
    _store(warehouse, "de-de")
    _store(warehouse, "fr-fr", minute=1, quantity=1)
    _store(warehouse, "de-de", minute=2, quantity=1)
    rows = _all(warehouse, "select market, quantity from backmarket.listing_offer_history order by market, changed_at")
    assert rows == [("de-de", 5), ("de-de", 1), ("fr-fr", 5), ("fr-fr", 1)]


def test_titles_do_not_flap_between_languages(warehouse: psycopg.Connection[Any]) -> None:
    """The global title stays in the language of the market that was first; each offer has its own."""
    _store(warehouse, "fr-fr", title="Téléphone")
    _store(warehouse, "de-de", minute=1, title="Telefon")
    assert _all(warehouse, "select title from backmarket.listings") == [("Téléphone",)]
    _store(warehouse, "fr-fr", minute=2, title="Portable")
    assert _all(warehouse, "select title from backmarket.listings") == [("Portable",)]
    assert _all(warehouse, "select title from backmarket.listing_offers order by market") == [
        ("Telefon",),
        ("Portable",),
    ]


@pytest.mark.parametrize(("markets", "listing_gone"), [(["fr-fr"], True), (["fr-fr", "de-de"], False)])
def test_a_listing_is_gone_when_no_market_that_is_read_has_it(
    warehouse: psycopg.Connection[Any], markets: list[str], *, listing_gone: bool
) -> None:
    """An offer goes by itself; the listing with the last market that is read. It comes back when it is seen."""
    _store(warehouse, "fr-fr")
    _store(warehouse, "de-de")
    since = NOON + timedelta(minutes=1)
    with warehouse.transaction():
        assert mark_gone(warehouse, "default", "fr-fr", markets=markets, seen=[], since=since) == 1
        assert mark_gone(warehouse, "default", "fr-fr", markets=markets, seen=[], since=since) == 0
    assert _all(warehouse, "select market from backmarket.listing_offers where gone_at is not null") == [("fr-fr",)]
    assert bool(_all(warehouse, "select 1 from backmarket.listings where gone_at is not null")) is listing_gone
    assert _store(warehouse, "fr-fr", minute=2) == (0, 1, 0)
    assert _all(warehouse, "select 1 from backmarket.listings where gone_at is not null") == []
    history = "select gone from backmarket.listing_offer_history where market = 'fr-fr' order by changed_at"
    assert _all(warehouse, history) == [(False,), (True,), (False,)]


def test_what_was_seen_or_stored_meanwhile_is_not_gone(warehouse: psycopg.Connection[Any]) -> None:
    """A listing created while the list was read is not in it, and is there all the same."""
    _store(warehouse, minute=5)
    with warehouse.transaction():
        assert mark_gone(warehouse, "default", "fr-fr", markets=["fr-fr"], seen=[], since=NOON) == 0
        later = NOON + timedelta(minutes=9)
        assert mark_gone(warehouse, "default", "fr-fr", markets=["fr-fr"], seen=[UUID(ID)], since=later) == 0


def test_accounts_do_not_meet(warehouse: psycopg.Connection[Any]) -> None:
    """The same listing read by two accounts is stored twice."""
    _store(warehouse)
    store_readings(warehouse, "other", "fr-fr", [_listing(quantity=1)], read_at=NOON)
    assert _all(warehouse, "select account, quantity from backmarket.listings order by 1") == [
        ("default", 5),
        ("other", 1),
    ]


@given(st.text(), st.integers(), st.lists(st.text()))
def test_everything_unknown_is_named(grade: str, state: int, fields: list[str]) -> None:
    """What is known is not reported; everything else is, by name."""
    told = set(unknown_parts(grade, state, fields, known_fields={"sku"}))
    assert set(unknown_parts("GOOD", 2, ["sku", "statuscode"], known_fields={"sku"})) == set()
    assert f"publication_state {state}" in told or 0 <= state <= 4
    assert {f"field {name}" for name in fields} - told <= {"field sku", "field statuscode", "field shippings_response"}
