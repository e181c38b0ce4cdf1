"""What tests of services stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.seller_inbox import Inbox

if TYPE_CHECKING:
    import psycopg


@pytest.fixture
def inbox(warehouse: psycopg.Connection[Any]) -> Inbox:
    """An empty inbox before empty tables."""
    return Inbox(warehouse)
