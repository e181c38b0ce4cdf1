"""Competitors come in where it matters, within the hour's requests, and nothing sick costs anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.api.transport import Transport
from backmarket.hooks import backmarket as hooks
from backmarket.operators.backbox import BackMarketBackboxDownloadOperator
from backmarket.services import backbox as services
from backmarket.services.side_by_side import work_side_by_side
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.test_exactly_once import CONTEXT, Failpoint, Killed, fast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    Database = psycopg.Connection[Any]

__all__ = ["fast"]

PHONE, SECOND, THIRD = "IP11-64-BLK-C", "IP12-128-BLU-C", "IP13-128-MID-C"
COMPETITORS = "/ws/backbox/v1/competitors"
EXECUTE, EXCHANGE = psycopg.Connection.execute, Transport._exchange


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Back Market with few listings that lets any number of requests in."""
    with running_sandbox(SandboxConfig(orders=20, listings=6, rate_limit=False)) as running:
        yield running


@pytest.fixture
def listed(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], fast: None
) -> dict[str, str]:
    """The ids of listings by SKU, which are known here, of France alone; competitors alone are switched on then."""
    switch_on("active_listing_download")
    assert run_dag("backmarket_listings").state == "success"
    switch_on("backbox_download", active_listing_download=False)
    connected.clear_journal()
    return {listing["sku"]: listing["id"] for listing in connected.listings()}


@pytest.fixture
def backbox(listed: dict[str, str], run_dag: Callable[..., Run]) -> Callable[[], Run]:
    """Run ``backmarket_backbox`` with competitors alone switched on."""
    return lambda: run_dag("backmarket_backbox")


def all_of(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a query."""
    return database.execute(query.encode(), values).fetchall()


def asked(sandbox: Sandbox) -> list[str]:
    """Return the listings that the server was asked for, in order."""
    return [entry["path"].rpartition("/")[2] for entry in sandbox.journal("GET", COMPETITORS)]


def rival(price: float) -> dict[str, Any]:
    """Make a competitor that never moves."""
    return {"habit": "sleeper", "price": price}


def stands(database: Database, listing_id: str) -> dict[str, tuple[Any, ...]]:
    """Return where a listing stands, by market."""
    columns = "market, price_to_win::text, winner_price::text, currency, is_winning, gone_at is not null"
    rows = all_of(database, f"select {columns} from backmarket.backbox where id = %s", listing_id)
    return {market: tuple(values) for market, *values in rows}


def test_competitors_come_in_and_history_keeps_what_changes(
    backbox: Callable[[], Run], listed: dict[str, str], connected: Sandbox, database: Database
) -> None:
    """One request a listing; of all markets that Back Market tells of, those that are not priced here among them."""
    for sku in listed:
        connected.remove_competitors(sku)
    connected.set_competitors(PHONE, "fr-fr", rival(150), rival(900))
    connected.set_competitors(PHONE, "sv-se", rival(9_000))
    connected.set_competitors(PHONE, "de-de")
    run = backbox()
    assert run.state == "success"
    counts = run.xcoms["backbox_download"]
    assert (counts["asked"], counts["with_backbox"], counts["without_backbox"]) == (len(listed), 1, len(listed) - 1)
    assert (counts["new"], counts["quarantined"], counts["unread"]) == (3, 0, [])
    assert counts["requests"] == len(listed)
    assert sorted(asked(connected)) == sorted(listed.values())
    found = stands(database, listed[PHONE])
    assert found["fr-fr"] == ("150.00", "150.00", "EUR", False, False)
    assert (found["sv-se"][0], found["sv-se"][2:]) == ("9000.00", ("SEK", True, False))
    assert (found["de-de"][0], found["de-de"][3]) == (None, True)
    askings = all_of(database, "select id::text, has_backbox, reason from backmarket.backbox_askings")
    assert sorted(askings) == sorted((each, each == listed[PHONE], None) for each in listed.values())
    assert all_of(database, "select concern from backmarket.sync_state where concern = 'backbox'") == [("backbox",)]
    assert all_of(database, "select requests from backmarket.backbox_requests") == [(len(listed),)]

    assert backbox().xcoms["backbox_download"]["changed"] == 0
    connected.set_competitors(PHONE, "fr-fr", rival(149.5))
    connected.remove_competitors(PHONE, "sv-se")
    counts = backbox().xcoms["backbox_download"]
    assert (counts["changed"], counts["gone"]) == (1, 1)
    connected.remove_competitors(PHONE)
    assert backbox().xcoms["backbox_download"]["gone"] == 2
    assert {gone for *_, gone in stands(database, listed[PHONE]).values()} == {True}
    connected.set_competitors(PHONE, "fr-fr", rival(149.5))
    assert backbox().xcoms["backbox_download"]["changed"] == 1
    history = "select price_to_win::text, takes_part from backmarket.backbox_history where market = %s order by read_at"
    assert all_of(database, history, "fr-fr") == [("150.00", True), ("149.50", True), (None, False), ("149.50", True)]
    assert all_of(database, history, "sv-se") == [("9000.00", True), (None, False)]
    assert stands(database, listed[PHONE])["fr-fr"] == ("149.50", "149.50", "EUR", False, False)


def test_a_new_price_is_seen_by_the_next_reading(
    backbox: Callable[[], Run], listed: dict[str, str], connected: Sandbox, database: Database
) -> None:
    """Ours and who wins change with it."""
    connected.set_competitors(PHONE, "fr-fr", rival(150))
    backbox()
    connected.patch_listing(PHONE, offers={"fr-fr": {"price": "149.99"}})
    backbox()
    query = "select price::text, is_winning from backmarket.backbox_history where id = %s and market = 'fr-fr'"
    assert all_of(database, f"{query} order by read_at", listed[PHONE])[-1] == ("149.99", True)
    assert len(all_of(database, query, listed[PHONE])) == 2


def shorten_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients wait for an answer no longer than a moment."""
    checked, moment = hooks._checked, timedelta(seconds=0.5)
    monkeypatch.setattr(hooks, "_checked", lambda *args: checked(*args).model_copy(update={"read_timeout": moment}))


def test_sick_listings_cost_no_other(
    backbox: Callable[[], Run],
    listed: dict[str, str],
    connected: Sandbox,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that Back Market fails on, one that takes too long, one that answers HTML: all others come in, and the run
    says which."""
    shorten_reading(monkeypatch)
    for sku in listed:
        connected.set_competitors(sku, "fr-fr", rival(150))
    failing, slow, odd, *healthy = listed.values()
    for kind, listing_id in (("500", failing), ("slow", slow), ("html_200", odd)):
        connected.fault(kind, path_prefix=f"{COMPETITORS}/{listing_id}", seconds=1.0, times=None)
    run = backbox()
    assert run.state == "failed"
    assert {task for task, state in run.tasks.items() if state == "failed"} == {"backbox_check"}
    assert sorted(run.xcoms["backbox_download"]["unread"]) == sorted([failing, slow, odd])
    stored = {listing_id for (listing_id,) in all_of(database, "select distinct id::text from backmarket.backbox")}
    assert stored == set(healthy)
    askings = "select id::text from backmarket.backbox_askings where has_backbox is null and reason is not null"
    assert {listing_id for (listing_id,) in all_of(database, askings)} == {failing, slow, odd}
    assert all_of(database, "select 1 from backmarket.sync_state where concern = 'backbox'") == []
    ((counted,),) = all_of(database, "select requests from backmarket.backbox_requests")
    assert counted == len(asked(connected)) == run.xcoms["backbox_download"]["requests"]
    connected.clear_faults()
    assert backbox().state == "success"
    stored = {listing_id for (listing_id,) in all_of(database, "select distinct id::text from backmarket.backbox")}
    assert stored == set(listed.values())
    assert all_of(database, "select 1 from backmarket.backbox_askings where reason is not null") == []


ODD = [
    ({"market": "US"}, "FR", "market: no market of this platform"),
    ({"market": "FI"}, "FR", "market: no market of this platform"),
    ({"price_to_win": {"amount": "1.00", "currency": "USD"}}, "FR", "another currency than the market"),
    ({"is_winning": "perhaps"}, "FR", "is_winning: neither true nor false"),
    ({"listing_id": "6d4ad966-db97-4d88-b409-b28cc2a0f8c9"}, "FR", "another listing than asked for"),
    ({"market": None}, "FR", "market: no text"),
]


@pytest.mark.parametrize(("fields", "market", "reason"), ODD, ids=str)
def test_what_is_odd_in_one_market_costs_no_other_market_and_moves_nothing(
    backbox: Callable[[], Run],
    listed: dict[str, str],
    connected: Sandbox,
    database: Database,
    fields: dict[str, Any],
    market: str,
    reason: str,
) -> None:
    """It is kept whole and named, and the run is red until Back Market says something else."""
    for sku in listed:
        connected.remove_competitors(sku)
    connected.set_competitors(PHONE, "fr-fr", rival(150))
    connected.set_competitors(PHONE, "de-de", rival(150))
    backbox()
    before = stands(database, listed[PHONE])["fr-fr"]
    connected.set_competitors(PHONE, "de-de", rival(149))
    connected.fault("odd_document", listing=listed[PHONE], market="fr-fr", fields=fields, times=None)
    for _ in range(2):
        run = backbox()
        assert (run.state, run.tasks["backbox_download"], run.tasks["backbox_check"]) == ("failed", "success", "failed")
        assert run.xcoms["backbox_download"]["quarantined"] == 1
    ((key, document, why),) = all_of(
        database, "select key, document, reason from backmarket.quarantine where entity = 'backbox'"
    )
    assert key.startswith(listed[PHONE])
    assert reason in why
    assert {**document, **fields} == document
    found = stands(database, listed[PHONE])
    assert found["de-de"][0] == "149.00"
    is_named = isinstance(fields.get("market"), str)
    assert found["fr-fr"] == (*before[:4], is_named), "gone only where the answer names all of its markets"
    ((said,),) = all_of(database, "select reason from backmarket.backbox_askings where reason is not null")
    assert reason in said
    connected.clear_faults()
    assert backbox().state == "success"
    assert all_of(database, "select 1 from backmarket.quarantine where entity = 'backbox'") == []
    assert stands(database, listed[PHONE])["fr-fr"] == before


def test_requests_are_spent_where_they_matter_and_never_more_than_the_hour_has(
    backbox: Callable[[], Run],
    listed: dict[str, str],
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that are repeated count, too, and a run that finds none left asks nothing."""
    # One at a time: those that are on their way together may overtake each other.
    monkeypatch.setattr(services, "work_side_by_side", lambda *work, **_: work_side_by_side(*work, at_once=1))
    switch_on(backbox_requests_an_hour=4)
    _, second, third, *_ = listed
    sell(database, second, 5)
    sell(database, third, 2)
    connected.fault("500", path_prefix=f"{COMPETITORS}/{listed[third]}", times=1)
    in_one_hour(database)
    run = backbox()
    assert run.state == "success"
    assert len(asked(connected)) == 4
    assert set(asked(connected)[:3]) >= {listed[second], listed[third]}
    assert all_of(database, "select sum(requests) from backmarket.backbox_requests") == [(4,)]
    assert run.xcoms["backbox_download"]["asked"] == 3
    connected.clear_journal()
    assert backbox().xcoms["backbox_download"]["asked"] == 0
    assert connected.journal(path_prefix=COMPETITORS) == []
    # The next hour: what was not asked for comes after what sells, and before what was asked for.
    for table, column in (("backbox_requests", "hour"), ("backbox_askings", "asked_at")):
        database.execute(f"update backmarket.{table} set {column} = {column} - interval '1 hour'".encode())
    switch_on(backbox_requests_an_hour=5)
    never = set(listed.values()) - {
        listing_id for (listing_id,) in all_of(database, "select id::text from backmarket.backbox_askings")
    }
    assert never
    assert backbox().state == "success"
    assert len(asked(connected)) == 5
    assert set(asked(connected)) >= {listed[second], listed[third], *never}


def in_one_hour(database: Database) -> None:
    """Wait where the hour is about to end."""
    database.execute(
        b"select pg_sleep(greatest(0, 30 - extract(epoch from date_trunc('hour', now()) + interval '1 hour' - now())))"
    )


def sell(database: Database, sku: str, quantity: int) -> None:
    """Let a SKU have been sold today."""
    database.execute(
        b"insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at) "
        b"values ('default', 1, 9, '{}', now(), now()) on conflict do nothing"
    )
    database.execute(
        b"insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, state, date_creation, "
        b"first_seen_at, first_seen_state) select 'default', coalesce(max(orderline_id), 0) + 1, 1, %s, %s, 3, now(), "
        b"now(), 3 from backmarket.order_lines",
        [sku, quantity],
    )


def test_what_is_gone_or_not_on_sale_takes_no_request_from_the_rest(
    backbox: Callable[[], Run],
    listed: dict[str, str],
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
) -> None:
    """One that Back Market no longer serves is never asked for, one without stock once a day and last of all."""
    gone, empty, *others = listed.values()
    database.execute(b"update backmarket.listings set gone_at = now() where id = %s", [gone])
    database.execute(b"update backmarket.listings set quantity = 0 where id = %s", [empty])
    switch_on(backbox_requests_an_hour=len(others))
    backbox()
    assert sorted(asked(connected)) == sorted(others)
    switch_on(backbox_requests_an_hour=100)
    for expected in ([*others, empty], others):
        connected.clear_journal()
        backbox()
        assert sorted(asked(connected)) == sorted(expected)


@pytest.mark.parametrize(("kind", "most"), [("401", 8), ("firewall_403", 8), ("403", 8)])
def test_what_all_listings_would_fail_with_ends_the_run(
    backbox: Callable[[], Run],
    connected: Sandbox,
    database: Database,
    kind: str,
    most: int,
) -> None:
    """It says so, and does not go on asking; what is known stays."""
    connected.fault(kind, path_prefix=COMPETITORS, times=None)
    run = backbox()
    assert run.tasks["backbox_download"] == "failed"
    assert run.tasks["backbox_check"] == "upstream_failed"
    assert 1 <= len(asked(connected)) <= most
    assert all_of(database, "select 1 from backmarket.backbox") == []
    assert all_of(database, "select 1 from backmarket.sync_state where concern = 'backbox'") == []


def test_an_account_without_any_backbox_is_in_order(
    backbox: Callable[[], Run], listed: dict[str, str], connected: Sandbox, database: Database
) -> None:
    """404 for each listing: that is what Back Market answers where nothing competes."""
    connected.make_unavailable(COMPETITORS)
    run = backbox()
    assert run.state == "success"
    assert run.xcoms["backbox_download"]["without_backbox"] == len(listed)
    assert len(asked(connected)) == len(listed)
    assert all_of(database, "select distinct has_backbox from backmarket.backbox_askings") == [(False,)]


def test_where_no_known_backbox_is_found_any_more_none_is_taken_for_gone(
    backbox: Callable[[], Run], listed: dict[str, str], connected: Sandbox, database: Database
) -> None:
    """As where the address is no more: prices would rise as if nobody competed."""
    for sku in listed:
        connected.set_competitors(sku, "fr-fr", rival(150))
    assert backbox().state == "success"
    there = "select count(*) from backmarket.backbox where gone_at is null and market = 'fr-fr'"
    outage = connected.make_unavailable(COMPETITORS)
    run = backbox()
    assert (run.tasks["backbox_download"], run.tasks["backbox_check"]) == ("success", "failed")
    assert sorted(run.xcoms["backbox_download"]["unread"]) == sorted(listed.values())
    assert all_of(database, there) == [(len(listed),)]
    assert all_of(database, "select distinct has_backbox from backmarket.backbox_askings") == [(None,)]
    # What was known a day ago is believed no more.
    database.execute(b"update backmarket.backbox set read_at = read_at - interval '25 hours'")
    assert backbox().state == "success"
    assert all_of(database, there) == [(0,)]
    connected.remove_fault(outage["id"])
    assert backbox().state == "success"
    assert all_of(database, there) == [(len(listed),)]


def test_one_backbox_that_is_found_proves_that_the_others_are_gone(
    backbox: Callable[[], Run], listed: dict[str, str], connected: Sandbox, database: Database
) -> None:
    """Whichever is asked for first; and a few alone may well have lost theirs."""
    *losing, kept = listed
    for sku in listed:
        connected.set_competitors(sku, "fr-fr", rival(150))
    backbox()
    for sku in losing:
        connected.remove_competitors(sku)
    # Asked for last.
    database.execute(b"update backmarket.backbox_askings set asked_at = now() where id = %s", [listed[kept]])
    assert backbox().state == "success"
    there = "select id::text from backmarket.backbox where gone_at is null and market = 'fr-fr'"
    assert all_of(database, there) == [(listed[kept],)]
    connected.remove_competitors(kept)
    assert backbox().state == "success"
    assert all_of(database, there) == []


def test_on_the_first_day_the_listings_are_read_first(
    connected: Sandbox, database: Database, switch_on: Callable[..., None], run_dag: Callable[..., Run], fast: None
) -> None:
    """Nothing else needs to be switched on; the next run asks no more than it must."""
    switch_on("backbox_download")
    run = run_dag("backmarket_backbox")
    assert run.state == "success"
    assert run.xcoms["backbox_download"]["asked"] == len(connected.listings())
    connected.clear_journal()
    assert run_dag("backmarket_backbox").state == "success"
    assert connected.journal("GET", "/ws/listings") == []


@pytest.mark.parametrize("is_repricing", [True, False])
def test_nothing_is_asked_while_it_is_switched_off(
    listed: dict[str, str],
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    is_repricing: bool,
) -> None:
    """Also where prices follow what is known."""
    switch_on(backbox_download=False, repricing=is_repricing, dry_run=True)
    run = run_dag("backmarket_backbox")
    assert (run.tasks["backbox_download"], run.tasks["backbox_check"]) == ("skipped", "skipped")
    assert connected.journal(path_prefix=COMPETITORS) == []


def killed(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None], at: int | None) -> int:
    """Run, killed before a call; return how many calls there were."""
    point = Failpoint(at)
    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", point.before(EXECUTE))
        patch.setattr(Transport, "_exchange", point.before(EXCHANGE))
        with suppress(Killed):
            run()
    return point.calls


@pytest.mark.timeout(300)
def test_killed_anywhere_the_next_run_ends_alike(
    listed: dict[str, str], connected: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before every call: nothing is missing, nothing stands twice in history, and no request was made uncounted."""
    for sku in listed:
        connected.remove_competitors(sku)
    connected.set_competitors(PHONE, "fr-fr", rival(150))
    connected.set_competitors(SECOND, "fr-fr", rival(150))
    connected.set_competitors(SECOND, "de-de", rival(150))
    connected.set_competitors(THIRD, "es-es", rival(150))
    connected.fault("odd_document", listing=listed[THIRD], market="es-es", without=["is_winning"], times=None)

    def run() -> None:
        BackMarketBackboxDownloadOperator(task_id="backbox_download").execute(CONTEXT)

    amounts = "id, market, price, price_to_win, winner_price, is_winning"
    queries = (
        f"select {amounts}, document, gone_at is null from backmarket.backbox order by 1, 2",
        f"select {amounts}, takes_part from backmarket.backbox_history order by id, market, read_at",
        "select id, has_backbox, reason from backmarket.backbox_askings order by 1",
        "select key, document, reason from backmarket.quarantine where entity = 'backbox' order by 1",
        "select concern from backmarket.sync_state where concern = 'backbox'",
    )

    def stored() -> list[list[tuple[Any, ...]]]:
        return [all_of(database, query) for query in queries]

    def begin() -> None:
        """Let something be known that the next run finds gone."""
        database.execute(
            b"truncate backmarket.backbox, backmarket.backbox_history, backmarket.backbox_askings, "
            b"backmarket.backbox_requests, backmarket.quarantine"
        )
        database.execute(b"delete from backmarket.sync_state where concern = 'backbox'")
        database.execute(
            b"insert into backmarket.backbox (account, id, market, currency, is_winning, document, read_at) "
            b"values ('default', %s, 'it-it', 'EUR', true, '{}', '2026-01-01')",
            [listed[PHONE]],
        )
        connected.clear_journal()

    begin()
    calls = killed(monkeypatch, run, None)
    whole = stored()
    assert all(whole)
    assert len(whole[1]) == 4
    assert calls >= 5 * len(listed), "a request of each listing, and what is stored of it"
    for at in range(1, calls + 1):
        begin()
        killed(monkeypatch, run, at)
        run()
        assert stored() == whole, f"killed before call {at}"
        ((counted,),) = all_of(database, "select sum(requests) from backmarket.backbox_requests")
        assert len(asked(connected)) <= counted <= 2 * len(listed), f"killed before call {at}"


ASK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from backmarket.hooks.backmarket import BackMarketHook

with BackMarketHook() as client, ThreadPoolExecutor(2) as threads:
    list(threads.map(lambda _: client.get_competitors(UUID(sys.argv[1])), range(5)))
"""


@pytest.mark.timeout(300)
def test_processes_together_keep_two_requests_a_second(connected: Sandbox, database: Database) -> None:
    """Over real HTTP, with the counters in the database, two threads each; the server says when they arrived."""
    listing_id = connected.listings()[0]["id"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [subprocess.Popen([sys.executable, "-c", ASK, listing_id], env=environment) for _ in range(2)]
    assert [worker.wait(100) for worker in workers] == [0, 0]
    arrived = [timedelta(microseconds=entry["at"]) for entry in connected.journal("GET", COMPETITORS)]
    assert len(arrived) == 10
    between = [last - first for first, last in zip(arrived, arrived[2:], strict=False)]
    assert min(between) > timedelta(seconds=1)
