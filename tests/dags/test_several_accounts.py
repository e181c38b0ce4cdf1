"""Two accounts in one Airflow and one database: nothing of one crosses over to the other."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.concerns import CONCERNS
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.conftest import Run, connect, read_dags
from tests.dags.test_alerts import webhook
from tests.dags.test_inventory_prices import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from airflow.dag_processing.dagbag import DagBag

    from sandbox.remote import Sandbox
    from tests.dags.test_alerts import Webhook

    RunDag = Callable[..., Run]
    SwitchOn = Callable[..., None]

__all__ = ["webhook"]

US = "us"
TABLES = (
    "orders",
    "order_lines",
    "order_addresses",
    "listings",
    "listing_offers",
    "changes",
    "sync_state",
    "inventory",
)


@pytest.fixture(scope="session")
def two_accounts(dag_bag: DagBag) -> DagBag:
    """The DAGs of this project and those of account ``us``."""
    more = read_dags(Path(__file__).with_name("of_accounts"))
    dag_bag.dags.update(more.dags)
    return dag_bag


@pytest.fixture
def american(connected: Sandbox, two_accounts: DagBag, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A Back Market of the platform NA, which ``backmarket_us`` points at, with a token of its own."""
    config = SandboxConfig(seed=11, orders=80, listings=25, token="american-token", platform="NA")
    with running_sandbox(config) as running:
        connect(running, monkeypatch, account=US, market="en-us")
        yield running


def accounts_in(database: psycopg.Connection[Any], table: str) -> dict[str, int]:
    """How many rows of each account a table holds."""
    query = f"select account, count(*) from backmarket.{table} group by 1"
    return dict(database.execute(query.encode()).fetchall())


def stock(database: psycopg.Connection[Any], account: str, sku: str, quantity: int) -> None:
    """Fill seller.stock of an account."""
    database.execute(
        "insert into seller.stock (account, sku, quantity, counted_at) values (%s, %s, %s, now())",
        [account, sku, quantity],
    )


def us_price(database: psycopg.Connection[Any], sku: str, amount: Decimal) -> None:
    """Fill seller.prices of the second account's home market."""
    database.execute(
        "insert into seller.prices (account, sku, market, price, currency) values ('us', %s, 'en-us', %s, 'USD')",
        [sku, amount],
    )


def written_to(sandbox: Sandbox) -> set[str]:
    """The paths of all writes that a sandbox got."""
    return {entry["path"] for entry in sandbox.journal() if entry["method"] != "GET"}


def test_the_dags_of_an_account_are_those_of_the_default_one(two_accounts: DagBag) -> None:
    """The same tasks in the same order, each for its own account, connection, assets and hour."""
    for concern in CONCERNS:
        ours: Any = two_accounts.dags[f"backmarket_{concern.stem}"]
        theirs: Any = two_accounts.dags[f"backmarket_us_{concern.stem}"]
        assert {t.task_id: t.downstream_task_ids for t in ours.tasks} == {
            t.task_id: t.downstream_task_ids for t in theirs.tasks
        }
        assert {"backmarket", "account:us"} <= theirs.tags
        assert "account:default" in ours.tags
        for task in theirs.tasks:
            whole = task.unmap({"market": "en-us"}) if task.is_mapped else task
            assert getattr(whole, "account", US) == US
            assert getattr(whole, "backmarket_conn_id", "backmarket_us") == "backmarket_us"
            assert [asset.uri for asset in whole.outlets if "/us/" not in asset.uri] == []
        if concern.cron:
            assert ours.timetable != theirs.timetable


def test_orders_listings_and_quantities_stay_with_their_account(
    run_dag: RunDag,
    connected: Sandbox,
    american: Sandbox,
    switch_on: SwitchOn,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both directions: what is read is stored under its account, what is sent goes to its platform; one SKU of two
    accounts is two SKUs, with a quantity, a limit and a price of their own."""
    switch_on("order_download", "order_acceptance", "active_listing_download", "inventory_upload", "prices_upload")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_MARKETS", '["fr-fr"]')
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__MARKETS", '["en-us"]')
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__MAX_QTY", "2")
    ours, theirs = connected.listings()[0], american.listings()[0]
    connected.patch_listing(ours["id"], sku="SHARED", quantity=1)
    american.patch_listing(theirs["id"], sku="SHARED", quantity=1)
    for account, units in (("default", 9), (US, 7)):
        stock(database, account, "SHARED", units)
    before = offered(american, "SHARED", "en-us")
    us_price(database, "SHARED", before + 1)

    for stem in ("orders", "listings", "inventory_prices"):
        assert run_dag(f"backmarket_{stem}").state == "success"
        assert run_dag(f"backmarket_us_{stem}").state == "success"

    for table in TABLES:
        assert set(accounts_in(database, table)) == {"default", US}, table
    for account, box in (("default", connected), (US, american)):
        stored = {
            row[0] for row in database.execute("select order_id from backmarket.orders where account = %s", [account])
        }
        assert len(stored) > 60
        assert stored <= {order["order_id"] for order in box.orders()}
    assert accounts_in(database, "listings")[US] == len(american.listings())
    shown = {
        name: next(each for each in box.listings() if each["sku"] == "SHARED")
        for name, box in (("default", connected), (US, american))
    }
    assert (shown["default"]["quantity"], shown[US]["quantity"]) == (9, 2)
    assert offered(american, "SHARED", "en-us") == before + 1
    of_us = {str(order["order_id"]) for order in american.orders()}
    assert not [path for path in written_to(connected) if path.rpartition("/")[2] in of_us]
    tables = database.execute(
        b"select tablename from pg_tables where schemaname = 'backmarket' and tablename like 'ratelimit%'"
    ).fetchall()
    assert {("ratelimit___us_general",), ("ratelimit___default_general",)} <= set(tables)


def test_a_revoked_account_stops_nothing_of_the_other(
    run_dag: RunDag,
    connected: Sandbox,
    american: Sandbox,
    switch_on: SwitchOn,
    database: psycopg.Connection[Any],
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its run fails and people are told of it by its own connection; the other's orders come in."""
    switch_on("order_download", alert_conn_id="")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__ALERT_CONN_ID", "alerts")
    american.fault("401", times=100)
    assert run_dag("backmarket_us_orders").tasks["order_download"] == "failed"
    assert run_dag("backmarket_orders").state == "success"
    assert set(accounts_in(database, "orders")) == {"default"}
    (told,) = webhook.received
    assert told["dag"] == "backmarket_us_orders"
    assert accounts_in(database, "alerts") == {US: 1}


def test_a_switch_of_one_account_is_no_switch_of_another(
    run_dag: RunDag,
    american: Sandbox,
    switch_on: SwitchOn,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own Variable comes before the common one, and the gate names the one that is off."""
    switch_on("order_download")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__ORDER_DOWNLOAD", "off")
    off = run_dag("backmarket_us_orders")
    assert off.tasks["order_download"] == "skipped"
    assert off.reasons["order_download_gate"].startswith("backmarket_us__order_download off")
    assert run_dag("backmarket_orders").tasks["order_download"] == "success"
    assert set(accounts_in(database, "orders")) == {"default"}


def test_a_question_about_a_price_is_its_accounts(
    run_dag: RunDag,
    american: Sandbox,
    switch_on: SwitchOn,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A large move of one account waits for an answer to its own DAG; the other account has nothing to ask."""
    switch_on("prices_upload")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__MARKETS", '["en-us"]')
    sku = american.listings()[0]["sku"]
    us_price(database, sku, (offered(american, sku, "en-us") / 2).quantize(Decimal("0.01")))
    run = run_dag("backmarket_us_inventory_prices")
    assert run.xcoms["ask_for_price_approval"] == 1
    assert run_dag("backmarket_inventory_prices").tasks["ask_for_price_approval"] == "skipped"
    asked = database.execute(b"select account, status from backmarket.changes where kind = 'price'").fetchall()
    assert asked == [(US, "awaiting_approval")]
