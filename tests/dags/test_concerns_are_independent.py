"""No concern stands in another's way: whatever fails in one, all others do their work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.operators.gate import BackMarketGateOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    import psycopg
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

DAGS_WITH_SEVERAL_TOGGLES = {
    "backmarket_orders": {"order_download", "order_acceptance"},
    "backmarket_listings": {"active_listing_download", "listing_creation", "product_creation"},
    "backmarket_inventory_prices": {"inventory_upload", "prices_upload"},
    "backmarket_backbox": {"backbox_download", "repricing"},
    "backmarket_price_approval": {"prices_upload", "repricing"},
    "backmarket_tracking_imei": {"tracking_upload", "imei_update"},
    "backmarket_after_sales": {"care_download", "returns_download", "refund_upload", "invoice_upload"},
}


def _gates(dag: DAG) -> dict[str, str]:
    """Return each toggle's gate."""
    gates = [task for task in dag.tasks if isinstance(task, BackMarketGateOperator) and not task.upstream_task_ids]
    return {task.toggle: task.task_id for task in gates}


def _states(dag: Any, *, skipped: Collection[str] = (), failed: Collection[str] = ()) -> dict[str, str]:
    """Walk the DAG as Airflow would, with some tasks skipping or failing once they run; return each task's state."""
    states: dict[str, str] = {}
    for task in dag.topological_sort():
        above = [states[each] for each in task.upstream_task_ids]
        state = _state_by_rule(task.trigger_rule.value, above)
        if state == "success":
            state = "failed" if task.task_id in failed else "skipped" if task.task_id in skipped else state
        states[task.task_id] = state
    return states


def _state_by_rule(rule: str, above: list[str]) -> str:
    """Return what a task's trigger rule makes of the states above it; ``success``: it runs."""
    has_failed = any(state in {"failed", "upstream_failed"} for state in above)
    if rule == "all_done" or not above:
        return "success"
    if rule == "all_success":
        return "upstream_failed" if has_failed else "skipped" if "skipped" in above else "success"
    if rule == "one_success":
        return "success" if "success" in above else "upstream_failed" if has_failed else "skipped"
    if rule == "none_failed_min_one_success":
        return "upstream_failed" if has_failed else "success" if "success" in above else "skipped"
    if rule == "all_done_min_one_success":
        return "success" if "success" in above else "skipped"
    raise AssertionError(f"this test does not know the trigger rule {rule}")


def _own_tasks(dag: DAG, toggle: str) -> set[str]:
    """Return the tasks that run where a toggle is the only one that is on."""
    others = [task.task_id for task in dag.tasks if isinstance(task, BackMarketGateOperator) and task.toggle != toggle]
    return {task_id for task_id, state in _states(dag, skipped=others).items() if state == "success"}


@pytest.mark.parametrize("dag_id", sorted(DAGS_WITH_SEVERAL_TOGGLES))
def test_no_toggle_stands_in_anothers_way(dag_bag: DagBag, dag_id: str) -> None:
    """Let every task of every other toggle fail, all together and one by one: a toggle's own tasks still run."""
    dag: Any = dag_bag.dags[dag_id]
    assert set(_gates(dag)) == DAGS_WITH_SEVERAL_TOGGLES[dag_id]
    for toggle, gate in _gates(dag).items():
        own = _own_tasks(dag, toggle)
        assert {gate, toggle if toggle in dag.task_ids else gate} <= own
        foreign = {task for other in _gates(dag) if other != toggle for task in _own_tasks(dag, other)} - own
        assert foreign
        for failing in [foreign, *({each} for each in foreign)]:
            states = _states(dag, failed=failing)
            assert {each for each in own if states[each] != "success"} == set(), (toggle, failing)


def test_every_toggle_is_looked_at(dag_bag: DagBag) -> None:
    """A DAG with a second toggle is judged, too."""
    several = {dag_id: set(_gates(dag)) for dag_id, dag in dag_bag.dags.items() if len(_gates(dag)) > 1}
    assert several == DAGS_WITH_SEVERAL_TOGGLES


@pytest.mark.parametrize(
    ("dag_id", "reading", "writing"),
    [
        ("backmarket_orders", "order_download", "order_acceptance"),
        ("backmarket_orders", "order_download", "open_order_refresh"),
        ("backmarket_orders", "paid_order_refresh", "order_acceptance"),
        ("backmarket_tracking_imei", "shipment_order_refresh", "tracking_upload"),
        ("backmarket_tracking_imei", "shipment_order_refresh", "imei_update"),
        ("backmarket_after_sales", "refund_order_refresh", "refund_upload"),
        ("backmarket_settlements", "settlement_order_read", "reconciliation"),
    ],
)
def test_a_reading_that_fails_holds_no_writing_up_and_turns_the_run_red(
    dag_bag: DagBag, dag_id: str, reading: str, writing: str
) -> None:
    """What is written does not need all that was to be read; Airflow judges a run by its last tasks."""
    dag: Any = dag_bag.dags[dag_id]
    states = _states(dag, failed=[reading])
    assert states[writing] == "success"
    assert {states[task.task_id] for task in dag.leaves} & {"failed", "upstream_failed"}


def test_personal_data_is_forgotten_whatever_is_on_and_however_it_went(dag_bag: DagBag) -> None:
    """No task and no toggle keeps it."""
    dag: Any = dag_bag.dags["backmarket_orders"]
    others = [each for each in dag.task_ids if each != "purge_personal_data"]
    for states in (_states(dag, failed=others), _states(dag, skipped=others)):
        assert states["purge_personal_data"] == "success"


SLIPS_OF_OTHERS: list[tuple[str, str, dict[str, str]]] = [
    (
        "backmarket_orders",
        "order_download",
        {"stock_max_age_hours": "abc", "order_acceptance": "perhaps", "pii_retention_days": "abc", "markets": "France"},
    ),
    (
        "backmarket_orders",
        "order_acceptance",
        {"order_download": "perhaps", "initial_lookback_days": "abc", "safety_qty": "two", "markets": "France"},
    ),
    (
        "backmarket_inventory_prices",
        "inventory_upload",
        {"price_change_limit_pct": "30%", "prices_upload": "perhaps", "markets": "France", "order_acceptance": "?"},
    ),
    (
        "backmarket_inventory_prices",
        "prices_upload",
        {"inventory_upload": "perhaps", "safety_qty": "two", "stock_max_age_hours": "abc", "zero_guard_pct": "all"},
    ),
    (
        "backmarket_inventory_prices",
        "prices_upload",
        {"price_approval_hours": "0", "repricing": "perhaps", "commission_pct": "all"},
    ),
    (
        "backmarket_backbox",
        "repricing",
        {"prices_upload": "perhaps", "backbox_download": "perhaps", "price_approval_hours": "0", "safety_qty": "two"},
    ),
    (
        "backmarket_tracking_imei",
        "tracking_upload",
        {"imei_update": "perhaps", "device_resale_days": "a year", "phone_titles": "*phone*", "safety_qty": "two"},
    ),
    (
        "backmarket_tracking_imei",
        "imei_update",
        {"tracking_upload": "perhaps", "phone_titles": "(", "require_imei": "perhaps", "markets": "France"},
    ),
    (
        "backmarket_listings",
        "active_listing_download",
        {"dry_run": "perhaps", "listing_creation": "perhaps", "product_creation": "perhaps"},
    ),
    (
        "backmarket_listings",
        "listing_creation",
        {"markets": "France", "product_creation": "perhaps", "active_listing_download": "perhaps"},
    ),
    (
        "backmarket_after_sales",
        "care_download",
        {"returns_download": "perhaps", "refund_approval_above": "much", "invoice_pattern": "*", "dry_run": "perhaps"},
    ),
    (
        "backmarket_after_sales",
        "refund_upload",
        {"care_lookback_days": "long", "returns_lookback_days": "long", "invoice_upload": "perhaps", "markets": "?"},
    ),
    (
        "backmarket_settlements",
        "settlement_download",
        {"settlement_tolerance": "a cent", "settlement_due_days": "soon", "dry_run": "perhaps", "markets": "France"},
    ),
]


@pytest.mark.parametrize(("dag_id", "toggle", "slips"), SLIPS_OF_OTHERS, ids=lambda value: str(value)[:40])
def test_a_slip_in_anothers_variable_stops_nothing(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    dag_id: str,
    toggle: str,
    slips: dict[str, str],
    tmp_path: Path,
) -> None:
    """Each task reads only its own Variables, and a gate only its two toggles."""
    switch_on(toggle, **slips, ship_by_alert_hours=-1_000_000, settlement_inbox=tmp_path.as_uri())
    run = run_dag(dag_id)
    assert run.tasks[f"{toggle}_gate"] == "success"
    assert run.tasks[toggle] == "success", run.tasks
    assert run.tasks.get(f"{toggle}_upload", "success") == "success", run.tasks


def test_a_slip_in_its_own_variable_stops_the_concern_alone(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """Acceptance says what is wrong with its Variable; orders come in all the same, and the run is red."""
    switch_on("order_download", "order_acceptance", stock_max_age_hours="abc")
    run = run_dag("backmarket_orders")
    assert run.tasks["order_download"] == "success"
    assert run.tasks["order_acceptance"] == "failed"
    assert run.state == "failed"
    assert database.execute("select count(*) from backmarket.orders").fetchone() != (0,)
