"""The page shows what is known, never more than a person may see, and never a trace."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse.ledger import Ledger, PlannedChange
from tests.page.given import add_orders, add_settlement_lines, form_token, stored, switch

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]

HOSTILE_SKU = '<script>alert("x")</script>'


def test_an_empty_database_says_nothing_yet(signed_in: SignIn, warehouse_uri: str) -> None:
    """Before the first run there is no table at all; the page says so, and its stories too."""
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/")
    assert page.status_code == 200
    assert "Nothing yet." in page.text
    assert "Nothing waits for you." in page.text
    assert "not checked" in page.text
    for story in ("orders/1", "skus/A"):
        answer = viewer.get(f"/backmarket/{story}")
        assert answer.status_code == 404
        assert "<h1>" in answer.text


def test_a_long_load_is_seen_while_it_runs(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """How far it is, and about how long it takes; not one that was killed, and not another account's."""
    insert = (
        "insert into backmarket.progress (account, task, thing, done, total, started_at, updated_at, run_id, part) "
        "values (%s, %s, %s, 12400, 100000, now() - interval '25 s' - %s::interval, now() - %s::interval, 'run', %s)"
    )
    for account, task, thing, ago, part in (
        ("default", "order_download", "order", "0 seconds", ""),
        ("default", "active_listing_download", "listing", "61 seconds", "fr-fr"),
        ("us", "order_download", "order", "0 seconds", ""),
    ):
        warehouse.execute(insert, [account, task, thing, ago, ago, part])
    page = signed_in("viewer").get("/backmarket/").text
    assert page.count("Loading: ") == 1
    assert "Loading: 12,400 of 100,000 orders, about 3 minutes left." in page


@pytest.mark.parametrize("path", ["", "orders/1", "skus/A"])
def test_a_database_that_is_down_gives_a_clear_page(
    signed_in: SignIn, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It says which connection, what to do, and that nothing is lost; never a trace or a password."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:s3cr3t@127.0.0.1:1/nothing")
    answer = signed_in("viewer").get(f"/backmarket/{path}")
    assert answer.status_code == 503
    assert "backmarket_warehouse does not answer" in answer.text
    assert "Nothing is lost" in answer.text
    assert "Traceback" not in answer.text
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize("slip", ["", "?sslmod=require", "?connect_timeout=soon", "?iam=true"])
def test_switches_work_while_the_database_is_down(
    signed_in: SignIn, monkeypatch: pytest.MonkeyPatch, slip: str
) -> None:
    """Who wants to switch everything off must not depend on the database, nor on how its connection is written."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", f"postgres://user:pw@127.0.0.1:1/nothing{slip}")
    op = signed_in("op")
    token = form_token(op.get("/backmarket/").text)
    op.post("/backmarket/variables/backmarket_enabled", data={"value": "true", "confirmed": "yes", "csrf": token})
    assert stored("backmarket_enabled") == "true"


def test_a_missing_connection_is_explained(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh Airflow has no warehouse yet."""
    monkeypatch.delenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", raising=False)
    answer = signed_in("viewer").get("/backmarket/")
    assert answer.status_code == 503
    assert "There is no connection backmarket_warehouse yet" in answer.text


def test_a_connection_that_cannot_be_read_is_not_called_missing(
    signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow passes over what it cannot read: a password that is not percent-encoded. No part of it is shown."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:s3cr#t@127.0.0.1:5432/nothing")
    answer = signed_in("viewer").get("/backmarket/")
    assert answer.status_code == 503
    assert "cannot be read as it stands in the environment (AIRFLOW_CONN_BACKMARKET_WAREHOUSE)" in answer.text
    assert "s3cr" not in answer.text


def test_a_broken_schema_is_no_trace(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A table of another version, or one without rights, ends in words."""
    warehouse.execute("alter table backmarket.orders rename column country_code to elsewhere")
    answer = signed_in("viewer").get("/backmarket/")
    assert answer.status_code == 503
    assert "refused or broke off: UndefinedColumn" in answer.text


def test_a_view_of_the_seller_that_fails_costs_the_page_nothing(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """A list that reads it says that it may be one."""
    warehouse.execute("drop table seller.shipments cascade")
    warehouse.execute("create view seller.shipments as select (1 / 0)::text as account, null::text as order_id")
    viewer = signed_in("viewer")
    assert viewer.get("/backmarket/").status_code == 200
    answer = viewer.get("/backmarket/orders")
    assert answer.status_code == 503
    assert "look whether a view of yours in schema seller fails" in answer.text


def test_the_account_card_says_where_the_account_stands(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Platform, token, last check, requests and SKU lines used, as the limits that all workers share count them."""
    from pyrate_limiter import RateItem

    from backmarket.api.throttle import GENERAL_RATES
    from backmarket.warehouse.rate_limit import open_pool, shared_bucket
    from backmarket.warehouse.sku_line_budget import open_sku_line_budget

    warehouse.execute(
        "insert into backmarket.accounts (account, host, token_fingerprint, platform, token_valid, checked_at) "
        "values ('default', 'www.backmarket.fr', 'f', 'EU', true, now() - interval '3 hours')"
    )
    with open_pool("backmarket_warehouse") as pool:
        shared_bucket(pool, "default", "general", GENERAL_RATES).put(RateItem("general", 0, 7))
        warehouse.execute("update backmarket.ratelimit___default_general set item_timestamp = now()")
    with open_sku_line_budget("backmarket_warehouse", "default") as budget:
        budget.take(450)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert '<p class="figure good">valid</p>' in page
    assert "3 hours ago" in page
    assert "www.backmarket.fr" in page
    assert "7<small> of 199</small>" in page
    assert "1,500<small> of 1,950</small>" in page
    warehouse.execute("update backmarket.accounts set token_valid = false")
    assert "Back Market refuses the token" in viewer.get("/backmarket/").text
    assert "into connection backmarket_default under Admin → Connections" in viewer.get("/backmarket/").text
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", "backmarket://")
    assert "in the environment (AIRFLOW_CONN_BACKMARKET_DEFAULT), then run" in viewer.get("/backmarket/").text


def test_several_accounts_have_a_page_each(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Each links to the other, and its links stay with it."""
    warehouse.execute(
        "insert into backmarket.accounts (account, host, token_fingerprint) "
        "values ('default', 'www.backmarket.fr', 'f'), ('us', 'www.backmarket.com', 'g')"
    )
    ledger = Ledger(warehouse, "us", "quantity")
    ledger.plan([PlannedChange(f"U-{n}", {}, status="refused", reason="no") for n in range(9)], run_id="r")
    viewer = signed_in("viewer")
    assert "Changes refused" not in viewer.get("/backmarket/").text
    page = viewer.get("/backmarket/?account=us").text
    assert '<a href="/backmarket/">default</a>' in page
    assert '<a href="/backmarket/skus/U-0?account=us">U-0</a>' in page
    assert '<a href="/backmarket/needs/refused?account=us">Show all 9' in page


def test_all_accounts_stand_on_one_page(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], dags_of: Callable[..., None]
) -> None:
    """What needs a person most comes first; orders, changes and the net are each account's own."""
    dags_of("default", "us")
    warehouse.execute(
        "insert into backmarket.accounts (account, host, platform, token_fingerprint, token_valid) "
        "values ('default', 'www.backmarket.fr', 'EU', 'f', true), ('us', 'www.backmarket.com', 'NA', 'g', false)"
    )
    add_orders(warehouse, 60)
    ledger = Ledger(warehouse, "us", "quantity")
    ledger.plan([PlannedChange(f"U-{n}", {}, status="refused", reason="no") for n in range(90)], run_id="r")
    page = signed_in("viewer").get("/backmarket/accounts").text
    rows = re.findall(r'<tr>\s*<th scope="row">(.*?)</tr>', page, flags=re.DOTALL)
    assert len(rows) == 2
    assert '<a href="/backmarket/?account=us">us</a><small>NA</small>' in rows[0]
    assert "not valid" in rows[0]
    assert '<a href="/backmarket/needs/refused?account=us">90 changes refused</a>' in rows[0]
    assert "EU" in rows[1]
    assert "All accounts</a>" in signed_in("viewer").get("/backmarket/").text
    file = signed_in("viewer").get("/backmarket/accounts?table=accounts&format=csv").content.decode("utf-8-sig")
    assert file.splitlines()[1] == '"us","NA","no",90,0,0,""'


def test_all_accounts_tell_of_dags_that_should_run_and_do_not(
    signed_in: SignIn, warehouse_uri: str, dags_of: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody opens the pages of fifty accounts to find the one whose orders do not come in."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    dags_of("default", "us")
    orders = DagModel.dag_id.in_(["backmarket_orders", "backmarket_us_orders"])
    with create_session() as session:
        session.execute(update(DagModel).where(orders).values(is_paused=True))
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__ENABLED", "on")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDER_DOWNLOAD", "on")
    viewer = signed_in("viewer")
    first, second = re.findall(r'<th scope="row">(.*?)</tr>', viewer.get("/backmarket/accounts").text, flags=re.DOTALL)
    assert "1 DAG not running" in first
    assert ">us</a>" in first
    assert "nothing" in second
    with create_session() as session:
        overdue = datetime.now(UTC) - timedelta(minutes=16)
        session.execute(update(DagModel).where(orders).values(is_paused=False, next_dagrun_create_after=overdue))
    assert viewer.get("/backmarket/accounts").text.count("1 DAG not running") == 1


def test_an_account_in_a_database_of_its_own_is_read_there(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], dags_of: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tags of its DAGs say where; one database that is down costs the other accounts nothing."""
    down = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x", "schema": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", json.dumps(down))
    dags_of("default")
    dags_of("us", warehouse_conn_id="elsewhere")
    viewer = signed_in("viewer")
    assert viewer.get("/backmarket/").status_code == 200
    alone = viewer.get("/backmarket/?account=us")
    assert alone.status_code == 503
    assert "connection elsewhere" in alone.text
    page = viewer.get("/backmarket/accounts")
    assert page.status_code == 200
    assert "connection elsewhere" in page.text
    assert '<a href="/backmarket/">default</a>' in page.text


def test_an_account_that_a_person_may_not_see_is_not_named(
    signed_in: SignIn, warehouse_uri: str, dags_of: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to switch to, nor among all accounts; and its page is refused."""
    from backmarket.page import access

    dags_of("default", "secret")
    allowed = access.readable_stems
    monkeypatch.setattr(
        access, "readable_stems", lambda user, name: allowed(user, name) if name == "default" else frozenset()
    )
    viewer = signed_in("viewer")
    for path in ("", "accounts"):
        page = viewer.get(f"/backmarket/{path}")
        assert page.status_code == 200
        assert "secret" not in page.text
    assert viewer.get("/backmarket/?account=secret").status_code == 403


@pytest.mark.parametrize("path", ["", "orders", "accounts"])
def test_an_address_with_the_name_of_no_account_is_no_failure(signed_in: SignIn, warehouse_uri: str, path: str) -> None:
    """As one that somebody typed: it says how accounts can be called."""
    answer = signed_in("viewer").get(f"/backmarket/{path}?account=US")
    assert answer.status_code == 404
    assert "lower-case letters" in answer.text


def test_tags_of_other_peoples_dags_make_no_account(
    signed_in: SignIn, warehouse_uri: str, dags_of: Callable[..., None]
) -> None:
    """Whoever may write a DAG may give it any tag; none makes this page open another connection."""
    from airflow.models.dag import DagModel, DagTag
    from airflow.utils.session import create_session

    dags_of("default")
    with create_session() as session:
        others = DagModel(dag_id="others", bundle_name="tests", is_stale=False, is_paused=True, fileloc=__file__)  # type: ignore[no-untyped-call]
        session.merge(others)
        for tag in ("account:jp", "account:default", "warehouse:elsewhere"):
            session.merge(DagTag(dag_id="others", name=tag))
    viewer = signed_in("viewer")
    for path in ("", "?account=jp", "accounts"):
        page = viewer.get(f"/backmarket/{path}")
        assert page.status_code == 200
        assert "elsewhere" not in page.text
    assert "jp" not in viewer.get("/backmarket/accounts").text


def test_without_a_default_account_the_first_one_is_shown(signed_in: SignIn, dags_of: Callable[..., None]) -> None:
    """Nobody is sent to a page about an account that there is not."""
    dags_of("eu", "us")
    page = signed_in("viewer").get("/backmarket/").text
    assert '<a href="/backmarket/" aria-current="page">eu</a>' in page
    assert '<a href="/backmarket/?account=us">us</a>' in page


def test_a_switch_on_an_accounts_page_is_its_own(
    signed_in: SignIn, warehouse_uri: str, dags_of: Callable[..., None]
) -> None:
    """It says where the common Variable counts, and never changes that one for the others."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    dags_of("default", "us")
    with create_session() as session:
        Variable.set("backmarket_order_download", "true", session=session)
    op = signed_in("op")
    page = op.get("/backmarket/?account=us").text
    assert 'aria-checked="true"' in switch(page, "backmarket_us__order_download")
    assert "as backmarket_order_download says" in page
    answer = op.post(
        "/backmarket/variables/backmarket_us__order_download?account=us",
        data={"csrf": form_token(page), "value": "false"},
    )
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("/backmarket/?account=us#backmarket_us__order_download")
    assert (stored("backmarket_us__order_download"), stored("backmarket_order_download")) == ("false", "true")
    assert 'aria-checked="false"' in switch(op.get("/backmarket/?account=us").text, "backmarket_us__order_download")
    other = op.post(
        "/backmarket/variables/backmarket_jp__order_download?account=us",
        data={"csrf": form_token(page), "value": "false"},
    )
    assert other.status_code == 404


def test_what_is_switched_on_and_does_not_run_is_told(
    signed_in: SignIn, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DAG that is paused, or that Airflow could not read, also the one that would tell people of it."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "on")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDER_DOWNLOAD", "on")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_PRICES_UPLOAD", "on")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ALERT_CONN_ID", "nobody")
    # Tests of DAGs in this process may have told Airflow of them already.
    known = ("backmarket_orders", "backmarket_inventory_prices", "backmarket_alerts")
    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        before = {dag_id: (dag.is_paused, dag.is_stale) for dag_id in known if (dag := session.get(DagModel, dag_id))}
        for dag_id in known:
            model = session.get(DagModel, dag_id) or DagModel(dag_id=dag_id, bundle_name="tests")  # type: ignore[no-untyped-call]
            model.is_paused, model.is_stale = True, dag_id == "backmarket_inventory_prices"
            session.add(model)
    try:
        page = signed_in("viewer").get("/backmarket/").text
    finally:
        with create_session() as session:
            for dag_id in known:
                if dag_id in before:
                    model = session.get_one(DagModel, dag_id)
                    model.is_paused, model.is_stale = before[dag_id]
                else:
                    session.execute(delete(DagModel).where(DagModel.dag_id == dag_id))
    assert "3 DAGs not running" in page
    assert page.count("paused: unpause it") == 2
    assert "backmarket_alerts" in page[: page.index("What runs")]
    assert "Airflow has not read its file" in page
    assert "backmarket_settlements" not in page[: page.index("What runs")]


def test_names_from_outside_are_only_text(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A SKU, a market or a reason with markup in it shows as it is written."""
    ledger = Ledger(warehouse, "default", "accept")
    ledger.plan([PlannedChange(HOSTILE_SKU, {}, status="refused", reason=HOSTILE_SKU)], run_id="run")
    add_orders(warehouse, 3)
    warehouse.execute("update backmarket.orders set country_code = %s", [HOSTILE_SKU])
    warehouse.execute("update backmarket.order_lines set sku = %s, product = %s", [HOSTILE_SKU, HOSTILE_SKU])
    op = signed_in("op")
    warehouse.execute("update backmarket.orders set state = 3")
    stories = ("orders/1", "skus/%3Cscript%3Ealert(%22x%22)%3C%2Fscript%3E", "skus/unknown%3Cscript%3E")
    searches = ("search?q=%3Cscript%3Ex", "orders?text=%3Cscript%3E&amount=%3Cscript%3E")
    for path in ("", "orders", "needs/refused", *stories, *searches):
        answer = op.get(f"/backmarket/{path}")
        assert answer.status_code in {200, 400, 404}
        assert "<script>" not in answer.text.replace('<script src="', "")
        assert "&lt;script" in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_the_page_tells_what_needs_a_person(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Late orders, refused changes and what was not understood, each with its reason and a way on."""
    add_orders(warehouse, 2000)
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) values "
        "('default', 'order', '77', '{\"email\": \"jane@example.com\"}', 'price: not a number')"
    )
    page = signed_in("viewer").get("/backmarket/").text
    assert "Orders overdue" in page
    assert "accepted, not shipped" in page
    assert "no stock" in page
    assert '<a href="/backmarket/orders/1000">1000</a>' in page
    assert "price: not a number" in page
    assert "jane@example.com" not in page


def test_only_what_a_person_can_change_is_called_refused(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """What goes by itself is told after a day; an order that is over, no more."""
    add_orders(warehouse, 3)
    identifiers = Ledger(warehouse, "default", "imei")
    identifiers.plan([PlannedChange("1000001", {}, status="refused", reason="waits: not yet")], run_id="r")
    acceptances = Ledger(warehouse, "default", "accept")
    acceptances.plan([PlannedChange("1000002", {}, status="refused", reason="stock: none")], run_id="r")
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert "waits: not yet" not in page
    assert "stock: none" not in page
    warehouse.execute("update backmarket.changes set planned_at = now() - interval '25 hours'")
    page = viewer.get("/backmarket/").text
    assert "Waiting for more than a day" in page
    assert "waits: not yet" in page
    assert "Changes refused" not in page


def test_a_refused_change_leads_to_the_log_of_its_task(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Of the run that decided about it, which need not be the newest."""
    prices = Ledger(warehouse, "default", "price")
    refused = PlannedChange("A", {}, "fr-fr", status="refused", reason="too dear")
    prices.plan([refused], run_id="manual__2026-11-01T00:00:00+00:00")
    page = signed_in("viewer").get("/backmarket/").text
    run = "manual__2026-11-01T00%3A00%3A00%2B00%3A00"
    assert f'href="/dags/backmarket_inventory_prices/runs/{run}/tasks/prices_upload"' in page


def test_all_that_waits_can_be_listed(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """The page shows the first few of each kind and leads to the rest; who may not see them gets none."""
    moves = [
        PlannedChange(f"S-{n}", {"price": "60", "old_price": "100", "currency": "EUR"}, "fr-fr", "awaiting_approval")
        for n in range(30)
    ]
    Ledger(warehouse, "default", "price").plan(moves, run_id="r")
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert "fr-fr · 100 → 60 EUR (-40.0 %)" in page
    assert '<a href="/backmarket/needs/approvals">Show all 30' in page
    listed = viewer.get("/backmarket/needs/approvals").text
    assert listed.count("100 EUR") == listed.count("60 EUR") == 30
    assert "Nothing of this kind" in viewer.get("/backmarket/needs/late").text
    assert viewer.get("/backmarket/needs/nonsense").status_code == 404


def test_settlements_and_stock_are_told(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Open differences and stock findings, the order's lines of statements, and the net by week."""
    add_orders(warehouse, 10)
    add_settlement_lines(warehouse, 10)
    warehouse.execute(
        """
        insert into backmarket.settlement_findings (
            account, kind, subject, order_id, day, expected, actual, currency, detail, documents, status
        ) values (
            'default', 'sale_amount_difference', 'order 7', 7, current_date, 199.90, 189.90, 'EUR', 'ten less', '[]',
            'open'
        )
        """
    )
    warehouse.execute(
        """
        insert into backmarket.settlement_findings (
            account, kind, subject, order_id, day, expected, actual, currency, expected_currency, detail, documents,
            status
        ) values (
            'default', 'currency_mismatch', 'order 7', 7, current_date, 175.99, 152.30, 'GBP', 'EUR', 'two of them',
            '[]', 'open'
        )
        """
    )
    warehouse.execute(
        "insert into backmarket.inventory_findings (account, kind, sku, detail) "
        "values ('default', 'stock_stale', 'SKU-9', 'counted three days ago')"
    )
    warehouse.execute(
        "insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html) "
        "values ('default', 'run', current_date, current_date, '')"
    )
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert "sale amount difference · expected 199.90 EUR · found 189.90 EUR" in page
    assert "currency mismatch · expected 175.99 EUR · found 152.30 GBP" in page
    assert "counted three days ago" in page
    assert '<a href="/backmarket/reports">Settlement reports</a>' in page
    assert "EUR <b>1,700.00</b>" in page
    story = viewer.get("/backmarket/orders/7").text
    assert "sale of an iPhone" in story
    assert "ten less · expected 199.90 EUR · found 189.90 EUR" in story
    assert "two of them · expected 175.99 EUR · found 152.30 GBP" in story


def test_no_address_leads_outside(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """No script, font, image or link of another host."""
    add_orders(warehouse, 100)
    page = signed_in("op").get("/backmarket/").text
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert len(addresses) > 5
    assert [address for address in addresses if not address.startswith(("/", "#"))] == []
