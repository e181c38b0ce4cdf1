"""Reads rows that the seller's systems filled: each table may be a view of texts, so no row is taken on trust.

SQL hands over every column as text, which no content can make fail. Here each row is judged by itself: it is read
whole, or left out and named with its reason. Nothing is completed or guessed, and no amount passes a float.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping  # noqa: TC003 - read at run time by the dataclasses
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from backmarket.api.markets import MARKETS
from backmarket.rules.catalog import CatalogRow
from backmarket.rules.given_texts import LONGEST_SHOWN, shortened
from backmarket.rules.identifiers import Device
from backmarket.rules.inventory import StockRow
from backmarket.rules.prices import WantedPrice
from backmarket.rules.profit import VAT_SCHEMES, CostRow, DeviceCostRow, FxRateRow, VatRateRow
from backmarket.rules.refunds import RefundRow
from backmarket.rules.shipping import Shipment
from backmarket.rules.sku_map import MapRow
from backmarket.rules.skus import clean_sku
from backmarket.warehouse import quarantine
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backmarket.warehouse.connection import Connection

T = TypeVar("T")

UNNAMED = "unnamed"
"""The key of a row that has nothing to name it by."""

_MOST_LOGGED = 20
# An index of PostgreSQL takes 2,704 bytes an entry, and a character is up to four.
_LONGEST_NAME = 500
_LONGEST_KEY = 200
_BLANKS = " \t\r\n"
_OF_ORDERS = frozenset({"order_id", "orderline_id", "shipped_at"})
# Numbers in whose place people write sentences about customers.
_OFTEN_WORDS = frozenset({"return_reason"})
_WHOLE = re.compile(r"(-?[0-9]{1,10})(?:\.0+)?")
_LARGEST_WHOLE = 2**31 - 1
_ID = re.compile(r"([1-9][0-9]{0,17})(\.0+)?")
# A double holds every whole number of so many digits.
_SURE_DIGITS = 15
_AMOUNT = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,20})?")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_DATE_FIRST = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:[T ].+)?")
# A day, also as a column of times prints it.
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]00(?::?00)?)?)?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MOST_PCT = 100
# Before Back Market; also the "no date" of many systems.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

_log = logging.getLogger(__name__)


class UnreadableError(ValueError):
    """A text is not what its column needs; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that cannot be used.

    :param key: what names it, such as its SKU.
    :param reason: every column at fault, in sentences for a person.
    :param document: the row as it stands in the table, by column.
    """

    key: str
    reason: str
    document: Mapping[str, str | None]


class ShipperAlias(NamedTuple):
    """A row of ``seller.shipper_aliases``: the seller's name of a carrier, and Back Market's."""

    alias: str
    shipper: str


@dataclass(frozen=True, slots=True)
class SellerRows(Generic[T]):
    """What was read of one of the seller's tables.

    :param table: with its schema.
    :param named_by: the column that names a row first.
    :param rows: those that can be used.
    """

    table: str
    named_by: str
    rows: list[T]
    left_out: list[LeftOut]


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is read.

    :param read: takes the column's name and its text, and raises :class:`UnreadableError`.
    :param required: whether a row without it is left out.
    """

    read: Callable[[str, str], object]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How the rows of one table are read.

    :param row_class: takes the columns by name.
    :param columns: in the order in which a statement selects them.
    :param named_by: the columns that name a row.
    :param has_account: whether each row is of one account; else they are for all.
    """

    table: str
    row_class: Callable[..., T]
    columns: Mapping[str, Column]
    named_by: tuple[str, ...]
    has_account: bool = True

    def read(self, rows: Iterable[Sequence[str | None]]) -> SellerRows[T]:
        """Judge rows one by one, each a text by column."""
        usable: list[T] = []
        left_out = []
        for row in rows:
            found = self.judge(dict(zip(self.columns, row, strict=True)))
            if isinstance(found, LeftOut):
                left_out.append(found)
            else:
                usable.append(found)
        return SellerRows(self.table, self.named_by[0], usable, left_out)

    def judge(self, texts: Mapping[str, str | None]) -> T | LeftOut:
        """Return the row, or what is wrong with it: all of it."""
        values, reasons = self.values_of(texts)
        return self.left_out(texts, reasons.values()) if reasons else self.row_class(**values)

    def values_of(self, texts: Mapping[str, str | None]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the columns that can be read, and the reasons against the others."""
        values: dict[str, Any] = {}
        reasons: dict[str, str] = {}
        for name, column in self.columns.items():
            given = texts[name]
            if given is None or is_blank(given):
                values[name] = None
                if column.required:
                    reasons[name] = f"{name} is missing"
                continue
            try:
                values[name] = column.read(name, given)
            except UnreadableError as error:
                reasons[name] = str(error)
        return values, reasons

    def left_out(self, texts: Mapping[str, str | None], reasons: Iterable[str]) -> LeftOut:
        """Leave a row out."""
        parts = [_named(name, texts[name]) for name in self.named_by]
        return LeftOut("/".join(filter(None, parts)) or UNNAMED, "; ".join(reasons), dict(texts))


def text(_column: str, given: str) -> str:
    """Take a text as it is."""
    return given


def name(column: str, given: str) -> str:
    """Take a text as it is, if it is short enough to be a name."""
    if len(given) > _LONGEST_NAME:
        need = f"at most {_LONGEST_NAME} characters are taken, it has {len(given):,}"
        raise _unreadable(column, given, need)
    return given


def sku(column: str, given: str) -> str:
    """Take a SKU without the blanks around it: they never make another SKU."""
    found = clean_sku(given)
    if not found:
        raise UnreadableError(f"{column} is missing")
    return name(column, found)


def whole_number(column: str, given: str) -> int:
    """Read a whole number written plainly: ``7``, `` 7 ``, or ``7.00``, as numeric columns print it."""
    found = _WHOLE.fullmatch(given.strip(_BLANKS))
    number = int(found[1]) if found else None
    if number is None or abs(number) > _LARGEST_WHOLE:
        raise _unreadable(column, given, "a whole number is needed")
    return number


def units(column: str, given: str) -> int:
    """Read how many of a SKU a unit of a listing takes: a whole number, 1 or more."""
    number = whole_number(column, given)
    if number < 1:
        raise _unreadable(column, given, "a whole number of 1 or more is needed")
    return number


def id_number(column: str, given: str) -> int:
    """Read the number of an order, a line or a category: digits only.

    A zero fraction is how numeric columns print it. With more than 15 digits before it, a spreadsheet may have
    rounded the number.
    """
    found = _ID.fullmatch(given.strip(_BLANKS))
    if found is None or (found[2] and len(found[1]) > _SURE_DIGITS):
        raise _unreadable(column, given, "Back Market's number is needed, digits only")
    return int(found[1])


def amount(column: str, given: str) -> Decimal:
    """Read an amount written plainly, with a dot: ``199.90``.

    A numeric column may hold ``NaN`` and infinities; the rules refuse these in their own words.
    """
    plain = given.strip(_BLANKS)
    if plain in _NOT_FINITE:
        return Decimal(plain)
    if _AMOUNT.fullmatch(plain) is None:
        raise _unreadable(column, given, "a plain number such as 199.90 is needed")
    return Decimal(plain)


def cost(column: str, given: str) -> Decimal:
    """Read what something cost: an amount of 0 or more."""
    found = amount(column, given)
    if not found.is_finite() or found < 0:
        raise _unreadable(column, given, "an amount of 0 or more is needed, such as 199.90")
    return found


def rate(column: str, given: str) -> Decimal:
    """Read how many of one currency another is worth: a number above 0."""
    found = amount(column, given)
    if not found.is_finite() or found <= 0:
        raise _unreadable(column, given, "a number above 0 is needed, such as 1.0845")
    return found


def percentage(column: str, given: str) -> Decimal:
    """Read a percentage: a number from 0 to 100, without the sign."""
    found = amount(column, given)
    if not found.is_finite() or not 0 <= found <= _MOST_PCT:
        raise _unreadable(column, given, "a number from 0 to 100 is needed, such as 20")
    return found


def currency_code(column: str, given: str) -> str:
    """Read a currency by its three letters, in any case."""
    found = given.strip(_BLANKS).upper()
    if _CURRENCY.fullmatch(found) is None:
        raise _unreadable(column, given, "a currency such as EUR is needed")
    return found


def vat_scheme(column: str, given: str) -> str:
    """Read how VAT is reckoned, in any case."""
    found = given.strip(_BLANKS).lower()
    if found not in VAT_SCHEMES:
        raise _unreadable(column, given, f"{' or '.join(VAT_SCHEMES)} is needed")
    return found


def market_code(column: str, given: str) -> str:
    """Read a market such as fr-fr, in any case."""
    return name(column, given.strip(_BLANKS).lower())


def known_market(column: str, given: str) -> str:
    """Read a market that Back Market has, in any case."""
    found = market_code(column, given)
    if found not in MARKETS:
        raise _unreadable(column, given, "a market of Back Market's is needed, such as fr-fr")
    return found


def day(column: str, given: str) -> date:
    """Read a day in ISO 8601: ``2026-03-02``; at midnight in UTC it may have a time."""
    found = _DAY.fullmatch(given.strip(_BLANKS))
    try:
        return date.fromisoformat(found[1] if found else "")
    except ValueError:
        raise _unreadable(column, given, "a day such as 2026-03-02 is needed") from None


def moment(column: str, given: str) -> datetime:
    """Read a time in ISO 8601 or as PostgreSQL prints it; without an offset it is UTC."""
    plain = given.strip(_BLANKS)
    try:
        found = datetime.fromisoformat(plain) if _DATE_FIRST.fullmatch(plain) else None
        at = found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        at = None
    if at is None:
        raise _unreadable(column, given, "a time such as 2026-03-02T16:00:00Z is needed")
    if at < _EARLIEST:
        raise _unreadable(column, given, "a time since the year 2000 is needed")
    return at


def json_value(column: str, given: str) -> Any:
    """Read JSON."""
    try:
        found = json.loads(given, parse_constant=_refuse_constant)
        written = json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _unreadable(column, given, 'JSON such as ["https://example.com/1.jpg"] is needed') from None
    # With lone surrogates, which the encoding above refuses, all that PostgreSQL does not take.
    if b"\\u0000" in written:
        raise _unreadable(column, given, "JSON without a NUL in it is needed")
    return found


STOCK = Form(
    "seller.stock",
    StockRow,
    {
        "sku": Column(sku, required=True),
        "quantity": Column(whole_number, required=True),
        "counted_at": Column(moment, required=True),
        "safety_qty": Column(whole_number),
        "max_qty": Column(whole_number),
        "orders_known_until": Column(moment),
        "warehouse": Column(name),
    },
    ("sku",),
)
PRICES = Form(
    "seller.prices",
    WantedPrice,
    {
        "sku": Column(sku, required=True),
        "market": Column(known_market, required=True),
        "price": Column(amount),
        "currency": Column(text),
        "min_price": Column(amount),
    },
    ("sku", "market"),
)
SHIPMENTS = Form(
    "seller.shipments",
    Shipment,
    {
        "order_id": Column(id_number, required=True),
        "tracking_number": Column(text),
        "tracking_url": Column(text),
        "shipper": Column(text),
        "shipped_at": Column(moment),
    },
    ("order_id",),
)
DEVICES = Form(
    "seller.devices",
    Device,
    {
        "order_id": Column(id_number, required=True),
        "orderline_id": Column(id_number),
        "sku": Column(sku),
        "imei": Column(text),
        "serial_number": Column(text),
    },
    ("order_id",),
)
CATALOG = Form(
    "seller.catalog",
    CatalogRow,
    {
        "sku": Column(sku, required=True),
        "ean": Column(text),
        "product_id": Column(text),
        "quantity": Column(whole_number),
        "price": Column(amount),
        "currency": Column(text),
        "market": Column(name),
        "grade": Column(text),
        "warranty_delay": Column(whole_number),
        "comment": Column(text),
        "category_id": Column(id_number),
        "title": Column(text),
        "description": Column(text),
        "brand": Column(text),
        "price_new": Column(amount),
        "weight": Column(amount),
        "images": Column(json_value),
        "attributes": Column(json_value),
    },
    ("sku",),
)
SKU_MAP = Form(
    "seller.sku_map",
    MapRow,
    {
        "sku": Column(sku, required=True),
        "listing_sku": Column(sku, required=True),
        "units": Column(units),
    },
    ("sku", "listing_sku"),
)
REFUNDS = Form(
    "seller.refunds",
    RefundRow,
    {
        "order_id": Column(id_number, required=True),
        "kind": Column(text, required=True),
        "orderline_id": Column(id_number),
        "amount": Column(amount),
        "currency": Column(text),
        "return_reason": Column(whole_number),
        "return_message": Column(text),
    },
    ("order_id",),
)
COSTS = Form(
    "seller.costs",
    CostRow,
    {
        "sku": Column(sku, required=True),
        "unit_cost": Column(cost, required=True),
        "currency": Column(currency_code, required=True),
        "vat_scheme": Column(vat_scheme, required=True),
    },
    ("sku",),
)
DEVICE_COSTS = Form(
    "seller.device_costs",
    DeviceCostRow,
    {
        "imei_or_serial": Column(sku, required=True),
        "unit_cost": Column(cost, required=True),
        "currency": Column(currency_code, required=True),
    },
    ("imei_or_serial",),
)
FX_RATES = Form(
    "seller.fx_rates",
    FxRateRow,
    {
        "day": Column(day, required=True),
        "from_currency": Column(currency_code, required=True),
        "to_currency": Column(currency_code, required=True),
        "rate": Column(rate, required=True),
    },
    ("day", "from_currency", "to_currency"),
    has_account=False,
)
VAT_RATES = Form(
    "seller.vat_rates",
    VatRateRow,
    {
        "market": Column(market_code, required=True),
        "vat_pct": Column(percentage, required=True),
        "valid_from": Column(day),
    },
    ("market", "valid_from"),
)
ALIASES = Form(
    "seller.shipper_aliases",
    ShipperAlias,
    {"alias": Column(text, required=True), "shipper": Column(text, required=True)},
    ("alias",),
)

STOCK_BY_WAREHOUSE = "seller.stock_by_warehouse"
"""Where rows of stock lie that name a warehouse; they are read with the others, by :data:`STOCK`."""

FORMS: tuple[Form[Any], ...] = (
    STOCK,
    PRICES,
    SHIPMENTS,
    DEVICES,
    CATALOG,
    SKU_MAP,
    REFUNDS,
    COSTS,
    DEVICE_COSTS,
    FX_RATES,
    VAT_RATES,
    ALIASES,
)
"""All tables that the seller's systems fill."""


def name_left_out(
    connection: Connection,
    account: str,
    feed: SellerRows[Any],
    *,
    run_id: str,
    named_elsewhere: Iterable[LeftOut] = (),
) -> dict[str, int]:
    """Name what was left out where people look: in quarantine and in the log.

    Only the task that a table feeds calls it, with all that it read.

    :param run_id: the run that read it.
    :param named_elsewhere: rows of the table that another task names.
    :return: how many rows were left out, and how many of them no earlier run had found.
    """
    newly = keep_left_out(
        connection, account, feed.table, feed.left_out, run_id=run_id, named_elsewhere=named_elsewhere
    )
    tell_left_out(feed)
    return {"left_out": len(feed.left_out), "newly_left_out": newly}


def tell_left_out(feed: SellerRows[Any]) -> None:
    """Write to the log which rows were left out: the first ones, and how many there are."""
    for each in feed.left_out[:_MOST_LOGGED]:
        name = f"{feed.named_by} {each.key}"
        _log.warning("A row of %s cannot be used and is left out: %s: %s", feed.table, name, each.reason)
    if len(feed.left_out) > _MOST_LOGGED:
        _log.warning("%s of %s cannot be used, all in all.", counted(len(feed.left_out), "row"), feed.table)


def keep_left_out(
    connection: Connection,
    account: str,
    table: str,
    left_out: Iterable[LeftOut],
    *,
    run_id: str,
    named_elsewhere: Iterable[LeftOut] = (),
) -> int:
    """Make the quarantine hold these rows of a table, and no others but those that another task names.

    A row that was there before keeps its ``first_seen_at``.

    :return: how many no earlier run had found.
    """
    documents = {key: (each.document, each.reason) for key, each in _keyed(left_out).items()}
    others = list(_keyed(named_elsewhere))
    return quarantine.replace(connection, account, table, documents, run_id=run_id, others=others)


def _keyed(left_out: Iterable[LeftOut]) -> dict[str, LeftOut]:
    """Give each row a key of its own: rows of one name are numbered, so that a changed row does not look new."""
    met: Counter[str] = Counter()
    found = {}
    for each in sorted(left_out, key=lambda each: (each.key, json.dumps(each.document, sort_keys=True))):
        met[each.key] += 1
        found[each.key if met[each.key] == 1 else f"{each.key} ({met[each.key]})"] = each
    return found


def is_blank(given: str | None) -> bool:
    """Tell whether a column holds nothing: an export writes an empty text where there is nothing."""
    return given is None or not given.strip(_BLANKS)


def _named(column: str, given: str | None) -> str:
    if column == "order_id" and given is not None:
        return given.strip(_BLANKS) if _is_showable(column, given) else "an order_id that is not shown here"
    return (given or "")[:_LONGEST_KEY]


def _unreadable(column: str, given: str, need: str) -> UnreadableError:
    if _is_showable(column, given):
        return UnreadableError(f"{column} is '{shortened(given)}': {need}")
    return UnreadableError(f"{column} cannot be read: {need}")


def _is_showable(column: str, given: str) -> bool:
    """Tell whether a text may stand in a message, as an e-mail address may not.

    Where rows are about orders, a long text in the wrong column may be a person's address.
    """
    if column in _OFTEN_WORDS and any(map(str.isalpha, given)):
        return False
    return "@" not in given and given.isprintable() and (column not in _OF_ORDERS or len(given) <= LONGEST_SHOWN)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
