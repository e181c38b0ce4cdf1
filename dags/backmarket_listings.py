"""
### Listings in

Every hour, reads every listing in every market into PostgreSQL: prices and states per market, quantities once.

**Switches** (Admin → Variables): `backmarket_enabled` and `backmarket_active_listing_download`.

**A run** reads each market of `backmarket_markets` to its end, in a task of its own. A listing that a complete read
does not hold is marked as gone; a short read marks nothing. Each change of a price, quantity or state is kept in
`backmarket.listing_offer_history`.

**When it fails:** the last lines of the failed task's log say what happened and what to do. Clear the task to
repeat it; that is always safe. `quarantine_check` fails when documents could not be understood: all others are
stored.
"""

from __future__ import annotations

from airflow.sdk import dag

from backmarket.dag_defaults import START_DATE, TAGS, default_args, schedule
from backmarket.operators.active_listing_download import BackMarketActiveListingDownloadOperator
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.listing_report import BackMarketListingAnnouncementOperator
from backmarket.operators.markets import BackMarketMarketsOperator
from backmarket.operators.order_report import BackMarketQuarantineCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator


@dag(
    schedule=schedule("listings_schedule"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=[*TAGS, "listings"],
    doc_md=__doc__,
)
def backmarket_listings() -> None:
    gate = BackMarketGateOperator(task_id="active_listing_download_gate", toggle="active_listing_download")
    prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse")
    markets = BackMarketMarketsOperator(task_id="markets")
    download = BackMarketActiveListingDownloadOperator.partial(
        task_id="active_listing_download", map_index_template="{{ task.market }}"
    ).expand(market=markets.output)
    BackMarketListingAnnouncementOperator(
        task_id="announce_listings", counts=download.output, trigger_rule="all_done_min_one_success"
    )
    BackMarketQuarantineCheckOperator(task_id="quarantine_check", counts=download.output, documents="listings")

    gate >> prepare >> markets


backmarket_listings()
