"""Gathers the story of one order and of one SKU: what was seen, decided, sent and paid, by time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from backmarket.concerns import AFTER_SALES, BACKBOX, INVENTORY_PRICES, ORDERS, SETTLEMENTS
from backmarket.page import charts
from backmarket.page.back_office import back_office
from backmarket.page.downloads import figure, table
from backmarket.page.formats import LINE_STATES, PUBLICATION_STATES
from backmarket.rules.care import receiver_of
from backmarket.rules.inventory import StockPolicy, counts_by_sku
from backmarket.rules.skus import sku_key
from backmarket.warehouse.seller_rows import STOCK, LeftOut, UnreadableError, moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.page.back_office import BackOffice
    from backmarket.page.charts import Chart
    from backmarket.page.downloads import Download
    from backmarket.rules.inventory import StockRow
    from backmarket.warehouse.snapshot import Reader, Row

_EVENTS = {"at": "When (UTC)", "source": "From", "what": "What", "detail": "Details"}
_LINES = {
    "orderline_id": "Line",
    "sku": "SKU",
    "product": "Product",
    "state": "State",
    "quantity": "Units",
    "price": "Price",
    "orderline_fee": "Commission",
    "currency": "Currency",
    "imei": "IMEI",
    "serial_number": "Serial number",
}
_MARKETS = {
    "market": "Market",
    "title": "Listing",
    "publication_state": "State",
    "quantity": "Units",
    "price": "Price shown",
    "currency": "Currency",
    "wanted": "Price you want",
    "min_price": "Your floor",
    "wanted_currency": "Currency of yours",
}
_BACKBOX = {
    "market": "Market",
    "currency": "Currency",
    "price": "Our price",
    "price_to_win": "Price to win",
    "winner_price": "Winner's price",
    "standing": "BackBox",
    "floor": "Floor",
    "ceiling": "Ceiling",
    "target": "Target",
    "reason": "Why",
    "read_at": "Read (UTC)",
}
_MOST_PRICES = 60
_WRITERS = {"seller": "you", "customer": "the customer", "back_market": "Back Market", "all": "all"}
LARGEST_BIGINT = 2**63 - 1
_TO_ACCEPT = 1


@dataclass(frozen=True)
class OrderStory:
    """One order.

    :param head: the order's own columns; None where no order of this number is stored.
    :param yours: the seller's SKUs that feed a line's listing, by the line's SKU.
    :param events: all that happened, newest first, each with ``at``, ``source``, ``what`` and ``detail``; some with
        ``link``, to a label.
    :param back_office: where Back Market shows it; empty where it does not.
    """

    order_id: int
    head: Row | None
    lines: list[Row]
    yours: dict[str, str]
    events: list[Row]
    back_office: str

    @property
    def tables(self) -> dict[str, Download]:
        """Its tables, to be saved."""
        lines = [
            {**line, "orderline_id": str(line["orderline_id"]), "state": LINE_STATES.get(line["state"], line["state"])}
            for line in self.lines
        ]
        name = f"order-{self.order_id}"
        return {"lines": table(f"{name}-lines", _LINES, lines), "story": table(name, _EVENTS, self.events)}

    @property
    def is_overdue(self) -> bool:
        """Whether it should have been shipped, and is not."""
        return bool(self.head and self.head["overdue"])

    @property
    def advice(self) -> str:
        """What a person can do about an overdue order; empty where it is not."""
        if not self.is_overdue or not self.head:
            return ""
        if self.head["state"] == _TO_ACCEPT:
            return "Accept it, or cancel it in the Back Office."
        if self.head["is_backship"]:
            return (
                "It is a Backship order: hand the parcel over under Back Market's label. Back Market brings its "
                "tracking; none from you is taken."
            )
        return "Ship it, or cancel it in the Back Office."


@dataclass(frozen=True)
class SkuStory:
    """One SKU.

    :param stock: what the seller's system counted; None where it says nothing that can be read.
    :param stock_problem: why its row cannot be used; empty where one can, or there is none.
    :param warehouses: the rows of seller.stock that name one.
    :param feeds: what seller.sku_map says of it, as a SKU of the seller.
    :param fed_by: what seller.sku_map says of it, as a listing.
    :param plan: the arithmetic of the newest plan; None where there was none.
    :param sent: the quantity that Back Market confirmed last; None before the first.
    :param sold: units ordered in the last 30 days.
    :param cancelled: lines of the last 90 days that were cancelled.
    :param refunded: lines of the last 90 days that were refunded.
    :param markets: what each market shows, beside what is wanted there.
    :param backbox: the competition for each market's BackBox, beside what repricing wants there.
    :param prices: our price and the winner's over the last 30 days, by market.
    """

    sku: str
    stock: StockRow | None
    stock_problem: str
    warehouses: list[StockRow]
    feeds: list[Row]
    fed_by: list[Row]
    plan: Row | None
    sent: Row | None
    sold: int
    cancelled: int
    refunded: int
    markets: list[Row]
    events: list[Row]
    back_office: str
    backbox: list[Row] = field(default_factory=list)
    prices: list[Chart] = field(default_factory=list)

    @property
    def tables(self) -> dict[str, Download]:
        """Its tables, to be saved; a SKU may hold what no name of a file may."""
        markets = [
            {
                **row,
                "publication_state": PUBLICATION_STATES.get(row["publication_state"], row["publication_state"]),
                "wanted": figure(row["wanted"]),
                "min_price": figure(row["min_price"]),
            }
            for row in self.markets
        ]
        return {
            "markets": table("sku-markets", _MARKETS, markets),
            "backbox": table("sku-backbox", _BACKBOX, self.backbox),
            "story": table("sku", _EVENTS, self.events),
        }

    @property
    def known(self) -> bool:
        """Whether anything at all is known of it."""
        told = (self.stock, self.stock_problem, self.plan, self.markets, self.backbox, self.events)
        return any((*told, self.feeds, self.fed_by))


def order_story(database: Reader, order_id: int, readable: frozenset[str]) -> OrderStory:
    """Return all that this database knows of an order; settlements and after-sales only for readers of their DAGs."""
    office = back_office(database)
    statements = ["order_events", "order_quarantine", "order_changes"]
    after_sales: list[Row] = []
    if SETTLEMENTS.stem in readable:
        statements += ["order_settlement", "order_findings"]
    if AFTER_SALES.stem in readable:
        statements += ["order_refunds", "order_approvals"]
        after_sales = _after_sales(database, order_id, office)
    return OrderStory(
        order_id,
        _first(database.rows("order_head", order_id=order_id)),
        database.rows("order_lines", order_id=order_id),
        {row["listing_sku"]: row["skus"] for row in database.rows("order_map", order_id=order_id)},
        _by_time(
            [
                *(row for name in statements for row in database.rows(name, order_id=order_id)),
                *_shipped(database.rows("order_shipments", order_id=order_id)),
                *after_sales,
            ]
        ),
        office.order(order_id),
    )


def sku_story(database: Reader, sku: str, readable: frozenset[str]) -> SkuStory:
    """Return all that this database knows of a SKU; orders, stock and BackBox each only for readers of their DAG."""
    story = _of_orders_and_stock(database, sku, readable)
    if BACKBOX.stem not in readable:
        return story
    backbox = [{**row, "standing": _standing(row)} for row in database.rows("sku_backbox", skus=[sku])]
    history = database.rows("sku_backbox_history", skus=[sku], most=_MOST_PRICES)
    return replace(story, backbox=backbox, prices=_prices(history, datetime.now(UTC)))


def _standing(row: Row) -> str:
    """Say in a word or two how a listing stands in a market."""
    if not row["takes_part"]:
        return "nobody competes"
    return "won" if row["is_winning"] else "lost"


def _prices(history: Iterable[Row], now: datetime) -> list[Chart]:
    drawn = []
    for (market, currency), rows in groupby(history, itemgetter("market", "currency")):
        readings = list(rows)
        is_thinned = any(row["is_thinned"] for row in readings)
        note = "last 30 days, as each half day ended" if is_thinned else "last 30 days"
        drawn.append(charts.prices(f"Price in {market}, {currency}", note, readings, now))
    return [chart for chart in drawn if chart.svg]


def _of_orders_and_stock(database: Reader, sku: str, readable: frozenset[str]) -> SkuStory:
    spellings = [row["sku"] for row in database.rows("sku_spellings", sku=sku)]
    skus = list(dict.fromkeys([sku, *spellings, sku.upper(), sku.lower()]))
    office = back_office(database).listing(sku)
    sales: list[Row] = []
    sold = cancelled = refunded = 0
    if ORDERS.stem in readable:
        sales = database.rows("sku_sales", skus=skus)
        sold = sum(row["units"] for row in database.rows("sku_sold", skus=skus))
        for row in database.rows("sku_ended", skus=skus):
            cancelled, refunded = row["cancelled"], row["refunded"]
    mapped = database.rows("sku_map", skus=skus)
    feeds = [row for row in mapped if sku_key(row["sku"]) == sku_key(sku)]
    fed_by = [row for row in mapped if sku_key(row["listing_sku"]) == sku_key(sku)]
    if INVENTORY_PRICES.stem not in readable:
        return SkuStory(
            sku, None, "", [], feeds, fed_by, None, None, sold, cancelled, refunded, [], _by_time(sales), office
        )
    events = [row for name in ("sku_changes", "sku_history") for row in database.rows(name, skus=skus)]
    counts, problem = _counts(database.rows("sku_stock", skus=skus))
    return SkuStory(
        sku,
        _as_one(counts),
        "" if counts else problem,
        [count for count in counts if count.warehouse],
        feeds,
        fed_by,
        _first(database.rows("sku_plan", skus=skus)),
        _first(database.rows("sku_sent", skus=skus)),
        sold,
        cancelled,
        refunded,
        database.rows("sku_markets", skus=skus),
        _by_time([*sales, *events]),
        office,
    )


def _after_sales(database: Reader, order_id: int, office: BackOffice) -> list[Row]:
    """Return what care folders and parcels tell of an order: who wrote when, never the words, which are personal."""
    made = [row for name in ("order_care", "order_parcels") for row in database.rows(name, order_id=order_id)]
    written = database.rows("order_messages", order_id=order_id)
    return [
        *({**row, "link": office.document(row["url"])} for row in made),
        *({**row, "what": _who_wrote(row["sender"], receiver_of(row["kind"]))} for row in written),
    ]


def _who_wrote(sender: str | None, receiver: str | None) -> str:
    by = _WRITERS.get(sender or "", "somebody")
    to = f" to {_WRITERS[receiver]}" if receiver else ""
    return f"{by} wrote{to}"


def _counts(rows: list[Row]) -> tuple[list[StockRow], str]:
    """Return the counts that can be read, and what is wrong with a row that cannot; empty where there is none."""
    counts, problem = [], ""
    for row in rows:
        found = STOCK.judge(row)
        if isinstance(found, LeftOut):
            problem = found.reason
        else:
            counts.append(found)
    return counts, problem


def _as_one(counts: list[StockRow]) -> StockRow | None:
    """Return the counts of all warehouses as one; of rows that contradict each other the newest."""
    added = counts_by_sku(counts, StockPolicy()).by_sku.values()
    return next(iter(added), max(counts, key=lambda count: count.counted_at, default=None))


def _shipped(rows: list[Row]) -> Iterable[Row]:
    """Return the parcels whose time can be read: only these have a place in a story."""
    for row in rows:
        with suppress(UnreadableError):
            yield {**row, "at": moment("shipped_at", row["at"])}


def _first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _by_time(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["at"], reverse=True)
