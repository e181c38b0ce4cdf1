"""Loads all orders once, as the task ``order_download`` does, without Airflow around it; prints one JSON line."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import psycopg
from psycopg_pool import ConnectionPool
from pyrate_limiter import Rate

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.throttle import CATALOG_RATES, GENERAL_RATES, Throttle
from backmarket.services.order_reading import OrderReading
from backmarket.warehouse.migrations import migrate
from backmarket.warehouse.orders import OrderStaging
from backmarket.warehouse.rate_limit import shared_bucket
from benchmarks.stopwatch import Stopwatch

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def main(base_url: str, token: str, warehouse_uri: str, limited: str) -> None:
    """Load everything; the rate limit is kept in the database in either case, ``limited`` says which one."""
    general = GENERAL_RATES if limited == "limited" else [Rate(1_000_000, 10_000)]
    config = ClientConfig.model_validate(
        {"base_url": base_url, "token": token, "user_agent": "BM-Example-Benchmark;bench@example.com"}
    )
    with (
        psycopg.connect(warehouse_uri, autocommit=True) as connection,
        ConnectionPool(warehouse_uri, min_size=1, max_size=1, kwargs={"options": "-c search_path=backmarket"}) as pool,
    ):
        migrate(connection)
        watch = Stopwatch()
        throttle = Throttle(
            shared_bucket(pool, "bench", "general", general), shared_bucket(pool, "bench", "catalog", CATALOG_RATES)
        )
        with BackMarketClient(config, throttle) as client:
            reading = OrderReading(client, OrderStaging(connection, "default"), logging.getLogger("benchmark"))
            complete = reading.read_list(date_modification=LONG_AGO)
            counts = reading.store("orders", watermark=reading.newest_modification)
        watch.stop()
    if not complete:
        raise SystemExit("the list came out short")
    watch.report(counts["new"])


if __name__ == "__main__":
    main(*sys.argv[1:])
