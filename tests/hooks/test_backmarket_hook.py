"""A connection, as a person makes it, becomes a client, and says what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from backmarket.api.markets import MARKETS
from backmarket.environment import NoConnectionError
from backmarket.hooks.backmarket import BackMarketHook, ConnectionFormError
from backmarket.provider_info import get_provider_info
from tests.api.hostile_server import HostileServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox

TOKEN = "bm-secret-token-123"
AGENT = "BM-Acme-Tests;tests@acme.fr"
COPIED = "BM-YourCompany-Airflow;you@yourcompany.com"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., BackMarketHook]:
    """Make ``backmarket_default`` of some fields, as JSON in the environment, and return its hook."""

    def make(**fields: Any) -> BackMarketHook:
        whole = {
            "conn_type": "backmarket",
            "host": "https://www.backmarket.fr",
            "password": TOKEN,
            "extra": {"market": "fr-fr", "user_agent": AGENT},
            **fields,
        }
        monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", json.dumps(whole))
        return BackMarketHook(warehouse_conn_id=None)

    return make


@pytest.mark.parametrize(
    ("host", "base_url", "platform"),
    [
        ("https://www.backmarket.fr", "https://www.backmarket.fr", "EU"),
        ("https://www.backmarket.fr/", "https://www.backmarket.fr", "EU"),
        ("www.backmarket.fr", "https://www.backmarket.fr", "EU"),
        ("https://preprod.backmarket.fr", "https://preprod.backmarket.fr", "EU"),
        ("http://127.0.0.1:8901", "http://127.0.0.1:8901", "EU"),
    ],
)
def test_the_host_is_the_platform(
    connection: Callable[..., BackMarketHook], host: str, base_url: str, platform: str
) -> None:
    """People write the address with and without scheme; a port in its own field is ignored beside a URL."""
    config = connection(host=host, port=443).config
    assert (config.base_url, config.platform) == (base_url, platform)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"host": None}, "Platform must be a scheme and a host"),
        ({"host": "https://www.example.com"}, "Platform is not an address of Back Market's"),
        ({"host": "http://www.backmarket.fr"}, "https"),
        ({"password": None}, "Token must be one word"),
        ({"extra": {"market": "xx-xx", "user_agent": AGENT}}, "market"),
        ({"extra": {"market": "en-us", "user_agent": AGENT}}, "market"),
        ({"extra": {"market": "fr-fr"}}, "User agent must read BM-"),
        ({"extra": {"market": "fr-fr", "user_agent": "curl"}}, "BM-{Company}-{Integration};{email}"),
        ({"extra": {"market": "fr-fr", "user_agent": COPIED}}, "User agent names the company of an example"),
    ],
)
def test_a_wrong_field_is_named_and_the_token_is_not(
    connection: Callable[..., BackMarketHook], fields: dict[str, Any], named: str
) -> None:
    """The message is enough to correct the form, and never repeats what was typed as token."""
    with pytest.raises(ConnectionFormError) as error:
        _ = connection(**fields).config
    assert named in str(error.value)
    assert "backmarket_default" in str(error.value)
    assert "Correct it in the environment (AIRFLOW_CONN_BACKMARKET_DEFAULT)" in str(error.value)
    assert TOKEN not in repr(error.value)


@pytest.mark.parametrize(
    ("held", "what_to_do"),
    [
        (None, "There is no connection backmarket_default yet. Add it under Admin → Connections, type Back Market."),
        (
            '{"conn_type": "backmarket", "password": "bm-secret-token-123", ',
            r"\(AIRFLOW_CONN_BACKMARKET_DEFAULT\)\. JSON",
        ),
    ],
    ids=["missing", "cut off"],
)
def test_a_connection_that_airflow_does_not_give_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, held: str | None, what_to_do: str
) -> None:
    """In words of this project, which the alert and the page repeat; Airflow says of both that it is not defined."""
    if held is not None:
        monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", held)
    with pytest.raises(NoConnectionError, match=what_to_do) as failed:
        _ = BackMarketHook(warehouse_conn_id=None).config
    assert TOKEN not in str(failed.value)


def test_the_test_button_says_what_is_visible(sandbox: Sandbox, connection: Callable[..., BackMarketHook]) -> None:
    """One cheap read; the answer counts the orders."""
    hook = connection(host=sandbox.base_url, password=sandbox.token)
    valid, message = hook.test_connection()
    assert valid
    assert "orders are visible" in message
    (request,) = sandbox.journal()
    assert request["query"]["page-size"] == "1"


def test_the_test_button_makes_up_no_number(connection: Callable[..., BackMarketHook]) -> None:
    """Of a list that does not count itself, one order is not all that is visible."""
    with HostileServer() as server:
        server.answer(Reply({"next": f"{server.base_url}/ws/orders?page=2", "results": [{}]}))
        valid, message = connection(host=server.base_url, password=TOKEN).test_connection()
    assert valid
    assert "several orders are visible" in message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": TOKEN}, "Create a new token"),
        ({"password": None}, "Token must be one word of printable ASCII characters, as the Back Office shows it"),
        ({"extra": {"market": "fr-fr"}}, "User agent must read BM-"),
        ({"extra": {"market": "fr-fr", "user_agent": COPIED}}, "User agent names the company of an example"),
        ({"host": "http://127.0.0.1:9"}, "could not be reached"),
    ],
    ids=["revoked", "missing", "unnamed", "copied", "nobody there"],
)
def test_the_test_button_never_raises_and_never_shows_the_token(
    sandbox: Sandbox, connection: Callable[..., BackMarketHook], fields: dict[str, Any], words: str
) -> None:
    """Whatever is wrong, the button answers with a sentence."""
    valid, message = connection(**{"host": sandbox.base_url, **fields}).test_connection()
    assert not valid
    assert words in message
    assert TOKEN not in message
    # The button tries a copy under a name made up by Airflow.
    assert "backmarket_default" not in message


def test_airflow_knows_the_connection_type_and_its_form() -> None:
    """The installed package registers type ``backmarket`` with its own fields."""
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    form, runtime = cast("Any", ProvidersManager)(), cast("Any", ProvidersManagerTaskRuntime)()
    assert runtime.hooks["backmarket"].hook_name == "Back Market"
    assert {"extra__backmarket__market", "extra__backmarket__user_agent"} <= set(form.connection_form_widgets)


def test_the_form_stores_nothing_that_nobody_wrote() -> None:
    """Airflow stores a field's default from a section that nobody has opened; a field that must be filled has none."""
    (form,) = get_provider_info()["connection-types"]
    for name, field in form["conn-fields"].items():
        assert "default" not in field["schema"], name
        assert field["schema"]["type"] == "string", name
    assert form["conn-fields"]["market"]["schema"]["enum"] == list(MARKETS)


def test_the_limits_of_care_are_counted_where_all_workers_count(
    connection: Callable[..., BackMarketHook], warehouse: psycopg.Connection[Any]
) -> None:
    """In tables of the account, each made at the first request that it limits: a run of orders needs none of them."""
    tables = "select tablename from pg_tables where tablename like 'ratelimit%' order by 1"
    with HostileServer() as server:
        connection(host=server.base_url)
        with BackMarketHook() as client:
            server.answer(Reply({"count": 0, "next": None, "results": []}))
            client.count_orders()
            before = warehouse.execute(tables).fetchall()
            list(client.moving_care_folders().pages())
            client.create_refund(7, 4)
            after = warehouse.execute(tables).fetchall()
    assert before == [("ratelimit___default_catalog",), ("ratelimit___default_general",)]
    own = {("ratelimit___default_care_list",), ("ratelimit___default_care_refund",)}
    assert set(after) - set(before) == own
