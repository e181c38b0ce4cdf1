"""Everything one running sandbox holds."""

import gc

from starlette.requests import Request

from sandbox.after_sales.parcels import follow
from sandbox.after_sales.seed import Troubles
from sandbox.after_sales.store import AfterSales
from sandbox.backbox.store import BackBoxes
from sandbox.catalog.batches import BatchStore
from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.dice import dice
from sandbox.faults.switches import Faults
from sandbox.journal import Journal
from sandbox.limits import (
    BACKBOX_REQUESTS_PER_SECOND,
    CATEGORY_REQUESTS_PER_TEN_SECONDS,
    REQUESTS_PER_TEN_SECONDS,
    CareLimits,
    SkuLineLimit,
    TrafficLimit,
)
from sandbox.listings.model import Listing
from sandbox.listings.seed import seed_listings
from sandbox.listings.store import ListingStore
from sandbox.markets import PLATFORMS
from sandbox.orders.marketplace import Marketplace
from sandbox.orders.seed import Trade
from sandbox.orders.store import OrderRecord, OrderStore, parse
from sandbox.stalls import Stalls
from sandbox.storage import Storage

_MANY_OBJECTS = 10_000


class World:
    """The stores, the clock, the faults and the limits, made from one configuration."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.platform = PLATFORMS[config.platform]
        self.storage = Storage(config.state_file)
        self.clock = Clock(config.now)
        self.faults = Faults(dice(config.seed, 0))
        self.journal = Journal()
        self.stalls = Stalls()
        self._start_afresh()
        if self.storage.is_new:
            self._seed()
        else:
            self._resume()

    def _start_afresh(self) -> None:
        config = self.config
        self.listings = ListingStore(self._keep_listing)
        self.backbox = BackBoxes(config.seed, self.platform, self.clock, self.storage.keep)
        self.after_sales = AfterSales(self.storage.keep)
        self.orders = OrderStore(self._keep_order)
        self.marketplace = Marketplace(config.seed, self.platform, self.clock, self.listings, self.orders)
        self.forget_traffic()
        self.sku_lines = SkuLineLimit()
        self.care_limits = CareLimits()
        self.batches = BatchStore(self.storage.keep_batch)

    def forget_traffic(self) -> None:
        """Let the seconds be over that requests are counted in."""
        self.traffic = TrafficLimit(REQUESTS_PER_TEN_SECONDS)
        self.category_traffic = TrafficLimit(CATEGORY_REQUESTS_PER_TEN_SECONDS)
        self.backbox_traffic = TrafficLimit(BACKBOX_REQUESTS_PER_SECOND, seconds=1.0)

    def _seed(self) -> None:
        config = self.config
        listings = seed_listings(config.seed, self.platform, config.listings, config.stock)
        trade = Trade(config.seed, self.platform, listings)
        gc.disable()
        self.storage.begin()
        for listing in listings:
            self.listings.save(listing)
        if listings:
            troubles = Troubles(config.seed, config.care_folders, self.clock.started)
            for document in trade.history(config.orders, self.clock.started):
                self.orders.save(document)
                troubles.look_at(document)
            troubles.happen(self.after_sales)
        self.storage.commit()
        gc.enable()
        self._settle_memory()

    def _resume(self) -> None:
        self.listings.load(Listing.from_document(each) for each in self.storage.documents("listing"))
        for document, raw in self.storage.orders():
            self.orders.load(document, raw)
        self.after_sales.resume(self.storage)
        self.backbox.resume(self.storage.documents("contest"))
        self.batches.resume(self.storage.documents("batch"))
        self._settle_memory()

    def _keep_listing(self, listing: Listing) -> None:
        self.storage.keep_listing(listing)
        self.backbox.follow(listing)

    def _keep_order(self, record: OrderRecord) -> None:
        self.storage.keep_order(record)
        if b'"is_backship":true' in record.body:
            follow(self.after_sales, parse(record), record.modified)

    def _settle_memory(self) -> None:
        """Spare the collector from walking over a hundred thousand orders again and again."""
        if len(self.orders) > _MANY_OBJECTS:
            gc.freeze()

    def reset(self) -> None:
        """Go back to the seeded start: documents, faults, journal and limits."""
        self.storage.clear()
        self.clock = Clock(self.config.now)
        self.faults.clear()
        self.journal.clear()
        self._start_afresh()
        self._seed()


def world_of(request: Request) -> World:
    """Give the world a request's application serves."""
    world: World = request.app.state.world
    return world
