"""Which place holds a connection or a Variable, and what is said of Variables that nobody reads."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow.secrets.metastore import MetastoreBackend

from backmarket import sources
from backmarket.sources import Unread, unread_variables


class VaultBackend:
    """A secrets backend of older style, which gives connections whole."""

    def get_conn_value(self, conn_id: str) -> str | None:
        raise NotImplementedError

    def get_connection(self, conn_id: str) -> object | None:
        return object() if conn_id == "backmarket_warehouse" else None

    def get_variable(self, key: str) -> str | None:
        return "5" if key == "backmarket_us__max_qty" else None


def _backends() -> list[Any]:
    return [VaultBackend(), EnvironmentVariablesBackend(), MetastoreBackend()]


def test_each_place_is_named_and_airflows_own_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never with a value: a Variable may hold an address with a password in it."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_US", "backmarket://s3cr3t@example.com")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "s3cr3t")
    stored = {"backmarket_enabled", "backmarket_us__safety_qty", "somebody_elses"}
    told = sources.sentences("us", ["backmarket_us", "backmarket_warehouse", "backmarket_more"], _backends(), stored)
    elsewhere = "what Admin → Connections says of it does not count"
    no_change, stored_too = "where Admin → Variables changes nothing", "(Airflow stores another, which does not count)"
    assert told == [
        f"Connection backmarket_us comes from the environment (AIRFLOW_CONN_BACKMARKET_US): {elsewhere}.",
        f"Connection backmarket_warehouse comes from the VaultBackend: {elsewhere}.",
        "Connection backmarket_more comes from Airflow (Admin → Connections).",
        f"Variables from the environment, {no_change}: backmarket_enabled {stored_too}.",
        "Variables from Airflow (Admin → Variables): backmarket_us__safety_qty.",
        f"Variables from the VaultBackend, {no_change}: backmarket_us__max_qty.",
    ]


class SealedBackend(VaultBackend):
    """A secrets backend that is down."""

    def get_conn_value(self, conn_id: str) -> str | None:
        raise ConnectionError(conn_id)

    def get_variable(self, key: str) -> str | None:
        raise PermissionError(key)


def test_a_backend_that_is_down_is_passed_over_as_by_airflow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Tasks go on with the next place, so the page and the check of the account do."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "true")
    backends = [SealedBackend(), *_backends()]
    assert sources.variable_source("backmarket_enabled", backends) == ("true", "environment")
    assert sources.connection_source("backmarket_warehouse", backends) == "VaultBackend"
    assert "SealedBackend could not be asked for backmarket_enabled: PermissionError." in caplog.text


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("backmarket_orderdownload", "backmarket_order_download"),
        ("backmarket_us__maxqty", "backmarket_us__max_qty"),
        ("backmarket_us_max_qty", "backmarket_us__max_qty"),
        ("BackMarket_Enabled", "backmarket_enabled"),
        ("backmarket-enabled", "backmarket_enabled"),
        ("backmarket_jp__max_qty", "backmarket_us__max_qty"),
        ("backmarket_zzzzzzzz", ""),
    ],
)
def test_a_name_that_nobody_knows_is_told_with_the_nearest(key: str, nearest: str) -> None:
    """In any spelling; an account that there is not is a slip, too."""
    assert unread_variables([key, "backmarket_enabled", "backmarket_us__max_qty"], {"default", "us"}) == [
        Unread(key, nearest)
    ]


def test_variables_of_other_accounts_and_projects_are_no_slips() -> None:
    """A task knows no other account; what does not look like ours is somebody else's."""
    assert unread_variables(["backmarket_jp__max_qty", "marketing_enabled", "back_office"]) == []
    assert unread_variables(["backmarket_jp__maxqty"]) == [Unread("backmarket_jp__maxqty", "backmarket_jp__max_qty")]
