"""Many prices at once, inside Airflow: they go out in a batch, and each ends as Back Market shows."""

from __future__ import annotations

import csv
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.conftest import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

MARKETS = ("fr-fr", "de-de")


@pytest.fixture
def upload(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Run the DAG with prices on, in two markets, and little patience."""
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
    monkeypatch.setenv("AIRFLOW__BACKMARKET__PRICE_BATCH_WAIT_SECONDS", "4")
    switch_on("prices_upload", markets='["fr-fr", "de-de"]')
    return lambda: run_dag("backmarket_inventory_prices")


@pytest.fixture
def sandbox_of_slow_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A Back Market that takes an hour over a batch."""
    with running_sandbox(SandboxConfig(orders=0, listings=40, batch_seconds=3600)) as running:
        connect(running, monkeypatch)
        yield running


@pytest.fixture
def wanted(connected: Sandbox, database: psycopg.Connection[Any]) -> dict[tuple[str, str], Decimal]:
    """``seller.prices`` of ten SKUs in two markets, each a cent above what is shown, by SKU and market."""
    return want(connected, database)


def want(sandbox: Sandbox, database: psycopg.Connection[Any]) -> dict[tuple[str, str], Decimal]:
    """Fill ``seller.prices`` and return it by SKU and market."""
    found: dict[tuple[str, str], Decimal] = {}
    for listing in sandbox.listings():
        offers = [listing["offers"].get(market) for market in MARKETS]
        if len(found) < 20 and all(offer and offer["price"] for offer in offers):
            for market, offer in zip(MARKETS, offers, strict=True):
                found[listing["sku"], market] = Decimal(offer["price"]) + Decimal("0.01")
    assert len(found) == 20
    for (sku, market), price in found.items():
        database.execute(
            "insert into seller.prices (sku, market, price, currency) values (%s, %s, %s, 'EUR')", [sku, market, price]
        )
    return found


def offered(sandbox: Sandbox, skus: set[str]) -> dict[tuple[str, str], Decimal]:
    """The true prices of SKUs in the two markets."""
    return {
        (listing["sku"], market): Decimal(listing["offers"][market]["price"])
        for listing in sandbox.listings()
        if listing["sku"] in skus
        for market in MARKETS
    }


def statuses(database: psycopg.Connection[Any]) -> dict[str, int]:
    """How many changes have which status."""
    return dict(database.execute("select status, count(*) from backmarket.changes group by status").fetchall())


def batches(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Batches that reached Back Market."""
    return [entry for entry in sandbox.journal("POST") if entry["path"] == "/ws/listings"]


def single(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Changes of one listing that reached Back Market."""
    return [entry for entry in sandbox.journal("POST") if entry["path"] != "/ws/listings"]


def test_many_prices_go_out_in_a_batch_for_each_market(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
) -> None:
    """Two requests change twenty prices, and nothing but prices; a second run sends nothing."""
    skus = {sku for sku, _ in wanted}
    before = {listing["sku"]: (listing["quantity"], listing["grade"]) for listing in connected.listings()}
    run = upload()
    assert run.state == "success", run.tasks
    assert run.tries["price_batch_results"] == 1
    assert run.xcoms["price_batch_results"] == {"confirmed": 20, "refused": 0, "planned": 0, "unknown": 0}
    assert offered(connected, skus) == wanted
    assert len(batches(connected)) == 2
    assert single(connected) == []
    assert {listing["sku"]: (listing["quantity"], listing["grade"]) for listing in connected.listings()} == before
    assert statuses(database) == {"confirmed": 20}
    connected.clear_journal()
    assert upload().state == "success"
    assert connected.journal("POST") == []


def test_a_batch_of_prices_names_no_quantity_and_the_grade_as_it_is(
    upload: Callable[..., Run], connected: Sandbox, wanted: dict[tuple[str, str], Decimal]
) -> None:
    """What is sold meanwhile stays sold, and no article becomes GOOD because its line did not say what it is."""
    grades = {listing["sku"]: listing["grade"] for listing in connected.listings()}
    upload()
    for entry in batches(connected):
        rows = list(csv.DictReader(entry["body"]["catalog"].splitlines(), delimiter=";"))
        assert set(rows[0]) == {"sku", "price", "currency", "grade"}
        assert {row["sku"]: row["grade"] for row in rows} == {row["sku"]: grades[row["sku"]] for row in rows}
    assert len(batches(connected)) == 2


@pytest.mark.parametrize("kind", ["reset_after", "cut_json"])
def test_a_lost_answer_is_settled_by_reading_back(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
    kind: str,
) -> None:
    """The batch was taken and its answer lost: the prices show and are confirmed; no second batch is sent."""
    connected.fault(kind, method="POST", path_prefix="/ws/listings")
    assert upload().state == "success"
    assert upload().state == "success"
    assert offered(connected, {sku for sku, _ in wanted}) == wanted
    assert len(batches(connected)) == 2
    assert statuses(database) == {"confirmed": 20}


def test_a_failed_batch_is_followed_by_single_changes(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
) -> None:
    """A task of status 8 applied nothing: its prices go one by one in the next run, the other market's are done."""
    connected.fault("batch_fails", method="POST", path_prefix="/ws/listings")
    run = upload()
    assert run.xcoms["price_batch_results"]["planned"] == 10
    assert upload().state == "success"
    assert offered(connected, {sku for sku, _ in wanted}) == wanted
    assert (len(batches(connected)), len(single(connected))) == (2, 10)
    assert statuses(database) == {"confirmed": 20}


def test_a_refused_batch_that_the_hour_does_not_hold_in_halves_is_named(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six of 26 lines an hour are kept for quantities; what waits of the batch has its reason, and the run is red."""
    from pyrate_limiter import Rate

    monkeypatch.setattr("backmarket.warehouse.sku_line_budget.SKU_LINE_RATES", [Rate(26, 3_600_000)])
    connected.fault("batch_refused", sku=next(iter(wanted))[0], times=None)
    run = upload()
    sent = sum(len(entry["body"]["catalog"].splitlines()) - 1 for entry in batches(connected)) + len(single(connected))
    assert sent == 20
    assert run.tasks["prices_check"] == "failed"
    tried = "select subject || ' ' || market from backmarket.changes where status = 'planned' and attempts > 0"
    named = {row[0] for row in database.execute(tried).fetchall()}
    assert named
    assert set(run.xcoms["prices_upload"]["not_sent"]) == named
    reasons = "select reason from backmarket.changes where status = 'planned' and attempts > 0"
    assert all("the batch was refused" in row[0] for row in database.execute(reasons).fetchall())


def test_a_line_refused_inside_a_batch_carries_back_markets_words(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
) -> None:
    """A batch that is done can hold errors: that SKU is refused and not sent again, the others are confirmed."""
    sku = next(iter(wanted))[0]
    connected.fault("batch_line_fails", method="POST", path_prefix="/ws/listings", sku=sku)
    assert upload().xcoms["price_batch_results"]["refused"] == 1
    refused = "select subject, reason from backmarket.changes where status = 'refused'"
    assert database.execute(refused).fetchall() == [(sku, "Back Market: The line could not be processed.")]
    connected.clear_journal()
    upload()
    assert connected.journal("POST") == []


def test_a_batch_that_never_ends_holds_nothing_up(
    sandbox_of_slow_batches: Sandbox,
    warehouse_uri: str,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run ends, its prices are unknown; they are sent again, one by one, only once the deadline has passed."""
    sandbox = sandbox_of_slow_batches
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
    monkeypatch.setenv("AIRFLOW__BACKMARKET__PRICE_BATCH_WAIT_SECONDS", "0.5")
    switch_on("prices_upload", markets='["fr-fr", "de-de"]')
    prices = want(sandbox, database)
    for _ in range(2):
        run = run_dag("backmarket_inventory_prices")
        assert run.state == "success"
        assert run.xcoms["price_batch_results"]["unknown"] == 20
    assert (len(batches(sandbox)), len(single(sandbox))) == (2, 0)
    database.execute("update backmarket.changes set sent_at = sent_at - interval '1 hour'")
    run_dag("backmarket_inventory_prices")
    assert offered(sandbox, {sku for sku, _ in prices}) == prices
    assert (len(batches(sandbox)), len(single(sandbox))) == (2, 20)
    assert statuses(database) == {"confirmed": 20}


def test_a_report_that_cannot_be_read_blocks_nothing_for_good(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch failed and nobody is told: its prices wait until the deadline and then go one by one."""
    monkeypatch.setenv("AIRFLOW__BACKMARKET__PRICE_BATCH_WAIT_SECONDS", "0.5")
    connected.fault("batch_fails", method="POST", path_prefix="/ws/listings", times=2)
    connected.fault("html_200", path_prefix="/ws/tasks", times=None)
    assert upload().xcoms["price_batch_results"]["unknown"] == 20
    database.execute("update backmarket.changes set sent_at = sent_at - interval '1 hour'")
    assert upload().state == "success"
    assert offered(connected, {sku for sku, _ in wanted}) == wanted
    assert len(single(connected)) == 20


def test_a_run_killed_after_a_batch_left_repeats_nothing(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    wanted: dict[tuple[str, str], Decimal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch left and its number was never written down: what it changed is read back, not sent again."""
    from backmarket.warehouse.ledger import Ledger

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killing:
        killing.setattr(Ledger, "record_batch", die)
        run = upload()
    # Each try was killed after the batch of one market had left; the third found nothing left to send.
    assert run.tries["prices_upload"] == 3
    assert len(batches(connected)) == 2
    # Back Market works them off meanwhile.
    deadline = time.monotonic() + 20
    while offered(connected, {sku for sku, _ in wanted}) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert upload().state == "success"
    assert (len(batches(connected)), single(connected)) == (2, [])
    assert offered(connected, {sku for sku, _ in wanted}) == wanted
    assert statuses(database) == {"confirmed": 20}


def test_two_prices_of_one_sku_are_both_refused(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Rows that differ by case alone would take turns on one listing: neither is sent, and the ledger says why."""
    sku = next(listing["sku"] for listing in connected.listings() if listing["offers"]["fr-fr"]["price"])
    for name, price in ((sku.upper(), "100"), (sku.lower(), "120")):
        database.execute(
            "insert into seller.prices (sku, market, price, currency) values (%s, 'fr-fr', %s, 'EUR')", [name, price]
        )
    assert upload().state == "success"
    assert connected.journal("POST") == []
    ((status, reason),) = database.execute("select status, reason from backmarket.changes").fetchall()
    assert status == "refused"
    assert "share this SKU" in reason
