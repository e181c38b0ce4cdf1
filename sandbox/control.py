"""The control API below /_sandbox/: what a test or a demo does to Back Market, and sees of it.

It needs no token and is left out unless the sandbox listens on a loopback address.
"""

import dataclasses
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.errors import json_response
from sandbox.orders.marketplace import Marketplace, RefusalError, Wish
from sandbox.orders.model import Document
from sandbox.orders.store import parse
from sandbox.statements.writing import write_statements
from sandbox.world import world_of

Handler = Callable[[Request], Awaitable[object]]

_STEPS: dict[str, Callable[[Marketplace, Document], None]] = {
    "pay": Marketplace.pay,
    "unpaid": Marketplace.leave_unpaid,
    "release": Marketplace.release,
    "confirm": Marketplace.confirm,
}


def _route(path: str, method: str, handler: Handler) -> Route:
    """Make a route whose handler gives plain data; a RefusalError becomes 409, a malformed request 400."""

    async def serve(request: Request) -> Response:
        try:
            return json_response(await handler(request))
        except RefusalError as refusal:
            return json_response({"refused": str(refusal)}, 409)
        except KeyError as missing:
            return json_response({"not_found": str(missing)}, 404)
        except (ValueError, TypeError) as mistake:
            return json_response({"bad_request": str(mistake)}, 400)

    return Route(path, serve, methods=[method])


async def _body(request: Request) -> dict[str, Any]:
    text = await request.body()
    body = json.loads(text) if text else {}
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body


async def _health(request: Request) -> object:
    world = world_of(request)
    return {"ok": True, "orders": len(world.orders), "listings": len(world.listings), "now": world.clock.now()}


async def _add_fault(request: Request) -> object:
    return dataclasses.asdict(world_of(request).faults.add(await _body(request)))


async def _list_faults(request: Request) -> object:
    return world_of(request).faults.as_json()


async def _clear_faults(request: Request) -> object:
    world_of(request).faults.clear()
    return {"ok": True}


async def _remove_fault(request: Request) -> object:
    world_of(request).faults.remove(request.path_params["fault_id"])
    return {"ok": True}


async def _journal(request: Request) -> object:
    return world_of(request).journal.as_json()


async def _take_journal(request: Request) -> object:
    return world_of(request).journal.take()


async def _clear_journal(request: Request) -> object:
    world_of(request).journal.clear()
    return {"ok": True}


async def _orders(request: Request) -> object:
    return [parse(record) for record in world_of(request).orders]


async def _listings(request: Request) -> object:
    world = world_of(request)
    return [
        {
            **listing.as_document(),
            "publication_states": {code: listing.publication_state(code) for code in world.platform.markets},
        }
        for listing in world.listings
    ]


async def _order(request: Request) -> object:
    return _document(request)


async def _make_orders(request: Request) -> object:
    fields = await _body(request)
    count = int(fields.pop("count", 1))
    marketplace = world_of(request).marketplace
    return {"orders": [marketplace.order(Wish(**fields)) for _ in range(count)]}


async def _patch_order(request: Request) -> object:
    """Set any fields of an order without a rule or a new modification date; `raw` is served in its place."""
    fields = await _body(request)
    raw = fields.pop("raw", None)
    document = {**_document(request), **fields}
    world_of(request).orders.save(document, None if raw is None else str(raw).encode("utf-8", "surrogatepass"))
    return document


async def _advance_order(request: Request) -> object:
    step = (await _body(request)).get("to")
    if step not in _STEPS:
        raise ValueError(f"to {step!r} is none of {', '.join(_STEPS)}")
    document = _document(request)
    _STEPS[step](world_of(request).marketplace, document)
    return document


async def _patch_listing(request: Request) -> object:
    """Set any global fields of a listing, and fields of its `offers` per market."""
    world = world_of(request)
    listing = world.listings.by_key(request.path_params["key"]) or world.listings.by_sku(request.path_params["key"])
    if listing is None:
        raise KeyError(request.path_params["key"])
    fields = await _body(request)
    for market, values in fields.pop("offers", {}).items():
        listing.offers[market] = dataclasses.replace(listing.offers[market], **values)
    changed = dataclasses.replace(listing, **fields)
    world.listings.save(changed)
    return changed.as_document()


async def _move_clock(request: Request) -> object:
    world = world_of(request)
    world.clock.advance(float((await _body(request)).get("advance_seconds", 0)))
    return {"now": world.clock.now()}


async def _statements(request: Request) -> object:
    """Write the settlement files of the orders as they are now into the folder `out`."""
    world, fields = world_of(request), await _body(request)
    documents = [parse(record) for record in world.orders]
    paths = write_statements(
        documents,
        Path(str(fields["out"])),
        world.clock.now(),
        platform=world.platform.name,
        planted=bool(fields.get("planted", False)),
    )
    return {"files": [str(path) for path in paths]}


async def _reset(request: Request) -> object:
    world_of(request).reset()
    return {"ok": True}


def _document(request: Request) -> Document:
    order_id = request.path_params["order_id"]
    document = world_of(request).orders.document(order_id)
    if document is None:
        raise KeyError(order_id)
    return document


async def _forget_sku_lines(request: Request) -> object:
    world_of(request).sku_lines.forget()
    return {"ok": True}


routes = [
    _route("/_sandbox/health", "GET", _health),
    _route("/_sandbox/faults", "POST", _add_fault),
    _route("/_sandbox/faults", "GET", _list_faults),
    _route("/_sandbox/faults", "DELETE", _clear_faults),
    _route("/_sandbox/faults/{fault_id:int}", "DELETE", _remove_fault),
    _route("/_sandbox/journal", "GET", _journal),
    _route("/_sandbox/journal/take", "POST", _take_journal),
    _route("/_sandbox/journal", "DELETE", _clear_journal),
    _route("/_sandbox/orders", "GET", _orders),
    _route("/_sandbox/orders", "POST", _make_orders),
    _route("/_sandbox/orders/{order_id:int}", "GET", _order),
    _route("/_sandbox/orders/{order_id:int}", "POST", _patch_order),
    _route("/_sandbox/orders/{order_id:int}/advance", "POST", _advance_order),
    _route("/_sandbox/listings", "GET", _listings),
    _route("/_sandbox/listings/{key:path}", "POST", _patch_listing),
    _route("/_sandbox/clock", "POST", _move_clock),
    _route("/_sandbox/sku-lines", "DELETE", _forget_sku_lines),
    _route("/_sandbox/statements", "POST", _statements),
    _route("/_sandbox/reset", "POST", _reset),
]
