"""Back Market's own shipping: `GET /ws/shipping/v1/deliveries`, `…/returns`, and one of each by its id."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.after_sales.model import Delivery, Return
from sandbox.after_sales.parcels import delivery_document, order_of, return_document
from sandbox.clock import read_date
from sandbox.errors import json_response, not_found
from sandbox.orders.model import Document
from sandbox.orders.store import OrderRecord, parse
from sandbox.paging import page_of_size, serve_page
from sandbox.world import World, world_of

PAGE_SIZE = 30
_ORDER_STATES = frozenset({"0", "1", "3", "8", "9"})
_BOOLEANS = {"true": True, "false": False}

Parcel = Delivery | Return


class _InvalidFilterError(Exception):
    """One query parameter cannot be read: its name as answers spell it, and what is needed."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


@dataclass(frozen=True)
class _Wanted:
    """The filters; moments are inclusive."""

    order_id: int | None
    start: int | None
    end: int | None
    pickup_start: int | None
    pickup_end: int | None
    order_state: int | None
    hub_scanned: bool | None

    def shows(self, parcel: Parcel, order: OrderRecord) -> bool:
        return (
            self.order_id in (None, parcel.order_id)
            and self.order_state in (None, order.state)
            and self.hub_scanned in (None, parcel.picked_up is not None)
            and _between(parcel.created, self.start, self.end)
            and _between(parcel.picked_up, self.pickup_start, self.pickup_end)
        )


async def list_deliveries(request: Request) -> Response:
    """Serve one page of the deliveries that match, newest first."""
    world = world_of(request)
    platform = world.platform.name
    return _serve_list(
        request, world.after_sales.deliveries.values(), lambda each, order: delivery_document(each, order, platform)
    )


async def list_returns(request: Request) -> Response:
    """Serve one page of the returns that match, newest first."""
    return _serve_list(request, world_of(request).after_sales.returns.values(), return_document)


async def get_delivery(request: Request) -> Response:
    """Serve one delivery by the id of its shipment."""
    world = world_of(request)
    delivery = world.after_sales.deliveries.get(order_of(request.path_params["shipment_id"]))
    if delivery is None:
        return not_found("delivery")
    return json_response(delivery_document(delivery, parse(_order(world, delivery)), world.platform.name))


async def get_return(request: Request) -> Response:
    """Serve one return by the id of its shipment."""
    world = world_of(request)
    parcel = world.after_sales.returns.get(request.path_params["shipment_id"])
    if parcel is None:
        return not_found("return")
    return json_response(return_document(parcel, parse(_order(world, parcel))))


def _serve_list(
    request: Request, parcels: Iterable[Any], document: Callable[[Any, Document], dict[str, Any]]
) -> Response:
    world, page = world_of(request), page_of_size(request, PAGE_SIZE)
    if isinstance(page, Response):
        return page
    try:
        wanted = _wanted(request)
    except _InvalidFilterError as mistake:
        body = {
            "error": {"code": "E009", "message": "Validation error"},
            "data": {"fields": {mistake.name: [mistake.message]}},
        }
        return json_response(body, 422)
    newest = sorted(parcels, key=lambda parcel: (parcel.created, parcel.order_id), reverse=True)
    with_orders = ((parcel, _order(world, parcel)) for parcel in newest)
    found = [(parcel, order) for parcel, order in with_orders if wanted.shows(parcel, order)]
    shown = found[page.start : page.start + page.size]
    rows = [json.dumps(document(parcel, parse(order))).encode() for parcel, order in shown]
    return serve_page(request, world, page, len(found), rows)


def _order(world: World, parcel: Parcel) -> OrderRecord:
    order = world.orders.record(parcel.order_id)
    if order is None:
        raise KeyError(parcel.order_id)
    return order


def _wanted(request: Request) -> _Wanted:
    return _Wanted(
        order_id=_read(request, "order_id", "orderId", int, "An integer is needed."),
        start=_read(request, "start_date", "startDate", read_date, "A datetime is needed."),
        end=_read(request, "end_date", "endDate", read_date, "A datetime is needed."),
        pickup_start=_read(request, "pickup_start_date", "pickupStartDate", read_date, "A datetime is needed."),
        pickup_end=_read(request, "pickup_end_date", "pickupEndDate", read_date, "A datetime is needed."),
        order_state=_read(request, "order_state", "orderState", _order_state, "Must be one of: 0, 1, 3, 8, 9."),
        hub_scanned=_read(request, "hub_scanned", "hubScanned", _BOOLEANS.__getitem__, "A boolean is needed."),
    )


def _read(request: Request, name: str, shown: str, reader: Callable[[str], Any], needed: str) -> Any:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return reader(text)
    except (ValueError, KeyError):
        raise _InvalidFilterError(shown, needed) from None


def _order_state(text: str) -> int:
    if text not in _ORDER_STATES:
        raise ValueError(text)
    return int(text)


def _between(moment: int | None, earliest: int | None, latest: int | None) -> bool:
    if earliest is None and latest is None:
        return True
    return moment is not None and (earliest is None or earliest <= moment) and (latest is None or moment <= latest)


routes = [
    Route("/ws/shipping/v1/deliveries", list_deliveries),
    Route("/ws/shipping/v1/returns", list_returns),
    Route("/ws/shipping/v1/deliveries/{shipment_id:int}", get_delivery),
    Route("/ws/shipping/v1/returns/{shipment_id:int}", get_return),
]
