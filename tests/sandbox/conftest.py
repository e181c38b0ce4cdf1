"""A running sandbox and a client that it lets in."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.remote import Sandbox
from sandbox.server import running_sandbox


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests that can do with a reset in between."""
    with running_sandbox(SandboxConfig(rate_limit=False, batch_seconds=0.1)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """The shared sandbox at its seeded start."""
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture(scope="session")
def shared_client(shared_sandbox: Sandbox) -> Iterator[httpx.Client]:
    """One client with the headers that Back Market asks for."""
    with httpx.Client(base_url=shared_sandbox.base_url, headers=shared_sandbox.headers) as client:
        yield client


@pytest.fixture
def client(sandbox: Sandbox, shared_client: httpx.Client) -> httpx.Client:
    """The shared client, with the sandbox at its seeded start."""
    assert sandbox.base_url == str(shared_client.base_url).rstrip("/")
    return shared_client
