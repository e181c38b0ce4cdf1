"""The asset of shipments tells of every parcel at least once, however the task that sent it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def test_what_went_is_told_though_another_failed(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run], database: psycopg.Connection[Any]
) -> None:
    """One parcel goes, one cannot: the run is red and tells of the first; the next one tells of the second alone."""
    switch_on("tracking_upload", ship_by_alert_hours=-1_000_000)
    lines = [{"sku": "ANNOUNCED", "state": 2}]
    healthy, sick = (connected.create_order(lines=lines, force=True)["order_id"] for _ in range(2))
    for order_id in (healthy, sick):
        database.execute(
            b"insert into seller.shipments (order_id, tracking_number) values (%s, %s)", [order_id, f"6X{order_id}"]
        )
    connected.fault("500", method="POST", path_prefix=f"/ws/orders/{sick}", times=None)
    run = run_dag("backmarket_tracking_imei")
    assert (run.state, run.tasks["tracking_upload"]) == ("failed", "failed")
    assert run.xcoms["announce_shipments"] == {"confirmed": 1, "refused": 0}
    connected.clear_faults()
    run = run_dag("backmarket_tracking_imei")
    assert run.state == "success"
    assert run.xcoms["announce_shipments"]["confirmed"] == 1
    assert run_dag("backmarket_tracking_imei").tasks["announce_shipments"] == "skipped"
    switch_on(tracking_upload=False)
    assert run_dag("backmarket_tracking_imei").tasks["announce_shipments"] == "skipped"
