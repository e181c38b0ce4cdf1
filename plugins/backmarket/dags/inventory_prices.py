"""
### Quantities and prices out

Every 15 minutes, and as soon as orders changed, shows on Back Market what is sellable, at the prices you want.

**Switches** (Admin → Variables): `backmarket_enabled`, then `backmarket_inventory_upload` and
`backmarket_prices_upload`, each for itself. `backmarket_dry_run` plans and records, and sends nothing.

**A run** reads all listings, takes off your count what it cannot know of (orders not taken in yet, and sales that
nobody can see yet), and sends only what differs: stock-outs first. Quantities and prices do not depend on each other;
quantities wait for the offers of all markets to be read, ten minutes at most for 100,000 of them. The arithmetic of
each SKU stands in `backmarket.inventory`, each write in `backmarket.changes`, what you should know in
`backmarket.inventory_findings`.

**Large price moves** wait for a person (DAG `backmarket_price_approval`) and hold nothing else up.

**When `upload_summary` fails**, the stock feed would take too many listings offline at once. They are left as they
are. Repair the feed, or trigger the DAG with `allow_mass_zero` if it is right. `inventory_check` and `prices_check`
name single rows, listings and markets that could not be dealt with, and a table of yours that cannot be used: all
others are done. Clearing any task is safe.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, TaskGroup

from backmarket.assets import asset
from backmarket.concerns import INVENTORY_PRICES
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.inventory_prices import (
    BackMarketInventoryAnnouncementOperator,
    BackMarketInventoryListingRefreshOperator,
    BackMarketInventoryPlanOperator,
    BackMarketInventoryUploadOperator,
    BackMarketOfferRefreshOperator,
    BackMarketPriceBatchResultsOperator,
    BackMarketPriceQuestionOperator,
    BackMarketPricesPlanOperator,
    BackMarketPricesUploadOperator,
    BackMarketUploadSummaryOperator,
)
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


# Quantities wait for these, or those of the next run do: what fails, that one does again anyway.
ONCE: dict[str, Any] = {"retries": 0}


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        INVENTORY_PRICES,
        doc_md=__doc__,
        tags=("inventory", "prices"),
        assets=asset("orders", account.name) | asset("price_answers", account.name),
        params={
            "allow_mass_zero": Param(False, type="boolean", title="Take as many listings offline as the stock says")
        },
    ) as dag:
        inventory_gate = BackMarketGateOperator(task_id="inventory_upload_gate", toggle="inventory_upload")
        prices_gate = BackMarketGateOperator(task_id="prices_upload_gate", toggle="prices_upload")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")
        check = {"documents": "listings", "trigger_rule": "all_done"}

        # Each side waits for the other where that saves requests; its turn comes however the other ended.
        with TaskGroup("plan_quantities", prefix_group_id=False):
            listing_refresh = BackMarketInventoryListingRefreshOperator(task_id="listing_refresh")
            inventory_plan = BackMarketInventoryPlanOperator(task_id="inventory_plan")
        with TaskGroup("plan_prices", prefix_group_id=False):
            home_is_read = turn("home_is_read", "prices_upload")
            offer_refresh = BackMarketOfferRefreshOperator(task_id="offer_refresh", **ONCE)
            prices_plan = BackMarketPricesPlanOperator(
                task_id="prices_plan", execution_timeout=timedelta(minutes=10), **ONCE
            )
            questions = BackMarketPriceQuestionOperator(task_id="ask_for_price_approval")
        with TaskGroup("send_quantities", prefix_group_id=False):
            prices_are_planned = turn("prices_are_planned", "inventory_upload")
            inventory_upload = BackMarketInventoryUploadOperator(task_id="inventory_upload")
            summary = BackMarketUploadSummaryOperator(
                task_id="upload_summary", trigger_rule="none_failed_min_one_success"
            )
            counts = [listing_refresh.output, inventory_plan.output, inventory_upload.output]
            BackMarketItemsCheckOperator(task_id="inventory_check", counts=counts, **check)
            BackMarketInventoryAnnouncementOperator(task_id="announce_inventory", counts=[inventory_upload.output])
        with TaskGroup("send_prices", prefix_group_id=False):
            quantities_are_sent = turn("quantities_are_sent", "prices_upload")
            prices_upload = BackMarketPricesUploadOperator(task_id="prices_upload")
            price_batches = BackMarketPriceBatchResultsOperator(task_id="price_batch_results", deferrable=True, **ONCE)
            counts = [offer_refresh.output, prices_plan.output, prices_upload.output]
            BackMarketItemsCheckOperator(task_id="prices_check", counts=counts, **check)

        [inventory_gate, prices_gate] >> prepare
        [inventory_gate, prepare] >> listing_refresh >> [inventory_plan, home_is_read]
        [prices_gate, prepare, home_is_read] >> offer_refresh >> prices_plan >> [questions, prices_are_planned]
        [inventory_plan, prices_are_planned] >> inventory_upload >> quantities_are_sent
        [inventory_plan, inventory_upload] >> summary
        [prices_plan, quantities_are_sent] >> prices_upload >> price_batches
    return dag


def turn(task_id: str, toggle: str) -> BackMarketGateOperator:
    """Return a task that opens once all tasks before it are over, for a concern that is on."""
    return BackMarketGateOperator(task_id=task_id, toggle=toggle, trigger_rule="all_done")
