"""The page shows what is known, never more than a person may see, and never a trace."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse.ledger import Ledger, PlannedChange

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]

HOSTILE_SKU = '<script>alert("x")</script>'


def _form_token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found.group(1)


def _switch(page: str, key: str) -> str:
    """The button of a Variable's switch."""
    found = re.search(rf'id="{key}".*?(<button.*?>)', page, flags=re.DOTALL)
    assert found
    return found.group(1)


def _stored(key: str) -> str | None:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalar(select(Variable).where(Variable.key == key))
        return found.val if found else None


def _add_orders(warehouse: psycopg.Connection[Any], count: int) -> None:
    """Store orders of the last 90 days, one line each, a few of them late, and changes for half of them."""
    warehouse.execute(
        """
        insert into backmarket.orders (
            account, order_id, state, country_code, currency, price, date_creation, date_payment,
            expected_dispatch_date, date_modification, document, first_seen_at, read_at
        )
        select
            'default', n, case when n %% 50 = 0 then 3 else 9 end,
            (array['fr-fr', 'de-de', 'es-es'])[1 + n %% 3], 'EUR',
            199.90, now() - (n %% 90) * interval '1 day', now(), now() + (n %% 3 - 1) * interval '1 day', now(), '{}',
            now(), now()
        from generate_series(1, %(count)s) as n
        """,
        {"count": count},
    )
    warehouse.execute(
        """
        insert into backmarket.order_lines (
            account, orderline_id, order_id, sku, quantity, price, currency, state, date_creation, first_seen_at,
            first_seen_state
        )
        select
            'default', n + 1000000, n, 'SKU-' || n %% 500, 1, 199.90, 'EUR', 3, now() - (n %% 90) * interval '1 day',
            now(), 1
        from generate_series(1, %(count)s) as n
        """,
        {"count": count},
    )
    warehouse.execute(
        """
        insert into backmarket.changes (account, kind, subject, payload, status, reason, run_id, sent_at, confirmed_at)
        select
            'default', 'accept', (n + 1000000)::text, '{}', case when n %% 1000 = 0 then 'refused' else 'confirmed' end,
            case when n %% 1000 = 0 then 'no stock' end, 'run-' || n / 100, now() - (n %% 90) * interval '1 day',
            case when n %% 1000 > 0 then now() end
        from generate_series(1, %(count)s / 2) as n
        """,
        {"count": count},
    )
    # As autovacuum does within a minute.
    warehouse.execute("vacuum analyze backmarket.orders, backmarket.order_lines, backmarket.changes")


@pytest.mark.parametrize(
    "path", ["/backmarket/", "/backmarket/orders/1", "/backmarket/skus/A", "/backmarket/orders?q=1"]
)
def test_nobody_gets_in_without_signing_in(api_server: FastAPI, path: str) -> None:
    """Airflow does not guard a plugin's application, so each address guards itself."""
    from starlette.testclient import TestClient

    with TestClient(api_server, base_url="http://localhost") as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert "Sign in to Airflow" in answer.text


def test_a_stranger_cannot_change_a_variable(api_server: FastAPI) -> None:
    """Without a session a form is refused before anything is looked at."""
    from starlette.testclient import TestClient

    with TestClient(api_server, base_url="http://localhost") as client:
        assert client.post("/backmarket/variables/backmarket_enabled", data={"value": "true"}).status_code == 401
    assert _stored("backmarket_enabled") is None


def test_who_may_see_no_dag_run_sees_nothing(
    signed_in: SignIn, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin view alone is not enough."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", lambda *_, **__: False)
    answer = signed_in("viewer").get("/backmarket/")
    assert answer.status_code == 403
    assert "Orders in" not in answer.text


def test_a_reader_of_one_dag_sees_that_one(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, charts and stories of other DAGs stay away."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    _add_orders(warehouse, 10)
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_account"
    )
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/")
    assert page.status_code == 200
    assert "Orders in" not in page.text
    assert "Orders per day" not in page.text
    assert viewer.get("/backmarket/orders/1").status_code == 403
    assert viewer.get("/backmarket/skus/SKU-1").status_code == 403


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


def test_switches_work_while_the_database_is_down(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants to switch everything off must not depend on the database."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:pw@127.0.0.1:1/nothing")
    op = signed_in("op")
    token = _form_token(op.get("/backmarket/").text)
    op.post("/backmarket/variables/backmarket_enabled", data={"value": "true", "csrf": token})
    assert _stored("backmarket_enabled") == "true"


def test_a_missing_connection_is_explained(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh Airflow has no warehouse yet."""
    monkeypatch.delenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", raising=False)
    answer = signed_in("viewer").get("/backmarket/")
    assert answer.status_code == 503
    assert "There is no connection backmarket_warehouse yet" in answer.text


def test_a_broken_schema_is_no_trace(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A table of another version, or one without rights, ends in words."""
    warehouse.execute("alter table backmarket.orders rename column country_code to elsewhere")
    answer = signed_in("viewer").get("/backmarket/")
    assert answer.status_code == 503
    assert "refused or broke off: UndefinedColumn" in answer.text


def test_a_switch_writes_the_variable(signed_in: SignIn, warehouse_uri: str) -> None:
    """On and off again; the audit log knows who."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    op = signed_in("op", "olivia")
    page = op.get("/backmarket/").text
    assert 'aria-checked="false"' in _switch(page, "backmarket_order_download")
    for wanted in ("true", "false"):
        answer = op.post(
            "/backmarket/variables/backmarket_order_download", data={"value": wanted, "csrf": _form_token(page)}
        )
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/backmarket/#")
        page = op.get("/backmarket/").text
        assert f'aria-checked="{wanted}"' in _switch(page, "backmarket_order_download")
        assert _stored("backmarket_order_download") == wanted
    with create_session() as session:
        noted = session.scalars(select(Log.extra).where(Log.owner == "olivia")).all()
    assert "backmarket_order_download set to 'true'" in noted


def test_a_description_survives_a_switch(signed_in: SignIn, warehouse_uri: str) -> None:
    """What a person wrote about the Variable stays."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        Variable.set("backmarket_enabled", "false", description="ask Ada first", session=session)
    op = signed_in("op")
    token = _form_token(op.get("/backmarket/").text)
    op.post("/backmarket/variables/backmarket_enabled", data={"value": "true", "csrf": token})
    with create_session() as session:
        found = session.scalars(select(Variable).where(Variable.key == "backmarket_enabled")).one()
        assert (found.val, found.description) == ("true", "ask Ada first")


@pytest.mark.parametrize("token", ["", "forged", "someone else's", "another secret's"])
def test_a_form_of_another_site_changes_nothing(signed_in: SignIn, warehouse_uri: str, token: str) -> None:
    """A form counts only with a token that was signed here, for this very user."""
    from itsdangerous import URLSafeTimedSerializer

    if token == "someone else's":
        token = _form_token(signed_in("op", "mallory").get("/backmarket/").text)
    elif token == "another secret's":
        token = URLSafeTimedSerializer("guessed", salt="backmarket-page").dumps("op")
    answer = signed_in("op").post("/backmarket/variables/backmarket_enabled", data={"value": "true", "csrf": token})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert _stored("backmarket_enabled") is None


def test_a_viewer_sees_switches_and_cannot_use_them(signed_in: SignIn, warehouse_uri: str) -> None:
    """Neither by the button, which is disabled, nor by a request with a valid token."""
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert "disabled" in _switch(page, "backmarket_enabled")
    answer = viewer.post("/backmarket/variables/backmarket_enabled", data={"value": "true", "csrf": _form_token(page)})
    assert answer.status_code == 403
    assert "right to edit" in answer.text
    assert _stored("backmarket_enabled") is None


def test_a_variable_of_the_environment_is_read_only(
    signed_in: SignIn, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Airflow's database says would not be read, so writing it would only mislead."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "yes")
    op = signed_in("op")
    page = op.get("/backmarket/").text
    button = _switch(page, "backmarket_enabled")
    assert "disabled" in button
    assert 'aria-checked="true"' in button
    assert "Set by environment" in button
    answer = op.post("/backmarket/variables/backmarket_enabled", data={"value": "false", "csrf": _form_token(page)})
    assert answer.status_code == 409
    assert _stored("backmarket_enabled") is None


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("backmarket_order_download", "perhaps", 400),
        ("backmarket_price_change_limit_pct", "1000", 404),
        ("somebody_elses", "true", 404),
        ("enabled", "true", 404),
    ],
)
def test_only_known_variables_take_only_sound_values(
    signed_in: SignIn, warehouse_uri: str, key: str, value: str, status: int
) -> None:
    """The page is no way around what tasks accept, nor to other Variables."""
    op = signed_in("op")
    token = _form_token(op.get("/backmarket/").text)
    answer = op.post(f"/backmarket/variables/{key}", data={"value": value, "csrf": token})
    assert answer.status_code == status
    assert _stored(key) is None


def test_a_variable_that_cannot_be_understood_is_shown(signed_in: SignIn, warehouse_uri: str) -> None:
    """The run would fail on it, so the row says what is wrong."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        Variable.set("backmarket_order_download", "perhaps", session=session)
    page = signed_in("viewer").get("/backmarket/").text
    assert "backmarket_order_download holds" in page
    assert "true, false, yes, no, on, off, 1 or 0" in page


def test_names_from_outside_are_only_text(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A SKU, a market or a reason with markup in it shows as it is written."""
    ledger = Ledger(warehouse, "default", "accept")
    ledger.plan([PlannedChange(HOSTILE_SKU, {}, status="refused", reason=HOSTILE_SKU)], run_id="run")
    _add_orders(warehouse, 3)
    warehouse.execute("update backmarket.orders set country_code = %s", [HOSTILE_SKU])
    warehouse.execute("update backmarket.order_lines set sku = %s, product = %s", [HOSTILE_SKU, HOSTILE_SKU])
    op = signed_in("op")
    for path in ("", "orders/1", "skus/%3Cscript%3Ealert(%22x%22)%3C%2Fscript%3E", "skus/unknown%3Cscript%3E"):
        answer = op.get(f"/backmarket/{path}")
        assert answer.status_code in {200, 404}
        assert "<script>" not in answer.text.replace('<script src="', "")
        assert "&lt;script" in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_the_page_tells_what_needs_a_person(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Late orders, refused changes and what was not understood, each with its reason and a way on."""
    _add_orders(warehouse, 2000)
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


def test_an_order_tells_its_story(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """What Back Market said, what was sent and how that ended, by time, without a word about the customer."""
    _add_orders(warehouse, 1000)
    warehouse.execute(
        "insert into backmarket.order_addresses (account, order_id, kind, first_name, email) "
        "values ('default', 500, 'shipping', 'Jane', 'jane@example.com')"
    )
    story = signed_in("viewer").get("/backmarket/orders/500")
    assert story.status_code == 200
    assert "to ship" in story.text
    assert "accept confirmed" in story.text
    assert "199.90 EUR" in story.text
    assert "Jane" not in story.text
    assert "jane@" not in story.text


def test_a_sku_tells_its_story(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Stock, price, what was sent and what was sold."""
    _add_orders(warehouse, 1000)
    warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values ('SKU-7', 41, now())")
    warehouse.execute("insert into seller.prices values ('default', 'SKU-7', 'fr-fr', 180, 'EUR', 150)")
    quantities = Ledger(warehouse, "default", "quantity")
    quantities.plan([PlannedChange("SKU-7", {"quantity": 39})], run_id="run")
    story = signed_in("viewer").get("/backmarket/skus/SKU-7").text
    assert "1 sold" in story
    assert 'href="/backmarket/orders/7"' in story
    assert "41" in story
    assert "39 units" in story


def test_settlements_and_stock_are_told(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Open differences and stock findings, the order's lines of statements, and the net by week."""
    _add_orders(warehouse, 10)
    warehouse.execute(
        """
        insert into backmarket.settlement_lines (
            account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date,
            order_id, tied_by, designation, amount, first_export
        ) values (
            'default', '20261120-EU-H-1', 'EUR', 1, 1, 'sales', 'revenue', 'sale', current_date, 7,
            'order', 'sale of an iPhone', 189.90, now()
        )
        """
    )
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
    assert "counted three days ago" in page
    assert "EUR <b>189.90</b>" in page
    story = viewer.get("/backmarket/orders/7").text
    assert "sale of an iPhone" in story
    assert "ten less" in story


@pytest.mark.parametrize("wanted", ["999999999999999999999999999", "-1", "1e3", "abc", "%00"])
def test_an_address_that_leads_nowhere_is_a_page(signed_in: SignIn, warehouse_uri: str, wanted: str) -> None:
    """Whatever is typed as an order's number."""
    answer = signed_in("viewer").get(f"/backmarket/orders/{wanted}")
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_the_search_field_leads_to_a_story(signed_in: SignIn, warehouse_uri: str) -> None:
    """A number is an order, anything else a SKU, however it is written."""
    viewer = signed_in("viewer")
    assert viewer.get("/backmarket/orders?q= 123 ").headers["location"] == "/backmarket/orders/123"
    assert viewer.get("/backmarket/orders?q=A/1 b").headers["location"] == "/backmarket/skus/A%2F1%20b"


def test_no_address_leads_outside(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """No script, font, image or link of another host."""
    _add_orders(warehouse, 100)
    page = signed_in("op").get("/backmarket/").text
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert len(addresses) > 5
    assert [address for address in addresses if not address.startswith("/")] == []


def test_the_page_is_quick_with_200000_orders(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Under 300 ms, with 200,000 orders and 100,000 changes; stories too."""
    _add_orders(warehouse, 200_000)
    viewer = signed_in("viewer")
    for path in ("", "orders/5000", "skus/SKU-7"):
        assert viewer.get(f"/backmarket/{path}").status_code == 200
        seconds = []
        for _ in range(5):
            began = perf_counter()
            viewer.get(f"/backmarket/{path}")
            seconds.append(perf_counter() - began)
        print(f"/backmarket/{path}: {sorted(seconds)[2] * 1000:.0f} ms (median of 5)")
        assert sorted(seconds)[2] < 0.3
