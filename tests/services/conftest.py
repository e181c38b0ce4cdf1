"""What tests of services stand on."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import InMemoryBucket

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.throttle import Throttle
from backmarket.services.offers import OfferSending
from backmarket.services.order_reading import OrderReading
from backmarket.warehouse.orders import OrderStaging
from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES, SkuLineBudget
from tests.api.conftest import unlimited
from tests.api.hostile_server import HostileServer
from tests.services.seller_inbox import Inbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from sandbox.remote import Sandbox


@pytest.fixture
def inbox(warehouse: psycopg.Connection[Any]) -> Inbox:
    """An empty inbox before empty tables."""
    return Inbox(warehouse)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A Back Market that does as a test wishes."""
    with HostileServer() as running:
        yield running


@pytest.fixture
def reading(server: HostileServer, warehouse: psycopg.Connection[Any]) -> Iterator[OrderReading]:
    """A reading of its orders into an empty database."""
    config = ClientConfig.model_validate(
        {
            "base_url": server.base_url,
            "token": "c2VjcmV0",
            "user_agent": "BM-Example-Tests;tests@example.com",
            "attempts": 1,
            "concurrency": 2,
        }
    )
    with BackMarketClient(config, Throttle.in_memory()) as client:
        yield OrderReading(client, OrderStaging(warehouse, "default"), logging.getLogger("backmarket.tests"))


@pytest.fixture
def upload(sandbox: Sandbox, warehouse: psycopg.Connection[Any]) -> Iterator[OfferSending]:
    """What an upload task works with."""
    config = ClientConfig(
        base_url=sandbox.base_url,
        token=sandbox.token,
        user_agent="BM-Acme-Airflow;ops@example.com",
        backoff=0.001,
        throttle_pause=0.01,
    )
    budget = SkuLineBudget(InMemoryBucket(SKU_LINE_RATES))
    log = logging.getLogger("backmarket.tests")
    with BackMarketClient(config, unlimited()) as client:
        yield OfferSending(warehouse, "default", client, timedelta(hours=48), log, budget=budget)
