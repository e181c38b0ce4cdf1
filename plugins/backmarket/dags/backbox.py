"""
### The BackBox: what competitors ask, and prices that follow

Every 15 minutes, five minutes after quantities and prices are sent, and at once after a person has decided about
prices.

**Switches** (Admin → Variables): `backmarket_enabled`, then `backmarket_backbox_download` and `backmarket_repricing`.

**Competitors in** is only read. Back Market answers for one listing at a time, and allows two requests a second; at
most `backmarket_backbox_requests_an_hour` of them are spent, where they matter most: on listings on sale and in stock
first, then on those that sold most within 30 days, then on those asked for longest ago. A listing that is not on sale
is asked for once a day. `backmarket.backbox` says where each listing stands in each market,
`backmarket.backbox_history` how that changed, and `backmarket.backbox_askings` when each listing was asked for. Most
listings without a BackBox are in order: Back Market answers 404, and nothing fails.

**Repricing** decides where each price of `seller.prices` goes, between a floor and a ceiling: `backmarket.repricing`
has every decision with its reason. A price without a known cost in `seller.costs` stays. What it moves is planned and
sent as all prices are; a lower price that leaves little waits for a person (DAG `backmarket_price_approval`).

**When it fails:** `backbox_check` fails when single listings or markets could not be dealt with: all others are done.
What Back Market says of a market that is none of your platform's, or in another currency than the market's, is kept in
`backmarket.quarantine` (entity `backbox`) and moves no price. When `backbox_download` fails, its last line says what
all listings would fail with: a token to renew, a firewall, or an account that may not read the BackBox. Then ask your
Back Market contact, or switch `backmarket_backbox_download` off. Clearing any task is safe: it goes on with the
listings that were not asked for in this hour, and makes no more requests than the hour allows. `repricing_check` names
rows of `seller.costs`, and tables of costs and rates that cannot be read; `prices_check` prices, listings and markets
that could not be dealt with: all others are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import TaskGroup

from backmarket.assets import asset
from backmarket.concerns import BACKBOX
from backmarket.dag_defaults import concern_dag
from backmarket.operators.backbox import BackMarketBackboxDownloadOperator
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.inventory_prices import (
    BackMarketOfferRefreshOperator,
    BackMarketPriceBatchResultsOperator,
    BackMarketPriceQuestionOperator,
    BackMarketPricesPlanOperator,
    BackMarketPricesUploadOperator,
)
from backmarket.operators.items_check import BackMarketItemsCheckOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.operators.repricing import BackMarketRepricingOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(
        account,
        BACKBOX,
        doc_md=__doc__,
        tags=("backbox", "prices"),
        assets=asset("price_answers", account.name),
    ) as dag:
        backbox_gate = BackMarketGateOperator(task_id="backbox_download_gate", toggle="backbox_download")
        repricing_gate = BackMarketGateOperator(task_id="repricing_gate", toggle="repricing")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", trigger_rule="one_success")

        with TaskGroup("competitors", prefix_group_id=False):
            competitors = BackMarketBackboxDownloadOperator(task_id="backbox_download")
            BackMarketItemsCheckOperator(
                task_id="backbox_check", counts=[competitors.output], documents="competitors of listings"
            )

        # What is known of competitors has its age: repricing has its turn however their reading ended.
        with TaskGroup("decide", prefix_group_id=False):
            competitors_are_read = BackMarketGateOperator(
                task_id="competitors_are_read", toggle="repricing", trigger_rule="all_done"
            )
            offers = BackMarketOfferRefreshOperator(task_id="offer_refresh")
            decisions = BackMarketRepricingOperator(task_id="repricing")
            BackMarketItemsCheckOperator(
                task_id="repricing_check", counts=[decisions.output], documents="rows of seller.costs"
            )
        with TaskGroup("send", prefix_group_id=False):
            plan = BackMarketPricesPlanOperator(task_id="prices_plan")
            questions = BackMarketPriceQuestionOperator(task_id="ask_for_price_approval")
            upload = BackMarketPricesUploadOperator(task_id="repricing_upload", toggle="repricing")
            batches = BackMarketPriceBatchResultsOperator(task_id="price_batch_results", deferrable=True)
            counts = [offers.output, plan.output, upload.output]
            BackMarketItemsCheckOperator(
                task_id="prices_check", counts=counts, documents="listings", trigger_rule="all_done"
            )

        [backbox_gate, repricing_gate] >> prepare
        [backbox_gate, prepare] >> competitors
        [repricing_gate, prepare, competitors] >> competitors_are_read
        [repricing_gate, prepare, competitors_are_read] >> offers >> decisions >> plan >> [questions, upload]
        upload >> batches
    return dag
