"""Quantities wait until the offers of all markets are read, so that takes a bounded time, however many markets hang."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api import time_limit
from backmarket.api.answers import RawAnswer
from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.errors import NetworkError, OutOfTimeError
from backmarket.api.markets import MARKETS
from backmarket.api.transport import Transport
from backmarket.rules.market_turns import in_turn, time_for_all, time_for_one
from backmarket.services import listing_reading
from backmarket.services.listing_reading import MarketReading
from backmarket.services.price_batches import PriceBatches
from backmarket.services.prices import refresh_offers
from tests.api.conftest import unlimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

LOG = logging.getLogger(__name__)
EUROPE = [market.code for market in MARKETS.values() if market.platform == MARKETS["fr-fr"].platform]
EMPTY = b'{"count": 0, "next": null, "results": []}'
TIMEOUT = 60.0
MOST = timedelta(minutes=6)


class Hanging:
    """A Back Market of which some markets hang, and a clock that goes on only while one is waited for."""

    def __init__(self, markets: list[str]) -> None:
        self.markets = markets
        self.seconds = 0.0
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        """Tell the time."""
        return self.seconds

    def exchange(self, request: Any) -> RawAnswer:
        """Answer an empty list, or nothing for a minute."""
        market = request.headers["accept-language"]
        with self._lock:
            self.asked.append(market)
            if market in self.markets:
                self.seconds += TIMEOUT
                raise NetworkError("ReadTimeout", method="GET", path=request.url.path)
        return RawAnswer("GET", request.url.path, 200, {}, EMPTY)


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], Hanging]:
    """Let markets hang."""

    def start(markets: list[str]) -> Hanging:
        hanging = Hanging(markets)
        monkeypatch.setattr(time_limit, "monotonic", hanging.clock)
        monkeypatch.setattr(Transport, "_exchange", lambda _, request: hanging.exchange(request))
        return hanging

    return start


@pytest.fixture
def client() -> Iterator[BackMarketClient]:
    """A client that does not wait between two tries."""
    config = ClientConfig(
        base_url="http://127.0.0.1:1",
        token="t",
        user_agent="BM-Acme-Airflow;ops@example.com",
        backoff=0.001,
        backoff_limit=0.001,
    )
    with BackMarketClient(config, unlimited()) as opened:
        yield opened


def _refresh(client: BackMarketClient, warehouse: psycopg.Connection[Any]) -> list[str]:
    """Read the offers of all markets of Europe, and return those that were left."""
    reading = MarketReading(client, warehouse, "default", EUROPE, LOG)
    batches = PriceBatches(warehouse, "default", client, timedelta(hours=1), LOG)
    left: list[str] = refresh_offers(reading, batches, EUROPE, since=None, in_flight=timedelta(0))["markets_left"]
    return left


def test_where_all_markets_hang_the_reading_ends_in_time_and_names_them(
    client: BackMarketClient, warehouse: psycopg.Connection[Any], hang: Callable[[list[str]], Hanging]
) -> None:
    """Thirteen of them would hang for an hour and a half; the task ends by itself, so that nothing is tried again."""
    hanging = hang(EUROPE)
    assert _refresh(client, warehouse) == EUROPE
    assert timedelta(seconds=hanging.seconds) <= MOST


@pytest.mark.parametrize("number", [1, 2])
def test_a_market_or_two_that_hang_cost_no_other_its_turn(
    client: BackMarketClient, warehouse: psycopg.Connection[Any], hang: Callable[[list[str]], Hanging], number: int
) -> None:
    """Whatever market comes first: two minutes are enough to see that one hangs."""
    hanging = hang(EUROPE[3 : 3 + number])
    assert _refresh(client, warehouse) == hanging.markets
    assert timedelta(seconds=hanging.seconds) <= number * timedelta(minutes=2)


@pytest.mark.parametrize("time_for", [time_for_one, time_for_all])
def test_however_many_listings_there_are_the_time_suffices_for_all(time_for: Callable[[int], timedelta]) -> None:
    """Back Market lets 20 requests begin a second, and overlapping pages bring 38 listings each; others share that."""
    for listings in (0, 1_000, 40_000, 100_000, 1_000_000):
        assert time_for(listings) > 2 * timedelta(seconds=listings / (20 * 38))
    assert time_for(1_000_000) > time_for(100_000)


def test_a_market_of_many_listings_has_as_much_time_as_it_takes(
    client: BackMarketClient,
    warehouse: psycopg.Connection[Any],
    hang: Callable[[list[str]], Hanging],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By what it showed last: three milliseconds each."""
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title, title_market, quantity, first_seen_at, read_at) "
        "select 'default', md5(n::text)::uuid, 'SKU-' || n, 'Phone', 'fr-fr', 5, now(), now() "
        "from generate_series(1, 10) as n"
    )
    warehouse.execute(
        "insert into backmarket.listing_offers (account, id, market, document, first_seen_at, read_at) "
        "select account, id, 'fr-fr', '{}', now(), now() from backmarket.listings"
    )
    given: list[int] = []

    def give(listings: int) -> timedelta:
        given.append(listings)
        return timedelta(minutes=1)

    monkeypatch.setattr(listing_reading, "time_for_one", give)
    hang([])
    reading = MarketReading(client, warehouse, "default", EUROPE, LOG)
    reading.read_each(["fr-fr", "de-de"])
    assert given == [10, 0]


def test_what_is_begun_in_time_is_not_begun_again_after_it(
    client: BackMarketClient, hang: Callable[[list[str]], Hanging]
) -> None:
    """Neither is anything else, until the time is given back; a limit inside another gives no more."""
    hanging = hang(["fr-fr"])
    with client.within(timedelta(seconds=90)), client.within(timedelta(hours=1)):
        with pytest.raises(OutOfTimeError):
            client.first_listings("fr-fr")
        assert hanging.asked == ["fr-fr"] * 2
        with pytest.raises(OutOfTimeError):
            client.first_listings("de-de")
    assert client.first_listings("de-de").count == 0


def test_each_market_comes_first_sooner_or_later() -> None:
    """None is behind a hanging one for ever; their order stays otherwise."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    turns = [in_turn(EUROPE, noon + timedelta(microseconds=part)) for part in range(100)]
    assert {turn[0] for turn in turns} == set(EUROPE)
    assert all(len(turn) == len(EUROPE) and "".join(turn) in "".join(EUROPE * 2) for turn in turns)
    assert in_turn([], noon) == []
