"""The lower bound: threads that fetch pages, and one COPY of the raw documents.

It does what no loader can do without: each page is asked for, read from JSON, and stored by order id. Nothing is
checked, kept apart or merged.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import orjson
import psycopg
from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate

from benchmarks.stopwatch import Stopwatch

PAGE, THREADS = 50, 8


def main(base_url: str, token: str, warehouse_uri: str, limited: str) -> None:
    """Load everything; ``limited`` keeps the rate limit to the last request."""
    rate = Rate(200, 10_000) if limited == "limited" else Rate(1_000_000, Duration.SECOND)
    limiter = Limiter(InMemoryBucket([rate]))
    client = httpx.Client(
        base_url=base_url,
        headers={
            "Authorization": f"Basic {token}",
            "User-Agent": "BM-Example-Benchmark;bench@example.com",
            "Accept-Language": "fr-fr",
        },
        timeout=60,
    )

    def fetch(number: int) -> bytes:
        limiter.try_acquire("request", blocking=True)
        answer = client.get("/ws/orders", params={"page": number, "page-size": PAGE})
        answer.raise_for_status()
        return answer.content

    watch = Stopwatch()
    with (
        psycopg.connect(warehouse_uri, autocommit=True) as connection,
        ThreadPoolExecutor(THREADS) as threads,
        client,
    ):
        connection.execute("create table raw_orders (order_id bigint primary key, document jsonb)")
        count = orjson.loads(fetch(1))["count"]
        with connection.cursor() as cursor, cursor.copy("copy raw_orders from stdin") as copy:
            for page in threads.map(fetch, range(1, -(-count // PAGE) + 1)):
                for order in orjson.loads(page)["results"]:
                    copy.write_row((order["order_id"], orjson.dumps(order).decode()))
        watch.stop()
        (stored,) = connection.execute("select count(*) from raw_orders").fetchone() or (0,)
    watch.report(stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
