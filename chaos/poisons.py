"""One sick item among healthy ones, with no other fault on: in that one run all healthy ones must be done.

Each scene makes fresh work, switches one poison on, runs the DAGs concerned once, and asks the sandbox and the database
whether the healthy items are done. Whether the run is red is not asked: it should be, for the sick item's sake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg

from chaos.competition import MARKET
from chaos.evidence import Loss
from chaos.runs import DAGS, Wanted
from chaos.stage import BACKBOX_REQUESTS, MARKETS
from sandbox.listings.model import OFFLINE, ONLINE
from sandbox.orders.model import LINE_ACCEPTED, LINE_PAID, LINE_SHIPPED
from sandbox.statements.files import HEADER

if TYPE_CHECKING:
    from chaos.days import Days
    from sandbox.remote import Json

Waiting = Iterator[str]
"""The healthy items that are not done, each as a person would name it."""


@dataclass(frozen=True)
class Scene:
    """One kind of sickness.

    :param work: makes work, switches the poison on, and gives what tells, after the runs, which healthy item waits.
    """

    name: str
    dags: tuple[str, ...]
    work: Callable[[Days], Callable[[], Waiting]]


def play(days: Days, *, together: bool) -> list[Loss]:
    """Play all scenes; give the healthy items that waited.

    :param together: all in one round, which is quicker but does not tell which sick item it was that stopped another.
    """
    if together:
        return _play(days, SCENES)
    return [loss for scene in SCENES for loss in _play(days, [scene])]


def _play(days: Days, scenes: Sequence[Scene]) -> list[Loss]:
    days.seller.count_stock()
    work = [(scene.name, scene.work(days)) for scene in scenes]
    dag_ids = [dag_id for dag_id in DAGS if any(dag_id in scene.dags for scene in scenes)]
    for dag_id in dag_ids:
        days.runner.run(Wanted(dag_id))
    losses = [Loss("healthy item waited", name, item) for name, waiting in work for item in waiting()]
    days.weather.calm()
    for dag_id in dag_ids:
        days.runner.run(Wanted(dag_id))
    days.take_journal()
    return losses


def _one_in_stock(days: Days, number: int = 0) -> Json:
    """Give a listing whose shelf was just filled; of those on sale, the one with this number."""
    listing = _on_sale(days)[number]
    days.seller.books.units[listing["sku"].lower()] += 10
    days.seller.count_stock()
    return listing


def _on_sale(days: Days) -> list[Json]:
    """Give the listings with an offer in Germany that are on sale in France, or would be if there were any left.

    Those whose prices follow the competition are not among them.
    """
    listings: list[Json] = days.stage.sandbox.listings()
    following = {sku for sku, _ in days.seller.books.bounds}
    in_both = [each for each in listings if each["offers"].get("de-de") and each["sku"] not in following]
    return [each for each in in_both if each["publication_states"]["fr-fr"] in {ONLINE, OFFLINE}]


def _orders(days: Days, state: int) -> list[Json]:
    """Let five customers buy the same thing: the third will be sick, oldest and newest are healthy."""
    sku = _one_in_stock(days)["sku"]
    lines = [{"sku": sku, "state": state}]
    return [days.stage.sandbox.create_order(market="fr-fr", force=True, lines=lines) for _ in range(5)]


def _sick_order(state: int, **fault: Any) -> Callable[[Days], Callable[[], Waiting]]:
    """Have one of five orders fail, or none where no fault is given; the others are to leave `state`."""

    def work(days: Days) -> Callable[[], Waiting]:
        orders = _orders(days, state)
        sick = orders[2]["order_id"] if fault else None
        if state == LINE_ACCEPTED:
            days.seller.pack()
        if fault:
            days.stage.sandbox.fault(order_id=sick, times=None, **fault)
        healthy = [order["order_id"] for order in orders if order["order_id"] != sick]

        def waiting() -> Waiting:
            for order_id in healthy:
                (line,) = days.stage.sandbox.order(order_id)["orderlines"]
                if line["state"] == state:
                    yield f"order {order_id} was not {'accepted' if state == LINE_PAID else 'shipped'}"
                stored = _value(days, "select state from backmarket.order_lines where orderline_id = %s", line["id"])
                if stored != line["state"]:
                    yield f"order {order_id} is stored in line state {stored}, is in {line['state']}"

        return waiting

    return work


def _sick_device(days: Days) -> Callable[[], Waiting]:
    """Have one of five shipped orders take no identifier."""
    orders = _orders(days, LINE_SHIPPED)
    sick = orders[2]["order_id"]
    for order in orders:
        days.seller.books.parcels[order["order_id"]] = "told"
        days.stage.sandbox.patch_order(
            order["order_id"],
            tracking_number="told",
            orderlines=[{**order["orderlines"][0], "imei": "", "serial_number": ""}],
        )
    days.seller.pack()
    days.stage.sandbox.fault("500", method="WRITE", order_id=sick, times=None)
    healthy = [order["order_id"] for order in orders if order["order_id"] != sick]

    def waiting() -> Waiting:
        for order_id in healthy:
            (line,) = days.stage.sandbox.order(order_id)["orderlines"]
            if not line["imei"] and not line["serial_number"]:
                yield f"the device of order {order_id} was not registered"

    return waiting


def _sick_refund(**fault: Any) -> Callable[[Days], Callable[[], Waiting]]:
    """Have one of five shipped orders fail, or none; a part of the price of each is to be paid back."""

    def work(days: Days) -> Callable[[], Waiting]:
        orders = _orders(days, LINE_SHIPPED)
        sick = orders[2]["order_id"] if fault else None
        for order in orders:
            days.seller.refund(order["order_id"], order["orderlines"][0], "refund", Decimal("5.01"))
        if fault:
            days.stage.sandbox.fault(order_id=sick, times=None, **fault)
        healthy = [order["order_id"] for order in orders if order["order_id"] != sick]

        def waiting() -> Waiting:
            refunded = {refund["order_id"] for refund in days.stage.sandbox.refunds()}
            yield from (
                f"a part of order {order_id} was not paid back" for order_id in healthy if order_id not in refunded
            )

        return waiting

    return work


def _sick_folder(**fault: Any) -> Callable[[Days], Callable[[], Waiting]]:
    """Have one of five care folders fail; the messages of the others are to be stored."""

    def work(days: Days) -> Callable[[], Waiting]:
        lines = [order["orderlines"][0]["id"] for order in _orders(days, LINE_SHIPPED)]
        folders = [days.stage.sandbox.open_care_folder(line)["id"] for line in lines]
        days.stage.sandbox.fault(care_folder=folders[2], times=None, **fault)

        def waiting() -> Waiting:
            query = "select count(*) from backmarket.care_messages where care_folder_id = %s"
            for folder in folders:
                if folder != folders[2] and not _value(days, query, folder):
                    yield f"the message of care folder {folder} was not stored"

        return waiting

    return work


def _sick_listing(**fault: Any) -> Callable[[Days], Callable[[], Waiting]]:
    """Have one of five listings fail, or none; quantities and prices of the others are to change."""

    def work(days: Days) -> Callable[[], Waiting]:
        online = _on_sale(days)
        # Others than those of which one is sick: scenes may be played together.
        online = online[:5] if fault else online[5:10]
        before = {listing["id"]: listing["quantity"] for listing in online}
        for listing in online:
            days.seller.books.units[listing["sku"].lower()] += 3
            offer = listing["offers"]["fr-fr"]
            price = (Decimal(offer["price"]) * Decimal("0.99")).quantize(Decimal("0.01"))
            days.seller.price(listing["sku"], "fr-fr", price, offer["currency"])
        days.seller.count_stock()
        healthy = {listing["id"] for listing in online}
        if fault:
            healthy.discard(online[2]["id"])
            days.stage.sandbox.fault(listing=online[2]["id"], times=None, **fault)

        def waiting() -> Waiting:
            for listing in days.stage.sandbox.listings():
                if listing["id"] in healthy:
                    wanted = days.seller.books.prices[listing["sku"], "fr-fr"]
                    if listing["quantity"] <= before[listing["id"]]:
                        yield f"the quantity of {listing['sku']} was not raised"
                    if Decimal(listing["offers"]["fr-fr"]["price"]) != wanted:
                        yield f"the price of {listing['sku']} was not set"

        return waiting

    return work


def _closed_market(kind: str, number: int) -> Callable[[Days], Callable[[], Waiting]]:
    """Have one market answer 403; listings of the others are to be read, their prices set.

    :param number: which listing on sale tells; each scene needs its own, or the last one overwrites the others' mark.
    """

    def work(days: Days) -> Callable[[], Waiting]:
        listing = _one_in_stock(days, number)
        market = MARKETS[2]
        offer = listing["offers"]["fr-fr"]
        price = (Decimal(offer["price"]) * Decimal("1.01")).quantize(Decimal("0.01"))
        days.stage.sandbox.patch_listing(listing["listing_id"], offers={"de-de": {"comment": f"seen {kind}"}})
        days.seller.price(listing["sku"], "fr-fr", price, offer["currency"])
        days.stage.sandbox.fault(kind, market=market, times=None)

        def waiting() -> Waiting:
            query = "select comment from backmarket.listing_offers where id = %s::uuid and market = 'de-de'"
            if _value(days, query, listing["id"]) != f"seen {kind}":
                yield "what changed in de-de was not stored"
            now = next(x for x in days.stage.sandbox.listings() if x["id"] == listing["id"])
            if Decimal(now["offers"]["fr-fr"]["price"]) != price:
                yield "the price in fr-fr was not set"

        return waiting

    return work


def _sick_competitors(days: Days) -> Callable[[], Waiting]:
    """Have Back Market tell nonsense of the competition of one listing; that of all others asked for is to be read."""
    days.competition.pass_a_day()
    ids = {listing["sku"]: listing["id"] for listing in days.stage.sandbox.listings()}
    sick, _ = next(iter(days.seller.books.bounds))
    days.stage.sandbox.fault(
        "odd_document", listing=ids[sick], market=MARKET, fields={"is_winning": "perhaps"}, times=None
    )

    def waiting() -> Waiting:
        # Back Market's clock may be some minutes apart; an hour has just passed.
        query = "select count(*) from backmarket.backbox_askings where asked_at > now() - interval '30 minutes'"
        read = _value(days, f"{query} and reason is null")
        if read < BACKBOX_REQUESTS - 1:
            yield f"{BACKBOX_REQUESTS - 1 - read} of {BACKBOX_REQUESTS - 1} other listings were not read"

    return waiting


def _refused_batch(days: Days) -> Callable[[], Waiting]:
    """Have Back Market refuse every batch that holds one of five new articles."""
    skus = days.seller.propose_articles(5)
    days.seller.count_stock()
    days.stage.sandbox.fault("batch_refused", sku=skus[2], times=None)

    def waiting() -> Waiting:
        listed = {listing["sku"] for listing in days.stage.sandbox.listings()}
        yield from (f"article {sku} was not listed" for sku in skus if sku != skus[2] and sku not in listed)

    return waiting


def _sick_rows(table: str, *healthy: Callable[[Days], Callable[[], Waiting]]) -> Scene:
    """Have rows of one of the seller's tables make no sense, among work of the DAG that reads it."""

    def work(days: Days) -> Callable[[], Waiting]:
        found = [each(days) for each in healthy]
        days.seller.make_mistakes(table)

        def waiting() -> Waiting:
            for each in found:
                yield from each()
            days.seller.correct_mistakes()

        return waiting

    return Scene(f"rows of seller.{table} that make no sense", _READERS[table], work)


def _new_articles(days: Days) -> Callable[[], Waiting]:
    """Propose two articles."""
    skus = days.seller.propose_articles(2)
    days.seller.count_stock()

    def waiting() -> Waiting:
        listed = {listing["sku"] for listing in days.stage.sandbox.listings()}
        yield from (f"article {sku} was not listed" for sku in skus if sku not in listed)

    return waiting


def _sick_file(days: Days) -> Callable[[], Waiting]:
    """Put a statement that is none among the others, with new ones before and after it."""
    for number in (1, 2):
        reference = f"2020010{number}-EU-H-9000000{number}"
        row = f"ccbm_fees,2020-01-0{number},,,Customer care {number},-1.0{number},EUR"
        (days.stage.inbox / f"invoice_{reference}.csv").write_text(f"{','.join(HEADER)}\n{row}\n")
    broken = days.stage.inbox / "invoice_20200103-EU-H-90000003.csv"
    broken.write_bytes(b"\xff\xfe\x00not a statement\x00")

    def waiting() -> Waiting:
        query = "select count(*) from backmarket.settlement_statements where invoice_ref = %s"
        for number in (1, 2):
            if not _value(days, query, f"2020010{number}-EU-H-9000000{number}"):
                yield f"statement {number} was not loaded"
        broken.unlink()

    return waiting


def _value(days: Days, query: str, *values: Any) -> Any:
    with psycopg.connect(days.stage.warehouse_uri) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    return row[0] if row else None


_ORDERS, _TRACKING = ("backmarket_orders",), ("backmarket_orders", "backmarket_tracking_imei")
_PRICES, _LISTINGS = ("backmarket_inventory_prices",), ("backmarket_listings",)
_AFTER_SALES = ("backmarket_after_sales",)
_READERS = {
    "stock": (*_ORDERS, *_PRICES),
    "prices": _PRICES,
    "shipments": ("backmarket_tracking_imei",),
    "devices": ("backmarket_tracking_imei",),
    "catalog": _LISTINGS,
    "refunds": _AFTER_SALES,
}
_LETTERS = {"kind": "odd_document", "fields": {"state": "paid"}}
_NO_ID = {"kind": "odd_document", "without": ["order_id"]}
_ODD = {"kind": "odd_document", "fields": {"backcare_price": 99.99, "date_shipping": "0000-00-00T00:00:00Z"}}

SCENES = (
    Scene("an order that cannot be read, to accept", _ORDERS, _sick_order(LINE_PAID, kind="500", method="GET")),
    Scene("an order that takes no write, to accept", _ORDERS, _sick_order(LINE_PAID, kind="500", method="WRITE")),
    Scene("an order whose state is a word, to accept", _ORDERS, _sick_order(LINE_PAID, **_LETTERS)),
    Scene("an order without an id, to accept", _ORDERS, _sick_order(LINE_PAID, **_NO_ID)),
    Scene("an order with odd fields, to accept", _ORDERS, _sick_order(LINE_PAID, **_ODD)),
    Scene("an order that answers 403, to accept", _ORDERS, _sick_order(LINE_PAID, kind="403")),
    Scene("an order that cannot be read, to ship", _TRACKING, _sick_order(LINE_ACCEPTED, kind="500", method="GET")),
    Scene("an order that takes no write, to ship", _TRACKING, _sick_order(LINE_ACCEPTED, kind="500", method="WRITE")),
    Scene("an order whose state is a word, to ship", _TRACKING, _sick_order(LINE_ACCEPTED, **_LETTERS)),
    Scene("an order that takes no identifier", _TRACKING, _sick_device),
    Scene("an order that cannot be read, to pay back", _AFTER_SALES, _sick_refund(kind="500", method="GET")),
    Scene("a care folder that cannot be read", _AFTER_SALES, _sick_folder(kind="500")),
    Scene("a care folder without an id", _AFTER_SALES, _sick_folder(kind="odd_document", without=["id"])),
    Scene("a listing that cannot be read", _PRICES, _sick_listing(kind="500", method="GET")),
    Scene("a listing that takes no write", _PRICES, _sick_listing(kind="500", method="POST")),
    Scene("a listing that hangs", _PRICES, _sick_listing(kind="slow", seconds=2.0)),
    Scene("a listing without an id", _PRICES, _sick_listing(kind="odd_document", without=["id", "listing_id"])),
    Scene(
        "a listing whose quantity is a word", _PRICES, _sick_listing(kind="odd_document", fields={"quantity": "many"})
    ),
    Scene("a market that answers 403", (*_LISTINGS, *_PRICES), _closed_market("403", -1)),
    Scene("a market behind the firewall", (*_LISTINGS, *_PRICES), _closed_market("firewall_403", -2)),
    Scene("competitors in words that mean nothing", ("backmarket_backbox",), _sick_competitors),
    Scene("an article for which whole batches are refused", _LISTINGS, _refused_batch),
    _sick_rows("stock", _sick_listing(), _sick_order(LINE_PAID)),
    _sick_rows("prices", _sick_listing()),
    _sick_rows("shipments", _sick_order(LINE_ACCEPTED)),
    _sick_rows("devices", _sick_order(LINE_ACCEPTED)),
    _sick_rows("catalog", _new_articles),
    _sick_rows("refunds", _sick_refund()),
    Scene("a statement that is none", ("backmarket_settlements",), _sick_file),
)
