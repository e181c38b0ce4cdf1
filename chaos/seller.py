"""The seller's own systems: a shelf, counts, parcels, devices, prices, articles, refunds, invoices and statements.

The seller's system takes an order in at the moment it is accepted on Back Market, and a count takes a while:
`counted_at` is when it began. So a count lacks the units of every order accepted by then, which is what
`seller.stock` asks for.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from chaos.stage import MARKETS
from sandbox.dice import luhn_digit
from sandbox.listings.products import SMARTPHONES
from sandbox.orders.model import (
    LINE_ACCEPTED,
    LINE_AWAITING_PAYMENT,
    LINE_NEW,
    LINE_ON_HOLD,
    LINE_PAID,
    LINE_SHIPPED,
    TO_SHIP,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from chaos.stage import Stage

    Json = dict[str, Any]

WAITING_LINES = frozenset({LINE_NEW, LINE_PAID, LINE_AWAITING_PAYMENT, LINE_ON_HOLD})
"""Lines that may still want their unit."""

SERVED_LINES = frozenset({LINE_ACCEPTED, LINE_SHIPPED})
_BIG = "9" * 300
MISTAKES: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("stock", "(sku, quantity, counted_at) values (%s, 5, 'infinity')", ("BAD-TIME",)),
    ("stock", "(sku, quantity, counted_at) values (%s, -3, now())", ("BAD-COUNT",)),
    ("stock", "(sku, quantity, counted_at) values (%s, 2147483647, now())", (_BIG,)),
    ("prices", "(sku, market, price, currency) values (%s, 'fr-fr', 'NaN', 'EUR')", ("BAD-PRICE",)),
    ("prices", "(sku, market, price, currency) values (%s, 'fr-fr', 'Infinity', 'EUR')", ("BAD-PRICE-2",)),
    ("prices", "(sku, market, price, currency) values (%s, 'xx-yy', -1, 'EURO')", ("BAD-MARKET",)),
    ("shipments", "(order_id, tracking_number, shipper) values (%s, null, null)", (1,)),
    ("shipments", "(order_id, tracking_number, shipper) values (%s, %s, 'ups')", (2**63 - 1, _BIG)),
    ("shipments", "(order_id, tracking_number, shipped_at) values (%s, 'T', '-infinity')", (2,)),
    ("devices", "(order_id, sku, imei) values (%s, %s, %s)", (3, _BIG, "not an imei")),
    ("catalog", "(sku, price, quantity, market) values (%s, 'NaN', -1, 'fr-fr')", ("BAD-ARTICLE",)),
    ("catalog", "(sku, ean, images) values (%s, 'x', '{\"a\": 1}')", ("BAD-ARTICLE-2",)),
    ("refunds", "(order_id, kind, amount, currency) values (%s, 'refund', 'NaN', 'EUR')", (1,)),
    ("refunds", "(order_id, kind, return_message) values (%s, 'everything', %s)", (2, _BIG)),
    ("refunds", "(order_id, kind, amount, currency) values (%s, 'refund', -5, %s)", (2**63 - 1, _BIG)),
)
"""A table, and a row of it that makes no sense."""

_BAD_SKU = "sku like 'BAD-%%' or length(sku) = 300"
_BAD_ORDER = f"order_id in (1, 2, {2**63 - 1})"
_CORRECTIONS = {
    "stock": _BAD_SKU,
    "prices": _BAD_SKU,
    "shipments": _BAD_ORDER,
    "devices": "order_id = 3",
    "catalog": _BAD_SKU,
    "refunds": _BAD_ORDER,
}
KIND_BY_STATE = {LINE_PAID: "cancel", LINE_ACCEPTED: "refund_before_shipping", LINE_SHIPPED: "refund"}
"""What a line in a state can be paid back as."""

_DEAR, _TOO_MUCH = Decimal(60), Decimal(99_999)
REFUND_MESSAGE = "Dear Zo\u00eb, we are sorry for the trouble with your device."
_CENT = Decimal("0.01")
_ATTEMPTS = 40


class Asked(NamedTuple):
    """A refund that the seller asks for.

    :param amount: None: all that is left of the line.
    """

    kind: str
    amount: Decimal | None


@dataclass
class Books:
    """What the seller knows for sure, and the judge takes as given.

    :param units: units of each SKU (lower case) that were free, or wanted by open orders, at the start, and all that
        came since.
    :param served_before: lines that were accepted before the start: their units are not among these.
    :param devices: what identifies the device of a line: its IMEI or its serial number.
    :param prices: the price wanted, by SKU and market.
    :param approvable: prices that move so far that a person has to agree.
    :param bounds: how low and how high prices may go that follow the competition, by SKU and market.
    :param articles: SKUs proposed to be listed, in rows that are right.
    :param filed: the parcels that a file tells: order, number, carrier.
    :param refunds: what is to be paid back of a line, each part once, however often it was asked for.
    :param invoices: what invoices of an order hold, as digests, the newest last.
    """

    units: Counter[str] = field(default_factory=Counter)
    served_before: frozenset[int] = frozenset()
    devices: dict[int, str] = field(default_factory=dict)
    prices: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    approvable: set[tuple[str, str]] = field(default_factory=set)
    bounds: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)
    articles: dict[str, int] = field(default_factory=dict)
    parcels: dict[int, str] = field(default_factory=dict)
    filed: list[tuple[int, str, str]] = field(default_factory=list)
    refunds: dict[int, list[Asked]] = field(default_factory=dict)
    invoices: dict[int, list[str]] = field(default_factory=dict)


class Seller:
    """Fills the schema `seller`."""

    def __init__(self, stage: Stage, rng: Random) -> None:
        self._stage, self._rng = stage, rng
        orders = stage.sandbox.orders()
        self.books = Books(served_before=frozenset(_lines_in(orders, SERVED_LINES)))
        for listing in stage.sandbox.listings():
            self.books.units[listing["sku"].lower()] += listing["quantity"]
        for order in orders:
            for line in order["orderlines"]:
                if line["state"] in WAITING_LINES:
                    self.books.units[line["listing"].lower()] += line["quantity"]

    def receive_goods(self, most: int) -> None:
        """Put a few more units of some SKUs on the shelf."""
        for listing in self._some(self._stage.sandbox.listings(), most):
            self.books.units[listing["sku"].lower()] += self._rng.randint(1, 3)

    def count_stock(self, share: float = 1.0) -> None:
        """Count the units that are promised to nobody, of all SKUs or of some."""
        begin = datetime.now(UTC)
        rows = [
            (sku, max(0, free), begin)
            for sku, free in self.free_units(self._stage.sandbox.orders()).items()
            if self._rng.random() < share
        ]
        self._write(
            "insert into seller.stock (sku, quantity, counted_at) values (%s, %s, %s)"
            " on conflict (account, sku) do update"
            " set quantity = excluded.quantity, counted_at = excluded.counted_at",
            rows,
        )

    def free_units(self, orders: Iterable[Json]) -> Counter[str]:
        """Tell how many units of each SKU no accepted order has; below zero where too many were accepted."""
        free = Counter(self.books.units)
        for order in orders:
            for line in order["orderlines"]:
                if line["state"] in SERVED_LINES and line["id"] not in self.books.served_before:
                    free[line["listing"].lower()] -= line["quantity"]
        return free

    def pack(self, share: float = 1.0, *, by_file: float = 0.0) -> None:
        """Hand accepted orders to the carrier; the device of a line is known then, or turns up later.

        :param by_file: how likely the parcels are told by a file, not by rows.
        """
        phones = {x["sku"].lower() for x in self._stage.sandbox.listings() if x["category"] == SMARTPHONES}
        parcels, devices = [], []
        for order in self._stage.sandbox.orders():
            accepted = [line for line in order["orderlines"] if line["state"] == LINE_ACCEPTED]
            is_new = order["order_id"] not in self.books.parcels and not order["is_backship"]
            if order["state"] == TO_SHIP and accepted and is_new and self._rng.random() < share:
                number = self.books.parcels[order["order_id"]] = f"T{order['order_id']}"
                parcels.append((order["order_id"], number, self._rng.choice(("dhl express", "UPS", "Colissimo"))))
            for line in order["orderlines"]:
                packed = order["order_id"] in self.books.parcels and line["state"] in SERVED_LINES
                unknown = line["id"] not in self.books.devices and line["quantity"] == 1
                bare = not line["imei"] and not line["serial_number"]
                if packed and unknown and bare and self._rng.random() < max(share, 0.6):
                    imei, serial = identifiers(line["id"], is_phone=line["listing"].lower() in phones)
                    self.books.devices[line["id"]] = imei or serial or ""
                    devices.append((order["order_id"], line["id"], line["listing"], imei, serial))
        if parcels and self._rng.random() < by_file:
            self._write_file(parcels)
        else:
            self._write(
                "insert into seller.shipments (order_id, tracking_number, shipper) values (%s, %s, %s)", parcels
            )
        self._write(
            "insert into seller.devices (order_id, orderline_id, sku, imei, serial_number) values (%s, %s, %s, %s, %s)",
            devices,
        )

    def _write_file(self, parcels: list[tuple[int, str, str]]) -> None:
        """Put a file with all parcels that were ever told so in the place of the one before."""
        self.books.filed += parcels
        rows = ["order_id,tracking_number,shipper", *(",".join(map(str, parcel)) for parcel in self.books.filed)]
        # Whole at once: a run may be reading it.
        written = self._stage.folder / "shipments.new"
        written.write_text("\n".join([*rows, ""]), encoding="utf-8")
        written.rename(self._stage.seller_inbox / "shipments.csv")

    def ask_refunds(self, most: int) -> None:
        """Ask for refunds of lines of each state: all of one, a part, two parts, too much; and one of them again."""
        lines = [(order["order_id"], line) for order in self._stage.sandbox.orders() for line in order["orderlines"]]
        for state, kind in KIND_BY_STATE.items():
            fit = [each for each in lines if each[1]["state"] == state and each[1]["id"] not in self.books.refunds]
            for order_id, line in self._rng.sample(fit, min(most, len(fit))):
                for amount in self._amounts(kind, line):
                    self.refund(order_id, line, kind, amount)
        known = list(self.books.refunds)
        for line_id in self._rng.sample(known, min(1, len(known))):
            self.execute(
                "insert into seller.refunds (order_id, orderline_id, kind, amount, currency)"
                " select order_id, orderline_id, kind, amount, currency from seller.refunds"
                " where orderline_id = %s limit 1",
                [line_id],
            )

    def _amounts(self, kind: str, line: Json) -> tuple[Decimal | None, ...]:
        """Choose what is asked for of a line; no two parts are alike, and none is what another leaves."""
        if kind != "refund" or Decimal(line["price"]) < _DEAR:
            return (None,)
        small, large = (Decimal(self._rng.randint(*cents)) / 100 for cents in ((101, 1499), (1501, 2999)))
        wishes: tuple[tuple[Decimal | None, ...], ...] = (
            (None,),
            (small,),
            (small, large),
            (small, None),
            (_TOO_MUCH,),
            (_TOO_MUCH, large),
        )
        return self._rng.choice(wishes)

    def refund(self, order_id: int, line: Json, kind: str, amount: Decimal | None) -> None:
        """Ask for one refund."""
        if amount != _TOO_MUCH:
            self.books.refunds.setdefault(line["id"], []).append(Asked(kind, amount))
        currency = None if amount is None else line["currency"]
        self._write(
            "insert into seller.refunds (order_id, orderline_id, kind, amount, currency, return_message)"
            " values (%s, %s, %s, %s, %s, %s)",
            [(order_id, line["id"], kind, amount, currency, REFUND_MESSAGE)],
        )

    def write_invoices(self, most: int) -> None:
        """Put invoices of some shipped orders into their folder; one of them is a correction of an earlier one."""
        shipped = [
            order["order_id"]
            for order in self._stage.sandbox.orders()
            if {line["state"] for line in order["orderlines"]} == {LINE_SHIPPED}
        ]
        for order_id in self._rng.sample(shipped, min(most, len(shipped))) + list(self.books.invoices)[-1:]:
            self.invoice(order_id)

    def invoice(self, order_id: int) -> None:
        """Put an invoice of an order into the folder, in the place of an earlier one."""
        earlier = self.books.invoices.setdefault(order_id, [])
        content = f"%PDF-1.4\n% order {order_id}, version {len(earlier) + 1}\n%%EOF\n".encode()
        # Whole at once: a run may be reading it.
        written = self._stage.folder / "invoice.new"
        written.write_bytes(content)
        written.rename(self._stage.invoices / f"invoice-{order_id}.pdf")
        earlier.append(sha256(content).hexdigest())

    def set_prices(self, most: int) -> None:
        """Move some prices a little, and now and then one so far that a person has to agree.

        Not of SKUs with a cost: their prices follow the competition, in whatever market they have one.
        """
        competing = {sku for sku, _ in self.books.bounds}
        for listing in self._some(self._stage.sandbox.listings(), most):
            market = self._rng.choice(MARKETS)
            offer = listing["offers"].get(market)
            is_others = listing["sku"] in competing or (listing["sku"], market) in self.books.approvable
            if not offer or not offer["price"] or is_others:
                continue
            is_large = self._rng.random() < 0.05
            factor = Decimal("0.55") if is_large else Decimal(self._rng.randint(96, 104)) / 100
            price = (Decimal(offer["price"]) * factor).quantize(_CENT)
            if price > Decimal(offer["max_price"]):
                continue
            self.price(listing["sku"], market, price, offer["currency"])
            if is_large:
                self.books.approvable.add((listing["sku"], market))

    def price(self, sku: str, market: str, price: Decimal, currency: str) -> None:
        """Set one price."""
        self.books.prices[sku, market] = price
        self._write(
            "insert into seller.prices (sku, market, price, currency) values (%s, %s, %s, %s)"
            " on conflict (account, sku, market) do update set price = excluded.price",
            [(sku, market, price, currency)],
        )

    def propose_articles(self, number: int) -> list[str]:
        """Propose so many new articles of products that Back Market knows."""
        known = self._stage.sandbox.listings()
        skus = []
        for _ in range(number):
            sku = f"NEW-{len(self.books.articles) + 1:04d}"
            like = self._rng.choice(known)
            self.books.articles[sku] = 2
            self.books.units[sku.lower()] += 2
            skus.append(sku)
            self._write(
                "insert into seller.catalog (sku, product_id, quantity, price, currency, market, grade, warranty_delay,"
                " comment) values (%s, %s, 2, 199.00, 'EUR', 'fr-fr', 'GOOD', 12, 'Testé')",
                [(sku, str(like["backmarket_id"]))],
            )
        return skus

    def make_mistakes(self, *tables: str) -> None:
        """Fill in what people and systems fill in wrongly: rows that their types allow and that make no sense.

        :param tables: without ``seller.``; none named means all.
        """
        for table, text, values in MISTAKES:
            if not tables or table in tables:
                self._write(f"insert into seller.{table} {text} on conflict do nothing", [values])

    def correct_mistakes(self) -> None:
        """Take these rows out again."""
        for table, condition in _CORRECTIONS.items():
            self.execute(f"delete from seller.{table} where {condition}")

    def export_statements(self) -> None:
        """Put the statements of all completed weeks into the inbox."""
        self._stage.sandbox.write_statements(self._stage.inbox)

    def execute(self, statement: str, values: Iterable[Any] = ()) -> None:
        """Write one statement to the database, however often PostgreSQL goes down meanwhile."""
        self._write(statement, [tuple(values)])

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        for attempt in range(_ATTEMPTS):
            try:
                with psycopg.connect(self._stage.warehouse_uri) as connection, connection.cursor() as cursor:
                    cursor.executemany(statement.encode(), rows)
            except psycopg.OperationalError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.25)
            else:
                return

    def _some(self, listings: list[Json], most: int) -> list[Json]:
        return self._rng.sample(listings, min(most, len(listings)))


def identifiers(orderline_id: int, *, is_phone: bool) -> tuple[str | None, str | None]:
    """Give the IMEI of a phone, or the serial number of anything else."""
    if not is_phone:
        return None, f"SN{orderline_id}"
    digits = f"35{orderline_id:012d}"
    return f"{digits}{luhn_digit(digits)}", None


def _lines_in(orders: Iterable[Json], states: frozenset[int]) -> Iterable[int]:
    return (line["id"] for order in orders for line in order["orderlines"] if line["state"] in states)
