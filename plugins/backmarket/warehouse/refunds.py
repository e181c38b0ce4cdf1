"""Reads what refunds are judged by: the seller's rows, what was paid, and what was paid back."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from backmarket.api.markets import decimals_of
from backmarket.rules.refunds import OrderMoney, PaidLine, SentRefund, StatementRefund
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.seller_rows import REFUNDS, UnreadableError, id_number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from backmarket.rules.refunds import RefundRow
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import SellerRows


def refund_rows(connection: Connection, account: str) -> SellerRows[RefundRow]:
    """Return the rows of ``seller.refunds`` whose line is not wholly paid back, as far as is known here."""
    statement = sql.statement("after_sales/select_refunds")
    return REFUNDS.read(feeds.select(connection, REFUNDS.table, statement, {"account": account}))


def orders_to_read(connection: Connection, account: str) -> list[int]:
    """Return orders that ``seller.refunds`` names and of which too little is known here, newest first."""
    found = set()
    statement = sql.statement("after_sales/select_refund_orders")
    for (text,) in feeds.select(connection, REFUNDS.table, statement, {"account": account}):
        # The task that the table feeds names what is no number.
        with suppress(UnreadableError):
            found.add(id_number("order_id", text))
    return sorted(found, reverse=True)


def money_of(connection: Connection, account: str, order_ids: Iterable[int]) -> dict[int, OrderMoney]:
    """Return what is known of the money of orders; unknown orders are absent."""
    parameters = {"account": account, "order_ids": list(order_ids)}
    lines: dict[int, list[PaidLine]] = defaultdict(list)
    for order_id, *line in connection.execute(sql.statement("after_sales/select_paid_lines"), parameters):
        lines[order_id].append(PaidLine(*line))
    sent: dict[int, list[SentRefund]] = defaultdict(list)
    for order_id, *refund in connection.execute(sql.statement("after_sales/select_sent_refunds"), parameters):
        sent[order_id].append(SentRefund(*refund))
    shown: dict[int, list[StatementRefund]] = defaultdict(list)
    for order_id, *row in connection.execute(sql.statement("after_sales/select_statement_refunds"), parameters):
        shown[order_id].append(StatementRefund(*row))
    return {
        order_id: OrderMoney(of_order, sent[order_id], shown[order_id], decimals_of(of_order[0].currency))
        for order_id, of_order in lines.items()
    }


def sent_on(connection: Connection, account: str, moment: datetime) -> dict[str, Decimal]:
    """Return what the refunds sent on a day in UTC come to, by currency."""
    parameters = {"account": account, "day": moment.astimezone(UTC).date()}
    return dict(connection.execute(sql.statement("after_sales/sum_sent_refunds"), parameters).fetchall())


def refused_since(connection: Connection, account: str, since: datetime) -> list[dict[str, Any]]:
    """Return what Back Market itself refused of all that was sent since a moment."""
    parameters = {"account": account, "since": since}
    return [
        payload for (payload,) in connection.execute(sql.statement("after_sales/select_refused_refunds"), parameters)
    ]


def proven(connection: Connection, account: str) -> list[tuple[int, str]]:
    """Return the changes whose answer was lost and that a statement shows, each with that statement."""
    return connection.execute(sql.statement("after_sales/select_proven_refunds"), {"account": account}).fetchall()


def settle_doubtful(
    connection: Connection, account: str, change_id: int, *, was_applied: bool, by: str
) -> dict[str, Any] | None:
    """Record what a person saw of a refund whose answer was lost, and return what it was.

    :return: None where that is known already.
    """
    from psycopg.rows import scalar_row

    parameters = {
        "account": account,
        "change_id": change_id,
        "status": "confirmed" if was_applied else "superseded",
        "reason": f"{by} saw it in the Back Office" if was_applied else f"{by} saw that it was not applied",
    }
    cursor = connection.cursor(row_factory=scalar_row)
    return cursor.execute(sql.statement("after_sales/settle_doubtful_refund"), parameters).fetchone()
