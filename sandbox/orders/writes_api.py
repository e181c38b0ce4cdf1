"""Changing orders: `POST /ws/orders/{id}` and `PATCH /ws/orderlines/{id}`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.after_sales.refunds import REFUND_TYPES
from sandbox.errors import error_v1, json_response, not_found
from sandbox.orders.model import Document
from sandbox.orders.rules import InvalidChangeError, Setting, change_line, change_order
from sandbox.request_body import json_object
from sandbox.world import World, world_of


async def update_order(request: Request) -> Response:
    """Move lines of one order to `new_state`; the answer is the order as it now is."""
    world = world_of(request)
    document = world.orders.document(request.path_params["order_id"])
    body = await json_object(request)
    if document is None:
        return not_found("order")
    if body is None:
        return _refused("the body is not a JSON object")
    states = {line["id"]: line["state"] for line in document["orderlines"]}
    try:
        change_order(document, body, _setting(world, document))
    except InvalidChangeError as refusal:
        return _refused(refusal.message, refusal.status)
    world.orders.save(document)
    for line in document["orderlines"]:
        if line["state"] in REFUND_TYPES and line["state"] != states[line["id"]]:
            left = world.after_sales.refundable(line)
            world.after_sales.note_refund(document, line, line["state"], left, world.clock.now(), "/ws/orders")
    return json_response(document)


async def update_line(request: Request) -> Response:
    """Register identifiers on one line; the answer repeats what was sent, even what was not kept."""
    world = world_of(request)
    document, line = world.orders.line(request.path_params["orderline_id"])
    body = await json_object(request)
    if document is None or line is None:
        return not_found("orderline")
    if body is None:
        return _refused("the body is not a JSON object")
    try:
        change_line(document, line, body, _setting(world, document))
    except InvalidChangeError as refusal:
        return _refused(refusal.message, refusal.status)
    world.orders.save(document)
    return json_response({name: body[name] for name in ("imei", "serial_number") if body.get(name)})


def _setting(world: World, document: Document) -> Setting:
    return Setting(world.clock.now(), {line["id"]: _takes_imei(world, line) for line in document["orderlines"]})


def _takes_imei(world: World, line: dict[str, Any]) -> bool:
    listing = world.listings.by_sku(line["listing"])
    return listing is None or listing.takes_imei


def _refused(message: str, status: int = 400) -> Response:
    return error_v1(status, "bad_request", message)


routes = [
    Route("/ws/orders/{order_id:int}", update_order, methods=["POST"]),
    Route("/ws/orderlines/{orderline_id:int}", update_line, methods=["PATCH"]),
]
