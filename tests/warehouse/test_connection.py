"""What goes wrong with the database is told in a sentence, and tells nobody's data."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse.connection import WarehouseUnavailableError, connect
from backmarket.warehouse.orders import UnstorableValueError, hiding_values

if TYPE_CHECKING:
    import psycopg


def test_a_database_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the connection and what to check, and not the password."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:secret-word@127.0.0.1:9/db")
    with pytest.raises(WarehouseUnavailableError) as error, connect():
        pass
    assert "backmarket_warehouse" in str(error.value)
    assert "secret-word" not in str(error.value)


@pytest.mark.parametrize("slip", ["sslmod=require", "connect_timeout=soon"])
def test_an_extra_field_that_the_driver_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch, slip: str) -> None:
    """It is a slip in the connection like any other."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", f"postgres://user:secret-word@127.0.0.1:9/db?{slip}")
    with pytest.raises(WarehouseUnavailableError, match=f"{slip.partition('=')[0]}.*extra fields"), connect():
        pass


def test_a_refused_value_is_not_repeated(warehouse: psycopg.Connection[Any]) -> None:
    """PostgreSQL quotes the value it refuses; the log must not."""
    with pytest.raises(UnstorableValueError, match="22P02") as error, hiding_values("somewhere"):
        warehouse.execute("select 'Victor Hugo'::integer")
    assert "Victor" not in "".join(traceback.format_exception(error.value))
