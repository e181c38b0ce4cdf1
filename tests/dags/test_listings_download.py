"""The "in" half of ``backmarket_listings`` inside Airflow, against a running Back Market and a real PostgreSQL."""

from __future__ import annotations

import json
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.conftest import without_readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.remote import Sandbox
    from tests.dags.conftest import OtherWarehouse, Run

MARKETS = ["fr-fr", "de-de", "en-gb"]


@pytest.fixture
def database(warehouse_uri: str) -> Iterator[psycopg.Connection[Any]]:
    """A look into the operational database."""
    with psycopg.connect(warehouse_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def listings(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_listings`` with listings in, in three markets."""
    switch_on("active_listing_download", markets=json.dumps(MARKETS))
    return lambda **conf: run_dag("backmarket_listings", **conf)


def _all(database: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return database.execute(query.encode()).fetchall()


def _shown(sandbox: Sandbox) -> dict[tuple[str, str], tuple[Decimal, str, int]]:
    """Price, currency and state of every listing in every market, as Back Market has them."""
    currencies = {"en-gb": "GBP"}
    return {
        (listing["id"], market): (
            Decimal((listing["offers"].get(market) or {}).get("price") or "0.00"),
            currencies.get(market, "EUR"),
            listing["publication_states"][market],
        )
        for listing in sandbox.listings()
        for market in MARKETS
    }


def _stored(database: psycopg.Connection[Any]) -> dict[tuple[str, str], tuple[Decimal, str, int]]:
    rows = _all(database, "select id::text, market, price, currency, publication_state from backmarket.listing_offers")
    return {(row[0], row[1]): row[2:] for row in rows}


def test_every_market_has_its_own_offers_and_all_share_the_quantity(
    listings: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Prices, currencies and states are right in each market; quantity, grade and warranty stand once."""
    run = listings()
    assert run.state == "success"
    assert _stored(database) == _shown(connected)
    assert len(_stored(database)) == 3 * 40
    truth = {x["id"]: (x["sku"], x["quantity"], x["grade"], x["warranty_delay"]) for x in connected.listings()}
    rows = _all(database, "select id::text, sku, quantity, grade, warranty_delay from backmarket.listings")
    assert {row[0]: row[1:] for row in rows} == truth
    assert run.xcoms["announce_listings"]["new"] == 120


def test_a_price_that_changes_in_one_market_changes_there_alone(
    listings: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """One offer changes, one row of history is added, and the asset tells."""
    listings()
    assert len(_all(database, "select 1 from backmarket.listing_offer_history")) == 120
    target = connected.listings()[0]
    connected.patch_listing(target["id"], offers={"de-de": {"price": "1.23"}})
    run = listings()
    assert _stored(database) == _shown(connected)
    assert {name: run.xcoms["announce_listings"][name] for name in ("new", "changed", "gone")} == {
        "new": 0,
        "changed": 1,
        "gone": 0,
    }
    history = _all(
        database,
        "select market, price from backmarket.listing_offer_history "
        f"where id = '{target['id']}' order by market, changed_at",
    )
    prices = [price for market, price in history if market == "de-de"]
    assert len(history) == 4
    assert prices == [Decimal(target["offers"]["de-de"]["price"]), Decimal("1.23")]


def test_a_second_run_changes_nothing_and_says_so(
    listings: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """No history, no announcement; only the time of reading moves."""
    listings()
    before = _all(database, "select * from backmarket.listing_offer_history order by id, market, changed_at")
    read_at = _all(database, "select min(read_at) from backmarket.listing_offers")
    run = listings()
    assert run.state == "success"
    assert run.tasks["announce_listings"] == "skipped"
    assert _all(database, "select * from backmarket.listing_offer_history order by id, market, changed_at") == before
    assert _all(database, "select min(read_at) from backmarket.listing_offers") >= read_at


def test_after_a_week_of_pause_the_listings_are_those_of_daily_runs(
    listings: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    other_warehouse: OtherWarehouse,
) -> None:
    """Two databases, one Back Market: seven runs, a day apart, leave the first as one run leaves the second."""
    paused = other_warehouse
    # When it was read is all that differs.
    differing = ("read_at", "first_seen_at")
    tables = {"listings": "id", "listing_offers": "id, market"}

    def stored(of: psycopg.Connection[Any]) -> list[Any]:
        return without_readings(of, tables, differing)

    assert [listings().state, paused.run(listings).state] == ["success"] * 2
    at_first = stored(paused.database)
    shown = connected.listings()
    for day in range(7):
        connected.advance_clock(86_400)
        connected.patch_listing(shown[day]["listing_id"], quantity=day + 50)
        connected.patch_listing(shown[day // 2]["listing_id"], offers={"de-de": {"price": f"{100 + day}.00"}})
        assert listings().state == "success"
    assert stored(paused.database) == at_first
    assert paused.run(listings).state == "success"
    assert stored(paused.database) == stored(database) != at_first


def test_what_a_complete_read_does_not_hold_is_gone(
    listings: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """A listing that Back Market no longer shows is marked, with its offers and the end of their history."""
    listings()
    database.execute(
        "insert into backmarket.listings (account, id, sku, title_market, first_seen_at, read_at) "
        "values ('default', '00000000-0000-4000-8000-000000000001', 'OLD', 'fr-fr', '2026-01-01', '2026-01-01')"
    )
    database.execute(
        "insert into backmarket.listing_offers (account, id, market, document, first_seen_at, read_at) "
        "select 'default', '00000000-0000-4000-8000-000000000001', market, '{}', '2026-01-01', '2026-01-01' "
        "from unnest(array['fr-fr', 'de-de', 'en-gb', 'es-es']) as market"
    )
    run = listings()
    assert run.xcoms["announce_listings"]["gone"] == 3
    assert _all(database, "select sku from backmarket.listings where gone_at is not null") == [("OLD",)]
    gone = _all(database, "select market from backmarket.listing_offers where gone_at is not null order by market")
    assert gone == [("de-de",), ("en-gb",), ("fr-fr",)]
    assert len(_all(database, "select 1 from backmarket.listing_offer_history where gone")) == 3
    assert listings().tasks["announce_listings"] == "skipped"


def test_a_short_read_stores_what_came_and_marks_nothing_as_gone(
    listings: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
) -> None:
    """A page with rows missing, again and again, fails its market; the others go on, and no offer is marked."""
    listings()
    changed = connected.listings()[0]
    connected.patch_listing(changed["id"], quantity=77)
    connected.fault("short_page", method="GET", path_prefix="/ws/listings", times=None, rows=1)
    run = listings()
    assert run.state == "failed"
    assert _all(database, "select 1 from backmarket.listing_offers where gone_at is not null") == []
    assert _all(database, f"select quantity from backmarket.listings where id = '{changed['id']}'") == [(77,)]
    connected.clear_faults()
    assert listings().state == "success"


def test_unknown_values_are_kept_and_told_and_unreadable_documents_are_set_aside(
    listings: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A new grade is stored and named in the log; a document without a quantity is kept whole, and is not gone."""
    listings()
    from backmarket.api import listings as calls
    from backmarket.api.models.document import read_each as honest

    odd, broken = (listing["id"] for listing in connected.listings()[:2])

    def spoilt(model: Any, documents: list[dict[str, Any]], **options: Any) -> Any:
        for document in documents:
            if document["id"] == odd:
                document |= {"grade": "PRISTINE", "shiny": True}
            if document["id"] == broken:
                document["quantity"] = None
        return honest(model, documents, **options)

    with monkeypatch.context() as spoiling:
        spoiling.setattr(calls, "read_each", spoilt)
        run = listings()
    assert run.state == "failed"
    assert run.tasks["quarantine_check"] == "failed"
    logged = "".join(capfd.readouterr())
    assert "grade PRISTINE" in logged
    assert "field shiny" in logged
    assert _all(database, f"select grade from backmarket.listings where id = '{odd}'") == [("PRISTINE",)]
    keys = _all(database, "select key from backmarket.quarantine where entity = 'listing' order by key")
    assert keys == [(f"{market}/{broken}",) for market in sorted(MARKETS)]
    assert _all(database, "select 1 from backmarket.listing_offers where gone_at is not null") == []
    assert listings().state == "success"
    assert _all(database, "select 1 from backmarket.quarantine") == []


def test_odd_fields_are_empty_and_told_once(
    listings: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A listing whose title is a number is stored with its quantity; the log names the field, once a market."""
    from backmarket.api import listings as calls
    from backmarket.api.models.document import read_each as honest

    odd = {listing["id"] for listing in connected.listings()[:2]}
    fields = {"title": 555, "max_price": "n/a", "shippings": "x", "warranty_delay": 12.5, "publication_state": "online"}

    def spoilt(model: Any, documents: list[dict[str, Any]], **options: Any) -> Any:
        return honest(model, [{**each, **fields} if each["id"] in odd else each for each in documents], **options)

    monkeypatch.setattr(calls, "read_each", spoilt)
    assert listings().state == "success"
    logged = "".join(capfd.readouterr())
    for market in MARKETS:
        told = "Field title has an unexpected form (no text) in 2 listings of"
        assert logged.count(f"{told} {market}: stored as empty, kept in the raw document.") == 1
    stored = _all(
        database,
        "select listing.title, max_price, warranty_delay, publication_state, quantity > -9, document ->> 'title' "
        "from backmarket.listings as listing join backmarket.listing_offers using (account, id) "
        "where document ->> 'title' = '555'",
    )
    assert set(stored) == {(None, None, None, None, True, "555")}
    assert len(stored) == 2 * len(MARKETS)


def test_off_nothing_is_read_and_the_reason_is_shown(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """With the toggle off, no request leaves, and the gate names the Variable."""
    switch_on()
    run = run_dag("backmarket_listings")
    assert run.state == "success"
    assert "backmarket_active_listing_download" in run.reasons["active_listing_download_gate"]
    assert connected.journal() == []


def test_a_market_of_another_platform_is_refused_by_name(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """The run fails before anything is read."""
    switch_on("active_listing_download", markets='["fr-fr", "en-us"]')
    run = run_dag("backmarket_listings")
    assert run.state == "failed"
    assert run.tasks["markets"] == "failed"
    assert connected.journal() == []


def test_ten_thousand_listings_in_three_markets(
    warehouse_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
) -> None:
    """All 30,000 offers arrive within what 200 requests in ten seconds allow."""
    with running_sandbox(SandboxConfig(orders=0, listings=10_000)) as sandbox:
        connection = {
            "conn_type": "backmarket",
            "host": sandbox.base_url,
            "password": sandbox.token,
            "extra": {"market": "fr-fr", "user_agent": "BM-Example-Tests;tests@example.com"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", json.dumps(connection))
        switch_on("active_listing_download", markets=json.dumps(MARKETS))
        began = monotonic()
        run = run_dag("backmarket_listings")
        seconds = monotonic() - began
        print(f"30,000 offers in {seconds:.1f} s")
        assert run.state == "success"
        assert _stored(database) == _shown(sandbox)
        assert len(_stored(database)) == 30_000
        assert seconds < 100
