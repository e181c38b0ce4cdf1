"""Calls about orders: ``/ws/orders`` and ``/ws/orderlines``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from backmarket.api.calls import Calls, as_document, as_written, keeping_secret, newer_by, require_aware
from backmarket.api.errors import MalformedAnswerError, RefusedError
from backmarket.api.models.document import read_each
from backmarket.api.models.order import Order, OrderPage
from backmarket.api.models.plain_order import read_plainly
from backmarket.api.moving_list import MovingList
from backmarket.api.page_requests import PageThreads
from backmarket.api.paging import Window, read_length, read_page
from backmarket.api.repeats import key_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.api.models.document import Unreadable
    from backmarket.api.models.plain_order import AnyOrder
    from backmarket.api.paging import RawPage
    from backmarket.api.transport import Transport

_PATH = "/ws/orders"
_RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"
# Some environments want dates so, and answer 422 to RFC 3339 (seen in production).
_SPACED = "%Y-%m-%d %H:%M:%S"
_WRONG_DATE_FORMAT = "WrongDateFormat"
_is_newer = newer_by("date_creation")


class OrderCalls(Calls):
    """Reads orders and moves their lines on."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._date_format = _RFC_3339

    def moving_orders(
        self,
        *,
        date_modification: datetime | None = None,
        date_creation: datetime | None = None,
        state: int | None = None,
        country_code: str | None = None,
    ) -> MovingList[OrderPage]:
        """Read all orders that match every filter, none of them missing although the list moves meanwhile.

        Orders in states 0 and 8 are never listed (spec).

        :param date_modification: modified at this moment or later; aware.
        :param date_creation: made at this moment or later; aware.
        """
        read = self._order_page_reader(_filters(date_modification, date_creation, state, country_code))
        requests = PageThreads(read, self._transport.config.concurrency)
        return MovingList(requests, _order_page, key_by("order_id"), is_newer=_is_newer, path=_PATH)

    def get_order(self, order_id: int) -> Order:
        """Read one order.

        :raises NotFoundError: if the account has no such order.
        :raises UnreadableDocumentError: carrying the document, if it does not fit the model.
        :raises MalformedAnswerError: if it is another order's: what goes by it would be sent to the wrong one.
        """
        path = f"{_PATH}/{order_id}"
        order = as_document(Order, self._transport.read(path), "GET", path)
        if order.order_id != order_id:
            raise MalformedAnswerError("the document of another order", method="GET", path=path)
        return order

    def count_orders(self) -> int | None:
        """Tell how many orders the account can list; None for several that the list does not count. One cheap read."""
        return read_length(self._transport, _PATH)

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
        return_reason: int | None = None,
        return_message: str | None = None,
    ) -> Order | None:
        """Move lines of an order to another state.

        2 accepts the line of one SKU; 3 ships every accepted line, with its tracking number; 4 cancels a paid
        line; 5 refunds before shipping, 6 after.

        :param sku: Back Market's own ``listing`` of the line; required with 2, 4, 5 and 6.
        :param date_shipping: aware.
        :param shipper: one of the names in the spec.
        :param imei: 15 digits; for an order of one line of quantity 1. It can never be corrected.
        :param serial_number: as ``imei``; at most 50 characters.
        :param return_reason: why a line is refunded after shipping, by the spec's numbers.
        :param return_message: what the customer reads of a cancellation or refund; at most 500 characters.
        :return: the order after the change, as far as the answer holds one.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the order before writing again.
        """
        shipped_at = None if date_shipping is None else require_aware(date_shipping)
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
            "return_reason": return_reason,
            "return_message": return_message,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        with keeping_secret([return_message]):
            return as_written(Order, self._transport.write("POST", f"{_PATH}/{order_id}", body))

    def upload_invoice(self, order_id: int, file_name: str, content: bytes) -> None:
        """Give the customer of an order an invoice, in place of any before.

        :param content: a PDF.
        :raises NotFoundError: if the account has no such order.
        """
        with keeping_secret([file_name]):
            self._transport.send_form(
                f"{_PATH}/{order_id}/invoice",
                [("invoice", (file_name, content, "application/pdf"))],
                may_answer_text=True,
            )

    def update_orderline(self, orderline_id: int, *, imei: str | None = None, serial_number: str | None = None) -> None:
        """Register the device of a line of quantity 1. What is registered can never be corrected (spec).

        An IMEI of something other than a smartphone was once answered 200 and not stored: read the order back.
        """
        fields = {"imei": imei, "serial_number": serial_number}
        body = {name: value for name, value in fields.items() if value is not None}
        self._transport.write("PATCH", f"/ws/orderlines/{orderline_id}", body)

    def _order_page_reader(self, filters: dict[str, str | int | datetime]) -> Callable[[Window], RawPage]:
        """Return what reads a page; where an environment refuses the format of dates, it goes on with the other."""

        def read(window: Window) -> RawPage:
            date_format = self._date_format
            try:
                return read_page(self._transport, _PATH, window, filters=_as_sent(filters, date_format))
            except RefusedError as error:
                if date_format == _SPACED or _WRONG_DATE_FORMAT not in (error.api_message or ""):
                    raise
            self._date_format = _SPACED
            return read_page(self._transport, _PATH, window, filters=_as_sent(filters, _SPACED))

        return read


def _filters(
    date_modification: datetime | None, date_creation: datetime | None, state: int | None, country_code: str | None
) -> dict[str, str | int | datetime]:
    filters = {
        "date_modification": date_modification and require_aware(date_modification),
        "date_creation": date_creation and require_aware(date_creation),
        "state": state,
        "country_code": country_code,
    }
    return {name: value for name, value in filters.items() if value is not None}


def _as_sent(filters: dict[str, str | int | datetime], date_format: str) -> dict[str, str | int]:
    return {
        name: value.strftime(date_format) if isinstance(value, datetime) else value for name, value in filters.items()
    }


def _order_page(page: RawPage) -> OrderPage:
    orders: list[AnyOrder] = []
    unreadable: list[Unreadable] = []
    for document in page.documents:
        if plain := read_plainly(document, page.server_time):
            orders.append(plain)
        else:
            read, refused = read_each(Order, [document], key="order_id", context={"server_time": page.server_time})
            orders += read
            unreadable += refused
    return OrderPage(page.number, page.count, page.server_time, orders, unreadable)
