"""
### Tracking, IMEIs and serial numbers out

Every fifteen minutes, ships the orders that have a row in `seller.shipments` and registers what `seller.devices` says.

**Switches** (Admin → Variables): `backmarket_enabled`, and separately `backmarket_tracking_upload` and
`backmarket_imei_update`. `backmarket_dry_run` plans and records everything and sends nothing.

**A run** first finds out what became of changes whose answer was lost, then plans anew from the tables. Each change is
written to `backmarket.changes`, sent once and read back. A tracking number never waits for an identifier, unless
`backmarket_require_imei` says so.

**Late orders** turn no run red: `ship_by_alert` lists them and tells people, where `backmarket_alert_conn_id` says how.

**When it fails:** `quarantine_check` fails when single orders could not be read, `tracking_check` and `imei_check` when
rows of your tables newly cannot be used: all others are done. Any other task says in its last lines what happened and
what to do. Clear a task to repeat it; nothing is ever sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import TaskGroup

from backmarket.concerns import TRACKING_IMEI
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.operators.tracking_imei import (
    BackMarketImeiUpdateOperator,
    BackMarketShipByAlertOperator,
    BackMarketShipmentAnnouncementOperator,
    BackMarketShipmentOrderRefreshOperator,
    BackMarketTrackingUploadOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(account, TRACKING_IMEI, doc_md=__doc__, tags=("orders", "tracking")) as dag:
        tracking_gate = BackMarketGateOperator(task_id="tracking_upload_gate", toggle="tracking_upload")
        imei_gate = BackMarketGateOperator(task_id="imei_update_gate", toggle="imei_update")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")

        with TaskGroup("unknown_orders", prefix_group_id=False):
            refresh = BackMarketShipmentOrderRefreshOperator(task_id="shipment_order_refresh")
            BackMarketItemsCheckOperator(task_id="quarantine_check", counts=[refresh.output])

        # Each write reads its order itself, so its turn comes however the refresh ended.
        with TaskGroup("tracking", prefix_group_id=False):
            parcels_turn = BackMarketGateOperator(
                task_id="parcels_turn", toggle="tracking_upload", trigger_rule="all_done"
            )
            tracking = BackMarketTrackingUploadOperator(task_id="tracking_upload")
            BackMarketItemsCheckOperator(task_id="tracking_check", counts=[tracking.output])
            BackMarketShipmentAnnouncementOperator(task_id="announce_shipments", counts=[tracking.output])

        with TaskGroup("identifiers", prefix_group_id=False):
            devices_turn = BackMarketGateOperator(task_id="devices_turn", toggle="imei_update", trigger_rule="all_done")
            imei = BackMarketImeiUpdateOperator(task_id="imei_update")
            BackMarketItemsCheckOperator(task_id="imei_check", counts=[imei.output])

        # It comes whatever became of the uploads, so it cannot tell of their failure: their checks do.
        alert = BackMarketShipByAlertOperator(task_id="ship_by_alert", trigger_rule="all_done")

        [tracking_gate, imei_gate] >> prepare >> refresh >> [parcels_turn, devices_turn]
        [tracking_gate, prepare, parcels_turn] >> tracking >> alert
        [imei_gate, prepare, devices_turn] >> imei >> alert
    return dag
