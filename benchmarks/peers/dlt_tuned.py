"""dlt by somebody who knows it: pages fetched side by side, two processes that normalize, four that load."""

from __future__ import annotations

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
import httpx
from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate

from benchmarks.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 50


def main(base_url: str, token: str, warehouse_uri: str, limited: str, file_format: str = "csv") -> None:
    """Load everything.

    :param limited: ``limited`` keeps the rate limit.
    :param file_format: what dlt writes before it loads: csv, or parquet by ADBC.
    """
    rate = Rate(195, 10_200) if limited == "limited" else Rate(1_000_000, Duration.SECOND)
    limiter = Limiter(InMemoryBucket([rate]))
    client = httpx.Client(
        base_url=base_url,
        headers={
            "Authorization": f"Basic {token}",
            "User-Agent": "BM-Example-Benchmark;bench@example.com",
            "Accept-Language": "fr-fr",
        },
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=16),
        timeout=60,
    )

    def fetch(number: int) -> dict[str, Any]:
        limiter.try_acquire("request", blocking=True)
        answer = client.get("/ws/orders", params={"page": number, "page-size": PAGE})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    @dlt.resource(name="pages", selected=False)
    def pages() -> Iterator[int]:
        count = fetch(1)["count"]
        yield from range(1, -(-count // PAGE) + 1)

    @dlt.transformer(
        name="orders", data_from=pages, parallelized=True, primary_key="order_id", write_disposition="merge"
    )
    def orders(number: int) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = fetch(number)["results"]
        return results

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench", destination=dlt.destinations.postgres(warehouse_uri), dataset_name="peer", pipelines_dir=folder
        )
        watch = Stopwatch()
        pipeline.run([orders], loader_file_format=file_format)
        watch.stop()
        with pipeline.sql_client() as sql:
            ((stored,),) = sql.execute_sql("select count(*) from orders")
    watch.report(stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
