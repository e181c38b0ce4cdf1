"""Differences planted into honest statement rows, and the record of each for a test to compare with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sandbox.orders.model import LINE_REFUNDED_AFTER, LINE_SHIPPED, PROCESSED, Document
from sandbox.statements.rows import Row

UNKNOWN_ORDER = 99_999_999
REFERENCE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
_CREDIT = "avoir_sales_fees"


@dataclass(frozen=True)
class Planted:
    """One planted difference: what a reconciliation should find. `row_date` tells in which statement."""

    kind: str
    order_id: int | None
    currency: str
    expected: str | None
    actual: str | None
    row_date: date


@dataclass(frozen=True)
class Earlier:
    """What an earlier export of one statement held in the place of a row, and what it held besides."""

    row: Row
    instead: Row
    besides: Row


def plant(
    rows: list[Row], documents: Iterable[Document], until: date
) -> tuple[list[Row], list[Planted], Earlier | None]:
    """Plant one difference of every kind that the orders allow, each in an order of its own.

    Only rows whose statement is issued by `until` are touched, so that every difference can be found. The last two
    kinds are between two exports of one statement, of which the later one is honest.
    """
    retained = retained_payout(rows)
    dynamic = {_order_of(row) for row in rows if row.invoice_key == "sales_dp_adjustment"}
    plain = [each for each in documents if each["state"] == PROCESSED and each["order_id"] not in dynamic]
    usable = Candidates(rows, plain, until, retained.currency)
    planted: list[Planted] = []
    for rule, line_state in _RULES:
        document = usable.take(line_state)
        if document is not None:
            rows, record = rule(rows, document)
            planted.append(record)
    for extra, record in _loose_rows(until, retained.currency):
        rows = [*rows, extra]
        planted.append(record)
    released = retained.designation.replace("Retained", "Released")
    rows = [row for row in rows if row.designation != released]
    planted.append(recorded("payout_never_released", None, retained, str(-retained.amount), None))
    changed = usable.take(LINE_SHIPPED)
    earlier = _earlier(row_of(rows, changed, "sales")) if changed else None
    if changed and earlier:
        amounts = str(earlier.instead.amount), str(earlier.row.amount)
        planted.append(recorded("line_changed", changed, earlier.row, *amounts))
        planted.append(recorded("line_vanished", None, earlier.besides, str(earlier.besides.amount), None))
    return rows, planted, earlier


def retained_payout(rows: list[Row]) -> Row:
    """Give the first payout held back: it is in the account's currency."""
    return next(row for row in rows if row.invoice_key == "deferred_payout_retained")


def _earlier(sale: Row) -> Earlier:
    instead = replace(sale, amount=sale.amount - 5)
    besides = replace(
        sale, invoice_key="bonus_marketing", sku="", order_id="", designation="Bonus", amount=Decimal("12.00")
    )
    return Earlier(sale, instead, besides)


class Candidates:
    """Orders of one line and the account's currency that are settled within the statements, each given out once.

    In that currency every week has a statement, whatever is taken out of it.
    """

    def __init__(self, rows: list[Row], documents: list[Document], until: date, currency: str) -> None:
        late = {_order_of(row) for row in rows if row.invoiced_on > until}
        due = {_order_of(row) for row in rows} - late
        self._free = [
            document
            for document in documents
            if document["order_id"] in due and len(document["orderlines"]) == 1 and document["currency"] == currency
        ]

    def take(self, line_state: int, suits: Callable[[Document], bool] = lambda _: True) -> Document | None:
        """Give an order whose line is in a state and that `suits`, None where none is left."""
        for document in self._free:
            if document["orderlines"][0]["state"] == line_state and suits(document):
                self._free.remove(document)
                return document
        return None


def _order_of(row: Row) -> int:
    """Give the order a row belongs to; credits name it in their designation only."""
    digits = row.order_id or row.designation.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def row_of(rows: list[Row], document: Document, key: str) -> Row:
    """Give the first row of an order under a key."""
    return next(row for row in rows if row.invoice_key == key and _order_of(row) == document["order_id"])


def _without(rows: list[Row], document: Document, *keys: str) -> list[Row]:
    """Drop rows of one order: those with the given keys, or all."""
    return [row for row in rows if _order_of(row) != document["order_id"] or (keys and row.invoice_key not in keys)]


def recorded(kind: str, document: Document | None, row: Row, expected: str | None, actual: str | None) -> Planted:
    """Record a difference in the statement that holds a row."""
    order_id = None if document is None else int(document["order_id"])
    return Planted(kind, order_id, row.currency, expected, actual, row.value_date)


Planting = tuple[list[Row], Planted]


def _missing_sale(rows: list[Row], document: Document) -> Planting:
    sale = row_of(rows, document, "sales")
    return _without(rows, document), recorded("missing_sale", document, sale, str(sale.amount), None)


def _other_amount(kind: str, key: str, change: str) -> Callable[[list[Row], Document], Planting]:
    def rule(rows: list[Row], document: Document) -> Planting:
        row = row_of(rows, document, key)
        changed = replace(row, amount=row.amount + Decimal(change))
        others = [changed if each is row else each for each in rows]
        return others, recorded(kind, document, row, str(row.amount), str(changed.amount))

    return rule


def _refund_without_line(rows: list[Row], document: Document) -> Planting:
    sale, fee = row_of(rows, document, "sales"), row_of(rows, document, "sales_fees")
    refund = replace(sale, invoice_key="refunds", designation="Refund", amount=-sale.amount)
    name = f"avoir_commission_order_id_{document['order_id']}"
    credit = replace(fee, invoice_key=_CREDIT, order_id="", designation=name, amount=-fee.amount)
    record = recorded("refund_without_refunded_line", document, sale, None, str(refund.amount))
    return [*rows, refund, credit], record


def _line_without_refund(rows: list[Row], document: Document) -> Planting:
    refund = row_of(rows, document, "refunds")
    record = recorded("refunded_line_without_refund", document, refund, str(refund.amount), None)
    return _without(rows, document, "refunds", _CREDIT), record


def _refund_without_credit(rows: list[Row], document: Document) -> Planting:
    credit = row_of(rows, document, _CREDIT)
    record = recorded("refund_without_fee_credit", document, credit, str(credit.amount), None)
    return _without(rows, document, _CREDIT), record


def _other_currency(rows: list[Row], document: Document) -> Planting:
    sale = row_of(rows, document, "sales")
    other = "GBP" if sale.currency == "EUR" else "EUR"
    changed = [replace(row, currency=other) if _order_of(row) == document["order_id"] else row for row in rows]
    return changed, recorded("currency_mismatch", document, replace(sale, currency=other), sale.currency, other)


_RULES: tuple[tuple[Callable[[list[Row], Document], Planting], int], ...] = (
    (_missing_sale, LINE_SHIPPED),
    (_missing_sale, LINE_SHIPPED),
    (_other_amount("sale_amount_difference", "sales", "-10.00"), LINE_SHIPPED),
    (_other_amount("fee_difference", "sales_fees", "-1.23"), LINE_SHIPPED),
    (_refund_without_line, LINE_SHIPPED),
    (_other_currency, LINE_SHIPPED),
    (_line_without_refund, LINE_REFUNDED_AFTER),
    (_refund_without_credit, LINE_REFUNDED_AFTER),
    (_other_amount("refund_amount_difference", "refunds", "25.00"), LINE_REFUNDED_AFTER),
    (_other_amount("fee_credit_difference", _CREDIT, "-1.00"), LINE_REFUNDED_AFTER),
)


def _loose_rows(until: date, currency: str) -> list[tuple[Row, Planted]]:
    """Give rows that belong to no order: a sale of nobody's, a key nobody knows, a UUID as order id, no date."""
    day = until - timedelta(days=10)
    sale = Row("sales", day, "GHOST", str(UNKNOWN_ORDER), "Ghost", Decimal("99.00"), currency)
    unknown: dict[str, Any] = {"invoice_key": "mystery_levy", "order_id": "", "amount": Decimal("-7.77")}
    levy = replace(sale, **unknown, sku="", designation="Levy")
    named = replace(levy, invoice_key="adjustment", order_id=REFERENCE, amount=Decimal("3.21"))
    undated = replace(levy, invoice_key="allowance", amount=Decimal("1.23"), dated=False)
    return [
        (sale, Planted("sale_without_order", UNKNOWN_ORDER, currency, None, "99.00", day)),
        (levy, Planted("unknown_key", None, currency, None, "-7.77", day)),
        (named, Planted("unknown_order_reference", None, currency, None, "3.21", day)),
        (undated, Planted("no_value_date", None, currency, None, "1.23", day)),
    ]
