"""The lower bound: threads that fetch pages, and one COPY of the raw documents.

It does what no loader can do without: each page is asked for, read from JSON, and stored by order id. Nothing is
checked, kept apart or merged.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import psycopg
from pyrate_limiter import Rate

from benchmarks.peers.asking import PAGE, Pages
from benchmarks.stopwatch import Stopwatch

THREADS = 8


def main(base_url: str, token: str, warehouse_uri: str, limited: str) -> None:
    """Load everything; ``limited`` keeps the rate limit to the last request, without a margin."""
    pages = Pages(base_url, token, Rate(200, 10_000) if limited == "limited" else None)
    watch = Stopwatch()
    with (
        psycopg.connect(warehouse_uri, autocommit=True) as connection,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        connection.execute("create table raw_orders (order_id bigint primary key, document jsonb)")
        count = orjson.loads(pages.fetch(1))["count"]
        with connection.cursor() as cursor, cursor.copy("copy raw_orders from stdin") as copy:
            for page in threads.map(pages.fetch, range(1, -(-count // PAGE) + 1)):
                for order in orjson.loads(page)["results"]:
                    copy.write_row((order["order_id"], orjson.dumps(order).decode()))
        watch.stop()
        (stored,) = connection.execute("select count(*) from raw_orders").fetchone() or (0,)
    watch.report(stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
