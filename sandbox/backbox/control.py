"""The part of the control API below /_sandbox/ that is about competitors."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from sandbox.backbox.habits import HABITS, Rival
from sandbox.control_route import control_route, fields_of
from sandbox.listings.model import Listing
from sandbox.markets import Market, minor_units, money
from sandbox.world import World, world_of

_AMOUNTS = ("price", "floor", "usual", "step")
_FIELDS = {"habit", *_AMOUNTS, "attention", "crashed_for"}


async def _competitors(request: Request) -> object:
    """Give the competitors of a listing by market, those of markets where it is not on sale too."""
    world = world_of(request)
    return _shown(world, _listing(world, request.query_params.get("listing")))


async def _set_competitors(request: Request) -> object:
    """Put others in the place of a listing's competitors in one market; amounts are in the market's currency."""
    world, fields = world_of(request), await fields_of(request)
    listing, market = _listing(world, fields["listing"]), world.platform.markets[fields["market"]]
    world.backbox.set_rivals(listing, market, [_rival(each, market) for each in fields["competitors"]])
    return _shown(world, listing)


async def _remove_competitors(request: Request) -> object:
    """Let a listing take part in no BackBox, of one `market` or of any."""
    world, fields = world_of(request), await fields_of(request)
    listing, code = _listing(world, fields["listing"]), fields.get("market")
    markets = world.platform.markets
    for market in markets.values() if code is None else [markets[code]]:
        world.backbox.set_rivals(listing, market, None)
    return _shown(world, listing)


def _listing(world: World, key: object) -> Listing:
    listing = world.listings.by_key(str(key)) or world.listings.by_sku(str(key))
    if listing is None:
        raise KeyError(key)
    return listing


def _rival(fields: dict[str, Any], market: Market) -> Rival:
    """Read a competitor; without a floor it may go down to nothing, without a usual price it asks this one."""
    unknown = fields.keys() - _FIELDS
    if unknown:
        raise ValueError(f"a competitor has no {', '.join(sorted(unknown))}")
    if fields["habit"] not in HABITS:
        raise ValueError(f"habit {fields['habit']!r} is none of {', '.join(HABITS)}")
    given = {"floor": 0, "usual": fields["price"], **fields}
    amounts = {name: minor_units(float(given[name]), market.currency) for name in _AMOUNTS if name in given}
    return Rival(**{**given, **amounts})


def _shown(world: World, listing: Listing) -> dict[str, list[dict[str, Any]]]:
    shown = {}
    for code, market in world.platform.markets.items():
        rivals = world.backbox.rivals(listing, market)
        if rivals is not None:
            shown[code] = [_written(rival, market) for rival in rivals]
    return shown


def _written(rival: Rival, market: Market) -> dict[str, Any]:
    fields = asdict(rival)
    return {**fields, **{name: money(fields[name], market.currency) for name in _AMOUNTS}}


routes = [
    control_route("/_sandbox/competitors", "GET", _competitors),
    control_route("/_sandbox/competitors", "POST", _set_competitors),
    control_route("/_sandbox/competitors", "DELETE", _remove_competitors),
]
