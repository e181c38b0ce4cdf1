"""Makes blank files for the seller's tables: a CSV header, or a workbook that explains its columns and offers lists."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.api.markets import MARKETS
from backmarket.rules.carriers import CARRIERS
from backmarket.rules.listing_review import GRADES
from backmarket.rules.profit import VAT_SCHEMES
from backmarket.rules.refunds import NEW_STATES, RETURN_REASONS
from backmarket.warehouse.seller_files import TARGETS
from backmarket.warehouse.seller_rows import (
    amount,
    cost,
    currency_code,
    day,
    id_number,
    json_value,
    known_market,
    market_code,
    moment,
    name,
    percentage,
    rate,
    sku,
    text,
    units,
    vat_scheme,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openpyxl.worksheet.worksheet import Worksheet

    from backmarket.warehouse.seller_files import Target

ENDINGS = ("csv", "xlsx")
"""What templates come as."""

CHOICES: dict[str, tuple[str, ...]] = {
    "grade": GRADES,
    "market": tuple(MARKETS),
    **dict.fromkeys(
        ("currency", "from_currency", "to_currency"),
        tuple(dict.fromkeys(market.currency for market in MARKETS.values())),
    ),
    "vat_scheme": VAT_SCHEMES,
    "shipper": tuple(CARRIERS),
    "kind": tuple(NEW_STATES),
    "return_reason": tuple(map(str, sorted(RETURN_REASONS))),
}
"""What a workbook offers in a column. Your own name of a carrier is taken as well."""


class Explained(NamedTuple):
    """What a column is for, and an example of what stands in it."""

    what: str
    example: str


# By column; with the table before it where the same name is something else there.
EXPLAINED = {
    "sku": Explained("your SKU, as in your listings", "IP13-128-MID-C"),
    "stock.quantity": Explained("units on the shelf and promised to nobody when they were counted", "7"),
    "counted_at": Explained("when they were counted; without it, before the file was stored", "2026-03-02 16:00"),
    "safety_qty": Explained("units of this SKU that are held back, instead of what the Variable says", "1"),
    "max_qty": Explained("most units of this SKU that are shown, instead of what the Variable says", "5"),
    "orders_known_until": Explained("up to when the count knows of orders, if not up to the count", "2026-03-02 15:50"),
    "warehouse": Explained("where they are, if you count by warehouse", "Paris"),
    "sku_map.sku": Explained("your SKU, as in stock", "WH-00123"),
    "listing_sku": Explained("the SKU of the listing on Back Market", "IP13-128-MID-C"),
    "units": Explained("how many of yours a unit of the listing takes; empty: one", "1"),
    "market": Explained("the market that the price is for", "fr-fr"),
    "price": Explained("in the currency of the market", "329.00"),
    "currency": Explained("of the market", "EUR"),
    "min_price": Explained("your floor; it is kept here and never sent", "299.00"),
    "order_id": Explained("Back Market's number of the order", "50000123"),
    "orderline_id": Explained("Back Market's number of the line, where the SKU is not unique in the order", "50000456"),
    "tracking_number": Explained("of the parcel", "6X1234567890"),
    "tracking_url": Explained("where the parcel is followed", "https://track.example/6X1234567890"),
    "shipper": Explained("the carrier", "DHL Express"),
    "shipped_at": Explained("when the parcel was handed over", "2026-03-02 16:00"),
    "imei": Explained("15 digits; this or the serial number is needed", "356938035643809"),
    "serial_number": Explained("of a device without an IMEI", "DMQK20R1GHK9"),
    "kind": Explained("what it is: cancel before you accept, refund_before_shipping, or refund after it", "refund"),
    "refunds.orderline_id": Explained("Back Market's number of the line, where the order has several", "50000456"),
    "amount": Explained("how much of what was paid for the line, by refund alone; empty: all that is left", "20.00"),
    "refunds.currency": Explained("of the order; an amount needs it", "EUR"),
    "return_reason": Explained("Back Market's number of a reason", "21"),
    "return_message": Explained("what the customer is told, up to 500 characters", "With our apologies"),
    "unit_cost": Explained("what one of them cost you, 0 or more", "212.50"),
    "costs.currency": Explained("in which you paid", "EUR"),
    "device_costs.currency": Explained("in which you paid", "EUR"),
    "vat_scheme": Explained(
        "margin: VAT on what is left of the price after the cost; standard: on all of it, the cost being without VAT",
        "margin",
    ),
    "imei_or_serial": Explained("of the device, as it is registered with its order line", "356938035643809"),
    "day": Explained("the day of the rate", "2026-11-26"),
    "from_currency": Explained("one of this currency", "EUR"),
    "to_currency": Explained("is worth so many of this one", "GBP"),
    "rate": Explained("how many", "0.8542"),
    "vat_rates.market": Explained("the market whose country's VAT it is", "fr-fr"),
    "vat_pct": Explained("in per cent of the price without VAT", "20"),
    "valid_from": Explained("the first day of this rate", "2026-01-01"),
    "ean": Explained("the bar code of the product", "4006381333931"),
    "product_id": Explained("Back Market's number of the product", "51003"),
    "catalog.quantity": Explained("units of the new listing", "4"),
    "grade": Explained("the condition", "GOOD"),
    "warranty_delay": Explained("months of warranty", "12"),
    "comment": Explained("what customers read about the condition", "Tested, with cable"),
    "category_id": Explained("Back Market's number of the category; a new product needs it", "1001"),
    "title": Explained("of a new product", "Phone 9 128 GB"),
    "description": Explained("of a new product", "A phone."),
    "brand": Explained("of a new product", "Example"),
    "price_new": Explained("what the product costs new", "799.00"),
    "weight": Explained("of a new product, in grams", "198"),
    "images": Explained("addresses of pictures of a new product", '["https://example.com/1.jpg"]'),
    "attributes": Explained("of a new product", '{"color": "black"}'),
}  # fmt: skip

_KINDS: dict[Any, str] = {
    sku: "text",
    text: "text",
    name: "text",
    id_number: "digits",
    whole_number: "whole number",
    units: "whole number from 1",
    amount: "amount",
    cost: "amount from 0",
    rate: "number above 0",
    percentage: "per cent",
    currency_code: "currency",
    vat_scheme: " or ".join(VAT_SCHEMES),
    known_market: "market",
    market_code: "market",
    day: "day",
    moment: "day, or day and time (UTC)",
    json_value: "JSON",
}
# Excel would make a number of these, and lose zeros at the front or digits at the end.
_AS_TEXT = frozenset({sku, text, name, id_number, currency_code, known_market, market_code, vat_scheme})
_LAST_ROW = 1_048_576
_WIDTH = 20


def explained(target: Target, column: str) -> Explained:
    """Return what a column of a table is for.

    :raises KeyError: where nobody has said it: a slip, found by the tests.
    """
    return EXPLAINED.get(f"{target.name}.{column}") or EXPLAINED[column]


def template(table: str, ending: str) -> bytes:
    """Make a blank file for a table.

    :param ending: one of :data:`ENDINGS`.
    :raises KeyError: where there is no such table or format.
    """
    return {"csv": _csv, "xlsx": _workbook}[ending](TARGETS[table])


def _csv(target: Target) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerow(target.columns)
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    return file.getvalue().encode("utf-8-sig")


def _workbook(target: Target) -> bytes:
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book = Workbook()
    rows = book.active
    assert rows is not None  # noqa: S101 - a new workbook has one
    rows.title = target.name
    _write(rows, [target.columns])
    columns = book.create_sheet("columns")
    _write(columns, [("column", "needed", "kind", "what it is", "example"), *_explanations(target)])
    for place, column in enumerate(target.columns, start=1):
        letter = get_column_letter(place)
        if target.form.columns[column].read in _AS_TEXT:
            rows.column_dimensions[letter].number_format = "@"
    offered = [column for column in target.columns if column in CHOICES]
    if offered:
        lists = book.create_sheet("lists")
        for place, column in enumerate(offered, start=1):
            letter = get_column_letter(target.columns.index(column) + 1)
            _offer(rows, letter, lists, get_column_letter(place), CHOICES[column])
    for sheet in book.worksheets:
        for place in range(1, sheet.max_column + 1):
            sheet.column_dimensions[get_column_letter(place)].width = _WIDTH
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _write(sheet: Worksheet, rows: Sequence[Sequence[str]]) -> None:
    from openpyxl.styles import Font

    for row in rows:
        sheet.append(list(row))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"


def _explanations(target: Target) -> list[tuple[str, ...]]:
    return [
        (
            column,
            "yes" if column in target.required else "",
            _KINDS[target.form.columns[column].read],
            *explained(target, column),
        )
        for column in target.columns
    ]


def _offer(rows: Worksheet, letter: str, lists: Worksheet, list_letter: str, choices: Sequence[str]) -> None:
    """Let a column offer a list, which stands on a sheet of its own: a long one fits in no other place."""
    from openpyxl.worksheet.datavalidation import DataValidation

    for number, value in enumerate(choices, start=1):
        lists[f"{list_letter}{number}"] = value
    choice = DataValidation(
        type="list",
        formula1=f"{lists.title}!${list_letter}$1:${list_letter}${len(choices)}",
        allow_blank=True,
        errorStyle="warning",
    )
    rows.add_data_validation(choice)
    choice.add(f"{letter}2:{letter}{_LAST_ROW}")
