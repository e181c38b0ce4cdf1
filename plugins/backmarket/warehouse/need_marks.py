"""Stores what people did about the things that wait for them, and lets them have refused changes tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean

if TYPE_CHECKING:
    from collections.abc import Collection

    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.snapshot import Row

Mark = Literal["resolved", "ignored", "commented", "retried", "approved", "declined", "paid_back", "not_paid_back"]

MARKS: tuple[Mark, ...] = get_args(Mark)


def add_mark(connection: Connection, account: str, need: str, item: Row, mark: Mark, *, comment: str, by: str) -> int:
    """Write down what a person did about a thing, and return the mark's id.

    :param item: as :func:`backmarket.warehouse.needs.read_needs` returns it: what the person saw.
    """
    from psycopg.rows import scalar_row

    parameters = {
        "account": account,
        "need": need,
        **{name: item[name] for name in ("topic", "story", "subject", "detail")},
        "mark": mark,
        "comment": clean(comment),
        "marked_by": by,
    }
    cursor = connection.cursor(row_factory=scalar_row)
    found = cursor.execute(sql.statement("need_marks/insert_mark"), parameters).fetchone()
    return int(found or 0)


def try_again(connection: Connection, account: str, item: Row, *, by: str) -> None:
    """End all refusals of a change, so that the next plan is free to send the same.

    :param item: a refused change, as :func:`backmarket.warehouse.needs.read_needs` returns it.
    """
    kind, market, subject = item["topic"].split("/", 2)
    parameters = {"account": account, "kind": kind, "market": market, "subject": subject, "tried_again_by": by}
    connection.execute(sql.statement("need_marks/try_again"), parameters)
    if kind == "price":
        expired = {"account": account, "sku": subject, "market": market}
        connection.execute(sql.statement("need_marks/forget_expired"), expired)
    if kind == "refund":
        of_line = {"account": account, "orderline_id": subject}
        connection.execute(sql.statement("need_marks/forget_expired_refunds"), of_line)


def note_run(connection: Connection, account: str, mark_ids: Collection[int], run_path: str) -> None:
    """Note where Airflow shows the run that was started."""
    parameters = {"account": account, "mark_ids": list(mark_ids), "run_path": run_path}
    connection.execute(sql.statement("need_marks/note_run"), parameters)


def reopen(connection: Connection, account: str, mark_ids: Collection[int], *, by: str) -> int:
    """Take back what was resolved or ignored, where that is still the last word; return how many came back."""
    parameters = {"account": account, "mark_ids": list(mark_ids), "marked_by": by}
    return connection.execute(sql.statement("need_marks/reopen"), parameters).rowcount
