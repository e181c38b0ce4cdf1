"""The client of Back Market's seller API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from backmarket.api.backbox import BackboxCalls
from backmarket.api.care import CareCalls
from backmarket.api.catalog import CatalogCalls
from backmarket.api.listings import ListingCalls
from backmarket.api.orders import OrderCalls
from backmarket.api.shipping import ShippingCalls
from backmarket.api.throttle import Throttle
from backmarket.api.transport import Transport

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from backmarket.api.config import ClientConfig


class BackMarketClient(OrderCalls, ListingCalls, CatalogCalls, BackboxCalls, CareCalls, ShippingCalls):
    """Reads and changes one seller account; any number of threads may share it.

    All of its calls raise :class:`~backmarket.api.errors.BackMarketError`. Use it as a context manager, or close
    it.

    :param config: the platform, the token and how patient to be.
    :param throttle: the rate limits, shared with whoever else uses the account; None limits this client alone.
    """

    def __init__(self, config: ClientConfig, throttle: Throttle | None = None) -> None:
        super().__init__(Transport(config, throttle or Throttle.in_memory()))
        self.config = config

    @property
    def requests_made(self) -> int:
        """How many HTTP requests this client has tried, repetitions included."""
        return self._transport.requests_made

    @property
    def clock_ahead(self) -> timedelta:
        """How far Back Market's clock is ahead of this machine's, by the last answer."""
        return self._transport.clock_ahead

    def within(self, limit: timedelta) -> AbstractContextManager[None]:
        """Begin no request, and repeat none, once so much time has passed; what is under way ends in its own time.

        They raise :class:`~backmarket.api.errors.OutOfTimeError` then.
        """
        return self._transport.time.within(limit)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
