"""dlt by somebody who knows it: pages fetched side by side, two processes that normalize, four threads that load.

It loads CSV; parquet through ADBC took a few per cent longer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

os.environ.update(
    EXTRACT__WORKERS="16",
    EXTRACT__MAX_PARALLEL_ITEMS="32",
    NORMALIZE__WORKERS="2",
    NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION="true",
    EXTRACT__DATA_WRITER__DISABLE_COMPRESSION="true",
    EXTRACT__DATA_WRITER__FILE_MAX_ITEMS="2500",
    LOAD__WORKERS="4",
)

import dlt
from pyrate_limiter import Rate

from benchmarks.peers.asking import PAGE, Pages
from benchmarks.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(base_url: str, token: str, warehouse_uri: str, limited: str) -> None:
    """Load everything; ``limited`` keeps the rate limit with the margin that ours has."""
    asked = Pages(base_url, token, Rate(199, 10_400) if limited == "limited" else None)

    @dlt.resource(name="pages", selected=False)
    def pages() -> Iterator[int]:
        count = json.loads(asked.fetch(1))["count"]
        yield from range(1, -(-count // PAGE) + 1)

    @dlt.transformer(
        name="orders", data_from=pages, parallelized=True, primary_key="order_id", write_disposition="merge"
    )
    def orders(number: int) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = json.loads(asked.fetch(number))["results"]
        return results

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench", destination=dlt.destinations.postgres(warehouse_uri), dataset_name="peer", pipelines_dir=folder
        )
        watch = Stopwatch()
        pipeline.run([orders], loader_file_format="csv")
        watch.stop()
        with pipeline.sql_client() as sql:
            ((stored,),) = sql.execute_sql("select count(*) from orders")
    watch.report(stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
