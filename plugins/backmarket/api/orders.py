"""Calls about orders: ``/ws/orders`` and ``/ws/orderlines``."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backmarket.api.calls import Calls, as_document, as_written
from backmarket.api.errors import RefusedError
from backmarket.api.models.document import read_each
from backmarket.api.models.order import Order, OrderPage
from backmarket.api.paging import read_list, read_page

if TYPE_CHECKING:
    from collections.abc import Generator

    from backmarket.api.paging import RawPage
    from backmarket.api.transport import Transport

_PATH = "/ws/orders"
_RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"
# Some environments want dates so, and answer 422 to RFC 3339 (seen in production).
_SPACED = "%Y-%m-%d %H:%M:%S"
_WRONG_DATE_FORMAT = "WrongDateFormat"


class OrderCalls(Calls):
    """Reads orders and moves their lines on."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._date_format = _RFC_3339

    def order_pages(
        self,
        *,
        date_modification: datetime | None = None,
        date_creation: datetime | None = None,
        state: int | None = None,
        country_code: str | None = None,
    ) -> Generator[OrderPage, None, None]:
        """Yield all orders that match every filter, a page at a time, in no particular order.

        Orders in states 0 and 8 are never listed (spec). An order may come twice, since the list moves while it
        is read: of two readings, the later ``server_time`` holds. At most ``config.concurrency`` pages wait in
        memory. The caller judges by their ids whether as many came as the first page counted.

        :param date_modification: modified at this moment or later; aware.
        :param date_creation: made at this moment or later; aware.
        """
        dates = {"date_modification": date_modification, "date_creation": date_creation}
        moments = {name: _require_aware(moment) for name, moment in dates.items() if moment is not None}
        others = {"state": state, "country_code": country_code}
        filters: dict[str, str | int] = {key: value for key, value in others.items() if value is not None}
        date_format = self._date_format
        try:
            yield from self._order_pages(filters, moments, date_format)
        except RefusedError as error:
            if date_format == _SPACED or _WRONG_DATE_FORMAT not in (error.api_message or ""):
                raise
            self._date_format = _SPACED
            yield from self._order_pages(filters, moments, _SPACED)

    def get_order(self, order_id: int) -> Order:
        """Read one order.

        :raises NotFoundError: if the account has no such order.
        :raises UnreadableDocumentError: carrying the document, if it does not fit the model.
        """
        path = f"{_PATH}/{order_id}"
        return as_document(Order, self._transport.read(path), "GET", path)

    def count_orders(self) -> int:
        """Tell how many orders the account can list; one cheap read."""
        return read_page(self._transport, _PATH, 1, size=1).count

    def update_order(
        self,
        order_id: int,
        new_state: int,
        *,
        sku: str | None = None,
        tracking_number: str | None = None,
        tracking_url: str | None = None,
        date_shipping: datetime | None = None,
        shipper: str | None = None,
        imei: str | None = None,
        serial_number: str | None = None,
    ) -> Order | None:
        """Move lines of an order to another state.

        2 accepts the line of one SKU; 3 ships every accepted line, with its tracking number; 4 cancels a paid
        line; 5 refunds before shipping, 6 after.

        :param sku: Back Market's own ``listing`` of the line; required with 2, 4, 5 and 6.
        :param date_shipping: aware.
        :param shipper: one of the names in the spec.
        :param imei: 15 digits; for an order of one line of quantity 1. It can never be corrected.
        :param serial_number: as ``imei``; at most 50 characters.
        :return: the order after the change, as far as the answer holds one.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the order before writing again.
        """
        shipped_at = None if date_shipping is None else _require_aware(date_shipping)
        fields = {
            "order_id": order_id,
            "new_state": new_state,
            "sku": sku,
            "tracking_number": tracking_number,
            "tracking_url": tracking_url,
            "date_shipping": shipped_at and shipped_at.strftime(_RFC_3339),
            "shipper": shipper,
            "imei": imei,
            "serial_number": serial_number,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        return as_written(Order, self._transport.write("POST", f"{_PATH}/{order_id}", body))

    def update_orderline(self, orderline_id: int, *, imei: str | None = None, serial_number: str | None = None) -> None:
        """Register the device of a line of quantity 1. What is registered can never be corrected (spec).

        An IMEI of something other than a smartphone was once answered 200 and not stored: read the order back.
        """
        fields = {"imei": imei, "serial_number": serial_number}
        body = {name: value for name, value in fields.items() if value is not None}
        self._transport.write("PATCH", f"/ws/orderlines/{orderline_id}", body)

    def _order_pages(
        self, filters: dict[str, str | int], moments: dict[str, datetime], date_format: str
    ) -> Generator[OrderPage, None, None]:
        dates = {name: moment.strftime(date_format) for name, moment in moments.items()}
        with closing(read_list(self._transport, _PATH, filters={**filters, **dates})) as pages:
            for page in pages:
                yield _order_page(page)


def _order_page(page: RawPage) -> OrderPage:
    context = {"server_time": page.server_time}
    orders, unreadable = read_each(Order, page.documents, key="order_id", context=context)
    return OrderPage(page.number, page.count, page.server_time, orders, unreadable)


def _require_aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone means something else to everybody: pass an aware datetime")
    return moment.astimezone(UTC)
