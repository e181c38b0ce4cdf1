"""Who competes with a listing: `GET /ws/backbox/v1/competitors/{uuid}`, at most twice a second."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import errors
from sandbox.backbox.habits import price_to_win, wins
from sandbox.backbox.store import our_price
from sandbox.listings.model import Listing
from sandbox.markets import Market, money
from sandbox.world import World, world_of

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


async def competitors(request: Request) -> Response:
    """Serve a document for each market in which the listing is on sale and competes; none at all answers 404."""
    world, key = world_of(request), request.path_params["key"]
    if not _UUID.fullmatch(key):
        return errors.error_v3(422, "invalid_listing_id", f"{key} is not a UUID")
    listing = world.listings.by_key(key)
    markets = world.platform.markets.values()
    found = [] if listing is None else [_document(world, listing, market) for market in markets]
    shown = [document for document in found if document is not None]
    return errors.json_response(shown) if shown else errors.error_v3(404, "not_found", "No competitor")


def _document(world: World, listing: Listing, market: Market) -> dict[str, Any] | None:
    """Give what is known of us as a competitor in one market; None where we are none."""
    ours = our_price(listing, market)
    rivals = None if ours is None else world.backbox.rivals(listing, market)
    if ours is None or rivals is None:
        return None
    is_winning, best = wins(ours, rivals), price_to_win(rivals)
    min_price = listing.offers[market.code].min_price
    return {
        "listing_id": listing.id,
        "product_id": listing.product_id,
        "market": market.country,
        "price": _amount(ours, market),
        "min_price": None if min_price is None else {"amount": min_price, "currency": market.currency},
        "price_to_win": _amount(best, market),
        "winner_price": _amount(ours if is_winning else best, market),
        "is_winning": is_winning,
    }


def _amount(value: int | None, market: Market) -> dict[str, str] | None:
    return None if value is None else {"amount": money(value, market.currency), "currency": market.currency}


routes = [Route("/ws/backbox/v1/competitors/{key}", competitors, methods=["GET"])]
