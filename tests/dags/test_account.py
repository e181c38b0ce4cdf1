"""``backmarket_account``: what a new user runs first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow import sdk
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.api.errors import ServerError
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.warehouse.accounts import MOST_THINGS_SHOWN
from tests.dags.conftest import needs_retry_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.dag_processing.dagbag import DagBag

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def _check(uri: str) -> tuple[object, ...] | None:
    with psycopg.connect(uri) as database:
        return database.execute("select platform, token_valid, check_details from backmarket.accounts").fetchone()


def test_it_tells_what_is_visible_with_every_toggle_off(
    connected: Sandbox, run_dag: Callable[..., Run], warehouse_uri: str
) -> None:
    """Orders, listings of each of the platform's markets, and the time a call takes; nothing is written."""
    run = run_dag("backmarket_account")
    assert run.state == "success"
    found = run.xcoms["account_check"]
    listed = [order for order in connected.orders() if order["state"] not in {0, 8}]
    assert found["platform"] == "EU"
    assert found["orders"] == len(listed)
    assert set(found["listings"]) | set(found["refused"]) >= {"fr-fr", "de-de", "en-gb", "sv-se"}
    assert found["milliseconds_a_call"] >= 0
    assert [request for request in connected.journal() if request["method"] != "GET"] == []
    row = _check(warehouse_uri)
    assert row is not None
    assert row[:2] == ("EU", True)


def test_it_tells_where_things_come_from_and_which_variables_nobody_reads(
    connected: Sandbox,
    run_dag_in_airflow: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The environment wins over what Airflow stores; a slip in a name would go unnoticed for ever."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "true")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDERDOWNLOAD", "true")
    for key in ("backmarket_enabled", "backmarket_safety_qty", "backmarket_us__maxqty"):
        Variable.set(key, "0")
    try:
        run = run_dag_in_airflow("backmarket_account")
    finally:
        with create_session() as session:
            session.execute(delete(Variable))
    told = "".join(capfd.readouterr())
    assert "Connection backmarket_default comes from the environment (AIRFLOW_CONN_BACKMARKET_DEFAULT)" in told
    assert "Nobody reads Variable backmarket_orderdownload. Did you mean backmarket_order_download?" in told
    if hasattr(sdk.Variable, "keys"):
        assert "backmarket_enabled (Airflow stores another, which does not count)" in told
        assert "Variables from Airflow (Admin → Variables): backmarket_safety_qty." in told
        assert "Did you mean backmarket_us__max_qty?" in told
        unread = ["backmarket_orderdownload", "backmarket_us__maxqty"]
        assert run.xcoms["account_check"]["unread_variables"] == unread


def test_a_market_that_fails_is_named_and_the_others_are_counted(
    connected: Sandbox, run_dag: Callable[..., Run]
) -> None:
    """Whatever it answers."""
    connected.fault("500", market="de-de", times=None)
    run = run_dag("backmarket_account")
    assert run.state == "success"
    found = run.xcoms["account_check"]
    assert "de-de" in found["refused"]
    assert {"fr-fr", "en-gb"} <= set(found["listings"])


@needs_retry_policy
def test_a_revoked_token_fails_at_once_and_is_noted(
    connected: Sandbox, run_dag: Callable[..., Run], warehouse_uri: str
) -> None:
    """No retry; the account is known to need a new token."""
    connected.fault("401", times=None)
    run = run_dag("backmarket_account")
    assert run.tasks["account_check"] == "failed"
    assert len(connected.journal()) == 1
    row = _check(warehouse_uri)
    assert row is not None
    assert row[1] is False


def test_back_market_being_away_is_no_verdict_on_the_token(
    connected: Sandbox, run_dag: Callable[..., Run], warehouse_uri: str
) -> None:
    """A firewall page fails the run but does not mark the token invalid."""
    connected.fault("firewall_403", times=None)
    assert run_dag("backmarket_account").tasks["account_check"] == "failed"
    row = _check(warehouse_uri)
    assert row is not None
    assert row[1] is None


def test_a_renewed_token_is_taken_over_though_back_market_fails_on_some_orders(
    connected: Sandbox, run_dag: Callable[..., Run], switch_on: Callable[..., None], warehouse_uri: str
) -> None:
    """Any one that it shows is enough; where it shows none and fails on one, that is no verdict on the token."""
    switch_on("order_download")
    run_dag("backmarket_orders")
    with psycopg.connect(warehouse_uri, autocommit=True) as database:
        known = database.execute(
            "select order_id from backmarket.orders order by coalesce(date_modification, read_at) desc limit %s",
            [MOST_THINGS_SHOWN],
        ).fetchall()
        database.execute("update backmarket.accounts set token_fingerprint = 'an older one'")
    prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse")
    for (order_id,) in known:
        connected.fault("500", order_id=order_id, times=None)
    with pytest.raises(ServerError):
        prepare.execute({})
    connected.clear_faults()
    for (order_id,) in known[:-1]:
        connected.fault("500", order_id=order_id, times=None)
    assert prepare.execute({}) == []


@pytest.mark.parametrize(("dag_id", "run_type"), [("backmarket_alerts", "manual"), ("backmarket_account", "scheduled")])
def test_while_the_main_switch_is_off_nothing_is_asked(
    connected: Sandbox, run_dag: Callable[..., Run], dag_bag: DagBag, warehouse_uri: str, dag_id: str, run_type: str
) -> None:
    """Not even whether a renewed token shows what is stored, which ``prepare_warehouse`` asks before all else."""
    with psycopg.connect(warehouse_uri, autocommit=True) as database:
        assert run_dag("backmarket_account").state == "success"
        database.execute("update backmarket.accounts set token_fingerprint = 'an older one'")
    asked = len(connected.journal())
    prepare: Any = dag_bag.dags[dag_id].get_task("prepare_warehouse")
    with pytest.raises(AirflowSkipException, match="backmarket_enabled is off"):
        prepare.execute({"dag_run": SimpleNamespace(run_type=run_type)})
    assert len(connected.journal()) == asked
