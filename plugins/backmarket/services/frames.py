"""Reads what the seller API serves into frames of pandas: typed, exact, and without personal data."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

from backmarket.api.errors import ShortReadError
from backmarket.api.markets import MARKETS
from backmarket.services.odd_fields import OddFields
from backmarket.warehouse.jsonb import clean
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing, Unreadable
    from backmarket.api.models.plain_order import AnyOrder
    from backmarket.api.moving_list import MovingList
    from backmarket.services.log import Log

FrameKind = Literal["orders", "order_lines", "listings"]

INTEGER = "Int64"
TEXT = "string"
FLAG = "boolean"
MOMENT = "datetime64[ns, UTC]"
AMOUNT = "Decimal"
"""A column of ``object`` that holds :class:`decimal.Decimal`, or None: pandas has no exact amounts of its own."""

COLUMNS: Mapping[FrameKind, Mapping[str, str]] = {
    "orders": {
        "order_id": INTEGER,
        "state": INTEGER,
        "country_code": TEXT,
        "currency": TEXT,
        "price": AMOUNT,
        "shipping_price": AMOUNT,
        "sales_taxes": AMOUNT,
        "payment_method": TEXT,
        "tracking_number": TEXT,
        "shipper": TEXT,
        "is_backship": FLAG,
        "date_creation": MOMENT,
        "date_modification": MOMENT,
        "date_payment": MOMENT,
        "date_shipping": MOMENT,
        "expected_dispatch_date": MOMENT,
        "read_at": MOMENT,
    },
    "order_lines": {
        "order_id": INTEGER,
        "orderline_id": INTEGER,
        "state": INTEGER,
        "sku": TEXT,
        "listing_id": INTEGER,
        "quantity": INTEGER,
        "price": AMOUNT,
        "shipping_price": AMOUNT,
        "currency": TEXT,
        "orderline_fee": AMOUNT,
        "sales_taxes": AMOUNT,
        "return_reason": INTEGER,
        "imei": TEXT,
        "serial_number": TEXT,
        "product": TEXT,
        "product_id": INTEGER,
        "brand": TEXT,
        "condition": INTEGER,
        "backcare": FLAG,
        "backcare_price_cents": INTEGER,
        "date_creation": MOMENT,
        "read_at": MOMENT,
    },
    "listings": {
        "market": TEXT,
        "id": TEXT,
        "listing_id": INTEGER,
        "sku": TEXT,
        "product_id": TEXT,
        "backmarket_id": INTEGER,
        "title": TEXT,
        "grade": TEXT,
        "state": INTEGER,
        "publication_state": INTEGER,
        "warranty_delay": INTEGER,
        "quantity": INTEGER,
        "price": AMOUNT,
        "currency": TEXT,
        "min_price": AMOUNT,
        "max_price": AMOUNT,
        "comment": TEXT,
        "new_battery": FLAG,
        "read_at": MOMENT,
    },
}
"""The columns of each frame, in their order, under Back Market's names; what each is, ``docs/operations/frames.md``."""

FILTERS: Mapping[FrameKind, tuple[str, ...]] = {
    "orders": ("date_modification", "date_creation", "state", "country_code"),
    "order_lines": ("date_modification", "date_creation", "state", "country_code"),
    "listings": ("market", "publication_state"),
}
"""What each kind can be asked by: the API's own filters, of orders for their lines, too."""

_Cells = tuple[Any, ...]
# What a column of nanoseconds can hold, in whole years.
_FIRST_MOMENT = datetime(1678, 1, 1, tzinfo=UTC)
_LAST_MOMENT = datetime(2262, 1, 1, tzinfo=UTC)


class OrderFrames(NamedTuple):
    """Orders and their lines, of one reading; ``order_id`` joins them."""

    orders: pd.DataFrame
    order_lines: pd.DataFrame


def check_filters(kind: FrameKind, filters: Iterable[str]) -> None:
    """Refuse a kind or a filter that there is not.

    :raises ValueError: for a kind.
    :raises TypeError: for a filter, as Python does for an argument.
    """
    if kind not in COLUMNS:
        raise ValueError(f"There is no frame {kind!r}: {', '.join(COLUMNS)}.")
    if unknown := sorted(set(filters) - set(FILTERS[kind])):
        raise TypeError(f"Frame {kind} has no filter {', '.join(unknown)}: {', '.join(FILTERS[kind])}.")


def order_frames(client: BackMarketClient, log: Log, **filters: Any) -> OrderFrames:
    """Read all orders that match every filter, none missing although the list moves meanwhile.

    :param filters: as :meth:`BackMarketClient.moving_orders` takes them.
    :raises BackMarketError: where not all could be read: half a frame would pass for a whole one.
    """
    reading = _Reading(log, "order")
    order_values = attrgetter(*list(COLUMNS["orders"])[:-1])
    line_values = attrgetter(*list(COLUMNS["order_lines"])[1:-1])

    def rows_of(order: AnyOrder, read_at: datetime) -> tuple[_Cells, list[_Cells]]:
        lines = [(order.order_id, *line_values(line), read_at) for line in order.orderlines]
        return (*order_values(order), read_at), lines

    moving = client.moving_orders(**filters)
    with closing(moving.pages()) as pages:
        for page in pages:
            for order in page.orders:
                reading.keep(order.order_id, page.server_time, rows_of(order, page.server_time), order.all_odd_fields)
            reading.leave_out(page.unreadable)
    found = reading.end(moving, "/ws/orders")
    return OrderFrames(
        _frame("orders", [order for order, _ in found], log),
        _frame("order_lines", [line for _, lines in found for line in lines], log),
    )


def listing_frame(
    client: BackMarketClient,
    log: Log,
    *,
    market: str | Sequence[str] | None = None,
    publication_state: int | None = None,
) -> pd.DataFrame:
    """Read listings with what one or several markets offer them for: a row each listing and market.

    :param market: one, or several; None: the connection's.
    :param publication_state: 0 incomplete, 1 pending, 2 online, 3 offline, 4 deactivated; None for all.
    :raises ValueError: for a market that there is not on the account's platform.
    :raises BackMarketError: where not all could be read.
    """
    markets = [market or client.config.market] if market is None or isinstance(market, str) else list(market)
    known = [code for code, each in MARKETS.items() if each.platform == client.config.platform]
    if unknown := [each for each in markets if each not in known]:
        raise ValueError(f"There is no market {', '.join(unknown)} on this platform: {', '.join(known)}.")
    rows = [row for each in dict.fromkeys(markets) for row in _listing_rows(client, log, each, publication_state)]
    return _frame("listings", rows, log)


def _listing_rows(client: BackMarketClient, log: Log, market: str, publication_state: int | None) -> list[_Cells]:
    reading = _Reading(log, "listing", f" of {market}")
    values = attrgetter(*list(COLUMNS["listings"])[1:-1])

    def row_of(listing: Listing, read_at: datetime) -> _Cells:
        return (market, *(str(value) if isinstance(value, UUID) else value for value in values(listing)), read_at)

    moving = client.moving_listings(market, publication_state)
    with closing(moving.pages()) as pages:
        for page in pages:
            for listing in page.listings:
                reading.keep(listing.id, page.asked_at, row_of(listing, page.asked_at), listing.all_odd_fields)
            reading.leave_out(page.unreadable)
    return reading.end(moving, "/ws/listings")


@dataclass
class _Reading:
    """One reading of a list: of each document the latest row, and what had to be left out.

    :param what: each document is, such as ``order``.
    :param where: of which market.
    :param found: by id, when each was read, and what is kept of it.
    :param left_out: ids of documents that could not be understood, with the reason.
    """

    log: Log
    what: str
    where: str = ""
    found: dict[Any, tuple[datetime, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    odd: OddFields = field(default_factory=OddFields)

    def keep(self, key: Any, read_at: datetime, kept: Any, odd_fields: Iterable[str]) -> None:
        """Keep a document; of several readings the latest holds."""
        if key not in self.found or self.found[key][0] <= read_at:
            self.found[key] = read_at, kept
        self.odd.note(odd_fields, key)

    def leave_out(self, unreadable: Iterable[Unreadable]) -> None:
        """Note what could not be understood."""
        self.left_out |= {document.key or "without an id": document.reason for document in unreadable}

    def end(self, moving: MovingList[Any], path: str) -> list[Any]:
        """Log what was left out, and return what was kept, by id.

        :raises ShortReadError: where the list moved too much to be read whole.
        """
        for key in self.left_out.keys() - {str(key) for key in self.found}:
            self.log.warning(
                "%s %s could not be understood and is left out: %s",
                self.what.title(),
                key + self.where,
                self.left_out[key],
            )
        self.odd.tell(self.log, self.what, where=self.where, kept="left empty")
        if not moving.is_complete:
            raise ShortReadError(method="GET", path=path)
        return [self.found[key][1] for key in sorted(self.found)]


def _frame(kind: FrameKind, rows: Sequence[_Cells], log: Log) -> pd.DataFrame:
    import pandas as pd

    columns = COLUMNS[kind]
    cells: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else repeat(())
    return pd.DataFrame(
        {name: _column(name, dtype, values, log) for (name, dtype), values in zip(columns.items(), cells, strict=False)}
    )


def _column(name: str, dtype: str, values: Sequence[Any], log: Log) -> pd.Series[Any]:
    import pandas as pd

    if dtype == MOMENT:
        held = [value if value and _FIRST_MOMENT <= value < _LAST_MOMENT else None for value in values]
        if lost := sum(value is not None for value in values) - sum(value is not None for value in held):
            log.warning("Column %s: %s that pandas cannot hold, left empty.", name, counted(lost, "time"))
        return pd.Series(held, dtype=dtype)
    if dtype == TEXT:
        # Half of an emoji, where a text was cut: no column of texts takes it.
        return pd.Series([clean(value) for value in values], dtype=dtype)
    return pd.Series(list(values), dtype="object" if dtype == AMOUNT else dtype)
