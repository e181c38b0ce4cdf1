"""The settlement rows that follow honestly from orders: sales, commission, payment fees, refunds and credits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.clock import read_date
from sandbox.orders.model import LINE_REFUNDED_AFTER, LINE_REFUNDED_BEFORE, LINE_SHIPPED, Document

_SETTLED = frozenset({LINE_SHIPPED, LINE_REFUNDED_BEFORE, LINE_REFUNDED_AFTER})
_PAYMENT_KEYS = {"PAYPAL": "paypal_fees", "KLARNA": "klarna_fees", "ONEY": "oney_fees", "SCALAPAY": "scalapay_fees"}
_PAYMENT_FEE = {"EUR": Decimal("-0.35"), "GBP": Decimal("-0.30"), "SEK": Decimal("-3.50")}
_DYNAMIC_EVERY = 13


@dataclass(frozen=True)
class Row:
    """One line of a statement; amounts are signed, what the seller pays is negative. Some do not show their date."""

    invoice_key: str
    value_date: date
    sku: str
    order_id: str
    designation: str
    amount: Decimal
    currency: str
    dated: bool = True

    @property
    def invoiced_on(self) -> date:
        """Tell on which Monday the statement that holds this row is issued."""
        return self.value_date + timedelta(days=7 - self.value_date.weekday())


def order_rows(documents: Iterable[Document]) -> Iterator[Row]:
    """Give the rows of all orders, order by order."""
    for document in documents:
        for line in document["orderlines"]:
            if line["state"] in _SETTLED:
                yield from _line_rows(document, line)


def _line_rows(document: Document, line: dict[str, Any]) -> Iterator[Row]:
    changed = _day(document["date_modification"])
    sold = _day(document["date_shipping"]) if document["date_shipping"] else changed
    amount = (Decimal(line["price"]) + Decimal(line["shipping_price"])) * line["quantity"]
    fee = Decimal(line["orderline_fee"])
    order_id, currency = document["order_id"], line["currency"]
    sale = Row("sales", sold, line["listing"], str(order_id), line["product"], amount, currency)
    if order_id % _DYNAMIC_EVERY == 0:
        share = (amount / 50).quantize(Decimal("0.01"))
        yield replace(sale, amount=amount - share)
        yield replace(sale, invoice_key="sales_dp_adjustment", amount=share)
    else:
        yield sale
    yield replace(sale, invoice_key="sales_fees", designation="Commission", amount=-fee)
    payment_key = _PAYMENT_KEYS.get(document["payment_method"])
    if payment_key is not None:
        payment_fee = _PAYMENT_FEE.get(currency, Decimal("-0.40"))
        yield replace(sale, invoice_key=payment_key, designation="Payment fee", amount=payment_fee)
    if line["state"] != LINE_SHIPPED:
        yield replace(sale, invoice_key="refunds", value_date=changed, designation="Refund", amount=-amount)
        credit = f"avoir_commission_order_id_{order_id}"
        yield Row("avoir_sales_fees", changed, line["listing"], "", credit, fee, currency)


def account_rows(mondays: Iterable[date], currency: str) -> Iterator[Row]:
    """Give what concerns the account: a weekly service fee, and a payout held back and released a week later."""
    for monday in mondays:
        day = monday - timedelta(days=3)
        yield Row("ccbm_fees", day, "", "", "Customer care", Decimal("-19.90"), currency)
        held = Row("deferred_payout_retained", day, "", "", f"Retained {day:%Y%m%d}", Decimal("-150.00"), currency)
        yield held
        later = day + timedelta(days=7)
        name = f"Released {day:%Y%m%d}"
        yield replace(
            held, invoice_key="deferred_payout_released", value_date=later, designation=name, amount=-held.amount
        )


def _day(text: str) -> date:
    return datetime.fromtimestamp(read_date(text) / 1_000_000, UTC).date()
