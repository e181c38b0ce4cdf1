"""Categories and competitors: what the catalog is like, and who sells the same."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import errors
from sandbox.catalog.categories import BY_ID, TREE
from sandbox.dice import dice
from sandbox.listings.api import market_of
from sandbox.listings.model import ONLINE, Listing, Offer
from sandbox.markets import Market, minor_units, money
from sandbox.world import World, world_of


async def category_tree(request: Request) -> Response:
    """Serve the whole tree."""
    if market_of(request) is None:
        return errors.error_v2(400, "bad_request", "Accept-Language names no market of this platform")
    return errors.json_response(TREE)


async def category_branch(request: Request) -> Response:
    """Serve one category with everything below it."""
    node = BY_ID.get(request.path_params["category_id"])
    if market_of(request) is None:
        return errors.error_v2(400, "bad_request", "Accept-Language names no market of this platform")
    return errors.not_found("category") if node is None else errors.json_response(node)


async def competitors(request: Request) -> Response:
    """Serve one row per market in which the listing competes; none at all answers 404."""
    world, key = world_of(request), request.path_params["key"]
    try:
        listing = world.listings.by_key(str(uuid.UUID(key)))
    except ValueError:
        return errors.error_v3(422, "invalid_listing_id", f"{key} is not a UUID")
    rows = [] if listing is None else _rows(world, listing)
    return errors.json_response(rows) if rows else errors.error_v3(404, "not_found", "No competitor")


def _rows(world: World, listing: Listing) -> list[dict[str, Any]]:
    markets = world.platform.markets.items()
    return [
        _row(world, listing, market, listing.offers[code])
        for code, market in markets
        if listing.publication_state(code) == ONLINE
    ]


def _row(world: World, listing: Listing, market: Market, offer: Offer) -> dict[str, Any]:
    """Draw the competition anew from the listing's number: it stays put while our price moves."""
    chance = dice(world.config.seed, listing.listing_id).random()
    other = float(offer.max_price) / 1.25 * (0.96 + 0.08 * chance)
    wins = float(offer.price or 0) <= other
    winner = float(offer.price or 0) if wins else other

    def amount(value: float) -> dict[str, str]:
        return {"amount": money(minor_units(value, market.currency), market.currency), "currency": market.currency}

    return {
        "listing_id": listing.id,
        "product_id": listing.product_id,
        "market": market.country,
        "price": amount(float(offer.price or 0)),
        "min_price": None if offer.min_price is None else amount(float(offer.min_price)),
        "price_to_win": amount(winner if wins else other - 0.01),
        "winner_price": amount(winner),
        "is_winning": wins,
    }


routes = [
    Route("/ws/category/tree", category_tree),
    Route("/ws/category/tree/{category_id:int}", category_branch),
    Route("/ws/backbox/v1/competitors/{key}", competitors),
]
