"""Acceptances and shipments a second at a local Back Market 200 ms away, with its rate limit, one by one and together.

``python -m benchmarks.order_changes 100`` makes so many of each instead of 500; one by one a tenth of them.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg_pool import ConnectionPool

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.throttle import CATALOG_RATES, GENERAL_RATES, Throttle
from backmarket.services.acceptance import Acceptance
from backmarket.services.order_changes import OrderWriting
from backmarket.services.order_reading import OrderReading
from backmarket.services.tracking import Shipping
from backmarket.settings import AcceptanceSettings, ImeiSettings, PhoneSettings, TrackingSettings
from backmarket.warehouse.ledger import Ledger
from backmarket.warehouse.migrations import migrate
from backmarket.warehouse.orders import OrderStaging
from backmarket.warehouse.rate_limit import shared_bucket
from benchmarks.figures import Figure, show
from local.postgres import embedded_postgres, ensure_database
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    from backmarket.services.order_changes import OrderAction
    from backmarket.warehouse.connection import Connection
    from sandbox.remote import Sandbox

LATENCY_MS = 200
LEAST_A_SECOND = 5
"""Changes a second, side by side."""

_log = logging.getLogger("benchmark")


class Rates(NamedTuple):
    """Changes a second, and how many requests came although the limit was reached."""

    accept: float
    ship: float
    over_limit: int


def figures(changes: int = 500) -> list[Figure]:
    """Make so many of each side by side, and a tenth of them one by one."""
    side_by_side = ClientConfig.model_fields["concurrency"].default
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder)) as server:
        one_by_one = _measure(ensure_database(server, "one_by_one"), changes // 10, concurrency=1)
        together = _measure(ensure_database(server, "side_by_side"), changes, concurrency=side_by_side)
    return [
        Figure(
            f"{changes:,} {what}, {LATENCY_MS} ms, limit on",
            f"{rate:.2f} a second, {together.over_limit} requests over the limit",
            f"one by one: {alone:.2f} a second",
            f"{LEAST_A_SECOND} a second",
            kept=rate >= LEAST_A_SECOND and together.over_limit == 0,
        )
        for what, rate, alone in (
            ("acceptances", together.accept, one_by_one.accept),
            ("shipments", together.ship, one_by_one.ship),
        )
    ]


def _measure(warehouse_uri: str, changes: int, *, concurrency: int) -> Rates:
    config = SandboxConfig(orders=0, listings=10, latency_ms=LATENCY_MS)
    with (
        running_sandbox(config, isolated=True) as sandbox,
        psycopg.connect(warehouse_uri, autocommit=True) as connection,
        ConnectionPool(warehouse_uri, min_size=1, max_size=1, kwargs={"options": "-c search_path=backmarket"}) as pool,
    ):
        migrate(connection)
        throttle = Throttle(
            shared_bucket(pool, "bench", "general", GENERAL_RATES),
            shared_bucket(pool, "bench", "catalog", CATALOG_RATES),
        )
        client_config = ClientConfig.model_validate(
            {
                "base_url": sandbox.base_url,
                "token": sandbox.token,
                "user_agent": "BM-Example-Benchmark;bench@example.com",
                "concurrency": concurrency,
            }
        )
        with BackMarketClient(client_config, throttle) as client:
            _fill(sandbox, connection, changes)
            OrderReading(client, staging := OrderStaging(connection, "default"), _log).read_list(state=1)
            staging.merge()
            staging.clear()
            acceptance = Acceptance(_log, AcceptanceSettings(order_acceptance=True))
            shipping = Shipping(
                _log, TrackingSettings(tracking_upload=True), ImeiSettings(), PhoneSettings().phone_titles
            )
            accept, ship = (_rate(action, client, staging, changes) for action in (acceptance, shipping))
        over_limit = sum(entry["over_limit"] for entry in sandbox.journal())
    return Rates(accept, ship, over_limit)


def _fill(sandbox: Sandbox, connection: Connection, orders: int) -> None:
    """Have so many orders paid, with their units and parcels at hand."""
    wish = {"count": orders, "sku": "BENCH", "state": 1, "force": True}
    made = sandbox.call("POST", "orders", wish)["orders"]
    connection.execute("insert into seller.stock (sku, quantity, counted_at) values ('BENCH', %s, now())", [orders])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into seller.shipments (order_id, tracking_number) values (%s, %s)",
            [(order["order_id"], f"T{order['order_id']}") for order in made],
        )


def _rate(action: OrderAction, client: BackMarketClient, staging: OrderStaging, changes: int) -> float:
    ledger = Ledger(staging.connection, staging.account, action.kind)
    writing = OrderWriting(client, ledger, staging, action, _log, in_flight=timedelta(0))
    plan = action.plan(staging.connection, staging.account, now=datetime.now(UTC))
    # What went before counts in the limit for ten seconds more.
    time.sleep(10)
    began = time.monotonic()
    counts = writing.carry_out(plan, run_id="bench", rows_limit_pct=Decimal(50))
    seconds = time.monotonic() - began
    if counts.get("confirmed") != changes:
        raise SystemExit(f"of {changes} changes {counts.get('confirmed', 0)} were confirmed")
    return changes / seconds


if __name__ == "__main__":
    sys.exit(0 if show(figures(*map(int, sys.argv[1:2]))) else 1)
