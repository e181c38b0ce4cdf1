"""Listings: read per market, changed one at a time, changed by batch."""

import asyncio
import codecs
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import errors
from sandbox.catalog.batches import RUNNING, Batch
from sandbox.catalog.csv_batch import InvalidCatalogError, fail_batch, read_catalog, run_batch
from sandbox.listings.model import Listing
from sandbox.listings.rules import InvalidListingError, change_listing
from sandbox.markets import Market
from sandbox.paging import serve_page, wanted_page
from sandbox.request_body import json_object
from sandbox.world import World, world_of

MAX_CATALOG_LINES = 15_000

_UNKNOWN_MARKET = "Accept-Language names no market of this platform"


def market_of(request: Request) -> Market | None:
    """Give the market that Accept-Language names, if it is one of the platform's."""
    code = request.headers.get("accept-language", "").strip().lower()
    return world_of(request).platform.markets.get(code)


def _document(listing: Listing, market: Market) -> dict[str, Any]:
    return listing.public(market.code, market.currency)


async def list_listings(request: Request) -> Response:
    """Serve one page of the listings as one market sees them."""
    world, market, page = world_of(request), market_of(request), wanted_page(request)
    if market is None:
        return errors.error_v1(400, "bad_request", _UNKNOWN_MARKET)
    if isinstance(page, Response):
        return page
    limits: dict[str, int | None] = {}
    for name in ("publication_state", "min_quantity", "max_quantity"):
        text = request.query_params.get(name)
        if text is not None and not text.isdecimal():
            return errors.error_v1(400, "bad_request", f"{name} {text} is not a whole number")
        limits[name] = None if text is None else int(text)
    found = [listing for listing in world.listings if _matches(listing, market.code, limits)]
    shown = found[page.start : page.start + page.size]
    rows = [bytes(errors.json_response(_document(listing, market)).body) for listing in shown]
    return serve_page(request, world, page, len(found), rows)


def _matches(listing: Listing, market: str, limits: dict[str, int | None]) -> bool:
    state, least, most = limits["publication_state"], limits["min_quantity"], limits["max_quantity"]
    return (
        (least is None or listing.quantity >= least)
        and (most is None or listing.quantity <= most)
        and (state is None or listing.publication_state(market) == state)
    )


async def get_listing(request: Request) -> Response:
    """Serve one listing by UUID or integer."""
    return _serve_one(request, request.path_params["key"])


async def get_detail(request: Request) -> Response:
    """Serve one listing by `id`, `listing_id` or `sku`."""
    query = request.query_params
    if "sku" in query:
        listing = world_of(request).listings.by_sku(query["sku"])
        return _serve_one(request, str(listing.listing_id) if listing else "0")
    key = query.get("id") or query.get("listing_id")
    if key is None:
        return errors.error_v1(400, "bad_request", "sku, listing_id or id is needed")
    return _serve_one(request, key)


def _serve_one(request: Request, key: str) -> Response:
    market = market_of(request)
    if market is None or not _is_key(key):
        return errors.error_v1(400, "bad_request", _UNKNOWN_MARKET if market is None else f"{key} is not an id")
    listing = world_of(request).listings.by_key(key)
    if listing is None:
        return errors.not_found("listing")
    return errors.json_response({**_document(listing, market), "statuscode": 200})


def _is_key(key: str) -> bool:
    if key.isdecimal():
        return True
    try:
        uuid.UUID(key)
    except ValueError:
        return False
    return True


async def update_listing(request: Request) -> Response:
    """Change one listing at once; refusals are bare strings here."""
    world, market, key = world_of(request), market_of(request), request.path_params["key"]
    body = await json_object(request)
    if market is None or body is None or not _is_key(key):
        return errors.error_text(400, _UNKNOWN_MARKET if market is None else "parameters not found")
    listing = world.listings.by_key(key)
    if listing is None:
        return errors.not_found("listing")
    if world.config.rate_limit and not world.sku_lines.admits(1):
        return _too_many_lines()
    if world.faults.strike_fields("field_refused", request, set(body)) is not None:
        return errors.error_text(400, "parameters refused")
    try:
        remarks = change_listing(listing, market, world.platform, body)
    except InvalidListingError as refusal:
        return errors.error_text(400, str(refusal))
    world.listings.save(listing)
    return errors.json_response({**_document(listing, market), "shippings_response": remarks, "statuscode": 200})


def _too_many_lines() -> Response:
    return errors.error_v1(429, "too_many_requests", "More than 2000 SKU lines in an hour")


async def post_catalog(request: Request) -> Response:
    """Take a CSV in; it is carried out later, under the task id that is answered."""
    world, market = world_of(request), market_of(request)
    body = await json_object(request)
    refusal = _UNKNOWN_MARKET if market is None else _catalog_refusal(body or {})
    if refusal is not None or market is None or body is None:
        return errors.error_text(400, refusal or "parameter catalog not found")
    try:
        rows, problem = read_catalog(body["catalog"], body["delimiter"], body["quotechar"]), None
    except InvalidCatalogError as error:
        rows, problem = [], str(error)
    if len(rows) > MAX_CATALOG_LINES:
        return errors.error_text(400, f"catalog has more than {MAX_CATALOG_LINES} lines")
    skus = {row.get("sku", "").strip().lower() for row in rows}
    if world.faults.strike_batch("batch_refused", request, skus) is not None:
        return errors.error_text(400, "The catalog could not be processed.")
    if world.config.rate_limit and not world.sku_lines.admits(len(rows)):
        return _too_many_lines()
    if world.faults.strike_inside("batch_fails", request) is not None:
        problem = "Task has been interrupted."
    bad_line = world.faults.strike_inside("batch_line_fails", request)
    batch = world.batches.add(market.code)
    half = world.config.batch_seconds / 2
    loop = asyncio.get_running_loop()
    loop.call_later(half, _start, world, batch)
    if problem is None:
        loop.call_later(2 * half, run_batch, world, batch, rows, bad_line.sku if bad_line else None)
    else:
        loop.call_later(2 * half, fail_batch, world, batch, problem)
    return errors.json_response({"bodymessage": batch.task_id, "statuscode": 200})


def _start(world: World, batch: Batch) -> None:
    batch.action_status = RUNNING
    world.batches.save(batch)


def _catalog_refusal(body: dict[str, Any]) -> str | None:
    for name in ("catalog", "quotechar", "delimiter", "encoding"):
        value = body.get(name)
        if not isinstance(value, str) or not value:
            return f"parameter {name} not found"
    if len(body["quotechar"]) != 1 or len(body["delimiter"]) != 1:
        return "quotechar and delimiter are one character each"
    try:
        codecs.lookup(body["encoding"])
    except LookupError:
        return f"encoding {body['encoding']} is unknown"
    return None


async def get_task(request: Request) -> Response:
    """Tell how far a batch has come."""
    batch = world_of(request).batches.get(request.path_params["task_id"])
    return errors.not_found("task") if batch is None else errors.json_response(batch.public())


routes = [
    Route("/ws/listings", list_listings, methods=["GET"]),
    Route("/ws/listings", post_catalog, methods=["POST"]),
    Route("/ws/listings/detail", get_detail, methods=["GET"]),
    Route("/ws/listings/{key}", get_listing, methods=["GET"]),
    Route("/ws/listings/{key}", update_listing, methods=["POST"]),
    Route("/ws/tasks/{task_id:int}", get_task, methods=["GET"]),
]
