"""Reading orders: `GET /ws/orders` and `GET /ws/orders/{id}`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.clock import read_filter
from sandbox.errors import error_v1, not_found
from sandbox.orders.store import OrderFilter
from sandbox.paging import serve_page, wanted_page
from sandbox.world import World, world_of

_STATES = frozenset({0, 1, 3, 8, 9, 10})


async def list_orders(request: Request) -> Response:
    """Serve one page of the orders that match, newest first."""
    world = world_of(request)
    fault = world.faults.strike_inside("orders_arrive_while_paging", request)
    if fault is not None:
        for _ in range(fault.orders):
            world.marketplace.order_if_possible(state=1)
    page = wanted_page(request)
    if isinstance(page, Response):
        return page
    wanted = _wanted_orders(request, world)
    if isinstance(wanted, Response):
        return wanted
    found = world.orders.select(wanted)
    rows = [record.raw or record.body for record in found[page.start : page.start + page.size]]
    return serve_page(request, world, page, len(found), rows)


async def get_order(request: Request) -> Response:
    """Serve one order, whatever its state."""
    record = world_of(request).orders.record(request.path_params["order_id"])
    if record is None:
        return not_found("order")
    return Response(record.raw or record.body, media_type="application/json")


def _wanted_orders(request: Request, world: World) -> OrderFilter | Response:
    query = request.query_params
    try:
        created, modified = _moments(request, world)
    except ValueError:
        return error_v1(422, "Ws.OrderList.WrongDateFormat", "Wrong date format")
    state, country = query.get("state"), query.get("country_code")
    if state is not None and (not state.isdecimal() or int(state) not in _STATES):
        return error_v1(400, "bad_request", f"state {state} is unknown")
    if country is not None and country not in world.platform.markets:
        return error_v1(400, "bad_request", f"country_code {country} is unknown")
    return OrderFilter(created, modified, country, None if state is None else int(state))


def _moments(request: Request, world: World) -> tuple[int | None, int | None]:
    """Read the two date filters; a `wrong_date_format` fault makes this an environment that wants them spaced."""
    texts = (request.query_params.get("date_creation"), request.query_params.get("date_modification"))
    if texts == (None, None):
        return None, None
    spaced = world.faults.strike_inside("wrong_date_format", request) is not None
    created, modified = (None if text is None else read_filter(text, spaced=spaced) for text in texts)
    return created, modified


routes = [
    Route("/ws/orders", list_orders),
    Route("/ws/orders/{order_id:int}", get_order),
]
