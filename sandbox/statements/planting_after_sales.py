"""Differences between statements and what came after the sale, each with its record."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from sandbox.after_sales.amounts import paid_for
from sandbox.clock import DAY, HOUR
from sandbox.orders.model import LINE_REFUNDED_AFTER, LINE_SHIPPED, PROCESSED, Document
from sandbox.statements.known import KnownAfterSales
from sandbox.statements.planting import Candidates, Planted, Planting, recorded, retained_payout, row_of
from sandbox.statements.rows import Row, refund_rows

_RETURNED_AFTER = timedelta(days=5)
_OLD = timedelta(days=7)


def plant_after_sales(
    rows: list[Row], documents: Sequence[Document], until: date, known: KnownAfterSales, taken: Collection[int | None]
) -> tuple[list[Row], list[Planted]]:
    """Plant one difference of the first three kinds where the orders allow it, each in an order that is not `taken`.

    Of the last kind, what was refunded and never came back, every order is recorded whose refund is a week old;
    `row_date` is the day of that refund. Nothing has to be planted for it.
    """
    free = [document for document in documents if document["order_id"] not in taken]
    usable = Candidates(rows, free, until, retained_payout(rows).currency)
    refunded = usable.take(LINE_SHIPPED, _is_refunded(known)) or usable.take(LINE_REFUNDED_AFTER, _is_refunded(known))
    planted: list[Planted] = []
    if refunded is not None:
        rows, record = _refund_not_in_statement(rows, refunded)
        planted.append(record)
    for rule in (_unexplained_refund, _returned_not_refunded):
        document = usable.take(LINE_SHIPPED, _is_untouched(known))
        if document is not None:
            rows, record = rule(rows, document, known)
            planted.append(record)
    return rows, [*planted, *_refunded_not_returned(documents, until, known)]


def _is_refunded(known: KnownAfterSales) -> Callable[[Document], bool]:
    return lambda document: document["orderlines"][0]["id"] in known.refunds


def _is_untouched(known: KnownAfterSales) -> Callable[[Document], bool]:
    return lambda document: document["state"] == PROCESSED and known.is_untouched(document["orderlines"][0]["id"])


def _refund_not_in_statement(rows: list[Row], document: Document) -> Planting:
    refund = row_of(rows, document, "refunds")
    others = [row for row in rows if row is not refund]
    return others, recorded("refund_not_in_statement", document, refund, str(refund.amount), None)


def _unexplained_refund(rows: list[Row], document: Document, _: KnownAfterSales) -> Planting:
    sale = row_of(rows, document, "sales")
    part = -(sale.amount / 4).quantize(Decimal("0.01"))
    refund = replace(sale, invoice_key="refunds", designation="Refund", amount=part)
    return [*rows, refund], recorded("refund_without_refunded_line", document, refund, None, str(part))


def _returned_not_refunded(rows: list[Row], document: Document, known: KnownAfterSales) -> Planting:
    sale = row_of(rows, document, "sales")
    delivered = sale.value_date + _RETURNED_AFTER
    (line,) = document["orderlines"]
    known.create_return(line["id"], (delivered - date(1970, 1, 1)).days * DAY + 10 * HOUR)
    missing = replace(sale, value_date=delivered)
    return rows, recorded("returned_not_refunded", document, missing, str(-paid_for(line)), None)


def _refunded_not_returned(documents: Sequence[Document], until: date, known: KnownAfterSales) -> list[Planted]:
    found = []
    for document in documents:
        for line in document["orderlines"]:
            if line["state"] == LINE_REFUNDED_AFTER and line["id"] not in known.returned:
                last = refund_rows(document, line, known.refunds.get(line["id"], ()))[-1]
                if last.value_date + _OLD <= until:
                    found.append(recorded("refunded_not_returned", document, last, None, str(last.amount)))
    return found
