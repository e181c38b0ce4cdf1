"""
### Your files fill your tables

Every fifteen minutes, and when a DAG of yours updates the asset `backmarket/seller_inbox`, reads the files of the inbox
that are new or have changed: `stock*`, `prices*`, `shipments*`, `devices*`, `catalog*`, `sku_map*`, `refunds*`,
`costs*`, `device_costs*`, `fx_rates*`, `eurofxref*` and `vat_rates*`, as CSV, Excel workbooks, Parquet or JSON, also
packed.

**Switches** (Admin → Variables): `backmarket_enabled` and `backmarket_seller_files`. Files land in
`backmarket_seller_inbox`. `backmarket_seller_files_mode` says whether a stock or price file names everything there is
(`snapshot`) or what has changed (`increment`). `backmarket_seller_columns` says which of your headers is which column,
where they are not understood by themselves. Files are never moved or changed.

**A run** judges each row by itself. Good rows fill `seller.stock` and so on, all of a file at once; bad ones are
written, with the reason, to `<name>.rejected.csv` beside it and to quarantine. A `sku_map` file with a bad row is
refused as a whole. A file is loaded once; a corrected one takes its place, with all that it said before; of costs and
exchange rates, what it no longer says stays.

**When it fails:** `seller_files_check`: a file cannot be used, or is held because it would take too much away, or has
bad rows; the message names it and says what to do. Everything else is loaded. Trigger the DAG with the param
`allow_mass_zero` to let a file through that is held as it names too few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from backmarket.assets import asset
from backmarket.concerns import SELLER_FILES
from backmarket.dag_defaults import concern_dag
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator
from backmarket.operators.seller_files import (
    BackMarketSellerFilesAnnouncementOperator,
    BackMarketSellerFilesCheckOperator,
    BackMarketSellerFilesOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    params = {
        "allow_mass_zero": Param(
            default=False, type="boolean", title="Let files through that take most of what is there away"
        )
    }
    with concern_dag(
        account,
        SELLER_FILES,
        doc_md=__doc__,
        tags=("seller_files",),
        assets=asset("seller_inbox", account.name),
        params=params,
    ) as dag:
        gate = BackMarketGateOperator(task_id="seller_files_gate", toggle="seller_files")
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse")
        files = BackMarketSellerFilesOperator(task_id="seller_files")
        announce = BackMarketSellerFilesAnnouncementOperator(task_id="announce_seller_tables", counts=files.output)
        check = BackMarketSellerFilesCheckOperator(task_id="seller_files_check", counts=files.output)

        gate >> prepare >> files >> [announce, check]
    return dag
