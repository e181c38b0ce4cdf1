"""The application: the seller's endpoints behind the gate, and the control API beside them."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware

from sandbox import control
from sandbox.after_sales import care_api, care_writes_api, invoices_api, refunds_api, shipping_api
from sandbox.backbox import api as backbox_api
from sandbox.catalog import api as catalog_api
from sandbox.config import SandboxConfig
from sandbox.gate import Gate
from sandbox.listings import api as listings_api
from sandbox.orders import api as orders_api
from sandbox.orders import writes_api as order_writes_api
from sandbox.orders.store import parse
from sandbox.statements.known import known_here
from sandbox.statements.writing import write_statements
from sandbox.world import World

_BEAT_SECONDS = 1.0


def create_app(config: SandboxConfig) -> Starlette:
    """Build one sandbox with a world of its own."""
    world = World(config)
    if config.statements is not None:
        documents = [parse(record) for record in world.orders]
        known = known_here(world.after_sales)
        write_statements(documents, known, config.statements, world.clock.now(), platform=config.platform)
    routes = [
        *orders_api.routes,
        *order_writes_api.routes,
        *invoices_api.routes,
        *care_api.routes,
        *care_writes_api.routes,
        *refunds_api.routes,
        *shipping_api.routes,
        *listings_api.routes,
        *catalog_api.routes,
        *backbox_api.routes,
    ]
    if _is_loopback(config.host):
        routes += control.routes
    app = Starlette(routes=routes, middleware=[Middleware(Gate, world=world)], lifespan=_lifespan)
    app.state.world = world
    app.router.redirect_slashes = False
    return app


def _is_loopback(host: str) -> bool:
    """The control API needs no token, hence it must not be reachable from elsewhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    world: World = app.state.world
    trade = asyncio.create_task(_keep_trading(world)) if world.config.arrivals_per_minute > 0 else None
    beat = asyncio.create_task(world.stalls.keep_beating())
    yield
    beat.cancel()
    if trade is not None:
        trade.cancel()
    world.storage.close()


async def _keep_trading(world: World) -> None:
    """Let orders come at the configured pace, and earlier ones be paid and delivered."""
    due = 0.0
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        due += world.config.arrivals_per_minute * _BEAT_SECONDS / 60
        while due >= 1:
            due -= 1
            world.marketplace.order_if_possible(state=0 if len(world.orders) % 3 else 1)
        world.marketplace.settle_waiting()
