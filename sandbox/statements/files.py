"""Statement files in the normal style and in the others that sellers have been given."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sandbox.statements.rows import Row

HEADER = ("invoice_key", "value_date", "sku", "order_id", "designation", "amount", "currency")


@dataclass(frozen=True)
class Style:
    """How one file is written."""

    name: str
    delimiter: str = ","
    dates: str = "%Y-%m-%d"
    decimal_comma: bool = False
    thousands: str = ""
    bom: bool = False
    line_end: str = "\n"
    no_order: str = ""
    order_id: str = "{}"
    newline_in_designation: bool = False


NORMAL = Style("normal")
MONTHS = 12

STYLES = (
    NORMAL,
    Style("semicolon", ";", "%d/%m/%Y", decimal_comma=True, bom=True, line_end="\r\n"),
    Style("thousands", thousands=",", no_order="None", order_id="{}.0"),
    Style("french", ";", "%d/%m/%Y", decimal_comma=True, thousands=" "),
    Style("prefixed", order_id="BM{}", newline_in_designation=True),
)


def style_of(number: int, rows: Sequence[Row]) -> Style:
    """Give the style of a statement by its number; the normal one where nothing would tell its days from months."""
    style = STYLES[number % len(STYLES)]
    could_be_months = all(row.value_date.day <= MONTHS for row in rows)
    return NORMAL if style.dates.startswith("%d") and could_be_months else style


def write_statement(rows: Sequence[Row], style: Style) -> bytes:
    """Write one file's content."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=style.delimiter, lineterminator=style.line_end)
    writer.writerow(HEADER)
    for row in rows:
        designation = row.designation.replace(" ", "\n", 1) if style.newline_in_designation else row.designation
        writer.writerow(
            (
                row.invoice_key,
                row.value_date.strftime(style.dates) if row.dated else "",
                row.sku,
                style.order_id.format(row.order_id) if row.order_id else style.no_order,
                designation,
                _amount(row.amount, style),
                row.currency,
            )
        )
    return text.getvalue().encode("utf-8-sig" if style.bom else "utf-8")


def _amount(amount: Decimal, style: Style) -> str:
    text = f"{amount:,.2f}" if style.thousands else f"{amount:.2f}"
    if not style.decimal_comma:
        return text
    return text.replace(",", style.thousands).replace(".", ",")
