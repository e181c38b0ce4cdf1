"""Lists of the page: what each shows, what an address asks of it, and the same as a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from backmarket.concerns import INVENTORY_PRICES, ORDERS, kinds_of
from backmarket.page.back_office import BackOffice, back_office
from backmarket.page.downloads import Download, Heading, figure
from backmarket.warehouse.lists import Choice, ListRows, Order, read_list, stream_list
from backmarket.warehouse.needs import (
    APPROVALS,
    REFUND_APPROVALS,
    REFUNDS_IN_DOUBT,
    WITHIN,
    parameters_of_worked_off,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from backmarket.page.place import Place
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader

ROWS_A_PAGE = 100
_LONGEST_TEXT = 100
_AMOUNT = re.compile(r"[0-9]{1,12}([.,][0-9]{1,4})?", re.ASCII)
_DAYS = re.compile(r"[0-9]{1,5}", re.ASCII)
_PAGE = re.compile(r"[1-9][0-9]{0,7}", re.ASCII)


@dataclass(frozen=True)
class Column:
    """One column of a list.

    :param name: of the statement's column that it shows and sorts by.
    :param shown_as: which macro of ``lists.html`` shows it.
    :param stems: the concerns that a person must be able to read to see it, besides the list's own.
    """

    name: str
    title: str
    shown_as: str = "text"
    stems: frozenset[str] = frozenset()

    @property
    def is_number(self) -> bool:
        """Whether it stands at the right."""
        return self.shown_as in {"number", "money", "bad_rows"}

    @property
    def is_time(self) -> bool:
        """Whether it shows moments, in UTC."""
        return self.shown_as in {"age", "deadline", "day"}


@dataclass(frozen=True)
class ListOf:
    """What a list is.

    :param name: of its files.
    :param path: its address below the page's own.
    :param statement: the one in ``include/sql/page.sql`` that has all its rows.
    :param order: how it is sorted where nobody asks for anything else.
    :param parameters: of the statement, besides account.
    :param within: statements around it, as :func:`backmarket.warehouse.lists.read_list` knows them.
    """

    name: str
    title: str
    path: str
    statement: str
    columns: tuple[Column, ...]
    order: Order
    parameters: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What an address asks of a list.

    :param given: the filter as it was typed, by field.
    :param problems: why a field of the filter cannot be used, by field; the list is shown without it.
    """

    choice: Choice
    order: Order
    page: int
    given: Mapping[str, str]
    problems: Mapping[str, str]


@dataclass(frozen=True)
class Shown:
    """One page of a list, for its template.

    :param kept: what every address of it carries besides the filter.
    """

    list_of: ListOf
    columns: list[Column]
    wanted: Wanted
    rows: ListRows
    kept: Mapping[str, str]
    back_office: BackOffice

    @property
    def pages(self) -> int:
        """How many pages there are, one at the least."""
        return max(1, -(-self.rows.total // ROWS_A_PAGE))

    @property
    def first(self) -> int:
        """The number of the first row on this page, from one."""
        return (self.wanted.page - 1) * ROWS_A_PAGE + 1

    @property
    def last(self) -> int:
        """The number of the last row on this page."""
        return self.first + len(self.rows.items) - 1

    @property
    def is_filtered(self) -> bool:
        """Whether rows may have been left out."""
        return self.wanted.choice != Choice()

    def link(self, **changes: object) -> str:
        """Return the address of this list with its filter and order, changed so; ``page`` is the first if not given."""
        asked = {**self.kept, **self.wanted.given, "sort": self._sort(self.wanted.order), **changes}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{self.list_of.path}?{query}" if query else self.list_of.path

    def title_of(self, name: str) -> str:
        """Return what a column is called."""
        return next(column.title for column in self.list_of.columns if column.name == name)

    def link_without_filter(self) -> str:
        """Return the address of the whole list."""
        return self.link(**dict.fromkeys(self.wanted.given, ""))

    def link_to_sort(self, column: Column) -> str:
        """Return the address of this list in the order of a column, or the other way round where it is so already."""
        descending = self.wanted.order.column == column.name and not self.wanted.order.descending
        return self.link(sort=self._sort(Order(column.name, descending)))

    def sorted_by(self, column: Column) -> str:
        """Return the value of ``aria-sort`` of a column; empty where it is not the one."""
        if self.wanted.order.column != column.name:
            return ""
        return "descending" if self.wanted.order.descending else "ascending"

    @property
    def sort(self) -> str:
        """What an address has to say for this order; empty for the one that nobody has to ask for."""
        return self._sort(self.wanted.order)

    def _sort(self, order: Order) -> str:
        if order == self.list_of.order:
            return ""
        return f"-{order.column}" if order.descending else order.column


_WHAT = Column("subject", "What", "story")
_KIND = Column("kind", "Kind", "words")
_MARKET = Column("market", "Market")
_WHY = Column("why", "Why", "why")
_AMOUNT_OF_MONEY = Column("amount", "Amount", "money")
_SINCE = Column("since", "Since", "age")
_NEWEST = Order("since", descending=True)
_OF_REFUND = (
    Column("subject", "Order", "story"),
    Column("orderline_id", "Line"),
    Column("sku", "SKU"),
    _KIND,
    _AMOUNT_OF_MONEY,
    Column("price", "Price of the line", "money"),
    _WHY,
)
_COLUMNS = {
    APPROVALS.name: (
        Column("subject", "SKU", "story"),
        _MARKET,
        Column("old_price", "Old price", "money"),
        Column("amount", "New price", "money"),
        Column("change_pct", "Change in %", "number"),
        Column("floor", "Your floor", "figure"),
        Column("stock", "Counted", "figure"),
        _SINCE,
    ),
    REFUND_APPROVALS.name: (*_OF_REFUND, _SINCE),
    REFUNDS_IN_DOUBT.name: (*_OF_REFUND, _SINCE),
}
"""Of what waits for a decision: what it is decided by."""
_WITHIN = {
    APPROVALS.name: "approvals",
    REFUND_APPROVALS.name: "approvals_of_refunds",
    REFUNDS_IN_DOUBT.name: "approvals_of_refunds",
}
"""The statements that add it."""


def list_of_need(need: Need, stems: Iterable[str], answer_hours: int) -> ListOf:
    """Return the list of all that waits of one kind.

    :param answer_hours: a customer who has waited longer for an answer needs a person.
    """
    return ListOf(
        need.name.replace("_", "-"),
        need.title,
        f"/needs/{need.name}",
        need.statement,
        _COLUMNS.get(need.name, (_WHAT, _KIND, _MARKET, _WHY, _AMOUNT_OF_MONEY, _SINCE)),
        need.order,
        need.parameters_for(frozenset(stems), answer_hours),
        (*WITHIN, _WITHIN[need.name]) if need.name in _WITHIN else WITHIN,
    )


LIST_OF_ORDERS = ListOf(
    "orders",
    "Open orders",
    "/orders",
    "list_orders",
    (
        Column("subject", "Order", "story"),
        _MARKET,
        Column("ship_by", "Ship by", "deadline"),
        Column("kind", "Waits for", "words"),
        Column("why", "Why", "why"),
        Column("skus", "SKUs"),
        Column("units", "Units", "number"),
        Column("amount", "Price", "money"),
        Column("since", "Paid", "age"),
    ),
    Order("ship_by"),
)
LIST_OF_LISTINGS = ListOf(
    "listings",
    "Listings",
    "/listings",
    "list_listings",
    (
        Column("subject", "SKU", "story"),
        Column("detail", "Listing"),
        Column("kind", "State"),
        Column("market", "Markets"),
        Column("stock", "Stock", "number", frozenset({INVENTORY_PRICES.stem})),
        Column("shown", "Shown", "number"),
        Column("sold", "Sold in 30 days", "number", frozenset({ORDERS.stem})),
        Column("cover", "Days of cover", "number", frozenset({INVENTORY_PRICES.stem, ORDERS.stem})),
        Column("amount", "Lowest price", "money"),
        Column("prices", "Price by market"),
        Column("since", "First seen", "age"),
    ),
    Order("subject"),
)
LIST_OF_FILES = ListOf(
    "files",
    "Files read",
    "/files",
    "list_files",
    (
        Column("subject", "File", "story"),
        Column("target", "Fills"),
        Column("kind", "Outcome", "words"),
        Column("why", "Why", "why"),
        Column("row_count", "Rows", "number"),
        Column("new_rows", "New", "number"),
        Column("changed_rows", "Changed", "number"),
        Column("gone_rows", "Gone", "number"),
        Column("rejected", "Bad rows", "bad_rows"),
        Column("since", "Read", "age"),
    ),
    Order("since", descending=True),
)
LIST_OF_INVENTORY = ListOf(
    "inventory",
    "Inventory",
    "/inventory",
    "list_inventory",
    (
        Column("subject", "SKU", "story"),
        Column("kind", "Units shown"),
        Column("stock", "On the shelf", "number"),
        Column("yours", "Of your SKUs"),
        Column("reserved", "Reserved", "number"),
        Column("held", "Held", "number"),
        Column("sellable", "Sellable", "number"),
        Column("safety_qty", "Safety", "number"),
        Column("max_qty", "Maximum", "number"),
        Column("wanted", "Wanted", "number"),
        Column("shown", "Shown", "number"),
        Column("why", "Why not sent", "why"),
        Column("since", "Planned", "age"),
    ),
    Order("subject"),
)
LIST_OF_CARE_FOLDERS = ListOf(
    "care-folders",
    "Care folders",
    "/care-folders",
    "list_care_folders",
    (
        Column("subject", "Order", "story"),
        _MARKET,
        Column("kind", "State"),
        Column("waits_since", "Waits since", "age"),
        Column("detail", "Issues"),
        Column("last_message_by", "Last message by"),
        Column("date_last_message", "Last message", "age"),
        Column("labels", "Return labels", "number"),
        Column("since", "Opened", "age"),
        Column("date_closed", "Closed", "age"),
    ),
    Order("waits_since"),
)
LIST_OF_RETURNS = ListOf(
    "returns",
    "Returns",
    "/returns",
    "list_returns",
    (
        Column("subject", "Order", "story"),
        Column("sku", "SKU"),
        Column("kind", "State"),
        Column("carrier_name", "Carrier"),
        Column("tracking_number", "Tracking"),
        Column("amount", "Billed by Back Market", "money"),
        Column("since", "Announced", "age"),
        Column("date_pickup", "Picked up", "age"),
        Column("date_delivery", "Reached you", "age"),
    ),
    _NEWEST,
)
LIST_OF_REFUNDS = ListOf(
    "refunds",
    "Refunds",
    "/refunds",
    "list_refunds",
    (
        Column("subject", "Order", "story"),
        Column("orderline_id", "Line"),
        Column("sku", "SKU"),
        _KIND,
        Column("status", "Status"),
        _AMOUNT_OF_MONEY,
        _WHY,
        Column("decided_by", "Decided by"),
        Column("attempts", "Attempts", "number"),
        Column("since", "Planned", "age"),
        Column("sent_at", "Sent", "age"),
        Column("confirmed_at", "Confirmed", "age"),
    ),
    _NEWEST,
)
_OURS = Column("amount", "Our price", "money")
_TO_WIN = Column("price_to_win", "Price to win", "money")
_WINNERS = Column("winner_price", "Winner's price", "money")
_FLOOR = Column("floor", "Floor", "money")
_REASON = Column("why", "Why")
_READ = Column("since", "Read", "age")
_COMPETING = (Column("subject", "SKU", "story"), _MARKET, _OURS, _TO_WIN, _WINNERS)


WITHIN_FLOOR = "would win within its floor"
BELOW_FLOOR = "cannot win within its floor"
UNDECIDED = "without a decision"
"""How a listing stands in a market's BackBox, as ``backbox_standings`` writes it; there are others."""


def _list_of_backbox(name: str, title: str, columns: tuple[Column, ...], order: Order, standing: str | None) -> ListOf:
    parameters = {"standings": [standing] if standing else None}
    path, within = f"/backbox/{name}", ("list_backbox",)
    return ListOf(f"backbox-{name}", title, path, "backbox_standings", columns, order, parameters, within)


LISTS_OF_BACKBOX = {
    "within-floor": _list_of_backbox(
        "within-floor",
        "Would win within the floor",
        (
            *_COMPETING,
            _FLOOR,
            Column("margin", "Left of a sale", "money"),
            Column("left_pct", "Left in %", "number"),
            Column("verdict", "Decision"),
            _REASON,
            _READ,
        ),
        Order("margin", descending=True),
        WITHIN_FLOOR,
    ),
    "below-floor": _list_of_backbox(
        "below-floor",
        "Cannot win within the floor",
        (
            *_COMPETING,
            _FLOOR,
            Column("gap", "Short by", "money"),
            Column("gap_pct", "Short in %", "number"),
            _REASON,
            _READ,
        ),
        Order("gap", descending=True),
        BELOW_FLOOR,
    ),
    "undecided": _list_of_backbox(
        "undecided",
        "Without a decision",
        (*_COMPETING, _REASON, _READ),
        Order("amount", descending=True),
        UNDECIDED,
    ),
    "all": _list_of_backbox(
        "all",
        "BackBox by listing",
        (
            *_COMPETING[:2],
            Column("kind", "Standing"),
            *_COMPETING[2:],
            _FLOOR,
            Column("ceiling", "Ceiling", "money"),
            Column("target", "Target", "money"),
            _REASON,
            _READ,
        ),
        Order("subject"),
        None,
    ),
}
"""Of the competition for the BackBox, by the end of each one's address; sorted by what is lost most."""
MOST_CHANGES = 2000
"""So many of each kind are listed, the newest."""
MOST_HITS = 200


def list_of_changes(readable: frozenset[str]) -> ListOf:
    """Return the list of the newest changes of each kind that a person may see."""
    return ListOf(
        "changes",
        "Changes",
        "/changes",
        "list_changes",
        (
            _WHAT,
            _KIND,
            _MARKET,
            Column("status", "Status"),
            Column("units", "Units", "figure"),
            _AMOUNT_OF_MONEY,
            _WHY,
            Column("attempts", "Attempts", "number"),
            Column("since", "Planned", "age"),
            Column("sent_at", "Sent", "age"),
            Column("confirmed_at", "Confirmed", "age"),
        ),
        _NEWEST,
        {"kinds": kinds_of(readable), "each": MOST_CHANGES},
    )


def list_of_worked_off(readable: frozenset[str]) -> ListOf:
    """Return the list of what people did about things, the last word on each."""
    return ListOf(
        "worked-off",
        "Worked off",
        "/worked-off",
        "worked_off",
        (
            _WHAT,
            _KIND,
            Column("detail", "Why it waited"),
            Column("mark", "What was done"),
            Column("marked_by", "By"),
            Column("comment", "Comment"),
            Column("since", "When", "age"),
            Column("status", "What became of it", "words"),
            Column("reason", "Why"),
        ),
        _NEWEST,
        parameters_of_worked_off(readable),
        ("list_worked_off",),
    )


def list_of_settled_orders(first_day: date, last_day: date) -> ListOf:
    """Return the list of what the statements of a period, both days included, paid for each order."""
    return ListOf(
        "settlement-by-order",
        f"Settlement by order, {first_day} to {last_day}",
        "/reports/orders",
        "list_settled_orders",
        (
            Column("subject", "Order", "story"),
            Column("kind", "Statements"),
            _MARKET,
            Column("sales", "Sales", "money"),
            Column("fees", "Fees", "money"),
            Column("refunds", "Refunds", "money"),
            Column("adjustments", "Adjustments", "money"),
            Column("amount", "Net", "money"),
            Column("at_stake", "At stake", "money"),
            Column("why", "Open differences"),
            Column("since", "Last row", "day"),
        ),
        Order("at_stake", descending=True),
        {"first_day": first_day, "last_day": last_day},
    )


def list_of_hits(wanted: str, readable: frozenset[str]) -> ListOf:
    """Return the list of orders and SKUs that a text is a part of, those first that it is the whole of.

    :param readable: the concerns that the person may see: of orders and of SKUs each only what their stories show.
    """
    return ListOf(
        "search",
        "Search",
        "/search",
        "list_hits",
        (
            Column("subject", "What", "story"),
            Column("kind", "Found in"),
            Column("detail", "As"),
            _MARKET,
            Column("amount", "Price", "money"),
            Column("since", "Ordered", "age"),
        ),
        Order("distance"),
        {
            "wanted": wanted,
            "orders": ORDERS.stem in readable,
            "skus": not readable.isdisjoint({ORDERS.stem, INVENTORY_PRICES.stem}),
            "each": MOST_HITS,
        },
    )


def wanted_of(list_of: ListOf, query: Mapping[str, str]) -> Wanted:
    """Read what an address asks of a list; what it asks that there is not is left out."""
    given = {
        name: value
        for name in ("market", "kind", "amount", "days", "text")
        if (value := query.get(name, "").replace("\0", "").strip()[:_LONGEST_TEXT])
    }
    problems = {}
    if "amount" in given and not _AMOUNT.fullmatch(given["amount"]):
        problems["amount"] = "A number such as 120 or 99.50 is needed."
    if "days" in given and not _DAYS.fullmatch(given["days"]):
        problems["days"] = "A whole number of days is needed."
    usable = {name: value for name, value in given.items() if name not in problems}
    choice = Choice(
        market=usable.get("market", ""),
        kind=usable.get("kind", ""),
        amount=Decimal(usable["amount"].replace(",", ".")) if "amount" in usable else None,
        days=int(usable["days"]) if "days" in usable else None,
        text=usable.get("text", ""),
    )
    sort = query.get("sort", "")
    asked = Order(sort.removeprefix("-"), descending=sort.startswith("-"))
    order = asked if asked.column in {column.name for column in list_of.columns} else list_of.order
    page = query.get("page", "")
    return Wanted(choice, order, int(page) if _PAGE.fullmatch(page) else 1, given, problems)


def readable_part(list_of: ListOf, readable: frozenset[str]) -> ListOf:
    """Return a list without the columns that a person may not see, nor sort by."""
    return replace(list_of, columns=tuple(column for column in list_of.columns if column.stems <= readable))


def show(list_of: ListOf, query: Mapping[str, str], place: Place, kept: Mapping[str, str]) -> Shown:
    """Read one page of a list; the first where there are not so many.

    :param kept: what every address of it has to carry.
    """
    wanted = wanted_of(list_of, query)
    with place.read() as database:
        rows = _read(database, list_of, wanted)
        if not rows.items and wanted.page > 1:
            wanted = replace(wanted, page=1)
            rows = _read(database, list_of, wanted)
        office = back_office(database)
    columns = [column for column in list_of.columns if _has_something_in(column, rows)]
    return Shown(list_of, columns, wanted, rows, kept, office)


def show_first(list_of: ListOf, rows: ListRows, kept: Mapping[str, str], office: BackOffice) -> Shown:
    """Show the first rows of a list on another page; its headings lead to the list itself.

    :param kept: as for :func:`show`.
    """
    return Shown(list_of, list(list_of.columns), Wanted(Choice(), list_of.order, 1, {}, {}), rows, kept, office)


def _read(database: Reader, list_of: ListOf, wanted: Wanted) -> ListRows:
    return read_list(
        database,
        list_of.statement,
        wanted.order,
        wanted.choice,
        most=ROWS_A_PAGE,
        skip=(wanted.page - 1) * ROWS_A_PAGE,
        parameters=list_of.parameters,
        within=list_of.within,
    )


def _has_something_in(column: Column, rows: ListRows) -> bool:
    found = {"market": bool(rows.markets), "kind": bool(rows.kinds), "amount": rows.has_amounts}
    return found.get(column.name, True)


def download_of(list_of: ListOf, wanted: Wanted, place: Place) -> Download:
    """Return every row of a list that was asked for, in their order, to be saved."""
    headings = [Heading(column.title, column.is_time) for column in list_of.columns]
    if any(column.shown_as == "money" for column in list_of.columns):
        headings.append(Heading("Currency"))
    return Download(list_of.name, headings, _cells_of_rows(list_of, wanted, place))


def _cells_of_rows(list_of: ListOf, wanted: Wanted, place: Place) -> Iterator[list[Any]]:
    has_money = any(column.shown_as == "money" for column in list_of.columns)
    with place.read() as database:
        for row in stream_list(
            database, list_of.statement, wanted.order, wanted.choice, list_of.parameters, list_of.within
        ):
            cells = [
                figure(row[column.name]) if column.shown_as == "figure" else row[column.name]
                for column in list_of.columns
            ]
            yield [*cells, row["currency"]] if has_money else cells
