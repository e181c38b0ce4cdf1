"""
### Listings in, new listings and products out

Every hour, reads every listing in every market into PostgreSQL, and puts on sale what `seller.catalog` has more.

**Switches** (Admin → Variables): `backmarket_enabled`, and each on its own: `backmarket_active_listing_download`,
`backmarket_listing_creation`, `backmarket_product_creation`. With `backmarket_dry_run` all is checked and planned,
and nothing is sent.

**In:** each market of `backmarket_markets` is read to its end, in a task of its own. A listing that a complete read
does not hold is marked as gone; a short read marks nothing. Each change of a price, quantity or state is kept in
`backmarket.listing_offer_history`.

**Out:** rows of `seller.catalog` that have no listing are checked, sent in batches within the 2,000 SKU lines an
hour that Back Market allows, and read back. `backmarket.catalog_readiness` says of every SKU whether it is listed,
ready or refused, with all reasons. What Back Market refused is sent again once its row changes, or by a run with
`retry_refused`.

**When it fails:** the last lines of the failed task's log say what happened and what to do. Clear the task to
repeat it; that is always safe: nothing is sent twice, a lost answer is settled by reading back. `quarantine_check`
fails when documents could not be understood: all others are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param, TaskGroup

from backmarket.concerns import LISTINGS
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.listings import (
    BackMarketActiveListingDownloadOperator,
    BackMarketCategoryDownloadOperator,
    BackMarketListingAnnouncementOperator,
    BackMarketListingCreationCheckOperator,
    BackMarketListingCreationOperator,
    BackMarketListingCreationPlanOperator,
    BackMarketListingCreationResultsOperator,
    BackMarketMarketsOperator,
)
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG, XComArg

    from backmarket.rules.catalog import Kind
    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        LISTINGS,
        doc_md=__doc__,
        tags=("listings",),
        params={"retry_refused": Param(False, type="boolean", title="Try again what Back Market refused")},
    ) as dag:
        download_gate = BackMarketGateOperator(task_id="active_listing_download_gate", toggle="active_listing_download")
        listing_gate = BackMarketGateOperator(task_id="listing_creation_gate", toggle="listing_creation")
        product_gate = BackMarketGateOperator(task_id="product_creation_gate", toggle="product_creation")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")

        with TaskGroup("download", prefix_group_id=False):
            markets = BackMarketMarketsOperator(task_id="markets")
            download = BackMarketActiveListingDownloadOperator.partial(
                task_id="active_listing_download", map_index_template="{{ task.market }}"
            ).expand(market=markets.output)
            BackMarketListingAnnouncementOperator(
                task_id="announce_listings", counts=download.output, trigger_rule="all_done_min_one_success"
            )
            BackMarketItemsCheckOperator(task_id="quarantine_check", counts=download.output, documents="listings")
        with TaskGroup("new_listings", prefix_group_id=False):
            new_listings = creation("listing")
        with TaskGroup("new_products", prefix_group_id=False):
            categories = BackMarketCategoryDownloadOperator(task_id="category_download")
            categories >> creation("product", categories.output)

        [download_gate, listing_gate, product_gate] >> prepare
        [download_gate, prepare] >> markets
        [listing_gate, prepare] >> new_listings
        [product_gate, prepare] >> categories
    return dag


def creation(kind: Kind, *counts: XComArg) -> BackMarketListingCreationResultsOperator:
    """Settle what an earlier run left, check and plan, send, find out how it ended; and return the first of these."""
    stem = f"{kind}_creation"
    leftovers = BackMarketListingCreationResultsOperator(task_id=f"{stem}_leftovers", kind=kind, wait=False)
    plan = BackMarketListingCreationPlanOperator(task_id=f"{stem}_plan", kind=kind)
    send = BackMarketListingCreationOperator(task_id=stem, kind=kind)
    # Where the sending skips itself, as in a dry run, what earlier runs sent is settled all the same.
    results = BackMarketListingCreationResultsOperator(
        task_id=f"{stem}_results", kind=kind, deferrable=True, trigger_rule="none_failed_min_one_success"
    )
    BackMarketListingAnnouncementOperator(task_id=f"announce_{stem}", counts=[leftovers.output, results.output])
    BackMarketListingCreationCheckOperator(
        task_id=f"{stem}_check", leftovers=leftovers.output, results=results.output, sent=send.output
    )
    BackMarketItemsCheckOperator(task_id=f"{stem}_rows_check", counts=[*counts, plan.output], documents="listings")
    leftovers >> plan >> send
    [plan, send] >> results
    return leftovers
