"""Who may see the page, and who may change what on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.given import add_orders, form_token, stored, switch

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


@pytest.mark.parametrize(
    "path",
    [
        "/backmarket/",
        "/backmarket/orders/1",
        "/backmarket/skus/A",
        "/backmarket/orders",
        "/backmarket/listings?format=csv",
        "/backmarket/search?q=1",
        "/backmarket/needs/late",
    ],
)
def test_nobody_gets_in_without_signing_in(api_server: FastAPI, path: str) -> None:
    """Airflow does not guard a plugin's application, so each address guards itself."""
    from starlette.testclient import TestClient

    with TestClient(api_server, base_url="http://localhost") as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert "Sign in to Airflow" in answer.text


@pytest.mark.parametrize(
    ("base_url", "href"),
    [
        ("", "/backmarket/"),
        ("http://localhost:8080", "/backmarket/"),
        ("https://example.com/team/airflow/", "/team/airflow/backmarket/"),
    ],
)
def test_the_page_is_found_below_the_path_that_airflow_lies_under(
    monkeypatch: pytest.MonkeyPatch, base_url: str, href: str
) -> None:
    """Behind a proxy, and on Astro, Airflow has a path of its own, and its UI opens a page's address as it is told."""
    from backmarket.page.plugin import BackMarketPlugin

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    (view,) = BackMarketPlugin().external_views
    assert view["href"] == href


def test_a_stranger_cannot_change_a_variable(api_server: FastAPI) -> None:
    """Without a session a form is refused before anything is looked at."""
    from starlette.testclient import TestClient

    with TestClient(api_server, base_url="http://localhost") as client:
        assert client.post("/backmarket/variables/backmarket_enabled", data={"value": "true"}).status_code == 401
    assert stored("backmarket_enabled") is None


def test_who_may_see_no_dag_run_sees_nothing(
    signed_in: SignIn, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin view alone is not enough."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", lambda *_, **__: False)
    viewer = signed_in("viewer")
    for path in ("", "orders/1", "orders", "listings", "search?q=1", "skus/A", "needs/late"):
        answer = viewer.get(f"/backmarket/{path}")
        assert answer.status_code == 403
        assert "Orders in" not in answer.text
        assert "Ask your Airflow administrator" in answer.text
    assert viewer.post("/backmarket/variables/backmarket_enabled", data={"value": "true"}).status_code == 403


def test_a_reader_of_one_dag_sees_that_one(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, charts and stories of other DAGs stay away."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    add_orders(warehouse, 10)
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_account"
    )
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/")
    assert page.status_code == 200
    assert "Orders in" not in page.text
    assert "Orders per day" not in page.text
    assert "Settlement reports" not in page.text
    assert viewer.get("/backmarket/orders/1").status_code == 403
    assert viewer.get("/backmarket/skus/SKU-1").status_code == 403


def test_a_switch_writes_the_variable(signed_in: SignIn, warehouse_uri: str) -> None:
    """On and off again; the audit log knows who."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    op = signed_in("op", "olivia")
    page = op.get("/backmarket/").text
    assert 'aria-checked="false"' in switch(page, "backmarket_order_download")
    for wanted in ("true", "false"):
        answer = op.post(
            "/backmarket/variables/backmarket_order_download", data={"value": wanted, "csrf": form_token(page)}
        )
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/backmarket/#")
        page = op.get("/backmarket/").text
        assert f'aria-checked="{wanted}"' in switch(page, "backmarket_order_download")
        assert stored("backmarket_order_download") == wanted
    with create_session() as session:
        noted = session.scalars(select(Log.extra).where(Log.owner == "olivia")).all()
    assert "backmarket_order_download set to 'true'" in noted


def test_a_description_survives_aswitch(signed_in: SignIn, warehouse_uri: str) -> None:
    """What a person wrote about the Variable stays."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        Variable.set("backmarket_enabled", "false", description="ask Ada first", session=session)
    op = signed_in("op")
    token = form_token(op.get("/backmarket/").text)
    op.post("/backmarket/variables/backmarket_enabled", data={"value": "true", "confirmed": "yes", "csrf": token})
    with create_session() as session:
        found = session.scalars(select(Variable).where(Variable.key == "backmarket_enabled")).one()
        assert (found.val, found.description) == ("true", "ask Ada first")


@pytest.mark.parametrize("token", ["", "forged", "someone else's", "another secret's"])
def test_a_form_of_another_site_changes_nothing(signed_in: SignIn, warehouse_uri: str, token: str) -> None:
    """A form counts only with a token that was signed here, for this very user."""
    from itsdangerous import URLSafeTimedSerializer

    if token == "someone else's":
        token = form_token(signed_in("op", "mallory").get("/backmarket/").text)
    elif token == "another secret's":
        token = URLSafeTimedSerializer("guessed", salt="backmarket-page").dumps("op")
    answer = signed_in("op").post("/backmarket/variables/backmarket_enabled", data={"value": "true", "csrf": token})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert stored("backmarket_enabled") is None


@pytest.mark.parametrize(("role", "may_switch"), [("viewer", False), ("user", False), ("op", True), ("admin", True)])
def test_who_may_edit_variables_may_switch(signed_in: SignIn, warehouse_uri: str, role: str, may_switch: bool) -> None:
    """Every role of Airflow's may look; switching is for those who may edit Variables under Admin, too."""
    person = signed_in(role)
    page = person.get("/backmarket/").text
    assert ("You can look here" in page) is not may_switch
    for key, value in (("backmarket_order_download", "true"), ("backmarket_safety_qty", "2")):
        answer = person.post(f"/backmarket/variables/{key}", data={"value": value, "csrf": form_token(page)})
        assert answer.status_code == (303 if may_switch else 403)
        assert stored(key) == (value if may_switch else None)


def test_every_form_is_protected(signed_in: SignIn, warehouse_uri: str) -> None:
    """Each form that writes carries the token, and none is taken without it."""
    op = signed_in("op")
    page = op.get("/backmarket/").text
    forms = re.findall(r'<form method="post" action="([^"]+)".*?</form>', page, flags=re.DOTALL)
    assert len(forms) == 21
    assert page.count('name="csrf"') == len(forms)
    for address in forms:
        assert op.post(address, data={"value": "true"}).status_code == 403
        assert stored(address.rpartition("/")[2]) is None


def test_a_viewer_sees_switches_and_cannot_use_them(signed_in: SignIn, warehouse_uri: str) -> None:
    """Neither by the button, which is disabled, nor by a request with a valid token."""
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    assert "disabled" in switch(page, "backmarket_enabled")
    answer = viewer.post("/backmarket/variables/backmarket_enabled", data={"value": "true", "csrf": form_token(page)})
    assert answer.status_code == 403
    assert "right to edit" in answer.text
    assert stored("backmarket_enabled") is None


def test_a_variable_of_the_environment_is_read_only(
    signed_in: SignIn, warehouse_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Airflow's database says would not be read, so writing it would only mislead."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "yes")
    op = signed_in("op")
    page = op.get("/backmarket/").text
    button = switch(page, "backmarket_enabled")
    assert "disabled" in button
    assert 'aria-checked="true"' in button
    assert "Set by environment" in button
    answer = op.post("/backmarket/variables/backmarket_enabled", data={"value": "false", "csrf": form_token(page)})
    assert answer.status_code == 409
    assert stored("backmarket_enabled") is None
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SAFETY_QTY", "4")
    page = op.get("/backmarket/").text
    (field,) = re.findall(r'<input id="backmarket_safety_qty-value"[^>]*>', page)
    assert 'value="4"' in field
    assert "disabled" in field


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
    token = form_token(op.get("/backmarket/").text)
    answer = op.post(f"/backmarket/variables/{key}", data={"value": value, "csrf": token})
    assert answer.status_code == status
    assert stored(key) is None


def test_a_variable_that_cannot_be_understood_is_shown(signed_in: SignIn, warehouse_uri: str) -> None:
    """The run would fail on it, so the row says what is wrong."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        Variable.set("backmarket_order_download", "perhaps", session=session)
    page = signed_in("viewer").get("/backmarket/").text
    assert "backmarket_order_download holds" in page
    assert "true, false, yes, no, on, off, 1 or 0" in page
