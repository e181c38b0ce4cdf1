"""Planning over a large assortment, in a real PostgreSQL."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.services.quantities import plan_quantities
from backmarket.settings import QuantitySettings
from local.machine_speed import slowness_of_python

if TYPE_CHECKING:
    import psycopg

SKUS = 20_000
SECONDS, MEGABYTES = 3.0, 300


def plan(warehouse: psycopg.Connection[Any]) -> dict[str, int]:
    """Plan as the task does."""
    return plan_quantities(
        warehouse, "default", QuantitySettings(), now=datetime.now(UTC), run_id="r", allow_mass_zero=False
    )


def test_twenty_thousand_skus_are_planned_in_seconds(warehouse: psycopg.Connection[Any]) -> None:
    """Under 3 s and 300 MB, ledger and arithmetic written; unchanged, the plan stays as it is."""
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        "select 'default', gen_random_uuid(), 'SKU-' || n, 'fr-fr', n %% 5 + 1, now(), now() "
        "from generate_series(1, %s::int) n",
        [SKUS],
    )
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at) "
        "select 'sku-' || n, n %% 7 + 3, now() from generate_series(1, %s::int) n",
        [SKUS],
    )
    counts, seconds = {}, SECONDS
    for _ in range(3):
        warehouse.execute("truncate backmarket.changes, backmarket.inventory, backmarket.listing_baselines")
        # CPU, and the least of three, as this machine may be busy with other tests.
        slowness = slowness_of_python()
        began = time.process_time()
        counts = plan(warehouse)
        taken = time.process_time() - began
        seconds = min(seconds, taken * 2 / (slowness + slowness_of_python()))
        if seconds < SECONDS:
            break
    tracemalloc.start()
    assert plan(warehouse) == counts
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"\n{SKUS} SKUs planned in {seconds:.2f} s of CPU, {megabytes:.0f} MB at most")
    assert counts["skus"] == SKUS
    assert counts["to_send"] > SKUS / 2
    assert seconds < SECONDS
    assert megabytes < MEGABYTES
