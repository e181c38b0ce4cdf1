"""A hostile server, and clients that do not wait long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from pyrate_limiter import Rate

from backmarket.api.client import BackMarketClient
from backmarket.api.config import ClientConfig
from backmarket.api.throttle import Throttle
from tests.api.hostile_server import HostileServer

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "c2VjcmV0LXRva2Vu"


class MakeClient(Protocol):
    """Opens a client of an address, with options of its configuration."""

    def __call__(self, base_url: str, throttle: Throttle | None = None, **options: Any) -> BackMarketClient: ...


def unlimited() -> Throttle:
    """Return a throttle that holds nothing up."""
    return Throttle.in_memory(general=[Rate(1_000_000, 1000)], catalog=[Rate(1_000_000, 1000)])


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that does as a test wishes."""
    with HostileServer() as running:
        yield running


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Clients whose waits are milliseconds; closed afterwards, without a thread left behind."""
    clients: list[BackMarketClient] = []

    def make(base_url: str, throttle: Throttle | None = None, **options: Any) -> BackMarketClient:
        settings = {
            "base_url": base_url,
            "token": TOKEN,
            "user_agent": "BM-Acme-Airflow;ops@example.com",
            "connect_timeout": 2,
            "read_timeout": 2,
            "backoff": 0.001,
            "throttle_pause": 0.05,
            **options,
        }
        clients.append(BackMarketClient(ClientConfig(**settings), throttle or unlimited()))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
    assert [each.name for each in threading.enumerate() if each.name.startswith("backmarket")] == []


@pytest.fixture
def client(server: HostileServer, make_client: MakeClient) -> BackMarketClient:
    """A client of the hostile server."""
    return make_client(server.base_url)
