"""The control API below /_sandbox/: what a test or a demo does to Back Market, and sees of it.

It needs no token and is left out unless the sandbox listens on a loopback address.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request

from sandbox.after_sales import control as after_sales_control
from sandbox.backbox import control as backbox_control
from sandbox.control_route import control_route, fields_of
from sandbox.orders.marketplace import Marketplace, Wish
from sandbox.orders.model import Document
from sandbox.orders.store import parse
from sandbox.statements.known import known_here
from sandbox.statements.writing import write_statements
from sandbox.world import world_of

_STEPS: dict[str, Callable[[Marketplace, Document], None]] = {
    "pay": Marketplace.pay,
    "unpaid": Marketplace.leave_unpaid,
    "release": Marketplace.release,
    "confirm": Marketplace.confirm,
}


async def _health(request: Request) -> object:
    world = world_of(request)
    return {"ok": True, "orders": len(world.orders), "listings": len(world.listings), "now": world.clock.now()}


async def _add_fault(request: Request) -> object:
    return dataclasses.asdict(world_of(request).faults.add(await fields_of(request)))


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
    fields = await fields_of(request)
    count = int(fields.pop("count", 1))
    marketplace = world_of(request).marketplace
    return {"orders": [marketplace.order(Wish(**fields)) for _ in range(count)]}


async def _patch_order(request: Request) -> object:
    """Set any fields of an order without a rule or a new modification date; `raw` is served in its place."""
    fields = await fields_of(request)
    raw = fields.pop("raw", None)
    document = {**_document(request), **fields}
    world_of(request).orders.save(document, None if raw is None else str(raw).encode("utf-8", "surrogatepass"))
    return document


async def _advance_order(request: Request) -> object:
    step = (await fields_of(request)).get("to")
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
    fields = await fields_of(request)
    for market, values in fields.pop("offers", {}).items():
        listing.offers[market] = dataclasses.replace(listing.offers[market], **values)
    changed = dataclasses.replace(listing, **fields)
    world.listings.save(changed)
    return changed.as_document()


async def _move_clock(request: Request) -> object:
    world = world_of(request)
    world.clock.advance(float((await fields_of(request)).get("advance_seconds", 0)))
    return {"now": world.clock.now()}


async def _statements(request: Request) -> object:
    """Write the settlement files of the orders as they are now into the folder `out`."""
    world, fields = world_of(request), await fields_of(request)
    documents = [parse(record) for record in world.orders]
    paths = write_statements(
        documents,
        known_here(world.after_sales),
        Path(str(fields["out"])),
        world.clock.now(),
        platform=world.platform.name,
        planted=bool(fields.get("planted", False)),
        planted_after_sales=bool(fields.get("planted_after_sales", False)),
        week_under_way=bool(fields.get("week_under_way", False)),
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


async def _forget_traffic(request: Request) -> object:
    world_of(request).forget_traffic()
    return {"ok": True}


routes = [
    control_route("/_sandbox/health", "GET", _health),
    control_route("/_sandbox/faults", "POST", _add_fault),
    control_route("/_sandbox/faults", "GET", _list_faults),
    control_route("/_sandbox/faults", "DELETE", _clear_faults),
    control_route("/_sandbox/faults/{fault_id:int}", "DELETE", _remove_fault),
    control_route("/_sandbox/journal", "GET", _journal),
    control_route("/_sandbox/journal/take", "POST", _take_journal),
    control_route("/_sandbox/journal", "DELETE", _clear_journal),
    control_route("/_sandbox/orders", "GET", _orders),
    control_route("/_sandbox/orders", "POST", _make_orders),
    control_route("/_sandbox/orders/{order_id:int}", "GET", _order),
    control_route("/_sandbox/orders/{order_id:int}", "POST", _patch_order),
    control_route("/_sandbox/orders/{order_id:int}/advance", "POST", _advance_order),
    control_route("/_sandbox/listings", "GET", _listings),
    control_route("/_sandbox/listings/{key:path}", "POST", _patch_listing),
    control_route("/_sandbox/clock", "POST", _move_clock),
    control_route("/_sandbox/sku-lines", "DELETE", _forget_sku_lines),
    control_route("/_sandbox/traffic", "DELETE", _forget_traffic),
    control_route("/_sandbox/statements", "POST", _statements),
    control_route("/_sandbox/reset", "POST", _reset),
    *after_sales_control.routes,
    *backbox_control.routes,
]
