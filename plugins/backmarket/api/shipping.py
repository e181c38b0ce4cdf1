"""Calls about parcels that Back Market ships for a seller (Backship): ``/ws/shipping/v1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from backmarket.api.calls import Calls, as_text, newer_by
from backmarket.api.models.document import read_each
from backmarket.api.models.shipping import Delivery, DeliveryPage, Return, ReturnPage
from backmarket.api.moving_list import MovingList
from backmarket.api.page_requests import PageThreads
from backmarket.api.paging import PagesOfOwnSize
from backmarket.api.repeats import key_by

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime

    from backmarket.api.paging import RawPage

_DELIVERIES = "/ws/shipping/v1/deliveries"
_RETURNS = "/ws/shipping/v1/returns"
# Without a zone: the spec's example has none.
_ISO = "%Y-%m-%dT%H:%M:%S"
_ID = "shipmentId"

Page = TypeVar("Page")


class ShippingCalls(Calls):
    """Reads what Back Market ships for the seller; other sellers have no such parcels."""

    def moving_deliveries(
        self,
        *,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        order_id: int | None = None,
    ) -> MovingList[DeliveryPage]:
        """Read all parcels to customers that match every filter, none missing although the list moves meanwhile.

        :param created_since: at this moment or later, in whole seconds; aware.
        :param created_until: at this moment or before, as ``created_since``.
        """
        return self._moving(_DELIVERIES, _delivery_page, created_since, created_until, order_id)

    def moving_returns(
        self,
        *,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        order_id: int | None = None,
    ) -> MovingList[ReturnPage]:
        """Read all parcels from customers, as :meth:`moving_deliveries` reads those to them."""
        return self._moving(_RETURNS, _return_page, created_since, created_until, order_id)

    def _moving(
        self,
        path: str,
        read: Callable[[RawPage], Page],
        since: datetime | None,
        until: datetime | None,
        order_id: int | None,
    ) -> MovingList[Page]:
        filters = {
            "start_date": as_text(since, _ISO),
            "end_date": as_text(until, _ISO),
            "order_id": order_id,
        }
        pages = PagesOfOwnSize(
            self._transport, path, {name: value for name, value in filters.items() if value is not None}
        )
        requests = PageThreads(pages.read, self._transport.config.concurrency)
        is_newer = newer_by("dateCreation", "date_creation")
        return MovingList(requests, read, _key, is_newer=is_newer, path=path, takes_sizes=False)


def _key(document: Any) -> Hashable:
    is_camel = isinstance(document, dict) and _ID in document
    return key_by(_ID if is_camel else "shipment_id")(document)


def _delivery_page(page: RawPage) -> DeliveryPage:
    deliveries, unreadable = read_each(Delivery, page.documents, key=_ID, context={"server_time": page.server_time})
    return DeliveryPage(page.number, page.count, page.server_time, deliveries, unreadable)


def _return_page(page: RawPage) -> ReturnPage:
    returns, unreadable = read_each(Return, page.documents, key=_ID, context={"server_time": page.server_time})
    return ReturnPage(page.number, page.count, page.server_time, returns, unreadable)
