"""The one table of concerns: which DAG does what, how often, and what a person can switch on in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection


class Switch(NamedTuple):
    """One thing a person can switch on.

    :param toggle: its Variable without ``backmarket_``; the task that does it has the same name.
    :param title: what a person calls it.
    :param kind: what its changes are called in the ledger; empty for one that only reads.
    :param sync_names: what its successes are recorded under in ``sync_state``, besides the toggle.
    :param has_past: whether a backfill has anything to do for it.
    :param results: the task that tells later how what was sent ended, where the toggle's own cannot.
    """

    toggle: str
    title: str
    kind: str = ""
    sync_names: tuple[str, ...] = ()
    has_past: bool = False
    results: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that tell what a run did: the toggle's own, and the one that tells how that ended."""
        return (self.toggle, self.results) if self.results else (self.toggle,)


class Concern(NamedTuple):
    """What one DAG of an account does.

    :param stem: the name of its DAG without ``backmarket_`` and the account; its files and folders have it, too.
    :param cron: when it runs by default, in UTC; empty where only assets start it.
    :param what: what it does at these times.
    :param schedule: the option of section ``[backmarket]`` that holds its cron expression, without ``_schedule``;
        empty: its stem's first word.
    """

    stem: str
    cron: str
    what: str
    switches: tuple[Switch, ...] = ()
    schedule: str = ""

    @property
    def schedule_option(self) -> str:
        """The option of section ``[backmarket]`` that holds its cron expression."""
        return f"{self.schedule or self.stem.partition('_')[0]}_schedule"


ORDERS = Concern(
    "orders",
    "*/10 * * * *",
    "new and changed orders are downloaded",
    (
        Switch("order_download", "Orders in", sync_names=("orders", "open_orders"), has_past=True),
        Switch("order_acceptance", "Orders accepted", "accept"),
    ),
)
LISTINGS = Concern(
    "listings",
    "25 * * * *",
    "listings are downloaded and new ones are created",
    (
        Switch("active_listing_download", "Listings in", sync_names=("listings",)),
        Switch("listing_creation", "New listings", "listing", results="listing_creation_results"),
        Switch("product_creation", "New products", "product", results="product_creation_results"),
    ),
)
SELLER_FILES = Concern(
    "seller_files",
    "*/15 * * * *",
    "files of the seller fill the seller tables",
    (Switch("seller_files", "Your files in"),),
)
INVENTORY_PRICES = Concern(
    "inventory_prices",
    "*/15 * * * *",
    "quantities and prices are sent, besides after each change of orders",
    (
        Switch("inventory_upload", "Quantities out", "quantity"),
        Switch("prices_upload", "Prices out", "price", results="price_batch_results"),
    ),
)
BACKBOX = Concern(
    "backbox",
    "5,20,35,50 * * * *",
    "competitors are read, and prices follow them",
    (
        Switch("backbox_download", "Competitors in", sync_names=("backbox",)),
        Switch("repricing", "Repricing"),
    ),
)
TRACKING_IMEI = Concern(
    "tracking_imei",
    "*/15 * * * *",
    "shipments and identifiers are sent",
    (
        Switch("tracking_upload", "Tracking out", "tracking"),
        Switch("imei_update", "IMEI and serial numbers out", "imei"),
    ),
)
AFTER_SALES = Concern(
    "after_sales",
    "*/30 * * * *",
    "customers' messages and returns are downloaded, refunds and invoices are sent",
    (
        Switch("care_download", "Customers' messages in", sync_names=("care_folders",)),
        Switch("returns_download", "Deliveries and returns in", sync_names=("deliveries", "returns")),
        Switch("refund_upload", "Refunds out", "refund"),
        Switch("invoice_upload", "Invoices out", "invoice"),
    ),
    schedule="after_sales",
)
SETTLEMENTS = Concern(
    "settlements",
    "0 6 * * *",
    "statement files are loaded and compared with orders",
    (Switch("settlement_download", "Settlements in", has_past=True),),
)
PRICE_APPROVAL = Concern("price_approval", "", "people are asked about large moves of prices")
REFUND_APPROVAL = Concern("refund_approval", "", "people are asked about refunds")
ALERTS = Concern("alerts", "*/15 * * * *", "people are told of what needs them")
ACCOUNT = Concern("account", "30 4 * * *", "the token is validated")
CONCERNS = (
    # In the order of an order's life, as the page shows them.
    ORDERS,
    LISTINGS,
    SELLER_FILES,
    INVENTORY_PRICES,
    BACKBOX,
    TRACKING_IMEI,
    AFTER_SALES,
    SETTLEMENTS,
    PRICE_APPROVAL,
    REFUND_APPROVAL,
    ALERTS,
    ACCOUNT,
)
SWITCHES = tuple((concern, switch) for concern in CONCERNS for switch in concern.switches)
STEMS = frozenset(concern.stem for concern in CONCERNS)


def has_past(toggle: str) -> bool:
    """Tell whether a backfill has anything to do for a toggle: what is sent, and what listings show, has no past."""
    return any(switch.has_past for _, switch in SWITCHES if switch.toggle == toggle)


def kinds_of(stems: Collection[str]) -> list[str]:
    """Return the kinds of changes that these concerns send."""
    return [switch.kind for concern, switch in SWITCHES if switch.kind and concern.stem in stems]


def task_of(kind: str) -> tuple[str, str]:
    """Return the concern's stem and the task that send a kind of change."""
    return next((concern.stem, switch.toggle) for concern, switch in SWITCHES if switch.kind == kind)
