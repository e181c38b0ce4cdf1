"""The settlement rows that follow honestly from orders: sales, commission, payment fees, refunds and credits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.after_sales.amounts import paid_for
from sandbox.after_sales.model import Refund
from sandbox.clock import SECOND, read_date
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


def order_rows(documents: Iterable[Document], refunds: Mapping[int, Sequence[Refund]]) -> Iterator[Row]:
    """Give the rows of all orders, order by order; `refunds` are those that the server recorded of each line."""
    for document in documents:
        for line in document["orderlines"]:
            if line["state"] in _SETTLED:
                yield from _line_rows(document, line, refunds.get(line["id"], ()))


def _line_rows(document: Document, line: dict[str, Any], refunds: Sequence[Refund]) -> Iterator[Row]:
    sold = _day(document["date_shipping"] or document["date_modification"])
    amount, fee = paid_for(line), Decimal(line["orderline_fee"])
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
    given_back = refund_rows(document, line, refunds)
    yield from given_back
    if line["state"] != LINE_SHIPPED:
        credit, day = f"avoir_commission_order_id_{order_id}", given_back[-1].value_date
        yield Row("avoir_sales_fees", day, line["listing"], "", credit, fee, currency)


def refund_rows(document: Document, line: dict[str, Any], refunds: Sequence[Refund]) -> list[Row]:
    """Give a row for each recorded refund of a line, and one for what a wholly refunded line lacks beyond these."""
    order_id, currency = str(document["order_id"]), line["currency"]
    given_back = [(_day_of(refund.moment), Decimal(refund.amount)) for refund in refunds]
    rest = paid_for(line) - sum((amount for _, amount in given_back), Decimal(0))
    if line["state"] != LINE_SHIPPED and (rest or not given_back):
        given_back.append((_day(document["date_modification"]), rest))
    return [Row("refunds", day, line["listing"], order_id, "Refund", -amount, currency) for day, amount in given_back]


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
    return _day_of(read_date(text))


def _day_of(moment: int) -> date:
    return datetime.fromtimestamp(moment / SECOND, UTC).date()
